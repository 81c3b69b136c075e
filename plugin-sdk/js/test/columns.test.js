// Columns and batches: what does not fit, and the views of buffers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Batch, Column, FatalError, Field, Schema, fits, fromDate, toDate, types as t } from '../src/index.js';
import { fromHalf, toHalf } from '../src/values.js';

const fails = (call, words) =>
  assert.throws(call, (error) => error instanceof FatalError && words.test(error.message) && !/canary/.test(error.message));

test('values that do not fit exactly are refused', () => {
  for (const [type, values] of [
    [t.boolean, [1, 'true']],
    [t.int8, [128, -129, 1.5, '1', 1n]],
    [t.uint8, [-1, 256, NaN]],
    [t.uint32, [2 ** 32]],
    [t.int64, [2n ** 63n, 1.5, 2 ** 53, '1']],
    [t.uint64, [-1, 2n ** 64n]],
    [t.float16, [65520, '1']],
    [t.float64, ['1.5', 1n]],
    [t.utf8, [1, '\ud800', 'é\ud800']],
    [t.binary, ['x', [1]]],
    [t.date32, [new Date('2020-01-01T00:00:01Z'), new Date(NaN), '2020-01-01', 3]],
    [t.time('second'), [1.5, 1n]],
    [t.time('nanosecond'), [2n ** 63n]],
    [t.timestamp(), [new Date()]],
    [t.decimal128(4, 2), ['1.234', '100', 100n, 1, 'NaN', '1e1', '', '.5']],
    [t.list(t.int8), ['ab', [300], 3]],
    [t.struct({ a: t.int8 }), [{ b: 1 }, { a: 'x' }, [1], 3]],
    [t.struct([new Field('a', t.int8, false)]), [{ a: null }, {}]],
  ]) {
    for (const value of values) assert.equal(fits(type, value), false, `${String(value)} in ${type}`);
  }
});

test('values that fit', () => {
  for (const [type, value] of [
    [t.decimal128(4, 2), '99.99'],
    [t.decimal128(4, 2), '99.9900'],
    [t.decimal128(4, 2), -99n],
    [t.decimal128(38, 0), 10n ** 38n - 1n],
    [t.decimal128(3, -2), '12300'],
    [t.int64, 5],
    [t.struct({ a: t.int8, b: t.int8 }), { a: 1 }],
    [t.utf8, undefined],
  ]) {
    assert.ok(fits(type, value), `${value} in ${type}`);
  }
});

test('the error names column and row but no value', () => {
  const schema = new Schema({ a: t.int8, b: t.utf8 });
  fails(
    () => Batch.fromRows(schema, [{ a: 1 }, { a: 'canary' }]),
    /^column `a`, row 1: a value of type string does not fit int8; it takes a whole number from -128 to 127$/,
  );
  fails(() => Batch.fromRows(schema, [{ aa: 1 }]), /no field `aa`; its fields are a, b/);
  fails(() => Batch.fromRows(schema, [null]), /rows are objects/);
  fails(() => Batch.fromRows(schema, []).column('x'), /no column `x`; there are a, b/);
  fails(() => Batch.fromColumns(schema, { a: [1] }), /columns a where the schema has a, b/);
  fails(() => Batch.fromColumns(schema, { a: [1], b: [] }), /column `b` has 0 rows, the batch 1/);
  const strict = new Schema([new Field('a', t.int8, false)]);
  fails(() => Batch.fromRows(strict, [{ a: 1 }, {}]), /column `a`, row 1: null/);
  fails(() => new Batch(strict, [Column.from(t.utf8, ['x'])]), /is utf8 where int8 was bound/);
});

