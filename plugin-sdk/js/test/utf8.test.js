// Text and bytes, as engines do it that have no TextDecoder; then as those that have one.

import assert from 'node:assert/strict';
import { test } from 'node:test';

const withDecoder = await import('../src/utf8.js');
const { TextDecoder, TextEncoder } = globalThis;
delete globalThis.TextDecoder;
delete globalThis.TextEncoder;
const without = await import('../src/utf8.js?plain');
Object.assign(globalThis, { TextDecoder, TextEncoder });

for (const [engine, { decodeUtf8, decode, encode }] of [
  ['a TextDecoder', withDecoder],
  ['no TextDecoder', without],
]) {
  test(`text and bytes, with ${engine}`, () => {
    for (const text of [
      '',
      'plain',
      'zwö',
      '\ufeffx',
      'é\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}',
      'ü'.repeat(9000),
    ]) {
      const bytes = encode(text);
      assert.deepEqual(bytes, new TextEncoder().encode(text));
      assert.equal(decodeUtf8(bytes), text);
      assert.equal(decode(bytes), text);
    }
  });

  test(`bytes that are no text, with ${engine}`, () => {
    for (const bytes of [
      ...[[0x80], [0xc3], [0xc3, 0x61], [0xe2, 0x82], [0xf0, 0x9f, 0x98]],
      ...[
        [0xc0, 0x80],
        [0xc1, 0xbf],
        [0xe0, 0x9f, 0xbf],
        [0xf0, 0x8f, 0xbf, 0xbf],
      ],
      ...[[0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80], [0xf8, 0x90, 0x80, 0x80], [0xff]],
      ...[
        [0x61, 0xc3, 0xa9, 0xa9],
        [0xc3, 0xc3],
      ],
    ]) {
      assert.equal(decodeUtf8(Uint8Array.from(bytes)), undefined, String(bytes));
    }
  });
}
