// What a plugin of rows can be: a transform, a check or a decoder, over batches or row by row.

import { Batch } from './columns.js';
import { DataError, FatalError, PluginError, Reject } from './errors.js';
import { log } from './host.js';
import { lacking } from './side-inputs.js';
import { Schema } from './types.js';

/** Rows of a batch that is made of emitted rows: as many as those that the host sends. */
const BATCH_ROWS = 8192;

/** A reason for which a plugin may reject or fail a row. */
export class Rule {
  constructor(name, description) {
    this.name = name;
    this.description = description;
    Object.freeze(this);
  }
}

/** A named output of a transform and the schema of every batch emitted to it. */
export class Output {
  constructor(name, schema) {
    this.name = name;
    this.schema = schema;
  }
}

/** The rule under which row by row plugins reject what JavaScript has no value for. */
export const UNREADABLE = new Rule('unreadable_date', 'A date is a whole day that a Date can hold.');

/** What tells whether a row holds a date that reads as an invalid one. */
function holdsUnreadable(schema) {
  const hasDate = ({ type }) => type.kind.startsWith('date') || type.children.some(hasDate);
  const names = schema.fields.filter(hasDate).map(({ name }) => name);
  const bad = (value) =>
    value instanceof Date ? Number.isNaN(value.getTime()) : value instanceof Object && Object.values(value).some(bad);
  return (row) => names.some((name) => bad(row[name]));
}

/** What a plugin is told when it is bound. */
export class Context {
  constructor({ run = {}, input = new Schema(), sideInputs = [] } = {}) {
    this.run = { pipeline: 'test', step: 'test', parameters: {}, ...run };
    this.input = input;
    this.sideInputs = sideInputs;
  }

  /** The side input of this name: its name and schema; its rows come with `load`. Throws a `ConfigError` without. */
  sideInput(name) {
    const found = this.sideInputs.find((table) => table.name === name);
    if (found === undefined) throw lacking(name);
    return found;
  }

  /** Throws a `DataError` that lists every name that is no column of the input. */
  require(...names) {
    const missing = names.filter((name) => !this.input.has(name));
    if (missing.length) {
      throw new DataError(
        `the input lacks ${missing.join(', ')}; it has ${this.input.names.join(', ') || 'no columns'}; ` +
          "name the missing columns in the stage's `grant`",
      );
    }
  }
}

/** What all plugins have. */
export class Plugin {
  /** Says what the plugin is: name, version, description, columns, rules, config (a JSON Schema). */
  static info = {};

  /** The configuration, checked and with defaults filled in, before anything is called. */
  config;
}

/** Turns batches of one schema into batches of one or more others. */
export class Transform extends Plugin {
  bind(_context) {
    throw new FatalError('a transform needs a method `bind(context)` that returns its schema or outputs');
  }

  /** Takes the side inputs. Called once, before the first batch. */
  load(_sideInputs) {}

  process(_batch, _out) {
    throw new FatalError('a transform needs a method `process(batch, out)`');
  }

  /** Called once after the last batch; emits nothing. */
  finish() {}
}

/** A transform of one row at a time. */
export class RowTransform extends Transform {
  row(_row, _out) {
    throw new FatalError('a row transform needs a method `row(row, out)`');
  }

  process(batch, out) {
    const emitted = new RowEmitter(out.outputs);
    const holds = holdsUnreadable(batch.schema);
    batch.toRows().forEach((row, at) => {
      if (holds(row)) {
        out.reject([at], UNREADABLE);
        return;
      }
      emitted.begin(at);
      try {
        this.row(row, emitted);
      } catch (error) {
        if (!(error instanceof Reject)) throw unexpected(error, `, at row ${at} of the batch`);
        emitted.withdraw();
        out.reject([at], error.rule, error.message);
      }
    });
    emitted.taken.forEach(({ rows, origin }, index) => {
      if (rows.length) out.emit(batchOf(out.outputs[index], rows, origin), { to: index, origin });
    });
  }
}

