// Reads files of lines KEY=VALUE.

import { Decoder, Field, Rule, Schema, decodeUtf8, types as t } from 'weir-plugin';

const PAIR = new Schema([new Field('key', t.utf8, false), new Field('value', t.utf8, false)]);

// Quarantine and reports group what is rejected by the names of rules: keep them from version to version.
const NO_PAIR = new Rule('no_pair', 'A line is a key, an equals sign and a value, in UTF-8.');

const LF = 0x0a;
const CR = 0x0d;

export default class {{Type}} extends Decoder {
  static info = {
    name: '{{name}}',
    version: '0.1.0',
    description: 'Reads files of lines KEY=VALUE.',
    rules: [NO_PAIR],
  };

  // Each file has an instance of its own, so these are true where a file begins.
  rest = new Uint8Array(); // A line that has not ended yet.
  offset = 0; // Where `rest` begins in the file.

  bind() {
    return PAIR;
  }

  decode(chunk, out) {
    // A chunk may end anywhere. Bytes are cut at line ends and decoded line by line, so that no
    // character is cut in two.
    const bytes = new Uint8Array(this.rest.length + chunk.length);
    bytes.set(this.rest);
    bytes.set(chunk, this.rest.length);
    const pairs = [];
    let begin = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, begin)) {
      const line = bytes.subarray(begin, end > begin && bytes[end - 1] === CR ? end - 1 : end);
      pairs.push(this.pair(line, end + 1 - begin, out));
      begin = end + 1;
    }
    this.rest = bytes.subarray(begin);
    // All at once: each call of `emit` hands over a batch.
    out.emit(pairs.filter(Boolean));
  }

  finish(out) {
    out.emit([this.pair(this.rest, this.rest.length, out)].filter(Boolean));
  }

  /** The pair of a line, which is `length` bytes long with its end. */
  pair(line, length, out) {
    const begin = this.offset;
    this.offset += length;
    if (line.length === 0) return null;
    const text = decodeUtf8(line); // `undefined` if it is not UTF-8.
    const equals = text?.indexOf('=') ?? -1;
    if (equals < 0) {
      out.reject(begin, length, NO_PAIR);
      return null;
    }
    return { key: text.slice(0, equals), value: text.slice(equals + 1) };
  }
}
