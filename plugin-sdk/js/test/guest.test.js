// The glue of a component, between stand-ins for the bindings that a component has.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { test } from 'node:test';

import Conformance from '../../conformance/js/conformance.js';
import { Check, DataError, Decoder, Rule, Schema, types as t } from '../src/index.js';
import { schemaToWit } from '../src/wire.js';

/** Modules of the contract that note what they are called with. */
const HOOKS = `export async function resolve(specifier, context, next) {
  if (!specifier.startsWith('weir:')) return next(specifier, context);
  const source = \`
    const noted = (name) => (...given) => void globalThis.calls.push([name, ...given]);
    export const emit = noted('emit'), reject = noted('reject'), fail = noted('fail');
    export const log = noted('log'), metric = noted('metric');
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
