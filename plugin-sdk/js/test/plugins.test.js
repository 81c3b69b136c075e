// Plugins of every kind through the harness: emitting, rejecting, errors, configuration.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import Claims from '../example/claims.js';
import { build } from '../src/build.js';
import { parse, schemaText } from '../src/config.js';
import {
  Batch,
  Check,
  Column,
  ConfigError,
  DataError,
  Decoder,
  FatalError,
  Output,
  Reject,
  RetryError,
  RowCheck,
  RowTransform,
  Rule,
  Schema,
  Transform,
  decodeUtf8,
  fits,
  log,
  metric,
  secret,
  types as t,
} from '../src/index.js';
import { Harness } from '../src/testing.js';

const ODD = new Rule('odd', 'Numbers are even.');
const LARGE = new Rule('large', 'Numbers are small.');
const NUMBERS = new Schema({ n: t.int32 });
const rows = (...numbers) => numbers.map((n) => ({ n }));

class Double extends Transform {
  static info = { name: 'double', rules: [ODD] };

  bind(context) {
    context.require('n');
    return context.input;
  }

  process(batch, out) {
    const column = batch.column('n');
    out.reject([...column.values.keys()].filter((row) => column.values[row] % 2), ODD);
    out.emit({ n: Column.fromTyped(t.int32, column.values.map((value) => value * 2), column.nullRows()) });
  }
}

const doubleWith = (process) =>
  class extends Double {
    process(batch, out) {
      return process(batch, out, this);
    }
  };

test('a transform of columns', () => {
  const outcome = new Harness(Double).run(NUMBERS, rows(2, null, 3), rows(4));
  assert.deepEqual(outcome.output(), rows(4, null, 8));
  assert.deepEqual(outcome.rejected('odd'), [2]);
});

test('a transform of rows to several outputs', () => {
  class Split extends RowTransform {
    static info = { name: 'split', rules: [ODD] };

    bind() {
      return [new Output('small', NUMBERS), new Output('large', new Schema({ n: t.int32, of: t.int8 }))];
    }

    row(row, out) {
      if (row.n === null) return;
      out.emit(row, { to: 'small' });
      if (row.n === 3) throw new Reject(ODD);
      for (let of = 0; of < Math.floor(row.n / 100); of++) out.emit({ ...row, of }, { to: 'large' });
    }
  }
  const outcome = new Harness(Split).run(NUMBERS, rows(1, 3, null, 200));
  assert.deepEqual(outcome.output('small'), rows(1, 200));
  assert.deepEqual(outcome.output('large'), [{ n: 200, of: 0 }, { n: 200, of: 1 }]);
  assert.deepEqual([outcome.rejected('odd'), outcome.dropped()], [[1], [2]]);
  assert.deepEqual(outcome.calls.map(({ origin, reject }) => origin ?? reject), [[0, 3], [3, 3], [1]]);
});

test('the example', () => {
  const schema = new Schema(Object.fromEntries(Claims.info.columns.map((name) => [name, t.utf8])));
  const outcome = new Harness(Claims).run(schema, [
    { claim_id: ' a1 ', paid: '12.5', paid_on: '2010-03-12', codes: 'x  y' },
    { claim_id: 'a2', paid: '12.555' },
    { paid: '1' },
    { claim_id: 'a4', paid_on: '12.3.2010' },
    { claim_id: 'a5', paid_on: '2010-02-30' },
  ]);
  assert.deepEqual(outcome.output(), [
    { claim_id: 'a1', paid: '12.50', paid_on: new Date('2010-03-12'), codes: ['x', 'y'] },
  ]);
  assert.deepEqual(
    outcome.rejections.map(({ row, rule }) => [row, rule]).sort(),
    [[1, 'bad_amount'], [2, 'no_id'], [3, 'bad_date'], [4, 'bad_date']],
  );
});

test('missing columns are all named', () => {
  assert.throws(
    () => new Harness(Double).bind(new Schema({ m: t.int8 })),
    (error) => error instanceof DataError && /the input lacks n; it has m; name/.test(error.message),
  );
});

test('breaches of the contract are named', () => {
  for (const [process, words] of [
    [(_, out) => out.emit({ n: [] }), /0 rows emitted for 2 read/],
    [(_, out) => out.emit({ m: [1, 2] }), /columns m where the schema has n/],
    [(_, out) => out.emit({ n: [1] }, { origin: [2] }), /an origin outside of a batch of 2 rows/],
    [(_, out) => out.emit({ n: [1] }, { origin: [0, 1] }), /2 origins for 1 rows/],
    [(_, out) => out.emit({ n: [1, 2] }, { to: 'x' }), /no output "x"; `bind` returned out/],
    [(_, out) => out.reject([2], ODD), /names a row outside of a batch of 2 rows/],
    [(_, out) => out.reject([0], LARGE), /`large` is not among the `rules`/],
    [(_, out) => out.emit(Batch.fromRows(new Schema({ x: t.int32 }), [{}, {}])), /Schema\(.*\) emitted where/],
    [(batch, out) => batch.rows > 1 && out.emit(batch), /depends on where batches end/],
  ]) {
    assert.throws(
      () => new Harness(doubleWith(process)).run(NUMBERS, rows(2, 4)),
      (error) => error instanceof FatalError && words.test(error.message),
    );
  }
});

