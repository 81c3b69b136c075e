// Runs a plugin natively, under the contract's rules, without WebAssembly.

import { Batch } from './columns.js';
import { FatalError } from './errors.js';
import { connect } from './host.js';
import { Context, Emitter, Rows, Transform, Verdict, bind, describe, worldOf } from './plugin.js';
import { Schema } from './types.js';
import { assemble, disassemble, schemaFromWit, schemaToWit } from './wire.js';

/** How a plugin is to be run: its class, configuration and run context. */
export class Harness {
  #PluginClass;
  #config;
  #run;
  #sideInputs;
  #secrets;

  constructor(PluginClass, config = {}, { run, sideInputs = [], secrets = {} } = {}) {
    this.#PluginClass = PluginClass;
    this.#config = JSON.stringify(config);
    this.#run = run;
    this.#sideInputs = sideInputs;
    this.#secrets = secrets;
  }

  /** Binds a plugin as the planner does, and returns what its `bind` gives. */
  bind(schema = new Schema()) {
    return this.#connected({}, () => this.#bound(schema).bound);
  }

  /** Runs a transform or a check from `bind` to `finish` over batches of rows. */
  run(schema, ...batches) {
    if (worldOf(this.#PluginClass) === 'decoder') throw new FatalError('a decoder is run with `decode`');
    const made = batches.map((rows) => (rows instanceof Batch ? rows : Batch.fromRows(schema, rows)));
    const outcome = this.#runOnce(schema, made);
    const again = this.#runOnce(schema, made.flatMap(parts));
    if (outcome.settled() !== again.settled()) {
      throw new FatalError('what becomes of a row depends on where batches end');
    }
    return outcome;
  }

  /** Runs a decoder over one file that comes in these chunks. */
  decode(...chunks) {
    if (worldOf(this.#PluginClass) !== 'decoder') throw new FatalError('a transform or check is run with `run`');
    const decoded = this.#decodeOnce(chunks);
    const bytes = chunks.flatMap((chunk) => Array.from(chunk, (byte) => Uint8Array.of(byte)));
    const again = this.#decodeOnce(bytes);
    const settled = ({ rows, rejections }) => stable([rows, rejections]);
    if (settled(decoded) !== settled(again)) throw new FatalError('what it decodes depends on where chunks end');
    return decoded;
  }

  #bound(schema) {
    describe(this.#PluginClass);
    const context = () =>
      new Context({ run: this.#run, input: schemaFromWit(schemaToWit(schema)), sideInputs: this.#sideInputs });
    const first = bind(this.#PluginClass, this.#config, context());
    const second = bind(this.#PluginClass, this.#config, context());
    const words = ({ bound }) => (Array.isArray(bound) ? bound.map(({ name, schema }) => `${name} ${schema}`) : [`${bound}`]);
    if (words(first).join() !== words(second).join()) {
      throw new FatalError('`bind` gives different answers for the same arguments');
    }
    return first;
  }

  #connected(recorded, call) {
    recorded.logs = [];
    recorded.metrics = {};
    const before = connect({
      log: (level, message) => recorded.logs.push([level, message]),
      metric: (name, value) => (recorded.metrics[name] = (recorded.metrics[name] ?? 0) + value),
      secret: (name) => this.#secrets[name],
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
      const { plugin, bound } = this.#connected({ logs: [], metrics: {} }, () => this.#bound(schema));
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
          plugin.process(batch, out);
          reasons = out.rejected();
        } else {
          const out = new Verdict(rules, batch.rows);
          plugin.process(batch, out);
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
      const { plugin, bound } = this.#bound(new Schema());
      const out = new Rows(
        bound,
        describe(this.#PluginClass).rules,
        (batch) => assemble(bound, disassemble(batch)).toRows().forEach((row) => decoded.rows.push(row)),
        (offset, length, rule, message) => decoded.rejections.push({ offset, length, rule, message }),
      );
      for (const chunk of chunks) plugin.decode(chunk, out);
      plugin.finish(out);
      return decoded;
    });
  }
}

/** The same rows in batches that end elsewhere. */
function parts(batch) {
  const first = Math.ceil(batch.rows / 3);
  return [batch.slice(0, first), batch.slice(first, batch.rows)];
}

/** JSON in which different values differ. */
function stable(value) {
  return JSON.stringify(value, (_, item) => {
    if (typeof item === 'bigint') return `${item}n`;
    return typeof item === 'number' && !Number.isFinite(item) ? String(item) : item;
  });
}

/** What a transform or a check made of its input. */
class Outcome {
  rows = 0;
  rejections = [];
  calls = [];
  kept = {};

  emitted(outputs, start, output, batch, origin) {
    const crossed = disassemble(batch);
    this.calls.push({ emit: output, origin: origin === undefined ? undefined : Array.from(origin), batch: crossed });
    const { name, schema } = outputs[output];
    assemble(schema, crossed)
      .toRows()
      .forEach((row, at) => this.kept[name].push([start + (origin?.[at] ?? at), row]));
  }

  output(name = 'out') {
    if (!(name in this.kept)) throw new Error(`no output \`${name}\`; there are ${Object.keys(this.kept).join(', ')}`);
    const refused = new Set(this.rejections.map(({ row }) => row));
    const kept = this.kept[name].filter(([origin]) => !refused.has(origin));
    return kept.sort(([one], [other]) => one - other).map(([, row]) => row);
  }

  rejected(rule) {
    return this.rejections.filter((rejection) => rejection.rule === rule).map(({ row }) => row);
  }

  dropped() {
    const seen = new Set(this.rejections.map(({ row }) => row));
    for (const kept of Object.values(this.kept)) for (const [origin] of kept) seen.add(origin);
    return Array.from({ length: this.rows }, (_, row) => row).filter((row) => !seen.has(row));
  }

  /** What does not depend on where batches end. */
  settled() {
    const outputs = Object.keys(this.kept).map((name) => this.output(name));
    return stable([outputs, this.rejections.map((rejection) => stable(rejection)).sort()]);
  }
}
