// Makes decimals of amounts that come as text.

import { DataError, Reject, RowTransform, Rule, Schema, types as t } from 'weir-plugin';

const INPUT = new Schema({ id: t.utf8, amount: t.utf8 });
const OUTPUT = new Schema({ id: t.utf8, amount: t.decimal128(12, 2) });

// As many digits as the output holds, in ASCII's blanks: `trim` and `\s` would take others too.
const BLANK = /^[ \t\n\r\f]*$/;
const DECIMAL = /^[ \t\n\r\f]*([+-]?[0-9]{1,10}(?:[.][0-9]{1,2})?)[ \t\n\r\f]*$/;

// Quarantine and reports group rows by the names of rules: keep them from version to version.
const BAD_AMOUNT = new Rule(
  'bad_amount',
  'An amount is a decimal with at most ten digits before and two after the point.',
);
const BELOW_MINIMUM = new Rule('below_minimum', 'An amount is not below the minimum of the configuration.');

export default class {{Type}} extends RowTransform {
  static info = {
    name: '{{name}}',
    version: '0.1.0',
    description: 'Makes decimals of amounts that come as text.',
    columns: INPUT.names, // Planning fails if the stage does not grant them.
    rules: [BAD_AMOUNT, BELOW_MINIMUM],
    config: {
      type: 'object',
      properties: {
        minimum: {
          description: 'Amounts below it are rejected; a decimal, as text.',
          type: 'string',
          pattern: '^[+-]?[0-9]{1,10}([.][0-9]{1,2})?$',
        },
      },
      additionalProperties: false,
    },
  };

  bind(context) {
    // Called when a run is planned too: a column that is missing or of another type is found before
    // data moves.
    context.require(...INPUT.names);
    for (const { name, type } of INPUT.fields) {
      const given = context.input.field(name).type;
      if (!given.equals(type)) throw new DataError(`column \`${name}\` is ${given}, not ${type}`);
    }
    this.minimum = Number(this.config.minimum ?? -Infinity);
    return OUTPUT;
  }

  row({ id, amount }, out) {
    const text = decimal(amount);
    // Decimals stay text, which is exact. Comparing them as numbers is exact too: a number tells any
    // two decimals of up to 15 digits apart.
    if (text !== null && Number(text) < this.minimum) throw new Reject(BELOW_MINIMUM);
    out.emit({ id, amount: text });
  }
}

function decimal(text) {
  if (text === null || BLANK.test(text)) return null;
  const found = DECIMAL.exec(text);
  if (found === null) throw new Reject(BAD_AMOUNT);
  return found[1];
}
