// Requests of a component: `wasi:http`, waited for one after the other.

import { handle } from 'wasi:http/outgoing-handler@0.2.9';
import { Fields, OutgoingBody, OutgoingRequest, httpErrorCode } from 'wasi:http/types@0.2.9';

import { ConfigError, FatalError, RetryError } from '../errors.js';
import { u64 } from '../guest/u64.js';
import { decodeUtf8, encode } from '../utf8.js';

/** Most bytes that a stream takes at once. */
const WRITE = 4096;
/** Most bytes asked for at once. */
const READ = u64(256 << 10);

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];

/** What a failed call of the host's gives; engines differ in how they throw it. */
const fault = (error) => error?.payload ?? error;

const DISPOSE = Symbol.dispose ?? Symbol.for('dispose');

/** Gives a resource back. What belongs to another goes before it: else the host ends the plugin. */
const drop = (resource) => resource[DISPOSE]();

/**
 * Gives back what is left of a response once nobody can read it any more. The garbage collector would, but not in
 * order.
 */
const unread = new FinalizationRegistry((body) => body.close());

/** Sends a request, and waits for the head of what comes back. */
export function transmit({ method, headers, body: bytes }, { scheme, authority, path }) {
  const fields = new Fields();
  for (const [name, value] of headers) {
    attempt(() => fields.append(name, encode(value.toWellFormed())), () => {
      throw new FatalError(`the header '${name}' may not be set`);
    });
  }
  const request = new OutgoingRequest(fields);
  const set = () => {
    request.setMethod(METHODS.includes(method) ? { tag: method.toLowerCase() } : { tag: 'other', val: method });
    request.setScheme({ tag: scheme.toUpperCase() });
    request.setAuthority(authority);
    request.setPathWithQuery(path);
  };
  attempt(set, () => {
    throw new FatalError("a request's URL begins with https:// or http:// and a host");
  });
  const body = request.body();
  const coming = attempt(() => handle(request, undefined), told);
  // Taken by the host while it is written: so it is written after the request has begun.
  let broken;
  try {
    write(body, bytes);
  } catch (error) {
    broken = error;
  }
  // What the host says of a request that it does not send is told before that it could not be written.
  const response = awaited(coming);
  if (broken !== undefined) {
    drop(response);
    throw broken;
  }
  return received(response);
}

/** Calls; what the host answers with instead of a value goes to `refused`, which throws. */
function attempt(call, refused) {
  try {
    return call();
  } catch (error) {
    return refused(fault(error));
  }
}

function write(body, bytes) {
  const broken = () => {
    throw new RetryError('the request broke off');
  };
  if (bytes.length) {
    const stream = attempt(() => body.write(), broken);
    try {
      for (let at = 0; at < bytes.length; at += WRITE) {
        attempt(() => stream.blockingWriteAndFlush(bytes.slice(at, at + WRITE)), broken);
      }
    } finally {
      drop(stream);
    }
  }
  attempt(() => OutgoingBody.finish(body, undefined), told);
}

/** The response, once it is there. */
function awaited(coming) {
  const arrival = coming.subscribe();
  arrival.block();
  drop(arrival);
  // A result within a result within an option: whether it was taken before, and what there is.
  const { val: response } = coming.get();
  drop(coming);
  if (response.tag === 'err') told(response.val);
  return response.val;
}

/** Head and body of a response. */
function received(response) {
  const fields = response.headers();
  const headers = fields.entries().flatMap(([name, value]) => {
    const text = decodeUtf8(Uint8Array.from(value));
    return text === undefined ? [] : [[name.toLowerCase(), text]];
  });
  drop(fields);
  const status = response.status();
  const body = new Body(response);
  const taken = { status, headers, chunk: () => body.chunk(), close: () => body.close() };
  unread.register(taken.chunk, body);
  return taken;
}

/** The body of a response, open until it is read to its end. */
class Body {
  #parts;

  constructor(response) {
    const body = response.consume();
    this.#parts = [body.stream(), body, response];
  }

  /** The next bytes, `undefined` at the end. */
  chunk() {
    for (;;) {
      let bytes;
      try {
        bytes = this.#parts[0].blockingRead(READ);
      } catch (error) {
        return this.#ended(error);
      }
      if (bytes.length) return bytes;
    }
  }

  #ended(error) {
    const { tag, val } = fault(error);
    if (tag === 'closed') return this.close();
    // What is no word of the host's is a fault of the engine's.
    if (tag !== 'last-operation-failed') throw error;
    const code = httpErrorCode(val);
    drop(val);
    this.close();
    if (code) told(code);
    throw new RetryError('the response broke off');
  }

  close() {
    this.#parts.forEach(drop);
    this.#parts = [];
  }
}

/** Throws what became of a request, as an error that says whether it is worth another try. */
function told({ tag }) {
  switch (tag) {
    case 'HTTP-request-denied':
      throw new ConfigError('the grant does not have this request');
    case 'destination-IP-prohibited':
      throw new ConfigError("the host's address is not a public one, which the grant does not have");
    case 'HTTP-response-body-size':
      throw new ConfigError('the response is larger than the grant allows');
    case 'HTTP-request-body-size':
      throw new FatalError("the request's body is too large");
    case 'TLS-certificate-error':
      throw new ConfigError("the server's certificate cannot be trusted");
    case 'DNS-error':
    case 'DNS-timeout':
      throw new RetryError("the host's name cannot be resolved");
    case 'connection-refused':
    case 'connection-timeout':
    case 'connection-terminated':
      throw new RetryError('the host cannot be reached');
    case 'HTTP-response-timeout':
      throw new RetryError('the host took too long to answer');
    default:
      throw new RetryError(`the request came to nothing (${tag})`);
  }
}
