// Requests of tests: answered by what the harness was given.

import { answer } from '../host.js';

/** Sends a request. What comes back has a body of one chunk. */
export function transmit(request) {
  const { status, headers, body } = answer(request);
  let rest = body.length ? body : undefined;
  const chunk = () => {
    const bytes = rest;
    rest = undefined;
    return bytes;
  };
  return { status, headers, chunk, close: () => {} };
}
