// Columns and batches: Arrow buffers, seen as arrays of values, as typed arrays or as rows.

import { FatalError } from './errors.js';
import { concat, decodeAll, encodeAll } from './utf8.js';
import { ARRAYS, Unfit, decimalText, expected, reader, writer } from './values.js';

const EMPTY = new Uint8Array(0);

/** One array: its values, and which of them are null. A column never changes. */
export class Column {
  /** For the wire. Plugins use `Column.from` and `Column.fromTyped`. */
  constructor(type, length, nullCount, validity, buffers, children = []) {
    this.type = type;
    this.length = length;
    this.nullCount = nullCount;
    /** One bit a value, the lowest first, set where there is a value; empty if none is null. */
    this.validity = validity;
    /** The buffers of the Arrow format after the validity: the values; or offsets and data. */
    this.buffers = buffers;
    /** The items of a list, the fields of a struct. */
    this.children = children;
  }

  /** A column of values; `null` and `undefined` are null. The error names the first that does not fit. */
  static from(type, values, name) {
    try {
      return encode(type, values);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
    }
    for (let row = 0; row < values.length; row++) {
      try {
        encode(type, [values[row]]);
      } catch (error) {
        if (!(error instanceof Unfit)) throw error;
        throw new FatalError(`${name === undefined ? '' : `column \`${name}\`, `}row ${row}: ${error.message}`);
      }
    }
    throw new FatalError(`values do not fit ${type}`);
  }

  /**
   * A column of fixed width from a typed array, without a copy. `nulls` are the rows that are null.
   * Dates, times and moments are counts, as `values` shows them.
   */
  static fromTyped(type, values, nulls = []) {
    const TypedArray = typedArray(type);
    if (!(values instanceof TypedArray)) throw new FatalError(`${type} takes a ${TypedArray.name}`);
    const length = values.length / (type.kind === 'decimal128' ? 2 : 1);
    if (!Number.isInteger(length)) throw new FatalError('a decimal has two halves');
    const validity = new Uint8Array((length + 7) >> 3).fill(255);
    if (length & 7) validity[validity.length - 1] = (1 << (length & 7)) - 1;
    let nullCount = 0;
    for (const row of nulls) {
      if (!(row >= 0 && row < length)) throw new FatalError(`a null row lies outside of ${length} rows`);
      if (bit(validity, row)) {
        nullCount++;
        validity[row >> 3] &= ~(1 << (row & 7));
      }
    }
    return new Column(type, length, nullCount, nullCount ? validity : EMPTY, [bytesOf(values)]);
  }

  /**
   * The values of a fixed-width column, null or not, without a copy: integers and floats as they
   * are; dates, times and moments as counts; float16 as 16-bit patterns; decimals as pairs of 64-bit
   * halves, the lower first; booleans as packed bytes. What stands in the place of a null means
   * nothing.
   */
  get values() {
    return view(this.type.kind === 'boolean' ? Uint8Array : typedArray(this.type), this.buffers[0]);
  }

  /** Of text, bytes and lists: where each value begins, and at the end where the last ends. */
  get offsets() {
    if (!['utf8', 'binary', 'list'].includes(this.type.kind)) {
      throw new FatalError(`a column of ${this.type} has no offsets`);
    }
    return view(Int32Array, this.buffers[0]);
  }

  /** Of text and bytes: all values, one behind the other, as `offsets` cuts them. */
  get data() {
    if (this.type.kind !== 'utf8' && this.type.kind !== 'binary') {
      throw new FatalError(`a column of ${this.type} has no data; it has \`values\` or \`children\``);
    }
    return this.buffers[1];
  }

  /** Of lists: all items, one list behind the other, as `offsets` cuts them. */
  get items() {
    if (this.type.kind !== 'list') throw new FatalError(`a column of ${this.type} has no items`);
    return this.children[0];
  }

  /** Of structs: the column of one field. */
  field(name) {
    const at = this.type.kind === 'struct' ? this.type.children.findIndex((child) => child.name === name) : -1;
    if (at < 0) throw new FatalError(`a column of ${this.type} has no field \`${name}\``);
    return this.children[at];
  }

