// Requests and responses: as tests answer them, and as `wasi:http` does, of which a stand-in is put in its place.

import assert from 'node:assert/strict';
import { register } from 'node:module';
import { test } from 'node:test';

import { connect } from '../src/host.js';
import { Request, Response, get, postJson } from '../src/http.js';
import { ConfigError, DataError, FatalError, RetryError } from '../src/index.js';
import { parseExact } from '../src/json.js';
import { answerOf } from '../src/testing/answer.js';

/** What is sent while requests are answered so. */
function answered(answer, call) {
  const sent = [];
  const before = connect({
    answer: (request) => {
      sent.push(request);
      return answerOf(answer, request);
    },
  });
  try {
    call();
  } finally {
    connect(before);
  }
  return sent;
}

test('a request has a query, headers and a body', () => {
  const sent = answered({}, () => {
    get('https://h/p', { query: { 'a b': '1&2', ü: '~', n: [1n, 2], none: null }, headers: { Accept: 'x', y: ['1', '2'] } });
    get('https://h/p?x=1', { query: [["!'()*", 'z']] });
    postJson('https://h', { ü: 1 }, { headers: [['a', 'b']] });
    new Request('PUT', 'https://h', { body: Uint8Array.of(1) }).send();
  });
  assert.deepEqual(sent.map(({ method, url }) => `${method} ${url}`), [
    'GET https://h/p?a%20b=1%262&%C3%BC=~&n=1&n=2',
    'GET https://h/p?x=1&%21%27%28%29%2A=z',
    'POST https://h',
    'PUT https://h',
  ]);
  assert.deepEqual(sent[0].headers, [['Accept', 'x'], ['y', '1'], ['y', '2']]);
  assert.equal(sent[0].header('accept'), 'x');
  assert.deepEqual(sent[2].headers, [['content-type', 'application/json'], ['a', 'b']]);
  assert.equal(Buffer.from(sent[2].body).toString(), '{"ü":1}');
  assert.deepEqual(sent[3].body, Uint8Array.of(1));
});

test('a request that cannot be is not sent', () => {
  for (const url of ['ftp://h/p', 'h/p', 'https://', 'https:///p', '']) {
    assert.throws(() => get(url), new FatalError("a request's URL begins with https:// or http:// and a host"));
  }
  assert.throws(() => get('https://h', { parameters: {} }), /no option `parameters`; there are query, headers, body/);
  assert.throws(() => postJson('https://h', undefined), /the body of a request is no JSON/);
  assert.throws(() => new Request('PUT', 'https://h', { body: 1 }), /is text or a Uint8Array/);
});

test('a status that is not 2xx is an error of its kind', () => {
  for (const [status, Kind, words] of [
    [408, RetryError], [425, RetryError], [429, RetryError], [500, RetryError], [599, RetryError],
    [401, ConfigError, ': look at the secrets of the grant'], [403, ConfigError, ': look at the secrets of the grant'],
    [302, DataError, ', a redirect; grant and configure where it leads to'], [404, DataError], [199, DataError],
  ]) {
    answered({ status }, () =>
      assert.throws(() => get('https://h').ok(), new Kind(`the server answers with status ${status}${words ?? ''}`)),
    );
  }
  answered({ status: 204 }, () => assert.equal(get('https://h').ok().text(), ''));
});

test('a body is read once, as bytes, text or JSON', () => {
  const gives = (answer, call) => answered(answer, () => call(get('https://h')));
  gives({ json: { a: 'ü' }, headers: { 'X-A': 1 } }, (response) => {
    assert.deepEqual(response.headers, [['x-a', '1'], ['content-type', 'application/json']]);
    assert.equal(response.header('X-a'), '1');
    assert.equal(response.header('none'), undefined);
    assert.deepEqual(response.ok().json(), { a: 'ü' });
    assert.throws(() => response.text(), /was read before/);
    assert.equal(response.chunk(), undefined);
  });
  gives({ body: Uint8Array.of(1, 2) }, (response) => assert.deepEqual(response.bytes(), Uint8Array.of(1, 2)));
  gives({ body: Uint8Array.of(255) }, (response) => assert.throws(() => response.text(), new DataError('the response is no UTF-8')));
  gives({ body: '{"secret' }, (response) => assert.throws(() => response.json(), new DataError('the response is no JSON')));
});

