// Text and its UTF-8 bytes. Engines differ in what they bring; this takes the fastest way there is.

const decoder =
  typeof TextDecoder === 'undefined' ? undefined : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = typeof TextEncoder === 'undefined' ? undefined : new TextEncoder();
const fromBase64 = Uint8Array.fromBase64;

/** Characters that one call of `String.fromCharCode` takes. */
const CHUNK = 4096;
const IS_BEYOND = /[^\x00-\x7f]/;
/** Characters beyond ASCII that follow each other. */
const BEYOND_ASCII = /[^\x00-\x7f]+/g;
/** The least character that takes so many bytes besides its first. */
const LEAST = [0, 0x80, 0x800, 0x10000];

/** Whether each character of `text` is one byte. */
export function isAscii(text) {
  return !IS_BEYOND.test(text);
}

/** A text with one character for each byte. */
function latin1(bytes) {
  if (bytes.length <= CHUNK) return String.fromCharCode.apply(null, bytes);
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode.apply(null, bytes.slice(at, at + CHUNK));
  }
  return text;
}

/** The texts that `offsets` cut out of `data`. */
export function decodeAll(offsets, data) {
  const texts = new Array(offsets.length - 1);
  const whole = latin1(data);
  const plain = isAscii(whole);
  for (let row = 0; row < texts.length; row++) {
    const begin = offsets[row];
    const end = offsets[row + 1];
    const text = whole.slice(begin, end);
    texts[row] = plain || isAscii(text) ? text : (decoder?.decode(data.subarray(begin, end)) ?? beyondAscii(text));
  }
  return texts;
}

/** The text of valid UTF-8. */
export function decode(bytes) {
  return decoder?.decode(bytes) ?? beyondAscii(latin1(bytes));
}

/** The text of bytes, `undefined` if they are no UTF-8. For decoders: QuickJS has no TextDecoder. */
export function decodeUtf8(bytes) {
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}

/** The text of bytes, given as one with a character for each; throws if they are no UTF-8. */
function beyondAscii(text) {
  // Most of most texts is ASCII: only what is not costs a call.
  return text.replace(BEYOND_ASCII, characters);
}

/** The characters of a run of bytes beyond ASCII; throws if they are none. */
function characters(run) {
  let text = '';
  for (let at = 0; at < run.length; ) {
    const first = run.charCodeAt(at++);
    const more = first < 0xc0 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    let point = first & (0x3f >> more);
    let isWhole = more > 0 && first < 0xf8;
    for (let left = more; left > 0; left--) {
      const next = run.charCodeAt(at++);
      isWhole &&= next >= 0x80 && next < 0xc0;
      point = (point << 6) | (next & 0x3f);
    }
    const isCharacter = point >= LEAST[more] && (point < 0xd800 || point > 0xdfff);
    if (!isWhole || !isCharacter) throw new RangeError('no UTF-8');
    // Which throws for what lies beyond all characters.
    text += String.fromCodePoint(point);
  }
  return text;
}

/** The bytes of a text of whole characters. */
export function encode(text) {
  if (encoder !== undefined) return encoder.encode(text);
  const bytes = text.replace(BEYOND_ASCII, bytesOf);
  if (fromBase64 !== undefined) return fromBase64.call(Uint8Array, btoa(bytes));
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
}

/** The bytes of characters beyond ASCII, as a text with one character for each. */
function bytesOf(run) {
  const bytes = [];
  for (const character of run) {
    const point = character.codePointAt(0);
    if (point < 0x800) {
      bytes.push(0xc0 | (point >> 6));
    } else if (point < 0x10000) {
      bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f));
    } else {
      bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f), 0x80 | ((point >> 6) & 0x3f));
    }
    bytes.push(0x80 | (point & 0x3f));
  }
  return latin1(bytes);
}

/** Offsets and data of texts; `undefined` if one of them has half a character. */
export function encodeAll(texts) {
  const offsets = new Int32Array(texts.length + 1);
  const whole = texts.join('');
  if (isAscii(whole)) {
    let end = 0;
    for (let row = 0; row < texts.length; row++) offsets[row + 1] = end += texts[row].length;
    return { offsets, data: encode(whole) };
  }
  const parts = new Array(texts.length);
  let end = 0;
  for (let row = 0; row < texts.length; row++) {
    if (!texts[row].isWellFormed()) return undefined;
    parts[row] = encode(texts[row]);
    offsets[row + 1] = end += parts[row].length;
  }
  return { offsets, data: concat(parts, end) };
}

/** All bytes, one part behind the other. */
export function concat(parts, length) {
  const data = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
}
