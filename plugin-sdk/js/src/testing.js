// Runs a plugin natively, under the contract's rules, without WebAssembly.

import { bind, describe, worldOf } from './bound.js';
import { Batch } from './columns.js';
import { FatalError } from './errors.js';
import { pack, unpack } from './fold.js';
import { connect } from './host.js';
import { Context, Emitted, Emitter, Rows, Transform, Verdict } from './plugin.js';
import { Page, discover, open, read } from './source.js';
import { answerOf } from './testing/answer.js';
import { Outcome, stable } from './testing/outcome.js';
import { Schema } from './types.js';
import { assemble, disassemble, schemaFromWit, schemaToWit } from './wire.js';

/** The method by which a plugin of each world is run. */
const RUN_BY = { transform: 'run', check: 'run', decoder: 'decode', source: 'read', fold: 'fold' };

/** Most pages that are read before it is said that the source does not end. */
const MOST_PAGES = 10_000;

/** The parts of the second run of a fold. */
const PARTS = 3;

/** How a plugin is to be run: its class, configuration and run context. */
export class Harness {
  #PluginClass;
  #config;
  #run;
  #sideInputs;
  #secrets;
  #respond;
  #same;

  constructor(PluginClass, config = {}, { run, sideInputs = {}, secrets = {}, respond, same } = {}) {
    this.#PluginClass = PluginClass;
    this.#config = JSON.stringify(config);
    this.#run = run;
    this.#sideInputs = Object.entries(sideInputs);
    for (const [name, rows] of this.#sideInputs) checkTable(name, rows);
    this.#secrets = secrets;
    this.#respond = respond;
    this.#same = same ?? ((one, other) => stable(one) === stable(other));
  }

  /** Binds a plugin as the planner does, and returns what its `bind` gives. */
  bind(schema = new Schema()) {
    if (worldOf(this.#PluginClass) === 'source') throw new FatalError('a source has no `bind`; use `discover`');
    return this.#connected({}, () => this.#bound(schema).bound);
  }

  /** Runs a transform or a check from `bind` to `finish` over batches of rows. */
  run(schema, ...batches) {
    this.#checkWorld('run');
    const made = batchesOf(schema, batches);
    const outcome = this.#runOnce(schema, made);
    const again = this.#runOnce(schema, made.flatMap(parts));
    if (outcome.settled() !== again.settled()) {
      throw new FatalError('what becomes of a row depends on where batches end');
    }
    return outcome;
  }

  /** Runs a decoder over one file that comes in these chunks. */
  decode(...chunks) {
    this.#checkWorld('decode');
    const decoded = this.#decodeOnce(chunks);
    const bytes = chunks.flatMap((chunk) => Array.from(chunk, (byte) => Uint8Array.of(byte)));
    const again = this.#decodeOnce(bytes);
    const settled = ({ rows, rejections }) => stable([rows, rejections]);
    if (settled(decoded) !== settled(again)) throw new FatalError('what it decodes depends on where chunks end');
    return decoded;
  }

  /** The streams of a source. */
  discover() {
    this.#checkWorld('read');
    return this.#connected({}, () => {
      describe(this.#PluginClass);
      return discover(this.#PluginClass, this.#config, this.#context().run);
    });
  }

  /**
   * Reads a stream of a source from the beginning, or behind a state, to its end. Then again from every state
   * that was returned, which must give the rows behind it: as a run that begins where another ended.
   */
  read(stream, { shard = '', state } = {}) {
    this.#checkWorld('read');
    const { ends, ...whole } = this.#readOnce(stream, shard, JSON.stringify(state));
    for (const { text, rows, rejections } of ends) {
      const again = this.#readOnce(stream, shard, text);
      const behind = { rows: whole.rows.slice(rows), rejections: whole.rejections.slice(rejections) };
      if (stable([again.rows, again.rejections]) !== stable([behind.rows, behind.rejections])) {
        throw new FatalError(
          `a run that begins with the state ${text} reads other rows than those behind it: ` +
            `${again.rows.length} rows and ${again.rejections.length} rejections, ` +
            `not ${behind.rows.length} and ${behind.rejections.length}`,
        );
      }
    }
    return whole;
  }

  /**
   * Runs a fold over batches of rows. Then once more with single rows shared out among several instances, whose
   * states are merged, which must give the same.
   */
  fold(schema, ...batches) {
    this.#checkWorld('fold');
    const made = batchesOf(schema, batches);
    const whole = this.#foldOnce(schema, [made]);
    const parts = Array.from({ length: PARTS }, () => []);
    made.flatMap(singles).forEach((row, at) => parts[at % PARTS].push(row));
    // The last first: states come in any order.
    const merged = this.#foldOnce(schema, parts.reverse());
    if (!this.#same(whole.rows, merged.rows)) {
      throw new FatalError('its result depends on how rows are shared out among instances');
    }
    return whole;
  }

  #checkWorld(method) {
    const world = worldOf(this.#PluginClass);
    if (RUN_BY[world] !== method) throw new FatalError(`a ${world} is run with \`${RUN_BY[world]}\``);
  }

  #context(schema = new Schema()) {
    const sideInputs = this.#sideInputs.map(([name, { schema }]) => ({ name, schema: crossed(schema) }));
    return new Context({ run: this.#run, input: crossed(schema), sideInputs });
  }

  /** What gives one instance the rows of the side inputs, each in two batches. */
  #next() {
    const left = this.#sideInputs.map(([, rows]) => parts(rows));
    return (index) => {
      const rows = left[index].shift();
      return rows === undefined ? undefined : disassemble(rows);
    };
  }

  #bound(schema) {
    describe(this.#PluginClass);
    const made = () => bind(this.#PluginClass, this.#config, this.#context(schema), this.#next());
    const [first, second] = [made(), made()];
    const words = ({ bound }) => (Array.isArray(bound) ? bound.map(({ name, schema }) => `${name} ${schema}`) : [`${bound}`]);
    if (words(first).join() !== words(second).join()) {
      throw new FatalError('`bind` gives different answers for the same arguments');
    }
    return first;
  }

  #connected(recorded, call) {
    recorded.logs = [];
    recorded.metrics = {};
    recorded.requests = [];
    const before = connect({
      log: (level, message) => recorded.logs.push([level, message]),
      metric: (name, value) => (recorded.metrics[name] = (recorded.metrics[name] ?? 0) + value),
      secret: (name) => this.#secrets[name],
      answer: (request) => {
        recorded.requests.push(request);
        return this.#respond === undefined ? before.answer(request) : answerOf(this.#respond(request), request);
      },
    });
    try {
      return call();
    } finally {
      connect(before);
    }
  }

  #runOnce(schema, batches) {
    const outcome = new Outcome();
    return this.#connected(outcome, () => {
      const { plugin, bound, loaded } = this.#connected({ logs: [], metrics: {} }, () => this.#bound(schema));
      const { rules } = describe(this.#PluginClass);
      if (plugin instanceof Transform) for (const { name } of bound) outcome.kept[name] = [];
      for (const given of batches) {
        const batch = assemble(schema, disassemble(given));
        const start = outcome.rows;
        outcome.rows += batch.rows;
        let reasons;
        if (plugin instanceof Transform) {
          const out = new Emitter(bound, rules, batch.rows, (output, rows, origin) =>
            outcome.emitted(bound, start, output, rows, origin),
          );
          loaded().process(batch, out);
          reasons = out.rejected();
        } else {
          const out = new Verdict(rules, batch.rows);
          loaded().process(batch, out);
          reasons = out.failed();
        }
        for (const { rows, rule, message } of reasons) {
          outcome.calls.push({ reject: rows, rule, message });
          for (const row of rows) outcome.rejections.push({ row: start + row, rule, message });
        }
      }
      plugin.finish();
      return outcome;
    });
  }

  #decodeOnce(chunks) {
    const decoded = { rows: [], rejections: [] };
    return this.#connected(decoded, () => {
      const { bound, loaded } = this.#bound(new Schema());
      const out = new Rows(
        bound,
        describe(this.#PluginClass).rules,
        (batch) => take(decoded.rows, bound, batch),
        (offset, length, rule, message) => decoded.rejections.push({ offset, length, rule, message }),
      );
      for (const chunk of chunks) loaded().decode(chunk, out);
      loaded().finish(out);
      return decoded;
    });
  }

  /** What is read, and where each page ends in it: rows and rejections. */
  #readOnce(stream, shard, state) {
    const done = { rows: [], rejections: [], states: [], ends: [] };
    return this.#connected(done, () => {
      const { rules } = describe(this.#PluginClass);
      const { run } = this.#context();
      const { plugin, schema } = open(this.#PluginClass, { config: this.#config, run, stream, shard, state });
      const out = new Page(
        schema,
        rules,
        (batch) => take(done.rows, schema, batch),
        (record, rule, message) => done.rejections.push({ record, rule, message }),
      );
      for (let pages = 0; pages < MOST_PAGES; pages++) {
        const page = read(plugin, out);
        done.states.push(JSON.parse(page.state));
        done.ends.push({ text: page.state, rows: done.rows.length, rejections: done.rejections.length });
        if (page.done) return done;
      }
      throw new FatalError(`${MOST_PAGES} pages were read, and it does not say that it is done`);
    });
  }

  /** One instance for each part, and one that merges their states. */
  #foldOnce(schema, parts) {
    const folded = { rows: [] };
    return this.#connected(folded, () => {
      const last = this.#bound(schema);
      for (const part of parts) {
        const { plugin, loaded } = this.#bound(schema);
        for (const batch of part) loaded().process(assemble(schema, disassemble(batch)));
        last.loaded().merge(unpack(pack(plugin.snapshot())));
      }
      last.loaded().finish(new Emitted(last.bound, (batch) => take(folded.rows, last.bound, batch)));
      return folded;
    });
  }
}

/** A schema as it is after it has crossed. */
function crossed(schema) {
  return schemaFromWit(schemaToWit(schema));
}

function checkTable(name, rows) {
  if (rows instanceof Batch) return;
  throw new FatalError(`the side input \`${name}\` is handed over as a Batch: Batch.fromRows(schema, rows)`);
}

function batchesOf(schema, batches) {
  return batches.map((rows) => (rows instanceof Batch ? rows : Batch.fromRows(schema, rows)));
}

/** Adds the rows of a batch that crosses to the host. */
function take(rows, schema, batch) {
  for (const row of assemble(schema, disassemble(batch)).toRows()) rows.push(row);
}

/** Each row by itself. */
function singles(batch) {
  return Array.from({ length: batch.rows }, (_, row) => batch.slice(row, row + 1));
}

/** The same rows in batches that end elsewhere. */
function parts(batch) {
  const first = Math.ceil(batch.rows / 3);
  return [batch.slice(0, first), batch.slice(first, batch.rows)];
}
