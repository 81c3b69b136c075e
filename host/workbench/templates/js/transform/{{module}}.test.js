import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ConfigError, DataError, Schema, types as t } from 'weir-plugin';
import { Harness } from 'weir-plugin/testing';

import {{Type}} from './{{module}}.js';

/** What the plugin makes of rows with these amounts. */
function run(amounts, config) {
  const schema = new Schema({ id: t.utf8, amount: t.utf8 });
  return new Harness({{Type}}, config).run(
    schema,
    amounts.map((amount) => ({ id: 'a', amount })),
  );
}

const amountsOf = (outcome) => outcome.output().map(({ amount }) => amount);

test('amounts become decimals', () => {
  const outcome = run(['12.5', ' -3\t', '+0.07', '9999999999.99']);
  assert.deepEqual(amountsOf(outcome), ['12.50', '-3.00', '0.07', '9999999999.99']);
  assert.equal(outcome.output()[0].id, 'a');
});

test('null and blank become null', () => {
  assert.deepEqual(amountsOf(run([null, '', ' \n'], { minimum: '1' })), [null, null, null]);
});

test('what is no amount is rejected', () => {
  const amounts = ['n/a', '1e5', 'NaN', '1_000', '1,5', '1.', '.5', '1.234', '12345678901', '\u00a01', '\u0661'];
  const outcome = run(amounts);
  assert.deepEqual(outcome.rejected('bad_amount'), [...amounts.keys()]);
  assert.deepEqual(outcome.output(), []);
});

test('amounts below the minimum are rejected', () => {
  assert.deepEqual(run(['0.49', '0.5', '-1'], { minimum: '0.50' }).rejected('below_minimum'), [0, 2]);
});

test('the configuration is checked', () => {
  for (const minimum of ['', 'low', '1e5', 1]) assert.throws(() => run([], { minimum }), ConfigError);
});

test('another type is found when the run is planned', () => {
  const other = new Schema({ id: t.utf8, amount: t.int64 });
  assert.throws(() => new Harness({{Type}}).bind(other), new DataError('column `amount` is int64, not utf8'));
});
