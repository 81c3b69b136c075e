// The canonical transform of the conformance set: what it does is said in `../README.md`.

import { Batch, Field, Output, Rule, Schema, Transform, types as t } from '../../js/src/index.js';

const NO_ID = new Rule('no_id', 'A row has an id.');
const NEGATIVE_ID = new Rule('negative_id', 'An id is zero or more.');

const FACTS = new Schema([
  new Field('id', t.int64, false),
  new Field('label', t.utf8, false),
  new Field('nulls', t.uint32, false),
  new Field('share', t.decimal128(20, 2)),
  new Field('day', t.date32),
  new Field('words', t.list(t.utf8)),
  new Field('place', t.struct([new Field('even', t.boolean, false), new Field('text', t.utf8)])),
]);

export default class Conformance extends Transform {
  static info = {
    name: 'conformance',
    description: 'Does the same in every language.',
    columns: ['id'],
    rules: [NO_ID, NEGATIVE_ID],
    config: {
      type: 'object',
      properties: { tag: { type: 'string', description: 'What labels begin with.' } },
      required: ['tag'],
      additionalProperties: false,
    },
  };

  bind(context) {
    context.require('id');
    return [new Output('kept', context.input), new Output('facts', FACTS)];
  }

  process(batch, out) {
    const rows = batch.toRows();
    const kept = [];
    rows.forEach(({ id }, at) => {
      if (id === null) out.reject([at], NO_ID);
      else if (id < 0n) out.reject([at], NEGATIVE_ID, 'the id is negative');
      else kept.push(at);
    });
    const backwards = kept.toReversed();
    const [{ schema }] = out.outputs;
    out.emit(Batch.fromRows(schema, backwards.map((at) => rows[at])), { to: 'kept', origin: backwards });
    const facts = kept.map((at) => this.facts(rows[at]));
    out.emit(Batch.fromRows(FACTS, facts), { to: 'facts', origin: kept });
  }

  facts(row) {
    const { id } = row;
    const cents = (id * 25n).toString().padStart(3, '0');
    return {
      id,
      label: `${this.config.tag} ${id}`,
      nulls: Object.values(row).filter((value) => value === null).length,
      share: id % 3n ? `${cents.slice(0, -2)}.${cents.slice(-2)}` : null,
      day: id <= 2_932_896n ? new Date(Number(id) * 86_400_000) : null,
      words: Array.from({ length: Number(id % 4n) }, (_, word) => (word === 1 ? null : `wört ${word}`)),
      place: id % 5n ? { even: id % 2n === 0n, text: id % 7n ? String(id) : null } : null,
    };
  }
}
