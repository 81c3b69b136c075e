/**
 * What a JavaScript author of a Weir plugin uses.
 *
 * A plugin is a class, exported by default. It takes and gives rows or columns; a row that it cannot
 * take, it rejects with a rule and a message. The same code is tested natively and runs as a
 * WebAssembly component.
 */

/** The units of times and moments. */
export type Unit = 'second' | 'millisecond' | 'microsecond' | 'nanosecond';

/** The contract's types by name. */
export type Kind =
  | 'boolean'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'float16'
  | 'float32'
  | 'float64'
  | 'utf8'
  | 'binary'
  | 'date32'
  | 'date64'
  | 'time32'
  | 'time64'
  | 'timestamp'
  | 'decimal128'
  | 'list'
  | 'struct';

/**
 * One value. By type: `boolean`; `number` for integers of up to 32 bits, floats and `time32` (a
 * count); `bigint` for 64-bit integers, `time64` and timestamps (counts of the unit); `string` for text
 * and for decimals (`'12.50'`, exact); `Uint8Array` for bytes; `Date` at midnight in UTC for dates;
 * arrays for lists; objects for structs; `null`.
 *
 * Given to a column, a safe whole `number` also serves where `bigint` is read, a `bigint` as a whole
 * decimal, and `undefined` as null.
 */
export type Value =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Date
  | Value[]
  | { [name: string]: Value }
  | null
  | undefined;

/** A row by column name. */
export type Row = { [name: string]: any };

/** The typed arrays of fixed-width columns. */
export type TypedArray =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** One of the contract's types. Use the names and functions of {@link types} to get one. */
export class DataType {
  private constructor();
  readonly kind: Kind;
  /** Of times and timestamps. */
  readonly unit?: Unit;
  /** Of timestamps: an IANA name or an offset. Without one they are wall-clock time. */
  readonly zone?: string;
  /** Of decimals: digits in all. */
  readonly precision?: number;
  /** Of decimals: digits after the point. */
  readonly scale?: number;
  /** Of a list its one item field, of a struct its fields. */
  readonly children: readonly Field[];
  equals(other: DataType): boolean;
  toString(): string;
}

/** The types of the contract. */
export const types: {
  readonly boolean: DataType;
  readonly int8: DataType;
  readonly int16: DataType;
  readonly int32: DataType;
  readonly int64: DataType;
  readonly uint8: DataType;
  readonly uint16: DataType;
  readonly uint32: DataType;
  readonly uint64: DataType;
  readonly float16: DataType;
  readonly float32: DataType;
  readonly float64: DataType;
  readonly utf8: DataType;
  readonly binary: DataType;
  /** Days; in rows a `Date`. */
  readonly date32: DataType;
  /** Whole days counted in milliseconds; in rows a `Date`. */
  readonly date64: DataType;
  /** A time of day: 32 bits for seconds and milliseconds, 64 for what is finer. Default: microseconds. */
  time(unit?: Unit): DataType;
  /** A moment. With a zone it counts in UTC, without one it is wall-clock time. Default: microseconds. */
  timestamp(unit?: Unit, zone?: string): DataType;
  /** An exact decimal of 1 to 38 digits, `scale` of them after the point. */
  decimal128(precision: number, scale: number): DataType;
  /** A list; its items may be null unless a `Field` says otherwise. */
  list(item: DataType | Field): DataType;
  /** A struct, of an array of `Field`, or of an object of types that may all be null. */
  struct(fields: readonly Field[] | { [name: string]: DataType }): DataType;
};

/** One column, item of a list or field of a struct. */
export class Field {
  /** `nullable` is true by default. */
  constructor(name: string, type: DataType, nullable?: boolean);
  readonly name: string;
  readonly type: DataType;
  readonly nullable: boolean;
  equals(other: Field): boolean;
  toString(): string;
}

