// The small reference tables that a step hands to its plugin.

import { ConfigError, FatalError } from './errors.js';
import { joined } from './join.js';
import { assemble } from './wire.js';

/** The rows of the tables, for `load`. */
export class SideInputs {
  #tables;
  #next;
  #read = new Set();

  /** `next` gives the next rows of the table in a place, as they cross; nothing where there are no more. */
  constructor(tables, next) {
    this.#tables = tables;
    this.#next = next;
  }

  /** All rows of one table, once. */
  read(name) {
    const index = this.#tables.findIndex((table) => table.name === name);
    if (index < 0) throw lacking(name);
    if (this.#read.has(name)) {
      throw new FatalError(`the side input \`${name}\` was read before: keep what you need of it`);
    }
    this.#read.add(name);
    const { schema } = this.#tables[index];
    const batches = [];
    for (let rows; (rows = this.#next(index)); ) batches.push(assemble(schema, rows));
    return joined(schema, batches);
  }
}

/** What is wrong where the step does not hand over a table of this name. */
export function lacking(name) {
  return new ConfigError(
    `it needs the side input \`${name}\`: add side_inputs = { ${name} = { table = "zone.table" } } ` +
      "beside the stage's `config`",
  );
}