test('fixed-width values are typed arrays', () => {
  const column = Column.from(t.int64, [1n, null, 3n]);
  assert.deepEqual(column.values, BigInt64Array.of(1n, 0n, 3n));
  assert.deepEqual(column.nullRows(), [1]);
  assert.deepEqual(Column.from(t.date32, [new Date('1970-01-03')]).values, Int32Array.of(2));
  assert.deepEqual(Column.from(t.decimal128(9, 2), ['-0.01']).values, BigUint64Array.of(2n ** 64n - 1n, 2n ** 64n - 1n));
  const doubled = Column.fromTyped(t.int64, column.values.map((value) => value * 2n), [1]);
  assert.deepEqual(doubled.toArray(), [2n, null, 6n]);
  assert.deepEqual(Column.fromTyped(t.int8, Int8Array.of(1, 2)).nullCount, 0);
  fails(() => Column.fromTyped(t.int64, Int8Array.of(1)), /int64 takes a BigInt64Array/);
  fails(() => Column.fromTyped(t.int8, Int8Array.of(1), [1]), /lies outside of 1 rows/);
  fails(() => Column.from(t.utf8, ['x']).values, /no values of fixed width/);
});

test('buffers that are not aligned are read all the same', () => {
  const bytes = new Uint8Array(17);
  bytes[1] = 7;
  const column = new Column(t.int64, 2, 0, new Uint8Array(0), [bytes.subarray(1)]);
  assert.deepEqual(column.toArray(), [7n, 0n]);
});

test('text, lists and structs show what they are made of', () => {
  const text = Column.from(t.utf8, ['ab', null, 'é']);
  assert.deepEqual([...text.offsets], [0, 2, 2, 4]);
  assert.deepEqual(text.data, new TextEncoder().encode('abé'));
  const lists = Column.from(t.list(t.int8), [[1, 2], [3]]);
  assert.deepEqual([[...lists.offsets], lists.items.toArray()], [[0, 2, 3], [1, 2, 3]]);
  const struct = Column.from(t.struct({ a: t.int8 }), [{ a: 5 }]);
  assert.deepEqual(struct.field('a').toArray(), [5]);
  for (const wrong of [() => text.items, () => lists.data, () => struct.offsets, () => struct.field('b')]) fails(wrong, /a column of/);
});

test('every half-precision number survives, others go to the nearest', () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = fromHalf(bits);
    if (!Number.isNaN(value)) assert.equal(toHalf(value), bits);
  }
  for (const [value, expected] of [
    [1 + 2 ** -11, 1],
    [1 + 3 * 2 ** -11, 1 + 2 ** -9],
    [65519, 65504],
    [2 ** -25, 0],
    [2047.9, 2048],
  ]) {
    assert.equal(fromHalf(toHalf(value)), expected, `${value}`);
  }
});

test('text without TextDecoder and TextEncoder is the same text', async () => {
  const { TextDecoder, TextEncoder } = globalThis;
  globalThis.TextDecoder = globalThis.TextEncoder = undefined;
  const pure = await import('../src/utf8.js?pure');
  Object.assign(globalThis, { TextDecoder, TextEncoder });
  const texts = ['plain', '', 'é', '語', '🦀 crab', 'a\0b', 'x'.repeat(10_000)];
  const { offsets, data } = pure.encodeAll(texts);
  assert.deepEqual(data, new TextEncoder().encode(texts.join('')));
  assert.deepEqual(pure.decodeAll(offsets, data), texts);
  assert.deepEqual(pure.encode('plain'), new TextEncoder().encode('plain'));
});

test('moments turn into Dates and back', () => {
  const date = new Date('2010-03-12T01:02:03.004Z');
  for (const unit of ['millisecond', 'microsecond', 'nanosecond']) {
    assert.deepEqual(toDate(fromDate(date, unit), unit), date);
  }
  assert.equal(toDate(fromDate(date, 'second'), 'second').toISOString(), '2010-03-12T01:02:03.000Z');
  assert.equal(fromDate(new Date(-1), 'second'), -1n);
  assert.equal(toDate(-1n, 'microsecond').getTime(), -1);
});

test('types that cannot be', () => {
  fails(() => t.decimal128(39, 0), /1 to 38 digits/);
  fails(() => t.decimal128(5, 6), /no scale of 6/);
  fails(() => t.time('hour'), /it is one of second, /);
  fails(() => t.struct({}), /at least one field/);
  fails(() => new Schema([new Field('a', t.int8), new Field('a', t.int8)]), /two fields named `a`/);
  fails(() => new Field('a', 'int8'), /has no type/);
});
