import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DataError, Schema, types as t } from 'weir-plugin';
import { Harness } from 'weir-plugin/testing';

import {{Type}} from './{{module}}.js';

const SCHEMA = new Schema({ site: t.utf8, amount: t.int64 });

test('amounts are summed by site', () => {
  // Also shared out among several instances.
  const { rows } = new Harness({{Type}}).fold(SCHEMA, [
    { site: 'y', amount: 2n },
    { site: 'x', amount: 2n ** 60n },
    { site: 'x', amount: 1n },
    { site: 'x', amount: null },
    { site: null, amount: 4n },
  ]);
  assert.deepEqual(rows, [
    { site: 'x', count: 2n, total: 2n ** 60n + 1n },
    { site: 'y', count: 1n, total: 2n },
  ]);
});

test('no rows have no sums', () => {
  assert.deepEqual(new Harness({{Type}}).fold(SCHEMA).rows, []);
});

test('another type is found when the run is planned', () => {
  const other = new Schema({ site: t.utf8, amount: t.utf8 });
  assert.throws(() => new Harness({{Type}}).bind(other), new DataError('column `amount` is utf8, not int64'));
});
