// WASI's HTTP under another name, while QuickJS is put around a plugin that imports it.
//
// componentize-qjs runs the plugin's module once, with WASI's streams linked and all else stubbed. HTTP has types
// of the streams in it, and a stub of it does not fit those that are linked: it fails with "mismatched resource
// types". Under a name that it does not know, both are stubbed, and fit. The names get right at the end.

const [KNOWN, UNKNOWN] = ['wasi:', 'weir:'];
const PACKAGES = ['http', 'io'];

/** A module or WIT in which the packages have the unknown name. */
export function veiled(text) {
  return PACKAGES.reduce((changed, name) => {
    // As a module's import, a package's header, and in WIT that uses it.
    return changed.replace(new RegExp(`(from "|package |use |import )${KNOWN}(?=${name}[/@])`, 'g'), `$1${UNKNOWN}`);
  }, text);
}

/** The component with the packages' own names. What is within it goes by numbers, or by names that stay within. */
export function unveiled(component) {
  const bytes = Uint8Array.from(component);
  for (const { id, begin, end } of sections(bytes)) {
    if (id !== IMPORTS) continue;
    for (const name of PACKAGES) rename(bytes.subarray(begin, end), `${UNKNOWN}${name}/`, `${KNOWN}${name}/`);
  }
  return bytes;
}

/** The section of a component that holds its imports. */
const IMPORTS = 10;

/** The sections of a component: a byte that says what it is, its length in LEB128, its content. */
function* sections(bytes) {
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at++];
    let length = 0;
    for (let shift = 0, byte = 128; byte & 128; shift += 7) {
      byte = bytes[at++];
      length += (byte & 127) * 2 ** shift;
    }
    yield { id, begin: at, end: at + length };
    at += length;
  }
}

/** Replaces each place of a text by one that is as long. */
function rename(bytes, from, to) {
  const code = (text) => Array.from(text, (character) => character.charCodeAt(0));
  const wanted = code(from);
  for (let at = 0; at + wanted.length <= bytes.length; at++) {
    if (wanted.every((byte, offset) => bytes[at + offset] === byte)) bytes.set(code(to), at);
  }
}
