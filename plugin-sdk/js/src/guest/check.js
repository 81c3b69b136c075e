// The exports of a component of the world `check`.

import { fail } from 'weir:plugin/judging@0.1.0';
import { next } from 'weir:plugin/side-inputs@0.1.0';

import { Verdict } from '../plugin.js';
import { assemble } from '../wire.js';
import { Instance, answer } from './component.js';

/** What a component exports as `checker`. */
export function exported(PluginClass) {
  const instance = new Instance(PluginClass, next);
  const { info } = instance;
  return {
    describe: () => info,
    bind: (config, run, input, sideInputs) => answer(() => void instance.bind(config, run, input, sideInputs)),
    process: (rows) =>
      answer(() => {
        const out = new Verdict(info.rules, rows.rows);
        instance.loaded().process(assemble(instance.input, rows), out);
        for (const group of out.failed()) fail(Uint32Array.from(group.rows), group.rule, group.message);
      }),
    finish: () => answer(() => void instance.plugin.finish()),
  };
}