  isNull(row) {
    return this.nullCount > 0 && !bit(this.validity, row);
  }

  /** The rows that are null. */
  nullRows() {
    const rows = [];
    if (this.nullCount > 0) for (let row = 0; row < this.length; row++) if (this.isNull(row)) rows.push(row);
    return rows;
  }

  /** The values, `null` for null. */
  toArray() {
    const values = decoded(this);
    if (this.nullCount > 0) for (let row = 0; row < values.length; row++) if (this.isNull(row)) values[row] = null;
    return values;
  }

  /** The rows from `begin` up to `end`. */
  slice(begin, end) {
    [begin, end] = clipped(begin, end, this.length);
    const length = end - begin;
    const present = (row) => !this.isNull(begin + row);
    const validity = this.nullCount > 0 ? packed(length, present) : EMPTY;
    let nullCount = 0;
    if (this.nullCount > 0) for (let row = 0; row < length; row++) if (!present(row)) nullCount++;
    let { buffers, children } = this;
    switch (this.type.kind) {
      case 'utf8':
      case 'binary':
      case 'list': {
        const own = this.offsets.slice(begin, end + 1);
        const first = own[0];
        const last = own[length];
        for (let row = 0; row <= length; row++) own[row] -= first;
        const isList = this.type.kind === 'list';
        buffers = isList ? [bytesOf(own)] : [bytesOf(own), buffers[1].subarray(first, last)];
        if (isList) children = [children[0].slice(first, last)];
        break;
      }
      case 'struct':
        children = children.map((child) => child.slice(begin, end));
        break;
      case 'boolean':
        buffers = [packed(length, (row) => bit(this.buffers[0], begin + row))];
        break;
      default: {
        const width = typedArray(this.type).BYTES_PER_ELEMENT * (this.type.kind === 'decimal128' ? 2 : 1);
        buffers = [buffers[0].subarray(begin * width, end * width)];
      }
    }
    return new Column(this.type, length, nullCount, nullCount ? validity : EMPTY, buffers, children);
  }
}

/** What `slice` of an array makes of two indexes. */
function clipped(begin, end, length) {
  const within = (at) => Math.min(Math.max(at < 0 ? length + at : at, 0), length);
  return [within(begin), Math.max(within(begin), within(end))];
}

function typedArray(type) {
  const found = ARRAYS[type.kind];
  if (found === undefined) throw new FatalError(`${type} has no values of fixed width; use arrays of values`);
  return found;
}

/** A typed array over bytes; a copy only where they are not aligned. */
function view(TypedArray, bytes) {
  const width = TypedArray.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  return new TypedArray(aligned.buffer, aligned.byteOffset, aligned.byteLength / width);
}

