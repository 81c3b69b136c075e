// How schemas and batches cross the sandbox boundary: fields in preorder, buffers depth first.

import { Batch, Column } from './columns.js';
import { FatalError } from './errors.js';
import { DataType, Field, Schema } from './types.js';

const EMPTY = new Uint8Array(0);

/** Buffers of each type behind its validity; 1 for all others. */
const BUFFERS = { utf8: 2, binary: 2, struct: 0 };

/** The fields of a schema in preorder, as the contract has them. */
export function schemaToWit(schema) {
  const fields = [];
  const add = ({ name, type, nullable }) => {
    fields.push({ name, dataType: typeToWit(type), nullable, children: type.children.length });
    type.children.forEach(add);
  };
  schema.fields.forEach(add);
  return fields;
}

function typeToWit({ kind, unit, zone, precision, scale }) {
  switch (kind) {
    case 'time32':
    case 'time64':
      return { tag: kind, val: unit };
    case 'timestamp':
      return { tag: kind, val: { unit, zone } };
    case 'decimal128':
      return { tag: kind, val: { precision, scale } };
    default:
      return { tag: kind };
  }
}

/** The schema whose fields in preorder are these. */
export function schemaFromWit(fields) {
  let at = 0;
  const next = () => {
    const field = fields[at++];
    const { tag } = field?.dataType ?? {};
    const children = Array.from({ length: field?.children ?? 0 }, next);
    const isTree = tag === 'list' ? children.length === 1 : (tag === 'struct') === children.length > 0;
    if (field === undefined || !isTree) throw new FatalError('the host sent a schema that is no tree');
    return new Field(field.name, typeFromWit(field.dataType, children), field.nullable);
  };
  const columns = [];
  while (at < fields.length) columns.push(next());
  return new Schema(columns);
}

function typeFromWit({ tag, val }, children) {
  switch (tag) {
    case 'time32':
    case 'time64':
      return new DataType(tag, { unit: val });
    case 'timestamp':
      return new DataType(tag, { unit: val.unit, zone: val.zone ?? undefined });
    case 'decimal128':
      return new DataType(tag, val);
    default:
      return new DataType(tag, { children });
  }
}

/** Takes a batch apart. Buffers are not copied. */
export function disassemble(batch) {
  const parts = { rows: batch.rows, nodes: [], buffers: [] };
  const take = (column) => {
    parts.nodes.push({ length: column.length, nullCount: column.nullCount });
    parts.buffers.push(column.validity, ...column.buffers);
    column.children.forEach(take);
  };
  batch.columns.forEach(take);
  return parts;
}

/** Puts together a batch that the host sent. The host has verified it; buffers are not copied. */
export function assemble(schema, { rows, nodes, buffers }) {
  let node = 0;
  let buffer = 0;
  const build = (type) => {
    const own = nodes[node++];
    const validity = buffers[buffer++];
    const count = BUFFERS[type.kind] ?? 1;
    const data = buffers.slice(buffer, (buffer += count));
    if (own === undefined || validity === undefined || data.length < count) {
      throw new FatalError('the host sent less than the schema bound has');
    }
    const children = type.children.map((child) => build(child.type));
    return new Column(type, own.length, own.nullCount, own.nullCount ? validity : EMPTY, data, children);
  };
  const columns = schema.fields.map((field) => build(field.type));
  if (node < nodes.length || buffer < buffers.length) {
    throw new FatalError('the host sent more than the schema bound has');
  }
  return new Batch(schema, columns, rows);
}
