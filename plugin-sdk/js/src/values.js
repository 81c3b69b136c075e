// What one value is in JavaScript and in an Arrow buffer: exact both ways, or an error.

const DAY = 86_400_000;

/** The typed array of each fixed-width type. */
export const ARRAYS = {
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  float16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
  date32: Int32Array,
  date64: BigInt64Array,
  time32: Int32Array,
  time64: BigInt64Array,
  timestamp: BigInt64Array,
  decimal128: BigUint64Array,
};

const RANGES = {
  int8: [-128, 127],
  int16: [-32768, 32767],
  int32: [-2147483648, 2147483647],
  time32: [-2147483648, 2147483647],
  uint8: [0, 255],
  uint16: [0, 65535],
  uint32: [0, 4294967295],
};

const BIG_RANGES = {
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  time64: [-(2n ** 63n), 2n ** 63n - 1n],
  timestamp: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/** What an author has to give for a column of each type, in words. */
export function expected(type) {
  if (type.kind in RANGES) return `a whole number from ${RANGES[type.kind].join(' to ')}`;
  if (type.kind in BIG_RANGES) {
    const of = type.unit === undefined ? '' : ` that counts ${type.unit}s`;
    return `a BigInt (or a whole number that is safe) of 64 bits${of}`;
  }
  switch (type.kind) {
    case 'boolean':
      return 'true or false';
    case 'float16':
      return 'a number up to 65504';
    case 'float32':
    case 'float64':
      return 'a number';
    case 'utf8':
      return 'a string of whole characters';
    case 'binary':
      return 'a Uint8Array';
    case 'date32':
    case 'date64':
      return 'a Date at midnight in UTC';
    case 'decimal128':
      return "a text such as '12.50' or a BigInt, of no more digits";
    case 'list':
      return 'an array';
    default:
      return 'an object with these fields and no others';
  }
}

/** A value that does not fit; the column makes words of it. */
export class Unfit extends Error {}

/** Turns what stands in the buffer into a value; `undefined` where they are the same. */
export function reader(type) {
  switch (type.kind) {
    case 'date32':
      return (days) => new Date(days * DAY);
    case 'date64':
      return (milliseconds) => new Date(milliseconds % BigInt(DAY) === 0n ? Number(milliseconds) : NaN);
    case 'float16':
      return fromHalf;
    default:
      return undefined;
  }
}

/** Turns a value into what stands in the buffer. It throws an `Unfit` for what does not fit exactly. */
export function writer(type) {
  if (type.kind in RANGES) {
    const [least, most] = RANGES[type.kind];
    return (value) => {
      if (!Number.isInteger(value) || value < least || value > most) throw new Unfit();
      return value;
    };
  }
  if (type.kind in BIG_RANGES) {
    const [least, most] = BIG_RANGES[type.kind];
    return (value) => {
      const big = typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value) : undefined;
      if (big === undefined || big < least || big > most) throw new Unfit();
      return big;
    };
  }
  switch (type.kind) {
    case 'float16':
      return (value) => toHalf(number(value));
    case 'float32':
      return (value) => {
        if (Number.isFinite(number(value)) && !Number.isFinite(Math.fround(value))) throw new Unfit();
        return value;
      };
    case 'float64':
      return number;
    case 'date32':
      return (value) => dayOf(value, 2147483647);
    case 'date64':
      return (value) => BigInt(dayOf(value, Infinity) * DAY);
    case 'decimal128': {
      const limit = 10n ** BigInt(type.precision);
      return (value) => unscaled(value, type.scale, limit);
    }
    default:
      return undefined;
  }
}

function number(value) {
  if (typeof value !== 'number') throw new Unfit();
  return value;
}

function dayOf(value, most) {
  if (!(value instanceof Date)) throw new Unfit();
  const days = value.getTime() / DAY;
  // An invalid date is NaN, which is no integer.
  if (!Number.isInteger(days) || Math.abs(days) > most) throw new Unfit();
  return days;
}

/** The number of a half-precision pattern. */
export function fromHalf(bits) {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The half-precision pattern nearest to a number, ties to even. */
export function toHalf(value) {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === Infinity) return sign | 0x7c00;
  // From here on the nearest half would be infinite.
  if (size >= 65520) throw new Unfit();
  if (size < 2 ** -14) return sign | nearest(size * 2 ** 24);
  let exponent = Math.floor(Math.log2(size));
  if (2 ** exponent > size) exponent--;
  if (2 ** (exponent + 1) <= size) exponent++;
  // A fraction that is rounded up to a whole moves on to the next exponent by itself.
  return sign | (((exponent + 15) << 10) + nearest((size / 2 ** exponent - 1) * 1024));
}

/** The nearest integer, ties to even. */
function nearest(value) {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d+))?$/;

/** The unscaled integer of a decimal, from text or a BigInt; its size is less than `limit`. */
function unscaled(value, scale, limit) {
  let digits;
  if (typeof value === 'bigint') {
    digits = shifted(value, scale);
  } else if (typeof value === 'string') {
    const parts = DECIMAL.exec(value);
    if (parts === null || value.length > 400) throw new Unfit();
    const [, sign, whole, fraction = ''] = parts;
    const size = shifted(BigInt(whole + fraction), scale - fraction.length);
    digits = sign === '-' ? -size : size;
  } else {
    throw new Unfit();
  }
  if (digits >= limit || digits <= -limit) throw new Unfit();
  return digits;
}

/** A value times ten to a power, which must leave no rest. */
function shifted(value, power) {
  if (power === 0) return value;
  if (power > 0) return value * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  if (value % divisor !== 0n) throw new Unfit();
  return value / divisor;
}

/** The text of a decimal with all digits of its scale. */
export function decimalText(value, scale) {
  if (scale <= 0) return (value * 10n ** BigInt(-scale)).toString();
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

const PER_UNIT = { second: [1000n, 1n], millisecond: [1n, 1n], microsecond: [1n, 1000n], nanosecond: [1n, 1_000_000n] };

/** The Date of a count of `unit` since 1970; what is finer than a millisecond is cut off. */
export function toDate(count, unit) {
  const [times, divided] = PER_UNIT[unit];
  const scaled = BigInt(count) * times;
  const floor = scaled < 0n && scaled % divided !== 0n ? scaled / divided - 1n : scaled / divided;
  return new Date(Number(floor));
}

/** The count of `unit` since 1970 of a Date, as a BigInt; what is finer than `unit` is cut off. */
export function fromDate(date, unit) {
  const [times, divided] = PER_UNIT[unit];
  const scaled = BigInt(date.getTime()) * divided;
  return scaled < 0n && scaled % times !== 0n ? scaled / times - 1n : scaled / times;
}
