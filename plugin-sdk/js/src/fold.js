// A plugin that makes few rows of all rows, and how the state of one instance reaches another.

import { FatalError } from './errors.js';
import { Plugin } from './plugin.js';
import { decode, encode } from './utf8.js';

/** Makes few rows of many: sums, statistics, models. */
export class Fold extends Plugin {
  bind(_context) {
    throw new FatalError('a fold needs a method `bind(context)` that returns the schema of its result');
  }

  /** Takes the side inputs. Called once, before the first batch or state. */
  load(_sideInputs) {}

  process(_batch) {
    throw new FatalError('a fold needs a method `process(batch)`');
  }

  snapshot() {
    throw new FatalError('a fold needs a method `snapshot()` that returns its state');
  }

  merge(_snapshot) {
    throw new FatalError('a fold needs a method `merge(snapshot)`');
  }

  finish(_out) {
    throw new FatalError('a fold needs a method `finish(out)` that emits its result');
  }
}

/** What a snapshot begins with: bytes of the plugin's own, or a value written by `pack`. */
const BYTES = 0;
const VALUE = 1;

/** A snapshot as bytes that `unpack` takes. */
export function pack(snapshot) {
  const isOwn = snapshot instanceof Uint8Array;
  const bytes = isOwn ? snapshot : encode(JSON.stringify(written(snapshot)));
  const packed = new Uint8Array(bytes.length + 1);
  packed[0] = isOwn ? BYTES : VALUE;
  packed.set(bytes, 1);
  return packed;
}

/** The snapshot that these bytes were made of. */
export function unpack(packed) {
  const bytes = packed.subarray(1);
  return packed[0] === BYTES ? bytes : readAgain(JSON.parse(decode(bytes)));
}

/**
 * A value as JSON can hold it without loss: JSON has no bigint, and not all numbers. They become texts, which
 * begin with a letter that says what they are; so do texts.
 */
function written(value) {
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : `d${Object.is(value, -0) ? '-0' : value}`;
    case 'bigint':
      return `n${value}`;
    case 'string':
      return `s${value}`;
    case 'object':
      if (value === null) return value;
      if (Array.isArray(value)) return value.map(written);
      if ([Object.prototype, null].includes(Object.getPrototypeOf(value))) {
        return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, written(item)]));
      }
  }
  const kind = typeof value === 'object' ? `a ${value.constructor?.name}` : typeof value;
  const instead = value instanceof Map || value instanceof Set ? ': give [...it]' : '';
  throw new FatalError(
    `a snapshot holds ${kind}; it is a Uint8Array, or made of objects, arrays, texts, numbers, bigints, ` +
      `booleans and null${instead}`,
  );
}

function readAgain(value) {
  if (typeof value === 'string') {
    const rest = value.slice(1);
    return { s: () => rest, n: () => BigInt(rest), d: () => Number(rest) }[value[0]]();
  }
  if (Array.isArray(value)) return value.map(readAgain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, readAgain(item)]));
}