/** The columns of a batch, in order. */
export class Schema {
  /** Of an array of `Field`, or of an object of types that may all be null. */
  constructor(fields?: readonly Field[] | { [name: string]: DataType });
  readonly fields: readonly Field[];
  readonly names: string[];
  has(name: string): boolean;
  /** Where a column stands; the error lists the columns if it is not there. */
  position(name: string): number;
  field(name: string): Field;
  equals(other: Schema): boolean;
  toString(): string;
}

/** One array: its values, and which of them are null. A column never changes. */
export class Column {
  private constructor();
  /** A column of values. The error names the first row whose value does not fit. */
  static from(type: DataType, values: readonly Value[], name?: string): Column;
  /**
   * A column of fixed width from a typed array, without a copy: do not write to it afterwards. `nulls`
   * are the rows that are null. Dates, times and moments are counts, as {@link values} shows them.
   */
  static fromTyped(type: DataType, values: TypedArray, nulls?: Iterable<number>): Column;
  readonly type: DataType;
  readonly length: number;
  readonly nullCount: number;
  /** Of lists the items, of structs the fields. */
  readonly children: readonly Column[];
  /**
   * The values of a fixed-width column, null or not, without a copy: integers and floats as they are;
   * dates, times and moments as counts; float16 as 16-bit patterns; decimals as pairs of 64-bit
   * halves, the lower first; booleans as packed bytes. What stands in the place of a null means
   * nothing.
   */
  readonly values: any;
  /** Of text, bytes and lists: where each value begins, and at the end where the last ends. */
  readonly offsets: Int32Array;
  /** Of text and bytes: all values, one behind the other, as `offsets` cuts them. */
  readonly data: Uint8Array;
  /** Of lists: all items, one list behind the other, as `offsets` cuts them. */
  readonly items: Column;
  /** Of structs: the column of one field. */
  field(name: string): Column;
  isNull(row: number): boolean;
  nullRows(): number[];
  /** The values, `null` for null. */
  toArray(): any[];
  /** The rows from `begin` up to `end`. */
  slice(begin: number, end: number): Column;
}

/** Columns by name, each a `Column` or an array of values. */
export type Columns = { [name: string]: Column | readonly Value[] };

/** Rows of one schema, as columns. */
export class Batch {
  /** `rows` is only needed where there is no column. */
  constructor(schema: Schema, columns: readonly Column[], rows?: number);
  /** A batch of objects. A key that is left out is null. */
  static fromRows(schema: Schema, rows: readonly Row[]): Batch;
  static fromColumns(schema: Schema, columns: Columns, rows?: number): Batch;
  readonly schema: Schema;
  readonly rows: number;
  readonly columns: readonly Column[];
  column(name: string): Column;
  toRows(): Row[];
  slice(begin: number, end: number): Batch;
}

/** Whether a value can stand in a column of a type, exactly. Null always fits. */
export function fits(type: DataType, value: Value): boolean;

/** The text of bytes; `undefined` if they are no UTF-8. QuickJS has no `TextDecoder`. */
export function decodeUtf8(bytes: Uint8Array): string | undefined;

/** The Date of a count of `unit` since 1970; what is finer than a millisecond is cut off. */
export function toDate(count: bigint | number, unit: Unit): Date;

/** The count of `unit` since 1970 of a Date; what is finer than `unit` is cut off. */
export function fromDate(date: Date, unit: Unit): bigint;

/** A reason for which a plugin may reject or fail a row. */
export class Rule {
  /**
   * `name` is short, in lower case with underscores, and stable across versions: quarantine and
   * reports are grouped by it. `description` is one sentence that says what the rule demands.
   */
  constructor(name: string, description: string);
  readonly name: string;
  readonly description: string;
}

/** A named output of a transform and the schema of every batch emitted to it. */
export class Output {
  constructor(name: string, schema: Schema);
  readonly name: string;
  readonly schema: Schema;
}

