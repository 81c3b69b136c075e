// The glue of a component, between stand-ins for the bindings that a component has.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { test } from 'node:test';

import Conformance from '../../conformance/js/conformance.js';
import { pack } from '../src/fold.js';
import {
  Check,
  DataError,
  Decoder,
  Fold,
  RetryError,
  Rule,
  Schema,
  Source,
  Transform,
  types as t,
} from '../src/index.js';
import { schemaToWit } from '../src/wire.js';

/** Modules of the contract that note what they are called with. */
const HOOKS = `export async function resolve(specifier, context, next) {
  if (!specifier.startsWith('weir:')) return next(specifier, context);
  const source = \`
    const noted = (name) => (...given) => void globalThis.calls.push([name, ...given]);
    export const emit = noted('emit'), reject = noted('reject'), fail = noted('fail');
    export const log = noted('log'), metric = noted('metric');
    export const next = (index) => globalThis.tables[index].shift();
  \`;
  return { url: 'data:text/javascript,' + encodeURIComponent(source), shortCircuit: true };
}`;
register('data:text/javascript,' + encodeURIComponent(HOOKS));
const world = async (name) => (await import(`../src/guest/${name}.js`)).exported;

const RUN = { pipeline: 'p', step: 's', parameters: [{ name: 'date', value: '2024-02-29' }] };
const fixture = JSON.parse(readFileSync(new URL('../../conformance/transform.json', import.meta.url), 'utf8'));

/** A field of a fixture as the contract has it. */
function field({ name, type, nullable, children = [], ...rest }) {
  const value = { time32: rest.unit, time64: rest.unit, timestamp: rest, decimal128: rest }[type];
  const dataType = value === undefined ? { tag: type } : { tag: type, val: value };
  return [{ name, nullable, children: children.length, dataType }, ...children.flatMap(field)];
}

const batchOf = ({ rows, nodes, buffers }) => ({
  rows,
  nodes: nodes.map(([length, nullCount]) => ({ length, nullCount })),
  buffers: buffers.map((buffer) => Uint8Array.from(Buffer.from(buffer, 'hex'))),
});

const written = ({ rows, nodes, buffers }) => ({
  rows,
  nodes: nodes.map(({ length, nullCount }) => [length, nullCount]),
  buffers: buffers.map((buffer) => Buffer.from(buffer).toString('hex')),
});

for (const { name, config, input, batches, calls } of fixture) {
  test(`a transform's calls: ${name}`, async () => {
    globalThis.calls = [];
    const component = (await world('transform'))(Conformance);
    assert.equal(component.describe().name, 'conformance');
    component.bind(JSON.stringify(config), RUN, input.flatMap(field), []);
    for (const batch of batches) component.process(batchOf(batch));
    component.finish();
    const made = globalThis.calls.map(([what, ...given]) =>
      what === 'emit'
        ? { emit: given[0], origin: [...given[2]], batch: written(given[1]) }
        : { reject: [...given[0]], rule: given[1], message: given[2] },
    );
    assert.deepEqual(made, calls);
  });
}

const EMPTY = new Rule('empty', 'A text is not empty.');

test("a check's calls, and its errors", async () => {
  class Texts extends Check {
    static info = { name: 'texts', rules: [EMPTY] };
    bind({ input, run }) {
      if (!input.names.includes('text')) throw new DataError(`no text on ${run.parameters.date}`);
    }
    process(batch, out) {
      out.fail(batch.toRows().flatMap(({ text }, row) => (text ? [] : [row])), EMPTY);
    }
  }
  globalThis.calls = [];
  const component = (await world('check'))(Texts);
  assert.throws(() => component.bind('{}', RUN, [], []), { tag: 'data', val: 'no text on 2024-02-29' });
  component.bind('{}', RUN, schemaToWit(new Schema({ text: t.utf8 })), []);
  const buffers = ['', '00000000010000000100000002000000', '6162'];
  component.process(batchOf({ rows: 3, nodes: [[3, 0]], buffers }));
  component.finish();
  assert.deepEqual(globalThis.calls, [['fail', Uint32Array.of(1), 'empty', 'A text is not empty.']]);
});

test("a decoder's calls", async () => {
  class Bytes extends Decoder {
    static info = { name: 'bytes', rules: [EMPTY] };
    bind() {
      return new Schema({ size: t.int32 });
    }
    decode(chunk, out) {
      if (chunk.length) out.emit({ size: [chunk.length] });
      else out.reject(7, 2, EMPTY);
    }
  }
  globalThis.calls = [];
  const component = (await world('decoder'))(Bytes);
  assert.deepEqual(component.bind('{}', RUN, []), schemaToWit(new Schema({ size: t.int32 })));
  component.decode(Uint8Array.of(1, 2, 3));
  component.decode(Uint8Array.of());
  component.finish();
  const [[, batch], rejected] = globalThis.calls;
  assert.deepEqual(written(batch), { rows: 1, nodes: [[1, 0]], buffers: ['', '03000000'] });
  assert.deepEqual(rejected, ['reject', 7n, 2n, 'empty', 'A text is not empty.']);
});

