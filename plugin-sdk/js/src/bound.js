// A bound plugin: the one path on which a plugin is made, in a component and in tests.

import { NO_CONFIG, parse, schemaText } from './config.js';
import { FatalError } from './errors.js';
import { Fold } from './fold.js';
import { Check, Decoder, Output, RowCheck, RowTransform, Transform, UNREADABLE } from './plugin.js';
import { SideInputs } from './side-inputs.js';
import { Source } from './source.js';
import { Schema } from './types.js';

/** The name of the output of a transform that has only one. */
const ONLY_OUTPUT = 'out';

const WORLDS = [
  ['transform', Transform],
  ['check', Check],
  ['decoder', Decoder],
  ['source', Source],
  ['fold', Fold],
];

/** The world of a plugin's class. */
export function worldOf(PluginClass) {
  const found = WORLDS.find(([, Base]) => PluginClass?.prototype instanceof Base);
  if (found === undefined) {
    throw new FatalError(
      'a plugin is a class that extends Transform, RowTransform, Check, RowCheck, Decoder, Source or Fold',
    );
  }
  return found[0];
}

/** What a plugin says of itself, complete. */
export function describe(PluginClass) {
  const { info } = PluginClass;
  const { name, version = '0.1.0', description = '', columns = [], rules = [], config = NO_CONFIG } = info;
  if (!name) throw new FatalError(`${PluginClass.name} has no name; set it in \`static info\``);
  if (info.state !== undefined) schemaText(info.state, 'the state');
  const byRow = [RowTransform, RowCheck].some((Base) => PluginClass.prototype instanceof Base);
  const all = byRow ? [...rules, UNREADABLE] : rules;
  return { name, version, description, columns, rules: all, configSchema: schemaText(config) };
}

/**
 * Makes a plugin, and what its `bind` gives: outputs, nothing, or a schema. `loaded` gives the plugin with its side
 * inputs, whose rows come from `next`.
 */
export function bind(PluginClass, config, context, next) {
  const plugin = new PluginClass();
  plugin.config = parse(PluginClass.info.config ?? NO_CONFIG, config);
  let bound = plugin.bind(context);
  if (plugin instanceof Transform) {
    if (bound instanceof Schema) bound = [new Output(ONLY_OUTPUT, bound)];
    if (!Array.isArray(bound) || !bound.every((output) => output instanceof Output)) {
      throw new FatalError('`bind` of a transform returns a Schema or an array of Output');
    }
  }
  const world = worldOf(PluginClass);
  if ((world === 'decoder' || world === 'fold') && !(bound instanceof Schema)) {
    throw new FatalError(`\`bind\` of a ${world} returns a Schema`);
  }
  let sideInputs = new SideInputs(context.sideInputs, next);
  const loaded = () => {
    const given = sideInputs;
    sideInputs = undefined;
    if (given !== undefined) plugin.load(given);
    return plugin;
  };
  return { plugin, bound, loaded };
}
