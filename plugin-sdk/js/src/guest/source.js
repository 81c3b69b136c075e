// The exports of a component of the world `source`.

import { emit, reject } from 'weir:plugin/sourcing@0.1.0';

import { describe } from '../bound.js';
import { Page, discover, open, read } from '../source.js';
import { disassemble, schemaToWit } from '../wire.js';
import { answer, runOf } from './component.js';

/** What a component exports as `sourcePlugin`. */
export function exported(PluginClass) {
  const info = describe(PluginClass);
  let opened;
  return {
    describe: () => info,
    discover: (config, run) =>
      answer(() =>
        discover(PluginClass, config, runOf(run)).map(({ schema, ...stream }) => ({
          ...stream,
          schema: schemaToWit(schema),
        })),
      ),
    open: (config, run, stream, shard, state) =>
      answer(() => {
        opened = open(PluginClass, { config, run: runOf(run), stream, shard, state });
        return schemaToWit(opened.schema);
      }),
    read: () =>
      answer(() => {
        const out = new Page(opened.schema, info.rules, (batch) => emit(disassemble(batch)), reject);
        return read(opened.plugin, out);
      }),
  };
}
