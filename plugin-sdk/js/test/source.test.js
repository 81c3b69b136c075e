// Sources through the harness: streams, pages, states, and what breaks the contract.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { get } from '../src/http.js';
import {
  ConfigError,
  DataError,
  FatalError,
  Field,
  RetryError,
  Rule,
  Schema,
  Source,
  fits,
  types as t,
} from '../src/index.js';
import { Harness } from '../src/testing.js';

const BAD = new Rule('bad', 'A record has a number.');
const NUMBERS = new Schema([new Field('n', t.int64, false)]);

/** Gives the numbers of its configuration, two to a page. */
class Numbers extends Source {
  static info = {
    name: 'numbers',
    rules: [BAD],
    config: { type: 'object', properties: { numbers: { type: 'array', default: [1, 2, 'x', 3, 4] } } },
    state: { type: 'object', properties: { next: { type: 'integer' } }, required: ['next'] },
  };

  static discover(config, run) {
    return [
      { name: 'numbers', schema: NUMBERS, cursor: 'n', primaryKey: ['n'], shards: ['a', 'b'] },
      { name: run.parameters.other ?? 'other', schema: NUMBERS },
    ];
  }

  open({ stream, shard, state, run }) {
    this.opened = { stream: stream.name, shard, pipeline: run.pipeline };
    this.next = state?.next ?? 0;
  }

  read(out) {
    const { numbers } = this.config;
    for (const n of numbers.slice(this.next, this.next + 2)) {
      if (fits(t.int64, n)) out.emit([{ n }]);
      else out.reject({ n, big: 2n ** 64n }, BAD);
    }
    this.next += 2;
    return { state: { next: this.next }, done: this.next >= numbers.length };
  }
}

const numbersWith = (methods, statics = {}) => {
  class Other extends Numbers {}
  Object.assign(Other.prototype, methods);
  return Object.assign(Other, statics);
};

test('a stream is read to its end, and again from each state', () => {
  const { rows, rejections, states } = new Harness(Numbers).read('numbers', { shard: 'a' });
  assert.deepEqual(rows, [{ n: 1n }, { n: 2n }, { n: 3n }, { n: 4n }]);
  assert.deepEqual(rejections, [
    { record: '{"n":"x","big":"18446744073709551616"}', rule: 'bad', message: BAD.description },
  ]);
  assert.deepEqual(states, [{ next: 2 }, { next: 4 }, { next: 6 }]);
  assert.deepEqual(new Harness(Numbers).read('numbers', { state: { next: 4 } }).rows, [{ n: 4n }]);
});

test('what is opened is told', () => {
  let opened;
  const Told = numbersWith({
    read() {
      opened = this.opened;
      return { state: { next: 0 }, done: true };
    },
  });
  new Harness(Told, {}, { run: { pipeline: 'p' } }).read('numbers', { shard: 'b' });
  assert.deepEqual(opened, { stream: 'numbers', shard: 'b', pipeline: 'p' });
  new Harness(Told).read('other');
  assert.deepEqual(opened, { stream: 'other', shard: '', pipeline: 'test' });
});

test('streams are complete, and checked', () => {
  const streams = new Harness(Numbers, {}, { run: { parameters: { other: 'more' } } }).discover();
  assert.deepEqual(streams, [
    { name: 'numbers', schema: NUMBERS, cursor: 'n', primaryKey: ['n'], shards: ['a', 'b'] },
    { name: 'more', schema: NUMBERS, cursor: undefined, primaryKey: [], shards: [] },
  ]);
  const stream = { name: 's', schema: NUMBERS };
  for (const [given, words] of [
    [Promise.resolve([]), /returns an array of streams, and no promise/],
    [[{ schema: NUMBERS }], /a stream has no name/],
    [[{ name: 's' }], /stream `s` has no `schema`/],
    [[stream, stream], /two streams are named `s`/],
    [[{ ...stream, cursor: 'm' }], /stream `s` has no column `m`; it has n/],
    [[{ ...stream, primaryKey: ['m'] }], /stream `s` has no column `m`/],
    [
      [{ ...stream, primarykey: ['n'] }],
      /stream `s` has no `primarykey`; it has name, schema, cursor, primaryKey, shards/,
    ],
    [[{ ...stream, shards: ['a', 'a'] }], /stream `s` has two shards named `a`/],
  ]) {
    assert.throws(
      () => new Harness(numbersWith({}, { discover: () => given })).discover(),
      (error) => error instanceof FatalError && words.test(error.message),
    );
  }
  assert.throws(
    () => new Harness(Numbers).read('people'),
    new ConfigError("there is no stream 'people'; the streams are numbers, other"),
  );
});

