// What a transform or a check made of its input, as its tests see it.

import { assemble, disassemble } from '../wire.js';

/** JSON in which different values differ. */
export function stable(value) {
  return JSON.stringify(value, (_, item) => {
    if (typeof item === 'bigint') return `${item}n`;
    return typeof item === 'number' && !Number.isFinite(item) ? String(item) : item;
  });
}

/** What a transform or a check made of its input. */
export class Outcome {
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