/** What a plugin is told when it is bound. */
export class Context {
  constructor(told?: { run?: Partial<Context['run']>; input?: Schema; sideInputs?: readonly SideInput[] });
  /** Where in which pipeline the plugin runs. Nothing in it differs between runs with the same parameters. */
  readonly run: { readonly pipeline: string; readonly step: string; readonly parameters: { [name: string]: string } };
  /** The columns granted. Empty for a decoder. */
  readonly input: Schema;
  /** The small reference tables that the step hands to the plugin. */
  readonly sideInputs: readonly SideInput[];
  /**
   * The reference table of this name; its rows come with `load`. Throws a `ConfigError` that says how the step hands
   * it over.
   */
  sideInput(name: string): SideInput;
  /** Throws a `DataError` that lists every name that is no column of the input. */
  require(...names: string[]): void;
}

/** A small reference table that the step hands to the plugin. */
export interface SideInput {
  readonly name: string;
  readonly schema: Schema;
}

/**
 * The rows of the small reference tables that the step hands to the plugin.
 *
 * They come when the first batch does, never while the run is planned: `load` is where a plugin makes of them what it
 * looks up. All tables together have at most a quarter of the memory granted.
 */
export interface SideInputs {
  /**
   * All rows of one table, once. Throws a `ConfigError` if the step has no table of this name, and a `FatalError` if
   * it has been read before.
   */
  read(name: string): Batch;
}

/** What a plugin says of itself. */
export interface Info {
  /** The plugin's name, in lower case with dashes. */
  name: string;
  /** The plugin's own version, in semver. Default: 0.1.0. */
  version?: string;
  /** One sentence that says what it does. */
  description?: string;
  /** The columns it wants to be granted; empty means: it depends on the configuration. */
  columns?: readonly string[];
  /** Every rule it can raise. Raising another is an error. */
  rules?: readonly Rule[];
  /** A JSON Schema of the configuration. Default: there is none, and any key is an error. */
  config?: object;
}

/** What all plugins have. */
declare class Plugin {
  static info: Info;
  /** The configuration, checked and with defaults filled in, before anything is called. */
  config: any;
}

/**
 * Turns batches of one schema into batches of one or more others. Several copies may run side by side,
 * and batch borders fall anywhere: what becomes of a row must depend on that row alone.
 */
export abstract class Transform extends Plugin {
  /**
   * Says which outputs there are: one schema, or several named outputs. Called at plan time too: the
   * same configuration and context must give the same answer.
   */
  abstract bind(context: Context): Schema | Output[];
  /**
   * Takes the reference tables that the step hands to the plugin. Called once, before the first batch; never while
   * the run is planned.
   */
  load(sideInputs: SideInputs): void;
  /** Takes a batch of the columns granted, of at most 8,192 rows. */
  process(batch: Batch, out: Emitter): void;
  /** Called once after the last batch. Emits nothing. */
  finish(): void;
}

/** A transform of one row at a time. */
export abstract class RowTransform extends Transform {
  /** Takes a row: emits any number of rows to `out`, or throws a `Reject`. */
  abstract row(row: Row, out: RowEmitter): void;
}

/** Judges rows and changes nothing. Lives as a `Transform` does. */
export abstract class Check extends Plugin {
  /** Looks whether configuration and columns fit. Called at plan time too. */
  bind(context: Context): void;
  /**
   * Takes the reference tables that the step hands to the plugin. Called once, before the first batch; never while
   * the run is planned.
   */
  load(sideInputs: SideInputs): void;
  /** Takes a batch of the columns granted, of at most 8,192 rows; names bad rows. */
  process(batch: Batch, out: Verdict): void;
  /** Called once after the last batch. */
  finish(): void;
}

/** A check of one row at a time. */
export abstract class RowCheck extends Check {
  /** Takes a row; calls `fail` for each rule that it breaks. */
  abstract row(row: Row, fail: (rule: Rule, message?: string) => void): void;
}

/**
 * Turns the bytes of one file into rows. Bound for each file anew, given its bytes chunk by chunk, then
 * finished. Chunk borders fall anywhere, even within a character.
 */
