// Batches of one schema, one behind the other, as one.

import { Batch, Column, bit } from './columns.js';
import { concat } from './utf8.js';

const EMPTY = new Uint8Array(0);

/** All rows of the batches. A single one is not copied. */
export function joined(schema, batches) {
  if (batches.length === 1) return batches[0];
  const columns = schema.fields.map(({ type }, at) =>
    joinedColumn(
      type,
      batches.map((batch) => batch.columns[at]),
    ),
  );
  return new Batch(schema, columns, total(batches, 'rows'));
}

function joinedColumn(type, columns) {
  const nullCount = total(columns, 'nullCount');
  const validity = nullCount ? bits(columns, (column, row) => !column.isNull(row)) : EMPTY;
  const [buffers, children = []] = parts(type, columns);
  return new Column(type, total(columns, 'length'), nullCount, validity, buffers, children);
}

/** The buffers behind the validity, and the children. */
function parts(type, columns) {
  const inner = ({ type }, at) =>
    joinedColumn(
      type,
      columns.map(({ children }) => children[at]),
    );
  switch (type.kind) {
    case 'utf8':
    case 'binary':
      return [[offsets(columns), bytes(columns.map(({ data }) => data))]];
    case 'list':
      return [[offsets(columns)], type.children.map(inner)];
    case 'struct':
      return [[], type.children.map(inner)];
    case 'boolean':
      return [[bits(columns, ({ values }, row) => bit(values, row))]];
    default:
      return [[bytes(columns.map(({ buffers }) => buffers[0]))]];
  }
}

function total(parts, key) {
  return parts.reduce((sum, part) => sum + part[key], 0);
}

function bytes(parts) {
  return concat(parts, total(parts, 'length'));
}

/** A bit for each row of the columns. */
function bits(columns, isSet) {
  const packed = new Uint8Array((total(columns, 'length') + 7) >> 3);
  let at = 0;
  for (const column of columns) {
    for (let row = 0; row < column.length; row++, at++) if (isSet(column, row)) packed[at >> 3] |= 1 << (at & 7);
  }
  return packed;
}

/** Where each value begins once those of the columns before it stand before it. All begin with zero. */
function offsets(columns) {
  const joined = new Int32Array(total(columns, 'length') + 1);
  let at = 0;
  let begin = 0;
  for (const { length, offsets } of columns) {
    for (let row = 1; row <= length; row++) joined[++at] = begin + offsets[row];
    begin = joined[at];
  }
  return new Uint8Array(joined.buffer);
}
