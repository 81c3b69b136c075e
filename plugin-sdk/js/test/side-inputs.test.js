// Side inputs through the harness: who is given them, and how rows come together.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  Batch,
  Check,
  ConfigError,
  Decoder,
  FatalError,
  Field,
  Fold,
  RowCheck,
  RowTransform,
  Rule,
  Schema,
  Transform,
  types as t,
} from '../src/index.js';
import { joined } from '../src/join.js';
import { Harness } from '../src/testing.js';

const CODES = new Schema([new Field('code', t.utf8, false), new Field('text', t.utf8)]);
const VISITS = new Schema({ code: t.utf8 });
const UNKNOWN = new Rule('unknown', 'A code is in the table of codes.');
const codes = Batch.fromRows(CODES, [{ code: 'a', text: 'one' }, { code: 'b' }, { code: 'c', text: 'three' }]);
const options = { sideInputs: { codes } };
const visits = [{ code: 'c' }, { code: 'x' }, { code: 'b' }];
const FOUND = new Schema({ text: t.utf8 });

/** A plugin that looks up codes. */
const lookingUp = (Base, methods) => {
  class Lookup extends Base {
    static info = { name: 'lookup', rules: [UNKNOWN] };

    bind(context) {
      assert.deepEqual(context.sideInput('codes').schema.names, ['code', 'text']);
      this.loads = 0;
      return FOUND;
    }

    load(sideInputs) {
      this.loads++;
      this.texts = new Map(sideInputs.read('codes').toRows().map(({ code, text }) => [code, text]));
    }
  }
  Object.assign(Lookup.prototype, methods);
  return Lookup;
};

const Texts = lookingUp(RowTransform, {
  row({ code }, out) {
    if (this.texts.has(code)) out.emit({ text: this.texts.get(code) });
  },
  finish() {
    assert.equal(this.loads, 1);
  },
});

test('a transform looks up what the step hands over', () => {
  const outcome = new Harness(Texts, {}, options).run(VISITS, visits, visits);
  assert.deepEqual(outcome.output().map(({ text }) => text), ['three', null, 'three', null]);
  assert.deepEqual(outcome.dropped(), [1, 4]);
});

test('a check, a decoder and a fold do too', () => {
  const Known = lookingUp(RowCheck, {
    row({ code }, fail) {
      if (!this.texts.has(code)) fail(UNKNOWN);
    },
  });
  assert.deepEqual(new Harness(Known, {}, options).run(VISITS, visits).rejected('unknown'), [1]);

  const All = lookingUp(Decoder, {
    decode() {},
    finish(out) {
      out.emit({ text: [...this.texts.values()] });
    },
  });
  const three = [{ text: 'one' }, { text: null }, { text: 'three' }];
  assert.deepEqual(new Harness(All, {}, options).decode(Uint8Array.of(1, 2)).rows, three);
  assert.deepEqual(new Harness(All, {}, options).decode().rows, three);

  const Most = lookingUp(Fold, {
    process(batch) {
      for (const { code } of batch.toRows()) this.merge(this.texts.get(code) ?? '');
    },
    snapshot() {
      return this.text ?? '';
    },
    merge(text) {
      assert.ok(this.texts);
      if (text > (this.text ?? '')) this.text = text;
    },
    finish(out) {
      out.emit([{ text: this.text ?? [...this.texts.keys()].join() }]);
    },
  });
  assert.deepEqual(new Harness(Most, {}, options).fold(VISITS, visits).rows, [{ text: 'three' }]);
  assert.deepEqual(new Harness(Most, {}, options).fold(VISITS).rows, [{ text: 'a,b,c' }]);
});

test('planned, there are only names and schemas', () => {
  const Fails = lookingUp(Transform, {
    load() {
      throw new ConfigError('loaded');
    },
    process() {},
  });
  assert.ok(new Harness(Fails, {}, options).bind(VISITS));
  assert.ok(new Harness(Fails, {}, options).run(VISITS));
  assert.throws(() => new Harness(Fails, {}, options).run(VISITS, visits), new ConfigError('loaded'));
});

test('what is wrong with a side input is said', () => {
  assert.throws(
    () => new Harness(Texts).bind(VISITS),
    new ConfigError(
      'it needs the side input `codes`: add side_inputs = { codes = { table = "zone.table" } } ' +
        "beside the stage's `config`",
    ),
  );
  const reading = (...names) => {
    const load = (sideInputs) => names.forEach((name) => sideInputs.read(name));
    return new Harness(lookingUp(Check, { load, process() {} }), {}, options);
  };
  assert.throws(() => reading('sites').run(VISITS, visits), /needs the side input `sites`/);
  assert.throws(
    () => reading('codes', 'codes').run(VISITS, visits),
    new FatalError('the side input `codes` was read before: keep what you need of it'),
  );
  assert.throws(() => new Harness(Texts, {}, { sideInputs: { codes: visits } }), /handed over as a Batch/);
});

test('batches of all types come together', () => {
  const schema = new Schema({
    flag: t.boolean,
    count: t.int8,
    big: t.int64,
    half: t.float16,
    paid: t.decimal128(38, 2),
    text: t.utf8,
    bytes: t.binary,
    day: t.date32,
    list: t.list(t.struct({ flag: t.boolean, texts: t.list(t.utf8) })),
    both: t.struct({ a: t.utf8, b: t.boolean }),
  });
  const row = (n) => ({
    flag: n % 3 === 0,
    count: n,
    big: BigInt(n) << 40n,
    half: n / 2,
    paid: `${n}.25`,
    text: 'ü'.repeat(n % 4),
    bytes: Uint8Array.from({ length: n % 3 }, () => n),
    day: new Date(n * 86_400_000),
    list: Array.from({ length: n % 4 }, (_, at) => ({ flag: at === 1, texts: at === 2 ? null : [`${n}`, null] })),
    both: { a: `${n}`, b: n % 2 === 0 },
  });
  const rows = Array.from({ length: 40 }, (_, n) =>
    Object.fromEntries(Object.entries(row(n)).map(([name, value], at) => [name, (n + at) % 5 ? value : null])),
  );
  const batch = Batch.fromRows(schema, rows);
  for (const ends of [[40], [0, 40], [1, 8, 9, 40], [17, 17, 33, 40]]) {
    let begin = 0;
    const parts = ends.map((end) => batch.slice(begin, (begin = end)));
    const all = joined(schema, parts);
    assert.deepEqual(all.toRows(), batch.toRows());
    all.columns.forEach((column, at) => assert.equal(column.nullCount, batch.columns[at].nullCount));
  }
  assert.deepEqual(joined(schema, []).toRows(), []);
  const whole = Batch.fromRows(schema, [row(1), row(2), row(3)]);
  assert.deepEqual(joined(schema, [whole.slice(0, 2), whole.slice(2, 3)]).toRows(), whole.toRows());
  assert.equal(joined(new Schema(), [new Batch(new Schema(), [], 2), new Batch(new Schema(), [], 3)]).rows, 5);
});