export abstract class Decoder extends Plugin {
  /** Begins a file, and says which schema its rows have. Called at plan time too. */
  abstract bind(context: Context): Schema;
  /**
   * Takes the reference tables that the step hands to the plugin. Called once, before the first bytes of each file;
   * never while the run is planned.
   */
  load(sideInputs: SideInputs): void;
  /** Takes the next bytes of the file. */
  abstract decode(chunk: Uint8Array, out: Rows): void;
  /** The file has ended: emits what is left. */
  finish(out: Rows): void;
}

/**
 * Reads rows from somewhere else, such as an API or a web site, page by page.
 *
 * The host opens one shard of one stream, with the state that an earlier run left behind, and calls `read` until it
 * says that it is done. A page counts whole or not at all: its rows are kept together with the state it returns.
 * After a `RetryError` the host waits, opens another instance with the state kept last, and reads on; any other
 * error ends the run, and the next one goes on from there.
 *
 * It reaches what its step grants it, through `weir-plugin/http`.
 */
export abstract class Source extends Plugin {
  static info: SourceInfo;
  /** The streams that can be read with a configuration. Called at plan time, and when a run begins. */
  static discover(config: any, run: Context['run']): Stream[];
  /** Makes ready to read one of the streams: from the beginning, or behind `state`. */
  open(opened: Opened): void;
  /**
   * Reads a page; emits and rejects through `out`. A `RetryError` where it may work later; any other ends the run. A
   * record that forms no row is a rejection instead.
   */
  abstract read(out: Page): Progress;
}

/** What a source says of itself; `columns` stays empty. */
export interface SourceInfo extends Info {
  /**
   * A JSON Schema of the state. If it is there, a state that an earlier version left behind and that does not fit
   * is an error that says to run with --full-refresh. Default: any state is taken.
   */
  state?: object;
}

/** A stream of rows that a source can read. */
export interface Stream {
  /** Its name, by which the pipeline file addresses it. */
  name: string;
  /** The schema of its rows. */
  schema: Schema;
  /** The column by which it tells new rows, if there is one: for people. */
  cursor?: string;
  /** The columns that identify a row; left out if that cannot be said. */
  primaryKey?: readonly string[];
  /**
   * Parts that may be read side by side, by names that stay the same from run to run. Left out: one part, whose name
   * is empty.
   */
  shards?: readonly string[];
}

/** What a source is to read. */
export interface Opened {
  readonly stream: Required<Omit<Stream, 'cursor'>> & Pick<Stream, 'cursor'>;
  readonly shard: string;
  /** What `read` returned last, in an earlier run or before an error; `undefined`: from the beginning. */
  readonly state: any;
  readonly run: Context['run'];
}

/** Where a page has come to. */
export interface Progress {
  /**
   * What `open` takes to go on behind the page. It is kept as JSON, at most 64 KiB, beside the rows: a secret has no
   * business in it, and a later version of the plugin should still be able to read it.
   */
  state: any;
  /** Whether there is nothing more for now. A later run begins here. */
  done: boolean;
}

/**
 * Makes few rows of many: sums, statistics, models.
 *
 * Many instances fold side by side, each its part of the rows; one takes the states of all others and emits the
 * result. Rows come in any order, and so do states, so that the result must not depend on it.
 */
export abstract class Fold extends Plugin {
  /** Says which schema the result has. Called at plan time too. */
  abstract bind(context: Context): Schema;
  /**
   * Takes the reference tables that the step hands to the plugin. Called once, before the first batch or state;
   * never while the run is planned.
   */
  load(sideInputs: SideInputs): void;
  /** Takes a batch of the columns granted, of at most 8,192 rows, into the state. */
  abstract process(batch: Batch): void;
  /** The state: at most a quarter of the memory granted. */
  abstract snapshot(): Snapshot;
  /** Takes the state of another instance, as its `snapshot` gave it, into this one's. */
  abstract merge(snapshot: any): void;
  /** All states are merged: emits the result. */
  abstract finish(out: Emitted): void;
}

