// The exports of a component of the world `decoder`.

import { emit, reject } from 'weir:plugin/decoding@0.1.0';
import { next } from 'weir:plugin/side-inputs@0.1.0';

import { Rows } from '../plugin.js';
import { disassemble, schemaToWit } from '../wire.js';
import { Instance, answer } from './component.js';
import { u64 } from './u64.js';

/** What a component exports as `decoderPlugin`. */
export function exported(PluginClass) {
  const instance = new Instance(PluginClass, next);
  const { info } = instance;
  const rows = () =>
    new Rows(
      instance.bound,
      info.rules,
      (batch) => emit(disassemble(batch)),
      (offset, length, rule, message) => reject(u64(offset), u64(length), rule, message),
    );
  return {
    describe: () => info,
    bind: (config, run, sideInputs) => answer(() => schemaToWit(instance.bind(config, run, [], sideInputs))),
    decode: (bytes) => answer(() => void instance.loaded().decode(bytes, rows())),
    finish: () => answer(() => void instance.loaded().finish(rows())),
  };
}