test('no digit of JSON is lost', () => {
  const text =
    '{"__proto__":1,"id":9007199254740993,"a":[-12345678901234567890,"9007199254740993","q\\"1234567890123456789"],' +
    '"small":1234567890123456,"float":1234567890123456789.5,"exponent":12345678901234567890e0,"n":null,"t":true}';
  const value = parseExact(text);
  assert.deepEqual(Object.entries(value), [
    ['__proto__', 1],
    ['id', 9007199254740993n],
    ['a', [-12345678901234567890n, '9007199254740993', 'q"1234567890123456789']],
    ['small', 1234567890123456],
    ['float', 1234567890123456789.5],
    ['exponent', 12345678901234567890],
    ['n', null],
    ['t', true],
  ]);
  assert.equal(parseExact('1234567890123456789'), 1234567890123456789n);
  assert.equal(parseExact('0.12345678901234567'), 0.12345678901234567);
  for (const bad of ['{"a":01234567890123456789}', '[12345678901234567890', '12345678901234567890 "', '-']) {
    assert.throws(() => parseExact(bad), SyntaxError);
  }
});

test('a body that broke off is not read on', () => {
  const response = new Response(200, [], () => {
    throw new RetryError('the response broke off');
  });
  assert.throws(() => response.text(), RetryError);
  assert.throws(() => response.text(), /was read before/);
  assert.equal(response.chunk(), undefined);
});

/** `wasi:http` that does what `globalThis.server` says, and notes what is given back. */
const STAND_IN = `
  const held = (name, parent) => { globalThis.held.push(name); return { name, [Symbol.dispose ?? Symbol.for('dispose')]() {
    globalThis.held.splice(globalThis.held.indexOf(name), 1); if (parent && !globalThis.held.includes(parent)) throw 'late';
  } }; };
  export class Fields { append(name, value) { if (name === 'host') throw { payload: { tag: 'forbidden' } }; (this.all ??= []).push([name, value]); } }
  export class OutgoingRequest {
    constructor(headers) { globalThis.sent = { headers: headers.all ?? [], body: [] }; }
    setMethod(method) { globalThis.sent.method = method; }
    setScheme(scheme) { globalThis.sent.scheme = scheme; }
    setAuthority(authority) { if (authority === 'b a d') throw undefined; globalThis.sent.authority = authority; }
    setPathWithQuery(path) { globalThis.sent.path = path; }
    body() { return { write: () => ({ ...held('out'), blockingWriteAndFlush: (part) => {
      if (globalThis.server.breaks) throw { tag: 'closed' }; globalThis.sent.body.push(part.length); } }) }; }
  }
  export const OutgoingBody = { finish() { if (globalThis.held.includes('out')) throw 'open'; } };
  export const httpErrorCode = () => globalThis.server.streamCode;
  export const handle = () => {
    const { code, status, headers = [], chunks = [], streamCode } = globalThis.server;
    const future = held('future');
    const response = () => ({ ...held('response'), status: () => status,
      headers: () => ({ ...held('headers', 'response'), entries: () => headers }),
      consume: () => ({ ...held('body', 'response'), stream: () => ({ ...held('stream', 'body'), blockingRead() {
        if (chunks.length) return chunks.shift();
        if (globalThis.server.fault) throw globalThis.server.fault;
        if (!('streamCode' in globalThis.server)) throw { payload: { tag: 'closed' } };
        throw { tag: 'last-operation-failed', val: held('error') };
      } }) }) });
    return { ...future, subscribe: () => ({ ...held('pollable', 'future'), block() {} }),
      get: () => ({ tag: 'ok', val: code ? { tag: 'err', val: code } : { tag: 'ok', val: response() } }) };
  };
`;
const HOOKS = `export async function resolve(specifier, context, next) {
  if (!specifier.startsWith('wasi:http/')) return next(specifier, context);
  return { url: 'data:text/javascript,' + ${JSON.stringify(encodeURIComponent(STAND_IN))}, shortCircuit: true };
}`;
register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
const { transmit } = await import('../src/http/wasi.js');