function bytesOf(values) {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** A bit of bytes that are packed, the lowest first. */
export function bit(bytes, at) {
  return (bytes[at >> 3] >> (at & 7)) & 1;
}

/** Bits in bytes, the lowest first. */
function packed(length, isSet) {
  const bytes = new Uint8Array((length + 7) >> 3);
  for (let at = 0; at < length; at++) if (isSet(at)) bytes[at >> 3] |= 1 << (at & 7);
  return bytes;
}

// ---- to arrays -------------------------------------------------------------------------------

function decoded(column) {
  const { type, length } = column;
  switch (type.kind) {
    case 'boolean':
      return Array.from({ length }, (_, row) => bit(column.buffers[0], row) === 1);
    case 'utf8':
      return decodeAll(column.offsets, column.data);
    case 'binary': {
      const { offsets, data } = column;
      return Array.from({ length }, (_, row) => data.slice(offsets[row], offsets[row + 1]));
    }
    case 'decimal128': {
      const halves = column.values;
      return Array.from({ length }, (_, row) => {
        const value = BigInt.asIntN(128, (halves[2 * row + 1] << 64n) | halves[2 * row]);
        return decimalText(value, type.scale);
      });
    }
    case 'list': {
      const { offsets } = column;
      const items = column.children[0].toArray();
      return Array.from({ length }, (_, row) => items.slice(offsets[row], offsets[row + 1]));
    }
    case 'struct':
      return rowsOf(type.children, column.children, length);
    default: {
      const read = reader(type);
      return read === undefined ? Array.from(column.values) : Array.from(column.values, read);
    }
  }
}

/** Columns turned into objects. */
function rowsOf(fields, columns, length) {
  const rows = new Array(length);
  for (let row = 0; row < length; row++) rows[row] = {};
  fields.forEach(({ name }, at) => {
    const values = columns[at].toArray();
    for (let row = 0; row < length; row++) rows[row][name] = values[row];
  });
  return rows;
}

// ---- from arrays -----------------------------------------------------------------------------

function isNothing(value) {
  return value === null || value === undefined;
}

/** A column in which nothing is null. */
function encode(type, values) {
  let nullCount = 0;
  for (let row = 0; row < values.length; row++) if (isNothing(values[row])) nullCount++;
  const column = encodePresent(type, values, nullCount > 0);
  if (nullCount > 0) {
    column.nullCount = nullCount;
    column.validity = packed(values.length, (row) => !isNothing(values[row]));
  }
  return column;
}

/** A column without nulls; where there is no value, zero stands. */
function encodePresent(type, values, hasNothing) {
  const column = (buffers, children) => new Column(type, values.length, 0, EMPTY, buffers, children);
  try {
    switch (type.kind) {
      case 'boolean':
        if (!values.every((value) => typeof value === 'boolean' || isNothing(value))) throw new Unfit();
        return column([packed(values.length, (row) => values[row])]);
      case 'utf8': {
        if (!values.every((value) => typeof value === 'string' || isNothing(value))) throw new Unfit();
        const texts = encodeAll(hasNothing ? values.map((value) => value ?? '') : values);
        if (texts === undefined) throw new Unfit();
        return column([bytesOf(texts.offsets), texts.data]);
      }
      case 'binary': {
        const parts = values.map((value) => value ?? EMPTY);
        if (!parts.every((part) => part instanceof Uint8Array)) throw new Unfit();
        const offsets = offsetsOf(parts);
        return column([bytesOf(offsets), concat(parts, offsets[parts.length])]);
      }
      case 'decimal128': {
        const write = writer(type);
        const halves = new BigUint64Array(values.length * 2);
        values.forEach((value, row) => {
          if (isNothing(value)) return;
          const digits = write(value);
          halves[2 * row] = BigInt.asUintN(64, digits);
          halves[2 * row + 1] = BigInt.asUintN(64, digits >> 64n);
        });
        return column([bytesOf(halves)]);
      }
      case 'list': {
        const lists = values.map((value) => value ?? []);
        if (!lists.every(Array.isArray)) throw new Unfit();
        return column([bytesOf(offsetsOf(lists))], [encodeChild(type.children[0], lists.flatMap((list) => Array.from(list)), undefined)]);
      }
      case 'struct': {
        const columns = columnsOf(type.children, values);
        return column([], type.children.map((child, at) => encodeChild(child, columns[at], values)));
      }
      default: {
        const write = writer(type);
        const typed = new (typedArray(type))(values.length);
        for (let row = 0; row < values.length; row++) {
          const value = values[row];
          if (!isNothing(value)) typed[row] = write(value);
        }
        return column([bytesOf(typed)]);
      }
    }
  } catch (error) {
    if (error instanceof Unfit && error.message === '') throw new Unfit(whatIsWrong(type, values));
    throw error;
  }
}

/** The column of a field. Where its parent is null it is null, or zero if it must not be. */
function encodeChild(child, values, parents) {
  if (child.nullable) return encode(child.type, values);
  for (let row = 0; row < values.length; row++) {
    if (isNothing(values[row]) && !(parents !== undefined && isNothing(parents[row]))) {
      throw new Unfit(`null where \`${child.name}\` must not be null`);
    }
  }
  return encodePresent(child.type, values, true);
}

function offsetsOf(parts) {
  const offsets = new Int32Array(parts.length + 1);
  let end = 0;
  for (let row = 0; row < parts.length; row++) offsets[row + 1] = end += parts[row].length;
  return offsets;
}

/** The fields of rows, column by column. A row is an object, or nothing. */
function columnsOf(fields, rows) {
  const names = new Set(fields.map((field) => field.name));
  for (const row of rows) {
    if (isNothing(row)) continue;
    if (typeof row !== 'object' || Array.isArray(row)) throw new Unfit();
    for (const name in row) {
      if (!names.has(name)) {
        throw new Unfit(`it has no field \`${name}\`; its fields are ${[...names].join(', ')}`);
      }
    }
  }
  return fields.map(({ name }) => rows.map((row) => (isNothing(row) ? null : row[name])));
}

/** Types and names, never the value. */
function whatIsWrong(type, values) {
  const kinds = new Set(values.filter((value) => !isNothing(value)).map(kindOf));
  return `a value of type ${[...kinds].sort().join(', ')} does not fit ${type}; it takes ${expected(type)}`;
}

function kindOf(value) {
  return typeof value === 'object' ? (value.constructor?.name ?? 'object') : typeof value;
}

// ---- batches ---------------------------------------------------------------------------------

/** Rows of one schema, as columns. */
export class Batch {
  /** `rows` is only needed where there is no column. */
  constructor(schema, columns, rows = columns.length ? columns[0].length : 0) {
    if (columns.length !== schema.fields.length) {
      throw new FatalError(`${columns.length} columns where the schema has ${schema.fields.length}`);
    }
    schema.fields.forEach(({ name, type, nullable }, at) => {
      const column = columns[at];
      if (!column.type.equals(type)) {
        throw new FatalError(`column \`${name}\` is ${column.type} where ${type} was bound`);
      }
      if (column.length !== rows) {
        throw new FatalError(`column \`${name}\` has ${column.length} rows, the batch ${rows}`);
      }
      if (column.nullCount > 0 && !nullable) {
        throw new FatalError(`column \`${name}\`, row ${column.nullRows()[0]}: null where it must not be null`);
      }
    });
    this.schema = schema;
    this.rows = rows;
    this.columns = columns;
  }

  /** A batch of objects. A key that is left out is null. */
  static fromRows(schema, rows) {
    let columns;
    try {
      if (rows.some(isNothing)) throw new Unfit();
      columns = columnsOf(schema.fields, rows);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      throw new FatalError(
        error.message ? `a row does not fit: ${error.message}` : 'rows are objects with the fields bound',
      );
    }
    return new Batch(
      schema,
      schema.fields.map(({ name, type }, at) => Column.from(type, columns[at], name)),
      rows.length,
    );
  }

  /** A batch of columns by name, each a `Column` or an array of values. */
  static fromColumns(schema, columns, rows) {
    const given = Object.keys(columns);
    if (given.length !== schema.fields.length || !given.every((name) => schema.has(name))) {
      const [has, wants] = [given.join(', ') || 'none', schema.names.join(', ') || 'none'];
      throw new FatalError(`columns ${has} where the schema has ${wants}`);
    }
    const made = schema.fields.map(({ name, type }) => {
      const column = columns[name];
      return column instanceof Column ? column : Column.from(type, column, name);
    });
    return new Batch(schema, made, rows);
  }

  /** The column of a name. */
  column(name) {
    return this.columns[this.schema.position(name)];
  }

  /** The rows as objects. */
  toRows() {
    return rowsOf(this.schema.fields, this.columns, this.rows);
  }

  /** The rows from `begin` up to `end`. */
  slice(begin, end) {
    [begin, end] = clipped(begin, end, this.rows);
    return new Batch(
      this.schema,
      this.columns.map((column) => column.slice(begin, end)),
      end - begin,
    );
  }
}

const writers = new WeakMap();

/** Whether a value can stand in a column of a type, exactly. Nothing always fits. */
export function fits(type, value) {
  if (isNothing(value)) return true;
  let write = writers.get(type);
  if (write === undefined) {
    // Asked for each row: where one value can be tried, no column is made for it.
    write = writer(type) ?? ((one) => encode(type, [one]));
    writers.set(type, write);
  }
  try {
    write(value);
    return true;
  } catch (error) {
    if (error instanceof Unfit) return false;
    throw error;
  }
}
