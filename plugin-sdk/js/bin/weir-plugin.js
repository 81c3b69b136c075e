#!/usr/bin/env node
// `npx weir-plugin build PLUGIN.js`.

import { parseArgs } from 'node:util';

import { BuildError, build } from '../src/build.js';
import { ENGINES } from '../src/engines.js';
import { PluginError } from '../src/errors.js';

const USAGE = `usage: weir-plugin build PLUGIN.js [-o OUTPUT] [--secrets] [--engine ${Object.keys(ENGINES).join('|')}]

Makes a WebAssembly component of the plugin that PLUGIN.js exports by default.

  -o, --output   where to write [default: beside the source, .wasm]
  --secrets      the plugin asks for secrets
  --engine       the JavaScript engine to put around it [default: quickjs]`;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      output: { type: 'string', short: 'o' },
      secrets: { type: 'boolean' },
      engine: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
  } else if (positionals[0] !== 'build' || positionals.length !== 2) {
    console.error(USAGE);
    process.exitCode = 2;
  } else {
    console.log(await build(positionals[1], values));
  }
} catch (error) {
  const known = error instanceof BuildError || error instanceof PluginError || error.code?.startsWith('ERR_PARSE_ARGS');
  console.error(known ? `error: ${error.message}` : error);
  process.exitCode = 1;
}