test('an unexpected error gives its place but not its words', () => {
  class Fails extends RowTransform {
    static info = { name: 'fails' };
    bind(context) {
      return context.input;
    }
    row() {
      throw new TypeError('canary');
    }
  }
  assert.throws(
    () => new Harness(Fails).run(NUMBERS, rows(1)),
    (error) => error.message === "TypeError, at row 0 of the batch; its words are in the plugin's log",
  );
});

test('bind must give what it promises', () => {
  class Wrong extends Double {
    bind() {
      return 'x';
    }
  }
  assert.throws(() => new Harness(Wrong).bind(NUMBERS), /returns a Schema or an array of Output/);
  let times = 0;
  class Changes extends Double {
    bind() {
      return [new Output(`out${times++}`, NUMBERS)];
    }
  }
  assert.throws(() => new Harness(Changes).bind(NUMBERS), /different answers/);
  assert.throws(() => new Harness(class extends Transform {}).bind(NUMBERS), /has no name/);
  assert.throws(() => new Harness(class {}).run(NUMBERS), /a plugin is a class that extends/);
});

test('checks of columns and rows', () => {
  class Odd extends Check {
    static info = { name: 'odd', rules: [ODD] };
    process(batch, out) {
      const { values } = batch.column('n');
      out.fail([...values.keys()].filter((row) => values[row] % 2), ODD);
    }
  }
  class OddRows extends RowCheck {
    static info = { name: 'odd-rows', rules: [ODD, LARGE] };
    row({ n }, fail) {
      if (n % 2) fail(ODD);
      if (n > 100) fail(LARGE, 'too large');
    }
  }
  assert.deepEqual(new Harness(Odd).run(NUMBERS, rows(1, 2, 3)).rejected('odd'), [0, 2]);
  const outcome = new Harness(OddRows).run(NUMBERS, rows(1, 2, 101));
  assert.deepEqual([outcome.rejected('odd'), outcome.rejected('large')], [[0, 2], [2]]);
});

class Lines extends Decoder {
  static info = { name: 'lines', rules: [new Rule('not_utf8', 'A line is UTF-8.')] };

  bind() {
    this.rest = [];
    this.offset = 0;
    return new Schema({ line: t.utf8 });
  }

  decode(chunk, out) {
    const lines = [];
    for (const byte of chunk) {
      if (byte === 10) this.take(lines, out);
      else this.rest.push(byte);
    }
    out.emit(lines);
  }

  finish(out) {
    const lines = [];
    if (this.rest.length) this.take(lines, out);
    out.emit({ line: lines.map(({ line }) => line) });
  }

  take(lines, out) {
    const line = decodeUtf8(Uint8Array.from(this.rest));
    if (line === undefined) out.reject(this.offset, this.rest.length, Lines.info.rules[0]);
    else lines.push({ line });
    this.offset += this.rest.length + 1;
    this.rest = [];
  }
}

test('a decoder takes a file in chunks', () => {
  const bytes = (text) => new TextEncoder().encode(text);
  const decoded = new Harness(Lines).decode(bytes('one\ntwö\n'), Uint8Array.of(255, 255, 10), bytes('last'));
  assert.deepEqual(decoded.rows.map(({ line }) => line), ['one', 'twö', 'last']);
  assert.deepEqual(decoded.rejections, [{ offset: 9, length: 2, rule: 'not_utf8', message: 'A line is UTF-8.' }]);
  assert.throws(() => new Harness(Lines).run(NUMBERS), /`decode`/);
  assert.throws(() => new Harness(Double).decode(bytes('')), /`run`/);
});

const CONFIG = {
  type: 'object',
  properties: {
    column: { type: 'string', minLength: 1 },
    mode: { enum: ['a', 'b'], default: 'a' },
    least: { type: ['integer', 'null'], minimum: 0 },
    inner: { type: 'array', items: { type: 'object', properties: { size: { type: 'integer' } }, additionalProperties: false } },
    limits: { type: 'object', additionalProperties: { type: 'number' } },
  },
  required: ['column'],
  additionalProperties: false,
};

