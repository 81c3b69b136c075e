// Types the raw claims table.

import { Field, Reject, RowTransform, Rule, Schema, fits, types as t } from 'weir-plugin';

const AMOUNT = t.decimal128(12, 2);

const NO_ID = new Rule('no_id', 'A claim has an id.');
const BAD_AMOUNT = new Rule('bad_amount', 'An amount is a decimal with at most two digits after the point.');
const BAD_DATE = new Rule('bad_date', 'A date is written 2010-03-12.');

const CLAIM = new Schema([
  new Field('claim_id', t.utf8, false),
  new Field('paid', AMOUNT),
  new Field('paid_on', t.date32),
  new Field('codes', t.list(t.utf8), false),
]);

export default class Claims extends RowTransform {
  static info = {
    name: 'claims',
    version: '0.1.0',
    description: 'Types the raw claims table.',
    columns: ['claim_id', 'paid', 'paid_on', 'codes'],
    rules: [NO_ID, BAD_AMOUNT, BAD_DATE],
  };

  bind() {
    return CLAIM;
  }

  row(row, out) {
    if (!row.claim_id) throw new Reject(NO_ID);
    out.emit({
      claim_id: row.claim_id.trim(),
      paid: amount(row.paid),
      paid_on: day(row.paid_on),
      codes: (row.codes ?? '').split(/\s+/).filter(Boolean),
    });
  }
}

function amount(text) {
  if (!text) return null;
  if (!fits(AMOUNT, text)) throw new Reject(BAD_AMOUNT);
  return text;
}

function day(text) {
  if (!text) return null;
  const date = new Date(`${text}T00:00:00Z`);
  // An impossible date, such as February 30th, reads as none or as another one.
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || Number.isNaN(date.getTime()) || !date.toISOString().startsWith(text)) {
    throw new Reject(BAD_DATE);
  }
  return date;
}
