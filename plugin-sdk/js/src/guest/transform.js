// The exports of a component of the world `transform`.

import { emit, reject } from 'weir:plugin/emitting@0.1.0';
import { next } from 'weir:plugin/side-inputs@0.1.0';

import { Emitter } from '../plugin.js';
import { assemble, disassemble, schemaToWit } from '../wire.js';
import { Instance, answer } from './component.js';

/** What a component exports as `transformer`. */
export function exported(PluginClass) {
  const instance = new Instance(PluginClass, next);
  const { info } = instance;
  return {
    describe: () => info,
    bind: (config, run, input, sideInputs) =>
      answer(() =>
        instance
          .bind(config, run, input, sideInputs)
          .map(({ name, schema }) => ({ name, schema: schemaToWit(schema) })),
      ),
    process: (rows) =>
      answer(() => {
        const out = new Emitter(instance.bound, info.rules, rows.rows, (output, batch, origin) =>
          emit(output, disassemble(batch), origin),
        );
        instance.loaded().process(assemble(instance.input, rows), out);
        for (const group of out.rejected()) reject(Uint32Array.from(group.rows), group.rule, group.message);
      }),
    finish: () => answer(() => void instance.plugin.finish()),
  };
}
