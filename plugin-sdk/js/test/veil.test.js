// Names that are changed while QuickJS is put around a plugin, and changed back.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { unveiled, veiled } from '../src/veil.js';

const wit = (name) => readFileSync(new URL(`../wit-http/${name}`, import.meta.url), 'utf8');

test('only the names of the packages are changed', () => {
  for (const name of ['worlds.wit', 'deps/io.wit', 'deps/http.wit']) {
    const text = wit(name);
    const changed = veiled(text);
    assert.notEqual(changed, text);
    assert.doesNotMatch(changed.replace(/\/\/\/.*/g, ''), /wasi:/);
    assert.equal(changed.replaceAll(/weir:(?=io|http)/g, 'wasi:'), text);
  }
  const module = 'import { handle } from "wasi:http/outgoing-handler@0.2.9";\nconst text = "wasi:http/";\n';
  assert.equal(veiled(module), module.replace('"wasi:http/o', '"weir:http/o'));
});

test('a component gets them back in its imports, and nowhere else', () => {
  const bytes = (text) => Array.from(text, (character) => character.charCodeAt(0));
  const header = [0, ...bytes('asm'), 0x0d, 0, 1, 0];
  const section = (id, text) => [id, 0x80 | (text.length & 127), text.length >> 7, ...bytes(text)];
  const names = (prefix) =>
    `${prefix}:http/types@0.2.9 ${prefix}:io/error@0.2.9 weir:plugin/host@0.1.0 `.padEnd(300, 'x');
  const component = [
    ...header,
    ...section(7, names('weir')),
    ...section(10, names('weir')),
    ...section(0, names('weir')),
  ];
  const expected = [
    ...header,
    ...section(7, names('weir')),
    ...section(10, names('wasi')),
    ...section(0, names('weir')),
  ];
  const given = Uint8Array.from(component);
  assert.deepEqual(unveiled(given), Uint8Array.from(expected));
  assert.deepEqual(given, Uint8Array.from(component));
});