test('side inputs are asked for once, before the first call that has rows', async () => {
  const seen = [];
  const noting = (Base, methods) => {
    class Noting extends Base {
      static info = { name: 'noting' };
      bind(context) {
        return context.sideInput('codes').schema;
      }
      load(sideInputs) {
        seen.push(sideInputs.read('codes').toRows().map(({ code }) => code));
      }
    }
    for (const method of methods) {
      Noting.prototype[method] = () => {
        seen.push(method);
        return 1;
      };
    }
    return Noting;
  };
  const schema = schemaToWit(new Schema({ code: t.int32 }));
  const one = () => batchOf({ rows: 1, nodes: [[1, 0]], buffers: ['', '05000000'] });
  const two = () => batchOf({ rows: 2, nodes: [[2, 1]], buffers: ['02', '0000000007000000'] });
  const other = { name: 'other', schema: [] };
  for (const [name, Base, methods, calls] of [
    ['transform', Transform, ['process'], [['process', one], ['process', one]]],
    ['check', Check, ['process'], [['process', one], ['process', one]]],
    ['decoder', Decoder, ['decode', 'finish'], [['decode', () => Uint8Array.of(1)], ['finish']]],
    ['decoder', Decoder, ['finish'], [['finish']]],
    ['fold', Fold, ['process', 'snapshot', 'finish'], [['process', one], ['snapshot'], ['finish']]],
    ['fold', Fold, ['merge', 'finish'], [['merge', () => pack(1)], ['finish']]],
    ['fold', Fold, ['finish'], [['finish']]],
  ]) {
    const component = (await world(name))(noting(Base, methods));
    const bind = (...tables) => component.bind('{}', RUN, ...(name === 'decoder' ? [] : [schema]), tables);
    assert.throws(() => bind(other), ({ tag, val }) => tag === 'config' && /needs the side input `codes`/.test(val));
    // An engine gives nothing as `undefined` or as `null`.
    for (const none of [undefined, null]) {
      seen.length = 0;
      globalThis.tables = [[none], [one(), two(), none]];
      bind(other, { name: 'codes', schema });
      assert.deepEqual(seen, []);
      for (const [method, given] of calls) component[method](...(given ? [given()] : []));
      assert.deepEqual(seen, [[5, null, 7], ...calls.map(([method]) => method)]);
    }
  }
});

test("a source's calls, and its errors", async () => {
  class Pages extends Source {
    static info = { name: 'pages', rules: [EMPTY], state: { type: 'object' } };
    static discover(_config, { parameters }) {
      return [{ name: parameters.date, schema: new Schema({ size: t.int32 }), shards: ['a'] }];
    }
    open({ shard, state }) {
      this.shard = shard;
      this.at = state?.at ?? 0;
    }
    read(out) {
      if (this.at === 2) throw new RetryError('later');
      out.emit([{ size: this.at++ }]);
      out.reject({ shard: this.shard }, EMPTY);
      return { state: { at: this.at }, done: this.at === 2 };
    }
  }
  globalThis.calls = [];
  const component = (await world('source'))(Pages);
  assert.equal(component.describe().name, 'pages');
  const schema = schemaToWit(new Schema({ size: t.int32 }));
  assert.deepEqual(component.discover('{}', RUN), [
    { name: '2024-02-29', schema, cursor: undefined, primaryKey: [], shards: ['a'] },
  ]);
  assert.throws(() => component.open('{}', RUN, 'x', '', undefined), { tag: 'config' });
  assert.throws(() => component.open('{}', RUN, '2024-02-29', '', '{'), { tag: 'data' });
  // An engine gives no state as `undefined` or as `null`.
  for (const none of [undefined, null]) {
    assert.deepEqual(component.open('{}', RUN, '2024-02-29', 'a', none), schema);
    assert.deepEqual(component.read(), { state: '{"at":1}', done: false });
  }
  assert.deepEqual(component.open('{}', RUN, '2024-02-29', 'b', '{"at":1}'), schema);
  assert.deepEqual(component.read(), { state: '{"at":2}', done: true });
  assert.throws(() => component.read(), { tag: 'retry', val: 'later' });
  const [[, batch], rejected] = globalThis.calls.slice(-2);
  assert.deepEqual(written(batch), { rows: 1, nodes: [[1, 0]], buffers: ['', '01000000'] });
  assert.deepEqual(rejected, ['reject', '{"shard":"b"}', 'empty', 'A text is not empty.']);
});

test("a fold's calls", async () => {
  class Largest extends Fold {
    static info = { name: 'largest', columns: ['n'] };
    bind({ input }) {
      return input;
    }
    process(batch) {
      this.merge(Math.max(...batch.column('n').values));
    }
    snapshot() {
      return this.n;
    }
    merge(n) {
      this.n = Math.max(this.n ?? n, n);
    }
    finish(out) {
      out.emit([{ n: this.n }]);
    }
  }
  globalThis.calls = [];
  const schema = schemaToWit(new Schema({ n: t.int32 }));
  const bound = async () => {
    const component = (await world('fold'))(Largest);
    assert.deepEqual(component.bind('{}', RUN, schema, []), schema);
    return component;
  };
  const [one, last] = [await bound(), await bound()];
  one.process(batchOf({ rows: 2, nodes: [[2, 0]], buffers: ['', '0500000007000000'] }));
  const snapshot = one.snapshot();
  assert.ok(snapshot instanceof Uint8Array);
  last.merge(snapshot);
  last.finish();
  assert.deepEqual(globalThis.calls.map(([what, batch]) => [what, written(batch)]), [
    ['emit', { rows: 1, nodes: [[1, 0]], buffers: ['', '07000000'] }],
  ]);
});