/** A state of a fold: bytes of its own, or what is kept without loss. */
export type Snapshot =
  | Uint8Array
  | boolean
  | number
  | bigint
  | string
  | null
  | readonly Snapshot[]
  | { [name: string]: Snapshot };

/** Takes what a transform makes of the batch in process. */
export interface Emitter {
  readonly outputs: readonly Output[];
  /**
   * Emits a batch, or columns by name, to an output. `origin` gives, for each emitted row, the row of
   * the batch in process that it came from: the host traces and withdraws rows by it, and re-attaches
   * the columns that were not granted. Without it there is one row out for each row in, in order;
   * rejected rows stay in it as placeholders, which the host removes.
   */
  emit(batch: Batch | Columns, options?: { to?: number | string; origin?: ArrayLike<number> }): void;
  /** Rejects rows of the batch in process; none, if `rows` is empty. Keep values out of the message. */
  reject(rows: readonly number[], rule: Rule, message?: string): void;
}

/** Takes the rows that a `RowTransform` makes of one row. */
export interface RowEmitter {
  /** Emits a row to an output, by its name or place. */
  emit(row: Row, options?: { to?: number | string }): void;
}

/** Takes what a check says of the batch in process. */
export interface Verdict {
  /** Says that rows break `rule`; none, if `rows` is empty. A row may break several. */
  fail(rows: readonly number[], rule: Rule, message?: string): void;
}

/** Takes rows of one schema. */
export interface Emitted {
  readonly schema: Schema;
  /** Emits a batch, columns by name, or an array of rows; about 8,192 at a time serve best. */
  emit(rows: Batch | Columns | readonly Row[]): void;
}

/** Takes the rows of a page of a source. */
export interface Page extends Emitted {
  /**
   * Rejects a record that forms no row. `record` is what of it a person should see: a text, or what is shown as
   * JSON.
   */
  reject(record: unknown, rule: Rule, message?: string): void;
}

/** Takes what a decoder makes of a file. */
export interface Rows extends Emitted {
  /** Rejects `length` bytes that begin `offset` bytes into the file: they form no row. */
  reject(offset: number | bigint, length: number | bigint, rule: Rule, message?: string): void;
}

/**
 * A call that could not be done; it ends the step. Throw one of the four subclasses: which one says who
 * mends it. Messages carry names, counts and places, never values of the data.
 */
export class PluginError extends Error {
  readonly kind: 'config' | 'data' | 'retry' | 'fatal';
}

/** The configuration does not fit; the pipeline's author mends it. */
export class ConfigError extends PluginError {}

/** The input as a whole cannot be used, such as a column that is missing. */
export class DataError extends PluginError {}

/** It may work if tried again later. */
export class RetryError extends PluginError {}

/** It will not work; the plugin's author mends it. */
export class FatalError extends PluginError {}

/**
 * Thrown in `RowTransform.row`: rejects the row. What was emitted from it before is withdrawn. The
 * message stands in quarantine beside the row: say what is demanded, and leave the value out.
 */
export class Reject extends Error {
  constructor(rule: Rule, message?: string);
  readonly rule: Rule;
}

/** Lines in the plugin's log. The host bounds them. Keep values of the data out of them. */
export const log: {
  /** Logs what is of use to the plugin's author. */
  debug(message: string): void;
  /** Logs a normal event. */
  info(message: string): void;
  /** Logs something recoverable that a person should know. */
  warn(message: string): void;
};

/** Adds `value` to the counter `name`, which the run record shows as a sum over all batches. */
export function metric(name: string, value: number): void;

/**
 * The secret that the step grants under `name`; `undefined` if there is no such grant. Build the plugin
 * with `--secrets`. It then runs only in steps that grant it a secret.
 */
export function secret(name: string): string | undefined;
