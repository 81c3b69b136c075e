// A plugin's configuration: checked against the JSON Schema that the plugin publishes.

import { ConfigError, FatalError } from './errors.js';

/** The keywords that are checked, or that say nothing to check. Others are refused, not ignored. */
const KNOWN = new Set([
  ...['$schema', 'title', 'description', 'examples', 'default'],
  ...['type', 'enum', 'const', 'minimum', 'maximum', 'minLength', 'maxLength', 'pattern'],
  ...['properties', 'required', 'additionalProperties', 'items', 'minItems', 'maxItems'],
]);

const TYPES = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  array: Array.isArray,
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

/** What a plugin without a configuration publishes. */
export const NO_CONFIG = { type: 'object', properties: {}, additionalProperties: false };

/** The JSON Schema (2020-12) as text; throws if it demands something that would not be checked. */
export function schemaText(schema, of = 'the configuration') {
  checkSchema(schema, `the schema of ${of}`);
  return JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema });
}

function checkSchema(schema, where) {
  for (const keyword of Object.keys(schema)) {
    if (!KNOWN.has(keyword)) {
      throw new FatalError(`${where} uses \`${keyword}\`, which is not checked; check it in \`bind\``);
    }
  }
  for (const name of [schema.type ?? []].flat()) {
    if (!(name in TYPES)) throw new FatalError(`${where} names the type \`${name}\`, which JSON does not have`);
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) checkSchema(property, `${where}, \`${name}\``);
  if (typeof schema.additionalProperties === 'object') checkSchema(schema.additionalProperties, where);
  if (schema.items !== undefined) checkSchema(schema.items, `${where}, items`);
}

/** Reads a configuration; no text at all counts as `{}`. The error names every fault with its path. */
export function parse(schema, text) {
  let value;
  try {
    value = JSON.parse(text.trim() === '' ? '{}' : text);
  } catch (error) {
    throw new ConfigError(`the configuration is no JSON: ${error.message}`);
  }
  const { filled, faults } = fill(schema, value, 'the configuration');
  if (faults.length) throw new ConfigError(faults.join('; '));
  return filled;
}

/** A value of this name with defaults filled in, and each fault that it has. */
export function fill(schema, value, name) {
  const faults = [];
  const filled = check(schema, value, '', faults, name);
  return { filled, faults };
}

/** Notes every fault, and returns the value with defaults filled in. */
function check(schema, value, path, faults, here = path) {
  const fault = (words) => faults.push(`${here} ${words}`);
  const kinds = [schema.type ?? []].flat();
  if (kinds.length && !kinds.some((kind) => TYPES[kind](value))) {
    fault(`must be ${kinds.map(article).join(' or ')}`);
    return value;
  }
  if (schema.enum && !schema.enum.includes(value)) {
    fault(`must be one of ${schema.enum.map((choice) => JSON.stringify(choice)).join(', ')}`);
  }
  if ('const' in schema && schema.const !== value) fault(`must be ${JSON.stringify(schema.const)}`);
  if (value < schema.minimum) fault(`must be at least ${schema.minimum}`);
  if (value > schema.maximum) fault(`must be at most ${schema.maximum}`);
  if (typeof value === 'string') {
    if (value.length < schema.minLength) fault(`must have at least ${schema.minLength} characters`);
    if (value.length > schema.maxLength) fault(`must have at most ${schema.maxLength} characters`);
    if (schema.pattern && !new RegExp(schema.pattern, 'u').test(value)) fault(`must match ${schema.pattern}`);
  }
  if (Array.isArray(value)) {
    if (value.length < schema.minItems) fault(`must have at least ${schema.minItems} items`);
    if (value.length > schema.maxItems) fault(`must have at most ${schema.maxItems} items`);
    return schema.items ? value.map((item, at) => check(schema.items, item, `${path}[${at}]`, faults)) : value;
  }
  return TYPES.object(value) ? checkObject(schema, value, path, faults) : value;
}

function checkObject(schema, value, path, faults) {
  const { properties = {}, required = [], additionalProperties = true } = schema;
  const join = (key) => (path ? `${path}.${key}` : key);
  const filled = {};
  for (const [key, item] of Object.entries(value)) {
    if (Object.hasOwn(properties, key)) {
      filled[key] = check(properties[key], item, join(key), faults);
    } else if (additionalProperties === false) {
      const known = Object.keys(properties).join(', ') || 'none';
      faults.push(`unknown key \`${join(key)}\`; there are ${known}`);
    } else {
      const rest = additionalProperties === true ? {} : additionalProperties;
      filled[key] = check(rest, item, join(key), faults);
    }
  }
  for (const key of required) if (!Object.hasOwn(value, key)) faults.push(`\`${join(key)}\` is missing`);
  for (const [key, property] of Object.entries(properties)) {
    if (!Object.hasOwn(value, key) && 'default' in property) filled[key] = JSON.parse(JSON.stringify(property.default));
  }
  return filled;
}

function article(kind) {
  return kind === 'null' ? 'null' : `${/^[aio]/.test(kind) ? 'an' : 'a'} ${kind}`;
}