/** A batch of emitted rows. The error names the row of the batch in process that they came from. */
function batchOf(output, rows, origin) {
  try {
    return Batch.fromRows(output.schema, rows);
  } catch (failure) {
    if (!(failure instanceof FatalError)) throw failure;
    rows.forEach((row, index) => {
      try {
        Batch.fromRows(output.schema, [row]);
      } catch (error) {
        throw new FatalError(`output \`${output.name}\`, from row ${origin[index]} of the batch: ${error.message}`);
      }
    });
    throw failure;
  }
}

/** Judges rows and changes nothing. */
export class Check extends Plugin {
  bind(_context) {}

  /** Takes the side inputs. Called once, before the first batch. */
  load(_sideInputs) {}

  process(_batch, _out) {
    throw new FatalError('a check needs a method `process(batch, out)`');
  }

  /** Called once after the last batch. */
  finish() {}
}

/** A check of one row at a time. */
export class RowCheck extends Check {
  row(_row, _fail) {
    throw new FatalError('a row check needs a method `row(row, fail)`');
  }

  process(batch, out) {
    const holds = holdsUnreadable(batch.schema);
    batch.toRows().forEach((row, at) => {
      if (holds(row)) {
        out.fail([at], UNREADABLE);
        return;
      }
      try {
        this.row(row, (rule, message) => out.fail([at], rule, message));
      } catch (error) {
        throw unexpected(error, `, at row ${at} of the batch`);
      }
    });
  }
}

/** Turns the bytes of one file into rows. */
export class Decoder extends Plugin {
  bind(_context) {
    throw new FatalError('a decoder needs a method `bind(context)` that returns the schema of its rows');
  }

  /** Takes the side inputs. Called once, before the first bytes of each file. */
  load(_sideInputs) {}

  decode(_chunk, _out) {
    throw new FatalError('a decoder needs a method `decode(chunk, out)`');
  }

  finish(_out) {}
}

/** Rows named one by one, handed over in few calls: one for each rule and message. */
class Reasons {
  #rules;
  #batchRows;
  #groups = new Map();

  constructor(rules, batchRows) {
    this.#rules = rules;
    this.#batchRows = batchRows;
  }

