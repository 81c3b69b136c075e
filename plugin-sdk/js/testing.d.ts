/**
 * Runs a plugin natively, under the contract's rules, without WebAssembly.
 *
 * It takes the plugin through its whole life on the same path as in a component: configuration checked,
 * batches carried over as buffers, everything emitted checked. It runs every input a second time with
 * other batch borders (a source from each of its states on, a fold with its rows shared out among instances), and
 * says so if the results differ.
 */

import { Request } from './http.js';
import { Batch, Context, Info, Row, Schema, Stream } from './index.js';

/** A row that was rejected or failed, counted over all batches. */
export interface Rejection {
  row: number;
  rule: string;
  message: string;
}

/** What a plugin asked of its host. */
export interface Recorded {
  /** Level and message of each log line. */
  logs: [string, string][];
  /** The sum of each counter. */
  metrics: { [name: string]: number };
}

/** A batch as it crosses the sandbox boundary. */
export interface Crossing {
  rows: number;
  nodes: { length: number; nullCount: number }[];
  buffers: Uint8Array[];
}

/** A call to the host. Rows and origins count within the batch in process. */
export type Call =
  | { emit: number; origin?: number[]; batch: Crossing }
  | { reject: number[]; rule: string; message: string };

/** What a transform or a check made of its input. */
export interface Outcome extends Recorded {
  /** Input rows. */
  rows: number;
  /** Every rejected or failed row, in order of batches. */
  rejections: Rejection[];
  /** Every call to the host, in order. */
  calls: Call[];
  /** The rows of an output (`out` by default) that are kept: emitted from a row that was not rejected. */
  output(name?: string): Row[];
  /** The rows rejected or failed under one rule. */
  rejected(rule: string): number[];
  /** The rows from which nothing was emitted and which were not rejected. */
  dropped(): number[];
}

/** What a decoder made of a file. */
export interface Decoded extends Recorded {
  rows: Row[];
  rejections: { offset: number; length: number; rule: string; message: string }[];
}

/** What was read of one shard of a stream. */
export interface Read extends Recorded {
  /** All rows, in order. */
  rows: Row[];
  /** The records that formed no row, in order. */
  rejections: { record: string; rule: string; message: string }[];
  /** The state behind each page. */
  states: any[];
  /** The requests made, in order. */
  requests: Request[];
}

/** What a fold made of its input. */
export interface Folded extends Recorded {
  rows: Row[];
}

/** What a test answers to a request: at most one of `json` and `body`; nothing is 200 without a body. */
export interface Answer {
  /** Default: 200. */
  status?: number;
  headers?: { [name: string]: string | number };
  /** A body that is this as JSON. */
  json?: unknown;
  body?: string | Uint8Array;
}

/** How a plugin is to be run: its class, configuration and run context. */
export class Harness {
  constructor(
    PluginClass: { new (): object; info: Info },
    config?: object,
    options?: {
      run?: Partial<Context['run']>;
      /** The reference tables handed over, by name. They cross in several batches, as in a run. */
      sideInputs?: { [name: string]: Batch };
      secrets?: { [name: string]: string };
      /** Answers the requests of a source; without, each is a `ConfigError`. It is asked more than once. */
      respond?: (request: Request) => Answer;
      /**
       * Whether two results of a fold are the same, such as sums of floats, which differ in their last digits.
       * Default: they are equal, row by row.
       */
      same?: (one: Row[], other: Row[]) => boolean;
    },
  );
  /** Binds a plugin as the planner does, and returns what its `bind` gives. */
  bind(schema?: Schema): any;
  /** Runs a transform or a check from `bind` to `finish` over batches of rows. */
  run(schema: Schema, ...batches: (Batch | readonly Row[])[]): Outcome;
  /** Runs a decoder over one file that comes in these chunks. */
  decode(...chunks: Uint8Array[]): Decoded;
  /** The streams of a source. */
  discover(): Stream[];
  /**
   * Reads a stream of a source from the beginning, or behind a state, to its end. Then again from every state that
   * was returned, which must give the rows behind it: as a run that begins where another ended.
   */
  read(stream: string, options?: { shard?: string; state?: unknown }): Read;
  /**
   * Runs a fold over batches of rows. Then once more with single rows shared out among several instances, whose
   * states are merged, which must give the same.
   */
  fold(schema: Schema, ...batches: (Batch | readonly Row[])[]): Folded;
}
