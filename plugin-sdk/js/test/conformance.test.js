// The shared fixtures: read, made again, and what the canonical transform makes of them.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

import Conformance from '../../conformance/js/conformance.js';
import { Batch, DataType, Field, Schema } from '../src/index.js';
import { Harness } from '../src/testing.js';
import { assemble, disassemble, schemaFromWit, schemaToWit } from '../src/wire.js';

const root = new URL('../../', import.meta.url);
const fixture = (name) => JSON.parse(readFileSync(new URL(`conformance/${name}`, root), 'utf8'));

const field = ({ name, type, nullable, children = [], ...rest }) =>
  new Field(name, new DataType(type, { ...rest, children: children.map(field) }), nullable);

const hex = (bytes) => Buffer.from(bytes).toString('hex');

const parts = ({ rows, nodes, buffers }) => ({
  rows,
  nodes: nodes.map(([length, nullCount]) => ({ length, nullCount })),
  buffers: buffers.map((buffer) => Uint8Array.from(Buffer.from(buffer, 'hex'))),
});

const crossing = ({ rows, nodes, buffers }) => ({
  rows,
  nodes: nodes.map(({ length, nullCount }) => [length, nullCount]),
  buffers: buffers.map(hex),
});

/** A value as the fixtures write it. */
function written(type, value) {
  if (value === null) return null;
  switch (type.kind) {
    case 'list':
      return value.map((item) => written(type.children[0].type, item));
    case 'struct':
      return Object.fromEntries(type.children.map((child) => [child.name, written(child.type, value[child.name])]));
    case 'binary':
      return hex(value);
    case 'date32':
    case 'date64':
      return value.toISOString().slice(0, 10);
    case 'time32':
      return String(value);
    default:
      if (typeof value === 'bigint') return String(value);
      return typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))
        ? Object.is(value, -0) ? '-0' : String(value)
        : value;
  }
}

for (const { name, field: described, values, batch: given } of fixture('columns.json')) {
  test(`column: ${name}`, () => {
    const schema = new Schema([field(described)]);
    assert.ok(schemaFromWit(schemaToWit(schema)).equals(schema));
    const batch = assemble(schema, parts(given));
    const read = batch.columns[0].toArray();
    assert.deepEqual(read.map((value) => written(schema.fields[0].type, value)), values);
    const again = Batch.fromColumns(schema, { value: read });
    assert.deepEqual(crossing(disassemble(again)), given);
    for (let begin = 0; begin <= batch.rows; begin++) {
      for (let end = begin; end <= batch.rows; end++) {
        const fewer = Batch.fromColumns(schema, { value: read.slice(begin, end) });
        assert.deepEqual(crossing(disassemble(batch.slice(begin, end))), crossing(disassemble(fewer)));
      }
    }
  });
}

for (const { name, config, input, batches, calls } of fixture('transform.json')) {
  test(`transform: ${name}`, () => {
    const schema = new Schema(input.map(field));
    const outcome = new Harness(Conformance, config).run(
      schema,
      ...batches.map((batch) => assemble(schema, parts(batch))),
    );
    const made = outcome.calls.map((call) => (call.batch ? { ...call, batch: crossing(call.batch) } : call));
    assert.deepEqual(made, calls);
  });
}

test('the contract in the package is the contract', () => {
  const contract = new URL('../wit/0.1/', root);
  const copies = new URL('js/wit/', root);
  assert.deepEqual(readdirSync(contract).sort(), readdirSync(copies).sort());
  for (const name of readdirSync(contract)) {
    const copy = readFileSync(new URL(name, copies), 'utf8');
    assert.equal(copy, readFileSync(new URL(name, contract), 'utf8'), name);
  }
});