  add(rows, rule, message = rule.description) {
    checkRule(this.#rules, rule);
    for (const row of rows) {
      if (!(Number.isInteger(row) && row >= 0 && row < this.#batchRows)) {
        throw new FatalError(`rule \`${rule.name}\` names a row outside of a batch of ${this.#batchRows} rows`);
      }
    }
    if (rows.length === 0) return;
    const key = JSON.stringify([rule.name, message]);
    const group = this.#groups.get(key) ?? { rule: rule.name, message, rows: [] };
    for (const row of rows) group.rows.push(row);
    this.#groups.set(key, group);
  }

  groups() {
    return [...this.#groups.values()];
  }
}

/** Throws if a rule is none that the plugin has declared. */
export function checkRule(rules, rule) {
  if (!rules.some((known) => known.name === rule?.name)) {
    throw new FatalError(`the rule \`${rule?.name}\` is not among the \`rules\` of the plugin's info; add it there`);
  }
}

/** Takes what a transform makes of the batch in process. */
export class Emitter {
  #batchRows;
  #emit;
  #reasons;

  constructor(outputs, rules, batchRows, emit) {
    this.outputs = outputs;
    this.#batchRows = batchRows;
    this.#emit = emit;
    this.#reasons = new Reasons(rules, batchRows);
  }

  /** Emits a `Batch`, or columns by name, to an output. */
  emit(batch, { to = 0, origin } = {}) {
    const index = outputIndex(this.outputs, to);
    const { name, schema } = this.outputs[index];
    const breach = (words) => new FatalError(`output \`${name}\`: ${words}`);
    let made;
    try {
      made = matched(schema, batch);
    } catch (error) {
      throw error instanceof FatalError ? breach(error.message) : error;
    }
    if (origin === undefined) {
      if (made.rows !== this.#batchRows) {
        throw breach(
          `${made.rows} rows emitted for ${this.#batchRows} read; say with \`origin\` from which row each came`,
        );
      }
    } else if (origin.length !== made.rows) {
      throw breach(`${origin.length} origins for ${made.rows} rows`);
    } else if (!origin.every((row) => Number.isInteger(row) && row >= 0 && row < this.#batchRows)) {
      throw breach(`an origin outside of a batch of ${this.#batchRows} rows`);
    }
    this.#emit(index, made, origin === undefined ? undefined : Uint32Array.from(origin));
  }

  /** Rejects rows of the batch in process; none, if `rows` is empty. */
  reject(rows, rule, message) {
    this.#reasons.add(rows, rule, message);
  }

  /** What was rejected, in the order in which each pair of rule and message first came up. */
  rejected() {
    return this.#reasons.groups();
  }
}

/** What an author emits, as a batch of the schema bound. */
function matched(schema, batch) {
  if (!(batch instanceof Batch)) return Batch.fromColumns(schema, batch);
  if (batch.schema === schema) return batch;
  if (batch.schema.names.join('\0') !== schema.names.join('\0')) {
    throw new FatalError(`${batch.schema} emitted where ${schema} was bound`);
  }
  return new Batch(schema, batch.columns, batch.rows);
}

function outputIndex(outputs, to) {
  const index = typeof to === 'number' ? to : outputs.findIndex((output) => output.name === to);
  if (outputs[index] === undefined) {
    const names = outputs.map((output) => output.name).join(', ') || 'none';
    throw new FatalError(`there is no output ${JSON.stringify(to)}; \`bind\` returned ${names}`);
  }
  return index;
}

/** A row as it is now: the author may go on with the same object. */
function copied(row) {
  return row instanceof Object ? Object.assign(Object.create(Object.getPrototypeOf(row)), row) : row;
}

/** Takes the rows that a `RowTransform` makes of one row. */
class RowEmitter {
  #outputs;
  #at = 0;

  constructor(outputs) {
    this.#outputs = outputs;
    this.taken = outputs.map(() => ({ rows: [], origin: [] }));
  }

  /** Emits a row to an output, by its name or place. */
  emit(row, { to = 0 } = {}) {
    const { rows, origin } = this.taken[outputIndex(this.#outputs, to)];
    rows.push(copied(row));
    origin.push(this.#at);
  }

  begin(at) {
    this.#at = at;
  }

  withdraw() {
    for (const { rows, origin } of this.taken) {
      while (origin.length && origin.at(-1) === this.#at) {
        origin.pop();
        rows.pop();
      }
    }
  }
}

/** Takes what a check says of the batch in process. */
export class Verdict {
  #reasons;

  constructor(rules, batchRows) {
    this.#reasons = new Reasons(rules, batchRows);
  }

  /** Says that rows break `rule`; none, if `rows` is empty. A row may break several. */
  fail(rows, rule, message) {
    this.#reasons.add(rows, rule, message);
  }

  failed() {
    return this.#reasons.groups();
  }
}

/** Takes rows of one schema, whatever they come from. */
export class Emitted {
  #emit;

  constructor(schema, emit) {
    /** The schema of the rows. */
    this.schema = schema;
    this.#emit = emit;
  }

  /** Emits a `Batch`, columns by name, or an array of rows; about 8,192 at a time serve best. */
  emit(rows) {
    if (!Array.isArray(rows)) {
      this.#emit(matched(this.schema, rows));
      return;
    }
    for (let begin = 0; begin < rows.length; begin += BATCH_ROWS) {
      this.#emit(Batch.fromRows(this.schema, rows.slice(begin, begin + BATCH_ROWS)));
    }
  }
}

/** Takes what a decoder makes of a file. */
export class Rows extends Emitted {
  #rules;
  #reject;

  constructor(schema, rules, emit, reject) {
    super(schema, emit);
    this.#rules = rules;
    this.#reject = reject;
  }

  /** Rejects `length` bytes that begin `offset` bytes into the file: they form no row. */
  reject(offset, length, rule, message = rule.description) {
    checkRule(this.#rules, rule);
    this.#reject(offset, length, rule.name, message);
  }
}

/**
 * What an error that is no `PluginError` becomes. Its own words, which may hold values of the data, go
 * to the plugin's log and no further.
 */
export function unexpected(error, place = '') {
  if (error instanceof PluginError) return error;
  const stack = error?.stack ?? '';
  log.warn(`${error}\n${stack}`);
  const kind = error instanceof Error ? error.name : `a thrown ${typeof error}`;
  return new FatalError(`${kind}${place}; its words are in the plugin's log`);
}
