// Reads people from an API that gives them page by page.

import { DataError, Field, Rule, Schema, Source, fits, types as t } from 'weir-plugin';
import { get } from 'weir-plugin/http';

const PERSON = new Schema([new Field('id', t.int64, false), new Field('name', t.utf8)]);

// Quarantine and reports group what is rejected by the names of rules: keep them from version to version.
const NO_NUMBER = new Rule('no_number', 'A person has a number.');

export default class {{Type}} extends Source {
  static info = {
    name: '{{name}}',
    version: '0.1.0',
    description: 'Reads people from an API that gives them page by page.',
    rules: [NO_NUMBER],
    config: {
      type: 'object',
      properties: {
        url: { description: 'Where the API is, such as https://api.example.org.', type: 'string' },
      },
      required: ['url'],
      additionalProperties: false,
    },
    // How far the people were read: kept beside the rows, for the next run.
    state: {
      type: 'object',
      properties: { last: { description: 'The highest number of a person, as text.', type: 'string' } },
      required: ['last'],
    },
  };

  static discover() {
    return [{ name: 'people', schema: PERSON, primaryKey: ['id'] }];
  }

  open({ state }) {
    // Integers of 64 bits are BigInt, which JSON does not have: in the state it is text.
    this.last = BigInt(state?.last ?? 0);
  }

  // A page: its rows are kept together with the state that it ends with, or not at all.
  read(out) {
    const before = this.last;
    const people = get(`${this.config.url}/people`, { query: { after: this.last } }).ok().json();
    if (!Array.isArray(people)) throw new DataError('the response is no list of people');
    const rows = [];
    for (const person of people) {
      const id = person?.id ?? null;
      if (id === null || !fits(t.int64, id)) {
        out.reject(person, NO_NUMBER);
        continue;
      }
      rows.push({ id, name: typeof person.name === 'string' ? person.name : null });
      if (id > this.last) this.last = BigInt(id);
    }
    out.emit(rows);
    // A page that leads no further is the last, though it may have people who were rejected.
    return { state: { last: String(this.last) }, done: this.last === before };
  }
}
