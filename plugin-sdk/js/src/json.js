// JSON of others, of which no digit may be lost.

/** So many digits, not behind a point, that a `number` may not hold what they stand for. */
const LONG = /(?<![.\d])\d{16}/;
/** A text, or a whole number, as JSON has them: what is not matched has neither. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const WHOLE = /^-?\d+$/;

/** The value of a JSON text; whole numbers that a `number` cannot hold exactly are `bigint`. */
export function parseExact(text) {
  if (!LONG.test(text)) return JSON.parse(text);
  // As it stands, it must be JSON: what is made of it below could be where it is none.
  JSON.parse(text);
  // Each text is marked as one, so that a number can be one too.
  const marked = text.replace(TOKEN, (token) => {
    if (token[0] === '"') return `"s${token.slice(1)}`;
    return WHOLE.test(token) && !Number.isSafeInteger(Number(token)) ? `"n${token}"` : token;
  });
  return unmarked(JSON.parse(marked));
}

function unmarked(value) {
  if (typeof value === 'string') return value[0] === 'n' ? BigInt(value.slice(1)) : value.slice(1);
  if (Array.isArray(value)) return value.map(unmarked);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.slice(1), unmarked(item)]));
}
