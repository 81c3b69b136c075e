// Judges the ids and amounts of rows.

import { DataError, RowCheck, Rule, Schema, types as t } from 'weir-plugin';

const INPUT = new Schema({ id: t.utf8, amount: t.int64 });

// Quarantine and reports group rows by the names of rules: keep them from version to version.
const NEGATIVE_AMOUNT = new Rule('negative_amount', 'An amount is not negative.');
const MISSING_ID = new Rule('missing_id', 'Each row has an id.');

export default class {{Type}} extends RowCheck {
  static info = {
    name: '{{name}}',
    version: '0.1.0',
    description: 'Judges the ids and amounts of rows.',
    columns: INPUT.names, // Planning fails if the stage does not grant them.
    rules: [NEGATIVE_AMOUNT, MISSING_ID],
  };

  bind(context) {
    // Called when a run is planned too: a column that is missing or of another type is found before
    // data moves.
    context.require(...INPUT.names);
    for (const { name, type } of INPUT.fields) {
      const given = context.input.field(name).type;
      if (!given.equals(type)) throw new DataError(`column \`${name}\` is ${given}, not ${type}`);
    }
  }

  row({ id, amount }, fail) {
    // A row may break several rules. Integers of 64 bits come as BigInt.
    if (amount !== null && amount < 0n) fail(NEGATIVE_AMOUNT);
    if (!id) fail(MISSING_ID);
  }
}
