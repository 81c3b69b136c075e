// Counts and sums the amounts of each site.

import { DataError, Field, Fold, Schema, types as t } from 'weir-plugin';

const INPUT = new Schema({ site: t.utf8, amount: t.int64 });
const RESULT = new Schema([
  new Field('site', t.utf8, false),
  new Field('count', t.int64, false),
  new Field('total', t.int64, false),
]);

export default class {{Type}} extends Fold {
  static info = {
    name: '{{name}}',
    version: '0.1.0',
    description: 'Counts and sums the amounts of each site.',
    columns: INPUT.names, // Planning fails if the stage does not grant them.
  };

  // Of each site how many amounts, and their sum. Whole numbers: their sum is the same in whatever order rows come.
  sites = new Map();

  bind(context) {
    // Called when a run is planned too: a column that is missing or of another type is found before
    // data moves.
    context.require(...INPUT.names);
    for (const { name, type } of INPUT.fields) {
      const given = context.input.field(name).type;
      if (!given.equals(type)) throw new DataError(`column \`${name}\` is ${given}, not ${type}`);
    }
    return RESULT;
  }

  process(batch) {
    for (const { site, amount } of batch.toRows()) {
      if (site !== null && amount !== null) this.add(site, 1n, amount);
    }
  }

  // Several instances fold side by side, each its part of the rows: one takes what the others have.
  snapshot() {
    return [...this.sites.values()];
  }

  merge(sites) {
    for (const { site, count, total } of sites) this.add(site, count, total);
  }

  finish(out) {
    // In an order that does not depend on the order in which rows came.
    const inOrder = [...this.sites.keys()].sort();
    out.emit(inOrder.map((site) => this.sites.get(site)));
  }

  add(site, count, total) {
    const before = this.sites.get(site) ?? { site, count: 0n, total: 0n };
    this.sites.set(site, { site, count: before.count + count, total: before.total + total });
  }
}
