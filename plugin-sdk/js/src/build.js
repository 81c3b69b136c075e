// Makes a component of a plugin: one bundle of its modules, and a JavaScript engine around it.

import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { describe, worldOf } from './bound.js';
import { ENGINES } from './engines.js';

const PACKAGE = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const EXPORTS = {
  transform: 'transformer',
  check: 'checker',
  decoder: 'decoderPlugin',
  source: 'sourcePlugin',
  fold: 'folder',
};

/** Why no component could be made; its words say what to do. */
export class BuildError extends Error {}

/** Builds the plugin that the module `source` exports by default, and returns where it lies. */
export async function build(source, { output, secrets = false, engine = 'quickjs' } = {}) {
  if (!existsSync(source)) throw new BuildError(`there is no file ${source}`);
  if (!Object.hasOwn(ENGINES, engine)) throw new BuildError(`no engine ${engine}; there are ${Object.keys(ENGINES).join(', ')}`);
  if (!/\.m?js$/.test(source)) throw new BuildError(`${source} is no JavaScript\nhint: compile it to a file that ends with .js`);
  const path = resolve(source);
  const { default: PluginClass } = await import(pathToFileURL(path).href);
  if (PluginClass === undefined) throw new BuildError(`${source} exports nothing by default\nhint: export default class …`);
  const world = worldOf(PluginClass);
  describe(PluginClass);

  const { componentize } = await tool(...ENGINES[engine].packages);
  const { code, requests } = await bundled(path, world, secrets, ENGINES[engine].u64);
  if (requests && world !== 'source') {
    throw new BuildError(
      `a ${world} makes no requests, and ${source} imports weir-plugin/http\n` +
        'hint: read what it asks for in a step of its own, by a source',
    );
  }
  const worldName = `${requests ? 'weir:requests' : 'weir:plugin'}/${world}${secrets ? '-with-secrets' : ''}`;
  const component = await inFolder((folder) =>
    ENGINES[engine].make(componentize, { code, worldName, folder, source: basename(path) }),
  );
  const target = output ?? path.replace(/\.m?js$/, '') + '.wasm';
  await writeFile(target, component);
  return target;
}

/** The plugin, the SDK and what else it imports as one module, and whether that makes requests. */
async function bundled(path, world, secrets, u64) {
  const { build: bundle } = await tool('esbuild');
  const from = (file) => JSON.stringify(join(PACKAGE, 'src', file));
  const entry = [
    `import { connectHost } from ${from('guest/component.js')};`,
    `import { exported } from ${from(`guest/${world}.js`)};`,
    `import Plugin from ${JSON.stringify(path)};`,
    secrets ? "import { get } from 'weir:plugin/secrets@0.1.0';" : 'const get = undefined;',
    'connectHost(get);',
    `export const ${EXPORTS[world]} = exported(Plugin);`,
  ].join('\n');
  const result = await bundle({
    stdin: { contents: entry, resolveDir: dirname(path), sourcefile: 'component.js' },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    external: ['weir:*', 'wasi:*'],
    conditions: ['weir-component'],
    define: { WEIR_U64: u64 },
    // One copy of the SDK, whichever the plugin's own folder would find.
    alias: {
      'weir-plugin': join(PACKAGE, 'src', 'index.js'),
      'weir-plugin/http': join(PACKAGE, 'src', 'http.js'),
    },
    write: false,
    metafile: true,
    logLevel: 'error',
  });
  const [output] = Object.values(result.metafile.outputs);
  const requests = output.imports.some((imported) => imported.path.startsWith('wasi:http/'));
  return { code: result.outputFiles[0].text, requests };
}

/** Calls with a folder that is gone afterwards. */
async function inFolder(call) {
  const folder = await mkdtemp(join(tmpdir(), 'weir-plugin-'));
  try {
    return await call(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Imports a package that the author has installed where the plugin is built; it needs the others. */
async function tool(name, ...needed) {
  const folders = createRequire(join(process.cwd(), 'package.json')).resolve.paths(name);
  const at = (name) => folders.map((modules) => join(modules, name)).find(existsSync);
  const folder = at(name);
  const missing = [name, ...needed].filter((name) => at(name) === undefined);
  if (missing.length) {
    const { peerDependencies } = await manifest(PACKAGE);
    const packages = missing.map((name) => `${name}@${peerDependencies[name]}`).join(' ');
    throw new BuildError(`${missing.join(' and ')} missing\nhint: npm install --save-dev ${packages}`);
  }
  const { exports, main = 'index.js' } = await manifest(folder);
  return import(pathToFileURL(join(folder, entryOf(exports?.['.'] ?? exports) ?? main)).href);
}

async function manifest(folder) {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
}

/** The file of an entry of `exports`, which may differ by how it is loaded. */
function entryOf(entry) {
  return typeof entry === 'object' ? entryOf(entry.node ?? entry.import ?? entry.default) : entry;
}
