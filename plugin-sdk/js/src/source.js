// A plugin that reads rows from somewhere else, and the one path on which it is asked, in a component and in tests.

import { NO_CONFIG, fill, parse } from './config.js';
import { ConfigError, DataError, FatalError } from './errors.js';
import { Emitted, Plugin, checkRule } from './plugin.js';
import { Schema } from './types.js';
import { encode } from './utf8.js';

/** Longest state, in bytes. */
const MAX_STATE = 64 << 10;

/** Reads rows from somewhere else, such as an API or a web site, page by page. */
export class Source extends Plugin {
  static discover(_config, _run) {
    throw new FatalError('a source needs a method `static discover(config, run)` that returns its streams');
  }

  open(_opened) {}

  read(_out) {
    throw new FatalError('a source needs a method `read(out)` that returns { state, done }');
  }
}

/** Takes the rows of a page. */
export class Page extends Emitted {
  #rules;
  #reject;

  constructor(schema, rules, emit, reject) {
    super(schema, emit);
    this.#rules = rules;
    this.#reject = reject;
  }

  /** Rejects a record that forms no row. `record` is what a person should see of it: text, or what JSON has. */
  reject(record, rule, message = rule.description) {
    checkRule(this.#rules, rule);
    this.#reject(typeof record === 'string' ? record : shown(record), rule.name, message);
  }
}

/** A record as text. */
function shown(record) {
  return JSON.stringify(record, (_, value) => (typeof value === 'bigint' ? String(value) : value)) ?? String(record);
}

/** The streams that can be read with a configuration, complete and checked. */
export function discover(PluginClass, config, run) {
  const streams = PluginClass.discover(parse(PluginClass.info.config ?? NO_CONFIG, config), run);
  if (!Array.isArray(streams)) {
    throw new FatalError('`discover` of a source returns an array of streams, and no promise: requests are waited for');
  }
  const complete = streams.map(streamOf);
  checkDistinct(complete.map(({ name }) => name), 'two streams are named');
  return complete;
}

function streamOf({ name, schema, cursor, primaryKey = [], shards = [], ...others }) {
  const breach = (words) => new FatalError(`stream \`${name}\` ${words}`);
  if (typeof name !== 'string' || name === '') throw new FatalError('a stream has no name');
  if (!(schema instanceof Schema)) throw breach('has no `schema`, or it is no Schema');
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw breach(`has no \`${unknown}\`; it has name, schema, cursor, primaryKey, shards`);
  }
  for (const column of [...primaryKey, ...(cursor === undefined ? [] : [cursor])]) {
    if (!schema.has(column)) throw breach(`has no column \`${column}\`; it has ${schema.names.join(', ')}`);
  }
  checkDistinct(shards, `stream \`${name}\` has two shards named`);
  return { name, schema, cursor, primaryKey, shards };
}

function checkDistinct(names, words) {
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw new FatalError(`${words} \`${twice}\``);
}

/** Makes a source ready to read one shard of a stream, behind a state as `read` below gave it, if there is one. */
export function open(PluginClass, { config, run, stream, shard, state }) {
  const streams = discover(PluginClass, config, run);
  const found = streams.find(({ name }) => name === stream);
  if (found === undefined) {
    const names = streams.map(({ name }) => name).join(', ') || 'none';
    throw new ConfigError(`there is no stream '${stream}'; the streams are ${names}`);
  }
  const plugin = new PluginClass();
  plugin.config = parse(PluginClass.info.config ?? NO_CONFIG, config);
  plugin.open({ stream: found, shard, state: parsedState(PluginClass.info.state, state), run });
  return { plugin, schema: found.schema };
}

/** The state of an earlier run. */
function parsedState(schema = {}, text) {
  if (text === undefined || text === null) return undefined;
  const unreadable = (why) =>
    new DataError(`the state of an earlier run cannot be read (${why}); run the step with --full-refresh`);
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw unreadable('it is no JSON');
  }
  const { filled, faults } = fill(schema, value, 'it');
  if (faults.length) throw unreadable(faults.join('; '));
  return filled;
}

/** Reads a page: the state behind it as JSON, and whether there is nothing more for now. */
export function read(plugin, out) {
  const { state, done } = plugin.read(out) ?? {};
  if (state === undefined || typeof done !== 'boolean') {
    throw new FatalError('`read` of a source returns { state, done }, and no promise: requests are waited for');
  }
  const { faults } = fill(plugin.constructor.info.state ?? {}, state, 'it');
  if (faults.length) throw new FatalError(`the state does not fit the info's \`state\`: ${faults.join('; ')}`);
  return { state: stateText(state), done };
}

function stateText(state) {
  const text = JSON.stringify(state, (key, value) => {
    if (typeof value === 'bigint') {
      throw new FatalError(`the state is no JSON: \`${key}\` is a bigint, which JSON does not have; keep it as text`);
    }
    if (typeof value === 'number' && !Number.isFinite(value)) {
      throw new FatalError(`the state is no JSON: \`${key}\` is ${value}, which would come back as null; keep it as text`);
    }
    return value;
  });
  if (text === undefined) throw new FatalError('the state is no JSON: give an object that says where to go on');
  const { length } = encode(text.toWellFormed());
  if (length > MAX_STATE) throw new FatalError(`a state of ${length} bytes; at most ${MAX_STATE} are kept`);
  return text;
}
