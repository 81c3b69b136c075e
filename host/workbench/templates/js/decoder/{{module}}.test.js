import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Harness } from 'weir-plugin/testing';

import {{Type}} from './{{module}}.js';

// The harness decodes each file a second time, byte by byte: no test needs to cut it into chunks.
const decode = (bytes) => new Harness({{Type}}).decode(bytes);

test('lines become rows', () => {
  const { rows, rejections } = decode(new TextEncoder().encode('a=1\r\n\n\r\nb==2\n=\nkéy=välue'));
  assert.deepEqual(
    rows.map(({ key, value }) => [key, value]),
    [['a', '1'], ['b', '=2'], ['', ''], ['kéy', 'välue']],
  );
  assert.deepEqual(rejections, []);
});

test('lines that are no pair are rejected', () => {
  // One character for each byte; \xff is no UTF-8.
  const { rows, rejections } = decode(Buffer.from('a=1\nnone\r\nb=\xff\n=2\nlast', 'latin1'));
  assert.deepEqual(
    rows.map(({ value }) => value),
    ['1', '2'],
  );
  assert.deepEqual(
    rejections.map(({ offset, length, rule }) => [offset, length, rule]),
    [[4, 6, 'no_pair'], [10, 4, 'no_pair'], [17, 4, 'no_pair']],
  );
});

test('an empty file has no rows', () => {
  assert.deepEqual(decode(new Uint8Array()).rows, []);
});