test('a state that cannot be read says what to do', () => {
  const words = (why) =>
    new DataError(`the state of an earlier run cannot be read (${why}); run the step with --full-refresh`);
  assert.throws(() => new Harness(Numbers).read('numbers', { state: { next: 'x' } }), words('next must be an integer'));
  assert.throws(() => new Harness(Numbers).read('numbers', { state: {} }), words('`next` is missing'));
  assert.throws(() => new Harness(Numbers).read('numbers', { state: 3 }), words('it must be an object'));
});

test('what `read` returns is checked', () => {
  const reads = (returned) => () =>
    new Harness(numbersWith({ read: () => returned }, { info: { name: 'x' } })).read('other');
  for (const returned of [
    undefined,
    { done: true },
    { state: 1 },
    { state: 1, done: 'no' },
    Promise.resolve({ state: 1, done: true }),
  ]) {
    assert.throws(reads(returned), /`read` of a source returns { state, done }, and no promise/);
  }
  assert.throws(
    reads({ state: { last: 1n }, done: true }),
    /`last` is a bigint, which JSON does not have; keep it as text/,
  );
  assert.throws(reads({ state: { last: 0 / 0 }, done: true }), /`last` is NaN, which would come back as null; keep it as text/);
  assert.throws(reads({ state: () => 1, done: true }), /the state is no JSON: give an object/);
  assert.throws(reads({ state: 'ü'.repeat(32768), done: true }), /a state of 65538 bytes; at most 65536 are kept/);
  assert.doesNotThrow(reads({ state: 'ü'.repeat(32767), done: true }));
  assert.throws(reads({ state: 1, done: false }), /10000 pages were read/);
  assert.throws(
    () => new Harness(numbersWith({ read: () => ({ state: {}, done: true }) })).read('numbers'),
    new FatalError("the state does not fit the info's `state`: `next` is missing"),
  );
});

test('a state that does not stand for the rows before it is found', () => {
  const Forgets = numbersWith({
    read(out) {
      const { done } = Numbers.prototype.read.call(this, out);
      return { state: { next: done ? this.next : 0 }, done };
    },
  });
  assert.throws(() => new Harness(Forgets).read('numbers'), {
    message:
      'a run that begins with the state {"next":0} reads other rows than those behind it: 4 rows and 1 rejections, not 2 and 1',
  });
});

test('only declared rules and rows of the schema are taken', () => {
  const reads = (read) => () => new Harness(numbersWith({ read })).read('numbers');
  assert.throws(
    reads((out) => out.reject('x', new Rule('other', 'Other.'))),
    /`other` is not among the `rules`/,
  );
  assert.throws(
    reads((out) => out.emit([{ n: null }])),
    /row 0: null where it must not be null/,
  );
  assert.throws(
    reads((out) => out.emit([{ m: 1 }])),
    /it has no field `m`; its fields are n/,
  );
});

test('requests are answered by the test, or not at all', () => {
  const Asks = numbersWith({
    read() {
      return {
        state: {
          next: get('https://h/p', { query: { a: 1 } })
            .ok()
            .json().next,
        },
        done: true,
      };
    },
  });
  const { requests } = new Harness(Asks, {}, { respond: () => ({ json: { next: 7 } }) }).read('numbers');
  assert.deepEqual(
    requests.map(({ method, url }) => [method, url]),
    [['GET', 'https://h/p?a=1']],
  );
  assert.throws(
    () => new Harness(Asks).read('numbers'),
    (error) => error instanceof ConfigError && /`respond`/.test(error.message),
  );
  assert.throws(() => new Harness(Asks, {}, { respond: () => ({ status: 500 }) }).read('numbers'), RetryError);
  for (const [answer, words] of [
    [undefined, /answer to GET https:\/\/h\/p\?a=1 is none/],
    [{ text: '' }, /has a key `text`; there are status, headers, json, body/],
    [{ json: 1, body: '1' }, /has both/],
  ]) {
    assert.throws(() => new Harness(Asks, {}, { respond: () => answer }).read('numbers'), words);
  }
});

test('a source is run as one', () => {
  assert.throws(() => new Harness(Numbers).bind(NUMBERS), /a source has no `bind`; use `discover`/);
  assert.throws(() => new Harness(Numbers).run(NUMBERS), /a source is run with `read`/);
  assert.throws(
    () =>
      new Harness(
        class extends Source {
          static info = { name: 'x' };
        },
      ).discover(),
    /`static discover/,
  );
  const Bad = numbersWith({}, { info: { name: 'x', state: { oneOf: [] } } });
  assert.throws(() => new Harness(Bad).discover(), /the schema of the state uses `oneOf`, which is not checked/);
});
