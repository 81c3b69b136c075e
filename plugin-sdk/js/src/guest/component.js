// The glue between a component's exports and a plugin, for all worlds.

import * as host from 'weir:plugin/host@0.1.0';

import { bind, describe } from '../bound.js';
import { FatalError } from '../errors.js';
import { connect } from '../host.js';
import { Context, unexpected } from '../plugin.js';
import { Schema } from '../types.js';
import { schemaFromWit } from '../wire.js';

/** Sends what a plugin asks of its host to the host. */
export function connectHost(getSecret) {
  connect({
    log: host.log,
    metric: host.metric,
    secret(name) {
      if (getSecret === undefined) {
        throw new FatalError('the plugin asks for a secret, but was built without `--secrets`');
      }
      return getSecret(name);
    },
  });
}

/** Calls the plugin; its errors become those of the contract. */
export function answer(call) {
  try {
    return call();
  } catch (error) {
    const fault = unexpected(error);
    throw { tag: fault.kind, val: fault.message };
  }
}

/** Where the plugin runs, as its author sees it. */
export function runOf({ pipeline, step, parameters }) {
  return { pipeline, step, parameters: Object.fromEntries(parameters.map(({ name, value }) => [name, value])) };
}

/** The one bound plugin of a component. */
export class Instance {
  plugin;
  bound;
  /** Gives the plugin, its side inputs loaded. */
  loaded;
  input = new Schema();

  /** `next` asks the host for rows of a side input. */
  constructor(PluginClass, next) {
    this.PluginClass = PluginClass;
    this.next = next;
    this.info = describe(PluginClass);
  }

  bind(config, run, input, sideInputs) {
    this.input = schemaFromWit(input);
    const context = new Context({
      run: runOf(run),
      input: this.input,
      sideInputs: sideInputs.map(({ name, schema }) => ({ name, schema: schemaFromWit(schema) })),
    });
    Object.assign(this, bind(this.PluginClass, config, context, this.next));
    return this.bound;
  }
}
