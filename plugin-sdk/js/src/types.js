// The data types that cross the sandbox boundary, fields and schemas.

import { FatalError } from './errors.js';

/** The units of times and moments, coarsest first. */
export const UNITS = ['second', 'millisecond', 'microsecond', 'nanosecond'];

/** One of the contract's types. Use the names and functions of `types` to get one. */
export class DataType {
  constructor(kind, { unit, zone, precision, scale, children = [] } = {}) {
    this.kind = kind;
    this.unit = unit;
    this.zone = zone;
    this.precision = precision;
    this.scale = scale;
    this.children = children;
    Object.freeze(this);
  }

  equals(other) {
    return (
      this === other ||
      (this.kind === other.kind &&
        this.unit === other.unit &&
        this.zone === other.zone &&
        this.precision === other.precision &&
        this.scale === other.scale &&
        sameFields(this.children, other.children))
    );
  }

  toString() {
    switch (this.kind) {
      case 'decimal128':
        return `decimal128(${this.precision}, ${this.scale})`;
      case 'timestamp':
        return this.zone === undefined ? `timestamp(${this.unit})` : `timestamp(${this.unit}, ${this.zone})`;
      case 'time32':
      case 'time64':
        return `${this.kind}(${this.unit})`;
      case 'list':
        return `list<${this.children[0].type}>`;
      case 'struct':
        return `struct<${this.children.map((child) => `${child.name}: ${child.type}`).join(', ')}>`;
      default:
        return this.kind;
    }
  }
}

/** One column, item of a list or field of a struct. */
export class Field {
  constructor(name, type, nullable = true) {
    if (!(type instanceof DataType)) throw new FatalError(`field \`${name}\` has no type; give one of \`types\``);
    this.name = name;
    this.type = type;
    this.nullable = nullable;
    Object.freeze(this);
  }

  equals(other) {
    return this.name === other.name && this.nullable === other.nullable && this.type.equals(other.type);
  }

  toString() {
    return `\`${this.name}\` ${this.type}${this.nullable ? '' : ' not null'}`;
  }
}

function sameFields(one, other) {
  return one.length === other.length && one.every((field, at) => field.equals(other[at]));
}

function checkNames(fields, of) {
  const seen = new Set();
  for (const { name } of fields) {
    if (seen.has(name)) throw new FatalError(`${of} has two fields named \`${name}\``);
    seen.add(name);
  }
}

function checkUnit(unit) {
  if (!UNITS.includes(unit)) throw new FatalError(`\`${unit}\` is no unit; it is one of ${UNITS.join(', ')}`);
}

/** The fields of an object of types: all may be null. */
function fieldsOf(fields) {
  return Array.isArray(fields) ? fields : Object.entries(fields).map(([name, type]) => new Field(name, type));
}

const simple = Object.fromEntries(
  [
    'boolean',
    ...['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'],
    ...['float16', 'float32', 'float64', 'utf8', 'binary', 'date32', 'date64'],
  ].map((kind) => [kind, new DataType(kind)]),
);

/** The types of the contract. */
export const types = Object.freeze({
  ...simple,

  /** A time of day: 32 bits for seconds and milliseconds, 64 for what is finer. */
  time(unit = 'microsecond') {
    checkUnit(unit);
    return new DataType(unit === 'second' || unit === 'millisecond' ? 'time32' : 'time64', { unit });
  },

  /** A moment. With a `zone` it counts in UTC, without one it is wall-clock time. */
  timestamp(unit = 'microsecond', zone) {
    checkUnit(unit);
    return new DataType('timestamp', { unit, zone });
  },

  /** An exact decimal of 1 to 38 digits, `scale` of them after the point. */
  decimal128(precision, scale) {
    if (!(precision >= 1 && precision <= 38)) throw new FatalError(`a decimal has 1 to 38 digits, not ${precision}`);
    if (!(scale >= -128 && scale <= precision)) {
      throw new FatalError(`a decimal of ${precision} digits has no scale of ${scale}`);
    }
    return new DataType('decimal128', { precision, scale });
  },

  /** A list; its items may be null unless a `Field` says otherwise. */
  list(item) {
    return new DataType('list', { children: [item instanceof Field ? item : new Field('item', item)] });
  },

  /** A struct, of an array of `Field` or an object of types. */
  struct(fields) {
    const children = fieldsOf(fields);
    if (children.length === 0) throw new FatalError('a struct needs at least one field');
    checkNames(children, 'a struct');
    return new DataType('struct', { children });
  },
});

/** The columns of a batch, in order: an array of `Field`, or an object of types. */
export class Schema {
  #positions;

  constructor(fields = []) {
    this.fields = Object.freeze(fieldsOf(fields));
    checkNames(this.fields, 'a schema');
    this.#positions = new Map(this.fields.map((field, at) => [field.name, at]));
  }

  /** The names of the columns. */
  get names() {
    return this.fields.map((field) => field.name);
  }

  has(name) {
    return this.#positions.has(name);
  }

  /** Where a column stands; the error lists the columns if it is not there. */
  position(name) {
    const at = this.#positions.get(name);
    if (at === undefined) {
      throw new FatalError(`there is no column \`${name}\`; there are ${this.names.join(', ') || 'none'}`);
    }
    return at;
  }

  field(name) {
    return this.fields[this.position(name)];
  }

  equals(other) {
    return sameFields(this.fields, other.fields);
  }

  toString() {
    return `Schema(${this.fields.join(', ')})`;
  }
}
