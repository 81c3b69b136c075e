// Folds through the harness: states that are merged, and how they cross.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pack, unpack } from '../src/fold.js';
import { Batch, FatalError, Fold, Schema, types as t } from '../src/index.js';
import { Harness } from '../src/testing.js';

const NUMBERS = new Schema({ n: t.float64 });
const rows = (...numbers) => numbers.map((n) => ({ n }));

/** The sum of numbers. */
class Sum extends Fold {
  static info = { name: 'sum', columns: ['n'] };
  sum = 0;

  bind() {
    return new Schema({ sum: t.float64 });
  }

  process(batch) {
    for (const { n } of batch.toRows()) this.sum += n;
  }

  snapshot() {
    return this.sum;
  }

  merge(sum) {
    this.sum += sum;
  }

  finish(out) {
    out.emit([{ sum: this.sum }]);
  }
}

const sumWith = (methods) => {
  class Other extends Sum {}
  Object.assign(Other.prototype, methods);
  return Other;
};

test('rows are folded, also by several instances', () => {
  assert.deepEqual(new Harness(Sum).fold(NUMBERS, rows(1, 2), rows(3, 4)).rows, [{ sum: 10 }]);
  assert.deepEqual(new Harness(Sum).fold(NUMBERS).rows, [{ sum: 0 }]);
  const batch = Batch.fromRows(NUMBERS, rows(1, 2));
  assert.deepEqual(new Harness(Sum).fold(NUMBERS, batch, batch).rows, [{ sum: 6 }]);
});

test('a result that depends on how rows are shared out is found', () => {
  for (const methods of [
    {
      merge(sum) {
        this.sum = sum;
      },
    },
    {
      merge(sum) {
        this.sum = Math.max(this.sum, sum);
      },
    },
    {
      process({ rows }) {
        this.sum += rows > 1;
      },
    },
  ]) {
    assert.throws(
      () => new Harness(sumWith(methods)).fold(NUMBERS, rows(1, 2, 3, 4)),
      new FatalError('its result depends on how rows are shared out among instances'),
    );
  }
  // In order they would give what one instance gives.
  class Last extends Sum {
    snapshot() {
      return this.n ?? null;
    }
    process(batch) {
      this.n = batch.column('n').values.at(-1);
    }
    merge(n) {
      this.n = n ?? this.n;
    }
    finish(out) {
      out.emit([{ sum: this.n }]);
    }
  }
  assert.throws(() => new Harness(Last).fold(NUMBERS, rows(1, 2, 3)), /shared out/);
  const floats = rows(1e16, 1, -1e16, 1);
  assert.throws(() => new Harness(Sum).fold(NUMBERS, floats), /shared out/);
  const same = ([one], [other]) => Math.abs(one.sum - other.sum) < 3;
  assert.equal(new Harness(Sum, {}, { same }).fold(NUMBERS, floats).rows.length, 1);
});

test('snapshots cross without loss', () => {
  const value = {
    texts: ['', 'd1', 'n1', 's', 'ü'],
    numbers: [0, -0, 1.5, NaN, Infinity, -Infinity, 2 ** 60],
    bigints: [0n, -(2n ** 63n), 2n ** 64n],
    others: [null, true, false, {}, []],
    s1: { n1: 'x' },
  };
  assert.deepEqual(unpack(pack(value)), value);
  assert.ok(Object.is(unpack(pack(-0)), -0));
  const bytes = Uint8Array.of(0, 1, 255);
  assert.deepEqual(unpack(pack(bytes)), bytes);
  assert.deepEqual(unpack(pack(new Uint8Array())), new Uint8Array());
});

test('what a snapshot cannot hold is named', () => {
  class Own {}
  for (const [value, words] of [
    [undefined, /a snapshot holds undefined; it is a Uint8Array, or made of/],
    [{ a: new Map() }, /a snapshot holds a Map; .*: give \[\.\.\.it\]$/],
    [[new Date()], /a snapshot holds a Date/],
    [new Own(), /a snapshot holds a Own/],
    [() => 1, /a snapshot holds function/],
    [new Float64Array(1), /a snapshot holds a Float64Array/],
  ]) {
    assert.throws(
      () => pack(value),
      (error) => error instanceof FatalError && words.test(error.message),
    );
  }
});

test('a fold is run as one, and gives what it says', () => {
  assert.throws(() => new Harness(Sum).run(NUMBERS, rows(1)), /a fold is run with `fold`/);
  assert.throws(() => new Harness(sumWith({ bind: () => 1 })).bind(NUMBERS), /`bind` of a fold returns a Schema/);
  assert.throws(() => new Harness(sumWith({ finish: (out) => out.emit([{ n: 1 }]) })).fold(NUMBERS), /no field `n`/);
  for (const method of ['process', 'snapshot', 'merge', 'finish']) {
    const Lacks = sumWith({ [method]: Fold.prototype[method] });
    assert.throws(() => new Harness(Lacks).fold(NUMBERS, rows(1)), new RegExp(`a fold needs a method \`${method}`));
  }
});
