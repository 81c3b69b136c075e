/**
 * Requests to what the step grants: `grant = { http = [{ url = "https://api.example.org/" }] }`. For a `Source`.
 *
 * The host holds each request against the grant, resolves names, and puts in the secrets of the grant: the plugin
 * never has them. It follows no redirect. Requests are waited for, one after the other. In a component a request is
 * `wasi:http`; in tests it is answered by `respond` of the `Harness`.
 */

/** One value of a header or of the query. */
export type Scalar = string | number | bigint | boolean;

/** Names and values, or pairs of them. In an object, an array stands for several, `null` and `undefined` for none. */
export type Pairs =
  | { [name: string]: Scalar | readonly Scalar[] | null | undefined }
  | readonly (readonly [string, Scalar])[];

/** What a request has besides method and URL. */
export interface Options {
  /** Parameters of the query, which are encoded. */
  query?: Pairs;
  headers?: Pairs;
}

/**
 * Sends a `GET` request, and waits for the head of the response. It throws a `ConfigError` if the step does not grant
 * it (the host says what to add), a `RetryError` if there is no connection or no answer in time, a `FatalError` for a
 * URL that is none.
 */
export function get(url: string, options?: Options): Response;

/** Sends a `POST` request with a JSON body; otherwise as {@link get}. */
export function postJson(url: string, value: unknown, options?: Options): Response;

/** A request. */
export class Request {
  /** The body is at most 8 MiB. */
  constructor(method: string, url: string, options?: Options & { body?: string | Uint8Array });
  /** Its method, in capitals. */
  readonly method: string;
  /** Where it goes: scheme, host, perhaps a port, path and query. */
  readonly url: string;
  /** Its headers, in the order given. */
  readonly headers: [string, string][];
  /** What it sends. */
  readonly body: Uint8Array;
  /** The first header of this name, in whatever case. */
  header(name: string): string | undefined;
  /** Sends it, and waits for the head of the response; throws as {@link get}. */
  send(): Response;
}

/** A response of which the body has not been read yet. */
export class Response {
  private constructor();
  /** Its status, such as 200. */
  readonly status: number;
  /** Its headers, names in lower case, values as far as they are UTF-8. */
  readonly headers: [string, string][];
  /** The first header of this name, in whatever case. */
  header(name: string): string | undefined;
  /**
   * Itself, if the status is 2xx. Otherwise it throws a `RetryError` for 408, 425, 429 and 5xx, a `ConfigError` for
   * 401 and 403, else a `DataError`.
   */
  ok(): this;
  /**
   * The next bytes of the body; `undefined` at its end. It throws a `RetryError` if the body breaks off or takes too
   * long, a `ConfigError` if it is larger than the grant allows.
   */
  chunk(): Uint8Array | undefined;
  /** Leaves the rest of the body unread. */
  close(): void;
  /** The whole body; throws as `chunk`. */
  bytes(): Uint8Array;
  /** The whole body as text; throws as `chunk`, and a `DataError` for what is no UTF-8. */
  text(): string;
  /**
   * The whole body as JSON; throws as `text`, and a `DataError` for what is no JSON. Whole numbers that a `number`
   * cannot hold exactly come as `bigint`.
   */
  json(): any;
}
