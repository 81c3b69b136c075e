import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ConfigError, DataError, RetryError } from 'weir-plugin';
import { Harness } from 'weir-plugin/testing';

import {{Type}} from './{{module}}.js';

const CONFIG = { url: 'https://api.example.org' };

/** What is read where requests are answered so. */
const read = (respond, options) => new Harness({{Type}}, CONFIG, { respond }).read('people', options);

test('people are read to the last', () => {
  const pages = {
    'https://api.example.org/people?after=0': '[{ "id": 2, "name": "Ada" }, { "name": "Bo" }, null]',
    'https://api.example.org/people?after=2': '[{ "id": 9007199254740993, "name": 7 }]',
    'https://api.example.org/people?after=9007199254740993': '[]',
  };
  // Also from each state on, as a run does that begins where another ended.
  const { rows, rejections, states } = read(({ url }) => ({ body: pages[url] }));
  assert.deepEqual(rows, [
    { id: 2n, name: 'Ada' },
    { id: 9007199254740993n, name: null },
  ]);
  assert.deepEqual(
    rejections.map(({ record, rule }) => [record, rule]),
    [['{"name":"Bo"}', 'no_number'], ['null', 'no_number']],
  );
  assert.deepEqual(states.at(-1), { last: '9007199254740993' });
});

test('a later run goes on behind the last', () => {
  const { requests } = read(() => ({ json: [] }), { state: { last: '7' } });
  assert.equal(requests[0].url, 'https://api.example.org/people?after=7');
});

test('an answer that is no list of people ends the run', () => {
  assert.throws(() => read(() => ({ json: {} })), DataError);
  assert.throws(() => read(() => ({ status: 503 })), RetryError);
});

test('the configuration is checked', () => {
  assert.throws(() => new Harness({{Type}}).discover(), new ConfigError('`url` is missing'));
});
