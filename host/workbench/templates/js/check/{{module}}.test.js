import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DataError, Schema, types as t } from 'weir-plugin';
import { Harness } from 'weir-plugin/testing';

import {{Type}} from './{{module}}.js';

test('rows that break a rule fail', () => {
  const outcome = new Harness({{Type}}).run(new Schema({ id: t.utf8, amount: t.int64 }), [
    { id: 'a', amount: 1n },
    { id: 'b', amount: -1n },
    { id: null, amount: 0n },
    { id: '', amount: -(2n ** 63n) },
    { id: 'c', amount: null },
  ]);
  assert.deepEqual(outcome.rejected('negative_amount'), [1, 3]);
  assert.deepEqual(outcome.rejected('missing_id'), [2, 3]);
});

test('another type is found when the run is planned', () => {
  const other = new Schema({ id: t.utf8, amount: t.utf8 });
  assert.throws(() => new Harness({{Type}}).bind(other), new DataError('column `amount` is utf8, not int64'));
});
