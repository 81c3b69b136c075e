// The exports of a component of the world `fold`.

import { emit } from 'weir:plugin/folding@0.1.0';
import { next } from 'weir:plugin/side-inputs@0.1.0';

import { pack, unpack } from '../fold.js';
import { Emitted } from '../plugin.js';
import { assemble, disassemble, schemaToWit } from '../wire.js';
import { Instance, answer } from './component.js';

/** What a component exports as `folder`. */
export function exported(PluginClass) {
  const instance = new Instance(PluginClass, next);
  const { info } = instance;
  return {
    describe: () => info,
    bind: (config, run, input, sideInputs) =>
      answer(() => schemaToWit(instance.bind(config, run, input, sideInputs))),
    process: (rows) => answer(() => void instance.loaded().process(assemble(instance.input, rows))),
    snapshot: () => answer(() => pack(instance.plugin.snapshot())),
    merge: (snapshot) => answer(() => void instance.loaded().merge(unpack(snapshot))),
    finish: () =>
      answer(() => void instance.loaded().finish(new Emitted(instance.bound, (batch) => emit(disassemble(batch))))),
  };
}
