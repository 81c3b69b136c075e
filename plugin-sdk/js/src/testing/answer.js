// What a test answers to a request of the plugin's.

import { FatalError } from '../errors.js';
import { encode } from '../utf8.js';

/** An answer as the transport gives it: `{ status, headers, json }` or `{ status, headers, body }`, all optional. */
export function answerOf(given, { method, url }) {
  const breach = (words) => new FatalError(`the test's answer to ${method} ${url} ${words}`);
  if (given === null || typeof given !== 'object') throw breach('is none: `respond` returns { status, headers, json }');
  const { status = 200, headers = {}, json, body, ...others } = given;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw breach(`has a key \`${unknown}\`; there are status, headers, json, body`);
  if (json !== undefined && body !== undefined) throw breach('has both `json` and `body`');
  const all = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  if (json !== undefined) all.push(['content-type', 'application/json']);
  const content = json === undefined ? (body ?? '') : JSON.stringify(json);
  return { status, headers: all, body: typeof content === 'string' ? encode(content) : content };
}