/** Sends by the stand-in. */
function sends(server, { method = 'GET', headers = [], body = new Uint8Array(), authority = 'h' } = {}) {
  Object.assign(globalThis, { server, held: [] });
  return transmit({ method, headers, body }, { scheme: 'https', authority, path: '/p' });
}

test('a request goes out by wasi:http', () => {
  sends({ status: 200 }, { method: 'POST', headers: [['a', 'ü']], body: new Uint8Array(9000) });
  assert.deepEqual(globalThis.sent, {
    headers: [['a', Uint8Array.of(0xc3, 0xbc)]],
    method: { tag: 'post' },
    scheme: { tag: 'HTTPS' },
    authority: 'h',
    path: '/p',
    body: [4096, 4096, 808],
  });
  sends({ status: 200 }, { method: 'PURGE' });
  assert.deepEqual(globalThis.sent.method, { tag: 'other', val: 'PURGE' });
  assert.throws(() => sends({}, { headers: [['host', 'x']] }), new FatalError("the header 'host' may not be set"));
  assert.throws(() => sends({}, { authority: 'b a d' }), /URL begins with/);
  assert.throws(() => sends({ breaks: true }, { body: Uint8Array.of(1) }), new RetryError('the request broke off'));
});

test('a response comes in by wasi:http, and everything is given back in order', () => {
  const { status, headers, chunk } = sends({
    status: 201,
    headers: [['A', [0x62]], ['bad', [0xff]]],
    chunks: [Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2)],
  });
  assert.deepEqual([status, headers], [201, [['a', 'b']]]);
  assert.deepEqual(globalThis.held, ['response', 'body', 'stream']);
  assert.deepEqual([chunk(), chunk(), chunk()], [Uint8Array.of(1), Uint8Array.of(2), undefined]);
  assert.deepEqual(globalThis.held, []);
  sends({ status: 200, chunks: [Uint8Array.of(1)] }).close();
  assert.deepEqual(globalThis.held, []);
});

test('what became of a request says whether it is worth another try', () => {
  for (const [tag, error] of [
    ['HTTP-request-denied', new ConfigError('the grant does not have this request')],
    ['destination-IP-prohibited', new ConfigError("the host's address is not a public one, which the grant does not have")],
    ['HTTP-response-body-size', new ConfigError('the response is larger than the grant allows')],
    ['HTTP-request-body-size', new FatalError("the request's body is too large")],
    ['TLS-certificate-error', new ConfigError("the server's certificate cannot be trusted")],
    ['DNS-error', new RetryError("the host's name cannot be resolved")],
    ['DNS-timeout', new RetryError("the host's name cannot be resolved")],
    ['connection-refused', new RetryError('the host cannot be reached')],
    ['connection-timeout', new RetryError('the host cannot be reached')],
    ['connection-terminated', new RetryError('the host cannot be reached')],
    ['HTTP-response-timeout', new RetryError('the host took too long to answer')],
    ['HTTP-protocol-error', new RetryError('the request came to nothing (HTTP-protocol-error)')],
  ]) {
    assert.throws(() => sends({ code: { tag } }), error);
    assert.deepEqual(globalThis.held, []);
    assert.throws(() => sends({ status: 200, streamCode: { tag } }).chunk(), error);
    assert.deepEqual(globalThis.held, []);
  }
  assert.throws(() => sends({ status: 200, streamCode: undefined }).chunk(), new RetryError('the response broke off'));
  const fault = new ReferenceError('of the engine');
  assert.throws(() => sends({ status: 200, fault }).chunk(), fault);
});
