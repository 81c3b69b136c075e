// The JavaScript engines that are put around a plugin, and the tools that do so.

import { cp, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { unveiled, veiled } from './veil.js';

const PACKAGE = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * The engines: the packages that bring each, the one that makes components first, what it takes a u64 as, and how
 * it makes a component.
 */
export const ENGINES = {
  quickjs: { packages: ['componentize-qjs'], u64: 'Number', make: withQuickJs },
  starlingmonkey: {
    // The second is one that the first forgets to ask for.
    packages: ['@bytecodealliance/componentize-js', '@bytecodealliance/preview2-shim'],
    u64: 'BigInt',
    make: withStarlingMonkey,
  },
};

async function withQuickJs(componentize, { code, worldName, folder }) {
  const jsPath = join(folder, 'component.js');
  const jsSource = veiled(code);
  await writeFile(jsPath, jsSource);
  const witPath = await contract(folder, veiled);
  // Without `sync` the component would need a feature that the host keeps off.
  const { component } = await componentize({ jsSource, jsPath, witPath, world: worldName, sync: true });
  return unveiled(component);
}

async function withStarlingMonkey(componentize, { code, worldName, folder, source }) {
  const { component } = await componentize(code, {
    sourceName: source,
    witPath: await contract(folder),
    worldName,
    disableFeatures: ['random', 'clocks', 'http', 'stdio', 'fetch-event'],
  });
  return component;
}

/** Puts the contract and what it leaves out of WASI into a folder below this one, and returns it. */
async function contract(folder, change = (text) => text) {
  const wit = join(folder, 'wit');
  await cp(join(PACKAGE, 'wit-http'), wit, { recursive: true });
  for (const name of await readdir(wit, { recursive: true })) {
    if (!name.endsWith('.wit')) continue;
    const file = join(wit, name);
    await writeFile(file, change(await readFile(file, 'utf8')));
  }
  await cp(join(PACKAGE, 'wit'), join(wit, 'deps', 'plugin'), { recursive: true });
  return wit;
}
