// Requests to what the step grants: `grant = { http = [{ url = "https://api.example.org/" }] }`.
//
// The host holds each request against the grant, resolves names, and puts in the secrets of the grant: the
// plugin never has them. It follows no redirect. In a component a request is `wasi:http`; in tests it is
// answered by the `respond` of the `Harness`.

import { ConfigError, DataError, FatalError, RetryError } from './errors.js';
import { parseExact } from './json.js';
import { concat, decodeUtf8, encode } from './utf8.js';
import { transmit } from '#transport';

/** Sends a `GET` request, and waits for the head of the response. */
export function get(url, options) {
  return new Request('GET', url, options).send();
}

/** Sends a `POST` request with a JSON body, and waits for the head of the response. */
export function postJson(url, value, { headers = [], ...options } = {}) {
  const text = JSON.stringify(value);
  if (text === undefined) throw new FatalError(`the body of a request is no JSON: it is ${typeof value}`);
  const all = [['content-type', 'application/json'], ...pairs(headers)];
  return new Request('POST', url, { ...options, headers: all, body: text }).send();
}

/** A request. */
export class Request {
  constructor(method, url, { query = [], headers = [], body = new Uint8Array(), ...others } = {}) {
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) {
      throw new FatalError(`a request has no option \`${unknown}\`; there are query, headers, body`);
    }
    /** Its method, in capitals. */
    this.method = method;
    /** Where it goes: scheme, host, perhaps a port, path and query. */
    this.url = withQuery(url, pairs(query));
    /** Its headers, in the order given. */
    this.headers = pairs(headers);
    /** What it sends. */
    this.body = typeof body === 'string' ? encode(body.toWellFormed()) : body;
    if (!(this.body instanceof Uint8Array)) throw new FatalError("a request's body is text or a Uint8Array");
  }

  /** The first header of this name, in whatever case. */
  header(name) {
    return first(this.headers, name);
  }

  /** Sends it, and waits for the head of the response. */
  send() {
    const { status, headers, chunk, close } = transmit(this, target(this.url));
    return new Response(status, headers, chunk, close);
  }
}

/** A response of which the body has not been read yet. */
export class Response {
  #chunk;
  #close;
  #isRead = false;

  constructor(status, headers, chunk, close) {
    /** Its status, such as 200. */
    this.status = status;
    /** Its headers, names in lower case, values as far as they are UTF-8. */
    this.headers = headers;
    this.#chunk = chunk;
    this.#close = close;
  }

  /** The first header of this name, in whatever case. */
  header(name) {
    return first(this.headers, name);
  }

  /** Itself, if the status is 2xx; otherwise it throws what the status means. */
  ok() {
    const { status } = this;
    if (status >= 200 && status <= 299) return this;
    this.close();
    const words = `the server answers with status ${status}`;
    if ([408, 425, 429].includes(status) || (status >= 500 && status <= 599)) throw new RetryError(words);
    if (status === 401 || status === 403) throw new ConfigError(`${words}: look at the secrets of the grant`);
    if (status >= 300 && status <= 399) {
      throw new DataError(`${words}, a redirect; grant and configure where it leads to`);
    }
    throw new DataError(words);
  }

  /** The next bytes of the body; `undefined` at its end. */
  chunk() {
    if (this.#isRead) return undefined;
    this.#isRead = true; // Also if it breaks off.
    const bytes = this.#chunk();
    this.#isRead = bytes === undefined;
    return bytes;
  }

  /** Leaves the rest of the body unread. */
  close() {
    this.#isRead = true;
    this.#close();
  }

  /** The whole body. */
  bytes() {
    if (this.#isRead) throw new FatalError("a response's body was read before: keep what it gave");
    const parts = [];
    let length = 0;
    for (let part = this.chunk(); part !== undefined; part = this.chunk()) {
      parts.push(part);
      length += part.length;
    }
    return parts.length === 1 ? parts[0] : concat(parts, length);
  }

  /** The whole body as text. */
  text() {
    const text = decodeUtf8(this.bytes());
    if (text === undefined) throw new DataError('the response is no UTF-8');
    return text;
  }

  /** The whole body as JSON. Whole numbers that a `number` cannot hold exactly come as `bigint`. */
  json() {
    const text = this.text();
    try {
      return parseExact(text);
    } catch {
      // The error's own words may quote a value.
      throw new DataError('the response is no JSON');
    }
  }
}

function first(headers, name) {
  const wanted = name.toLowerCase();
  return headers.find(([known]) => known.toLowerCase() === wanted)?.[1];
}

/** Names and values, of an array of pairs or an object: there a list stands for several, nothing for none. */
function pairs(given) {
  const text = ([name, value]) => [String(name), String(value)];
  if (Array.isArray(given)) return given.map(text);
  return Object.entries(given)
    .flatMap(([name, value]) => [value].flat().map((one) => [name, one]))
    .filter(([, value]) => value !== undefined && value !== null)
    .map(text);
}

/** The URL with parameters, encoded. */
function withQuery(url, parameters) {
  let all = String(url);
  for (const [name, value] of parameters) {
    all += `${all.includes('?') ? '&' : '?'}${encoded(name)}=${encoded(value)}`;
  }
  return all;
}

/** Percent-encodes all but what RFC 3986 calls unreserved. */
function encoded(text) {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

const URL_PARTS = /^(https?):\/\/([^/?#]+)([^#]*)/;

/** Scheme, host with port, and path with query of a URL. */
function target(url) {
  const parts = URL_PARTS.exec(url);
  if (parts === null) throw new FatalError("a request's URL begins with https:// or http:// and a host");
  const [, scheme, authority, path] = parts;
  return { scheme, authority, path: path.startsWith('/') ? path : `/${path}` };
}
