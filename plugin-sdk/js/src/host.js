// What a plugin may ask of the host: a line in its log, an addition to a counter, a secret.
//
// In a component the calls cross to the host. Natively they go to the `Harness` that runs the plugin,
// or, outside of one, to stderr.

import { ConfigError, FatalError } from './errors.js';

let host = {
  log: (level, message) => console.error(`${level}: ${message}`),
  metric: () => {},
  secret: () => {
    throw new FatalError('there is no host to ask for a secret; use the Harness of weir-plugin/testing');
  },
  answer: () => {
    throw new ConfigError('no request is granted here: answer it in the test, with `respond` of the Harness');
  },
};

/** Sends all calls to another host from now on; returns where they went before. */
export function connect(other) {
  const before = host;
  host = other;
  return before;
}

/** Lines in the plugin's log. The host bounds them. Keep values of the data out of them. */
export const log = {
  debug: (message) => host.log('debug', String(message)),
  info: (message) => host.log('info', String(message)),
  warn: (message) => host.log('warn', String(message)),
};

/** Adds `value` to the counter `name`, which the run record shows as a sum over all batches. */
export function metric(name, value) {
  host.metric(name, value);
}

/** The secret that the step grants under `name`; `undefined` if there is no such grant. */
export function secret(name) {
  return host.secret(name) ?? undefined;
}

/** What comes back to a request natively; a component has `wasi:http` instead. */
export function answer(request) {
  return host.answer(request);
}