test('a configuration is checked, and defaults are filled in', () => {
  assert.deepEqual(parse(CONFIG, '{"column": "c", "least": null, "limits": {"x": 1}}'), {
    column: 'c',
    mode: 'a',
    least: null,
    limits: { x: 1 },
  });
  assert.throws(
    () => parse(CONFIG, '{"mode": "c", "least": -1, "inner": [{"sise": 1}, 3], "limits": {"x": "1"}, "extra": 1}'),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(error.message.split('; '), [
        'mode must be one of "a", "b"',
        'least must be at least 0',
        'unknown key `inner[0].sise`',
        'there are size',
        'inner[1] must be an object',
        'limits.x must be a number',
        'unknown key `extra`',
        'there are column, mode, least, inner, limits',
        '`column` is missing',
      ]);
      return true;
    },
  );
  assert.throws(() => parse(CONFIG, '[]'), /the configuration must be an object/);
  assert.throws(() => parse(CONFIG, '{'), /no JSON/);
  assert.throws(() => parse(CONFIG, '{"column": ""}'), /at least 1 characters/);
  assert.equal(JSON.parse(schemaText(CONFIG)).$schema, 'https://json-schema.org/draft/2020-12/schema');
  assert.throws(() => schemaText({ properties: { a: { oneOf: [] } } }), /`a` uses `oneOf`, which is not checked/);
  assert.throws(() => new Harness(Double, { x: 1 }).bind(NUMBERS), /unknown key `x`; there are none/);
});

test('log, metric and secret', () => {
  const Asks = doubleWith((batch, out) => {
    log.info(`${batch.rows} rows`);
    metric('rows', batch.rows);
    if (secret('KEY') !== 'k' || secret('OTHER') !== undefined) throw new RetryError('no key');
    out.emit(batch);
  });
  const outcome = new Harness(Asks, {}, { secrets: { KEY: 'k' } }).run(NUMBERS, rows(2), rows(4, 6));
  assert.deepEqual(outcome.logs, [['info', '1 rows'], ['info', '2 rows']]);
  assert.deepEqual(outcome.metrics, { rows: 3 });
  assert.throws(() => new Harness(Asks).run(NUMBERS, rows(2)), RetryError);
});

test('an emitted row is a copy', () => {
  class Three extends RowTransform {
    static info = { name: 'three' };
    bind() {
      return new Schema({ n: t.int64 });
    }
    row(_row, out) {
      const row = {};
      for (let n = 0n; n < 3n; n++) {
        row.n = n;
        out.emit(row);
      }
    }
  }
  const outcome = new Harness(Three).run(new Schema({ x: t.int64 }), [{ x: 1n }]);
  assert.deepEqual(outcome.output().map(({ n }) => n), [0n, 1n, 2n]);
});

test('a row that does not fit is named by its place in the batch', () => {
  class Late extends RowTransform {
    static info = { name: 'late', rules: [new Rule('first', 'The first are rejected.')] };
    bind() {
      return new Schema({ n: t.int32 });
    }
    row({ x }, out) {
      if (x < 2n) throw new Reject(Late.info.rules[0]);
      out.emit({ n: 'two' });
    }
  }
  const rows = [{ x: 0n }, { x: 1n }, { x: 2n }];
  assert.throws(() => new Harness(Late).run(new Schema({ x: t.int64 }), rows), /from row 2 of the batch/);
});

test('a date that JavaScript cannot hold rejects its row', () => {
  class Same extends RowTransform {
    static info = { name: 'same' };
    bind({ input }) {
      return input;
    }
    row(row, out) {
      out.emit(row);
    }
  }
  const schema = new Schema({ day: t.date32 });
  const days = Column.fromTyped(t.date32, Int32Array.of(1, 2 ** 31 - 1));
  const outcome = new Harness(Same).run(schema, Batch.fromColumns(schema, { day: days }));
  assert.deepEqual(outcome.rejected('unreadable_date'), [1]);
  assert.equal(outcome.output().length, 1);
});

test('slices are clipped, holes are null, floats do not become infinite', () => {
  const schema = new Schema({ n: t.list(t.int32) });
  const batch = Batch.fromRows(schema, [{ n: [1, , 3] }, { n: [] }]); // eslint-disable-line no-sparse-arrays
  assert.deepEqual(batch.toRows(), [{ n: [1, null, 3] }, { n: [] }]);
  assert.equal(batch.slice(0, 5).rows, 2);
  assert.deepEqual(batch.slice(-1, 9).toRows(), [{ n: [] }]);
  assert.equal(fits(t.float32, 1e300), false);
  assert.equal(fits(t.float32, Infinity), true);
});

test('bytes are text only if they are UTF-8', () => {
  for (const bytes of [[0xff, 0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
    assert.equal(decodeUtf8(Uint8Array.from(bytes)), undefined, String(bytes));
  }
  assert.equal(decodeUtf8(new TextEncoder().encode('twö \u{1F600}')), 'twö \u{1F600}');
});

test('what cannot be built is said', async () => {
  await assert.rejects(build('none.js'), /there is no file none.js/);
  await assert.rejects(build('package.json', { engine: 'v8' }), /no engine v8; there are quickjs, starlingmonkey/);
  await assert.rejects(build('package.json', { engine: 'toString' }), /no engine toString/);
  await assert.rejects(build('package.json'), /package.json is no JavaScript/);
});
