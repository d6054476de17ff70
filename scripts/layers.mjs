// npm run layers: who may import whom. Reads every import of every package; ARCHITECTURE.md draws the same picture.
// Fails on: an edge that is not listed, an import past a package's exports, an undeclared dependency, node:* in what is no
// host, foreign run-time dependencies and the types of Node.js or the DOM in a contract or device package (without the types, the compiler
// refuses the globals), and relative imports that leave their package.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { filesBelow, ROOT } from './lib.mjs';

const CONTRACTS = ['vmstate', 'device-model'];
const DEVICES = ['dev-chipset', 'dev-ps2', 'dev-pci', 'dev-virtio', 'dev-vga', 'dev-storage', 'dev-net'];
const HOST_PARTS = [...CONTRACTS, 'cpu-wasm', 'machine', 'migration', 'block'];

/** Package folder -> folders it may import. Tests may also import {@link TEST_EDGES}. */
const EDGES = {
  vmstate: [],
  'vmstate-ber': ['vmstate'],
  'device-model': ['vmstate'],
  'device-testkit': CONTRACTS,
  'cpu-wasm': CONTRACTS,
  'dev-chipset': CONTRACTS,
  'dev-ps2': CONTRACTS,
  'dev-pci': CONTRACTS,
  'dev-virtio': [...CONTRACTS, 'dev-pci'],
  'dev-vga': [...CONTRACTS, 'dev-pci'],
  'dev-storage': [...CONTRACTS, 'dev-pci'],
  'dev-net': [...CONTRACTS, 'dev-pci'],
  machine: [...CONTRACTS, 'cpu-wasm', ...DEVICES],
  migration: CONTRACTS,
  block: ['device-model'],
  'host-node': HOST_PARTS,
  'host-web': HOST_PARTS,
  // The front door carries the command line as its `bin`.
  pagurus: [...HOST_PARTS, 'cli'],
  guests: [],
  cli: [...HOST_PARTS, ...DEVICES, 'vmstate-ber', 'host-node', 'guests'],
  bench: [...HOST_PARTS, ...DEVICES, 'host-node', 'guests', 'pagurus'],
  web: [...HOST_PARTS, ...DEVICES, 'host-web', 'guests', 'pagurus'],
  'create-device': [],
};
const TEST_EDGES = ['device-testkit', 'guests'];
/** Tests of whole machines give devices their backends. */
const MORE_TEST_EDGES = { pagurus: ['dev-net'] };
const testEdges = (folder) => [...TEST_EDGES, ...(MORE_TEST_EDGES[folder] ?? [])];
/** Only files below these may use the edge. */
const NARROW = { machine: { to: DEVICES, only: /^src[\\/]presets[\\/]/ } };
/** No node:*, no DOM, nothing foreign at run time. */
const PURE = [...CONTRACTS, ...DEVICES];
/** No node:*. */
const HOSTLESS = [...PURE, 'cpu-wasm', 'machine', 'migration', 'block'];
const isTest = (path) => /\.(test|bench|typetest)\.ts$/.test(path) || /(^|[\\/])(test|testing)([\\/]|[-.\w]*\.ts$)/.test(path);

/** Source without comments; strings stay. */
function withoutComments(text) {
  return text.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (_all, string) => string ?? ' ',
  );
}

/** Specifiers of static and dynamic imports and re-exports. */
function importsOf(code) {
  const pattern =
    /(?:^|[;}\s])(?:import|export)\s[^'"`;]*?\sfrom\s*['"]([^'"]+)['"]|(?:^|[;}\s])import\s*['"]([^'"]+)['"]|\bimport\(\s*(?:['"])([^'"]+)['"]/g;
  return [...code.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[3]);
}

/**
 * Violations of one file.
 * @param context `{ folder, manifest, byName }`: the package's folder name and package.json, and all packages by npm name.
 */
export function checkFile(path, text, { folder, manifest, byName }) {
  const problems = [];
  const code = withoutComments(text);
  const test = isTest(path);
  const declared = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies };
  for (const specifier of importsOf(code)) {
    if (specifier.startsWith('.')) {
      const outside = relative('.', join(path, '..', specifier)).split(sep)[0] === '..' || escapes(path, specifier);
      if (outside) problems.push(`imports '${specifier}', which lies outside its package`);
      continue;
    }
    if (specifier.startsWith('node:')) {
      if (HOSTLESS.includes(folder) && !test) problems.push(`imports '${specifier}': only hosts and tools see Node.js`);
      continue;
    }
    const [name, subpath] = splitSpecifier(specifier);
    const known = byName.get(name);
    if (!known) {
      if (PURE.includes(folder) && !test)
        problems.push(`imports '${specifier}': a contract or device package depends on @pagurus/* alone`);
      else if (!test && !(name in declared)) problems.push(`imports '${specifier}', which its package.json does not name`);
      continue;
    }
    if (known.folder !== folder) {
      const allowed = [...(EDGES[folder] ?? []), ...(test ? testEdges(folder) : [])];
      if (!allowed.includes(known.folder)) problems.push(`imports '${specifier}': ${folder} may not depend on ${known.folder}`);
      const narrow = NARROW[folder];
      if (!test && narrow?.to.includes(known.folder) && !narrow.only.test(path))
        problems.push(`imports '${specifier}': only files matching ${narrow.only} of ${folder} may`);
      if (!(name in declared) && !(test && name in (manifest.devDependencies ?? {})))
        problems.push(`imports '${specifier}', which its package.json does not name`);
    }
    const wanted = subpath === '' ? '.' : `./${subpath}`;
    if (!(wanted in (known.manifest.exports ?? {}))) problems.push(`imports '${specifier}': ${name} does not export '${wanted}'`);
  }
  return problems;
}

function splitSpecifier(specifier) {
  const parts = specifier.split('/');
  const length = specifier.startsWith('@') ? 2 : 1;
  return [parts.slice(0, length).join('/'), parts.slice(length).join('/')];
}

/** `path` is relative to the package; the package's own folders are src, test, bin … */
function escapes(path, specifier) {
  const root = resolve('/package');
  return !resolve(root, path, '..', specifier).startsWith(root + sep);
}

/** Violations of a package's configuration. */
export function checkPackage({ folder, manifest, compiler }) {
  const problems = [];
  if (!(folder in EDGES)) problems.push('is not listed in scripts/layers.mjs');
  if (PURE.includes(folder)) {
    for (const name of Object.keys(manifest.dependencies ?? {}))
      if (!name.startsWith('@pagurus/'))
        problems.push(`depends on '${name}': a contract or device package depends on @pagurus/* alone`);
    if ((compiler.lib ?? []).some((lib) => /^dom/i.test(lib))) problems.push('compiles with the DOM types');
    if ((compiler.types ?? []).includes('node')) problems.push('compiles with the Node.js types');
  }
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })) {
    const target = name === 'pagurus' ? 'pagurus' : name.startsWith('@pagurus/') ? name.slice('@pagurus/'.length) : undefined;
    if (target === undefined || !(folder in EDGES)) continue;
    const tests = name in (manifest.devDependencies ?? {}) ? testEdges(folder) : [];
    if (![...EDGES[folder], ...tests].includes(target))
      problems.push(`package.json names '${name}': ${folder} may not depend on ${target}`);
  }
  return problems;
}

/** A path through the allowed edges that comes back to its start, or undefined. */
export function findCycle(edges) {
  const done = new Set();
  const visit = (node, path) => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return undefined;
    for (const next of edges[node] ?? []) {
      const cycle = visit(next, [...path, node]);
      if (cycle) return cycle;
    }
    done.add(node);
    return undefined;
  };
  for (const node of Object.keys(edges)) {
    const cycle = visit(node, []);
    if (cycle) return cycle;
  }
  return undefined;
}

function readPackages() {
  return ['packages', 'tools'].flatMap((group) =>
    readdirSync(join(ROOT, group)).map((folder) => {
      const root = join(group, folder);
      const json = (name) => JSON.parse(readFileSync(join(ROOT, root, name), 'utf8'));
      return { folder, root, manifest: json('package.json'), compiler: json('tsconfig.json').compilerOptions ?? {} };
    }),
  );
}

function main() {
  const packages = readPackages();
  const byName = new Map(packages.map((entry) => [entry.manifest.name, entry]));
  const problems = [];
  const cycle = findCycle(EDGES);
  if (cycle) problems.push(`scripts/layers.mjs: the allowed edges form a cycle: ${cycle.join(' -> ')}`);
  let files = 0;
  for (const entry of packages) {
    for (const problem of checkPackage(entry)) problems.push(`${entry.root}: ${problem}`);
    for (const path of filesBelow(join(entry.root, 'src'), (file) => file.endsWith('.ts'))) {
      files++;
      const own = relative(entry.root, path);
      for (const problem of checkFile(own, readFileSync(join(ROOT, path), 'utf8'), { ...entry, byName }))
        problems.push(`${path}: ${problem}`);
    }
  }
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) {
    console.error(`layers: ${problems.length} violations`);
    process.exit(1);
  }
  console.log(`layers: ${packages.length} packages, ${files} files, no violation`);
}

/** Every rule must be able to fail. */
function selfTest() {
  const make = (folder, manifest = {}) => ({
    folder,
    manifest: { name: `@pagurus/${folder}`, exports: { '.': {}, './sub': {} }, dependencies: {}, ...manifest },
    compiler: {},
  });
  const packages = [
    'vmstate',
    'device-model',
    'device-testkit',
    'dev-ps2',
    'dev-pci',
    'machine',
    'migration',
    'host-node',
    'cli',
  ].map((f) => make(f));
  const byName = new Map(packages.map((entry) => [entry.manifest.name, entry]));
  const names = (...folders) => Object.fromEntries(folders.map((folder) => [`@pagurus/${folder}`, '^1']));
  const check = (folder, path, text, manifest = {}) =>
    checkFile(join(...path.split('/')), text, { ...make(folder, manifest), byName });
  const cases = [
    [
      'an upward edge',
      check('vmstate', 'src/a.ts', "import { x } from '@pagurus/device-model';", { dependencies: names('device-model') }),
    ],
    [
      'a device on the machine',
      check('dev-ps2', 'src/a.ts', "import type { M } from '@pagurus/machine';", { dependencies: names('machine') }),
    ],
    [
      'a sideways edge',
      check('machine', 'src/a.ts', "export * from '@pagurus/migration';", { dependencies: names('migration') }),
    ],
    ['a device outside presets', check('machine', 'src/a.ts', "import '@pagurus/dev-pci';", { dependencies: names('dev-pci') })],
    ['an undeclared dependency', check('dev-ps2', 'src/a.ts', "import { x } from '@pagurus/vmstate';")],
    [
      'a deep import',
      check('dev-ps2', 'src/a.ts', "import { x } from '@pagurus/vmstate/src/load.js';", { dependencies: names('vmstate') }),
    ],
    ['node: in a device', check('dev-ps2', 'src/a.ts', "const fs = await import('node:fs');")],
    ['a foreign package in a device', check('dev-ps2', 'src/a.ts', "import x from 'lodash';", { dependencies: { lodash: '1' } })],
    ['an undeclared foreign package', check('cli', 'src/a.ts', "import x from 'lodash';")],
    ['an import out of the package', check('cli', 'src/a.ts', "import x from '../../vmstate/src/load.js';")],
    [
      'a testkit outside tests',
      check('dev-ps2', 'src/a.ts', "import { f } from '@pagurus/device-testkit';", { dependencies: names('device-testkit') }),
    ],
    ['an unlisted package', checkPackage(make('novelty'))],
    ['DOM types', checkPackage({ ...make('vmstate'), compiler: { lib: ['ES2023', 'DOM'] } })],
    ['Node types', checkPackage({ ...make('vmstate'), compiler: { types: ['node'] } })],
    ['a foreign dependency', checkPackage(make('dev-pci', { dependencies: { lodash: '1' } }))],
    ['a forbidden manifest edge', checkPackage(make('dev-pci', { dependencies: names('machine') }))],
    ['a cycle', findCycle({ a: ['b'], b: ['c'], c: ['a'] }) ?? []],
  ].map(([what, problems]) => [what, problems.length > 0]);
  const fine = [
    [
      'a downward edge',
      check('dev-ps2', 'src/a.ts', "import { x } from '@pagurus/vmstate';", { dependencies: names('vmstate') }),
    ],
    [
      'an exported subpath',
      check('dev-ps2', 'src/a.ts', "import { x } from '@pagurus/vmstate/sub';", { dependencies: names('vmstate') }),
    ],
    [
      'a device in presets',
      check('machine', 'src/presets/pc.ts', "import { x } from '@pagurus/dev-pci';", { dependencies: names('dev-pci') }),
    ],
    ['node: in a test', check('dev-ps2', 'src/a.test.ts', "import { readFileSync } from 'node:fs';")],
    [
      'an import in a comment',
      check('vmstate', 'src/a.ts', "/** import { x } from '@pagurus/machine'; */\nexport const a = 'process.';"),
    ],
  ].map(([what, problems]) => [`${what} (allowed)`, problems.length === 0]);
  const wrong = [...cases, ...fine].filter(([, right]) => !right);
  for (const [what] of wrong) console.error(`layers self-test: ${what}: wrong verdict`);
  if (wrong.length > 0) process.exit(1);
  console.log(`layers: ${cases.length + fine.length} rules checked`);
}

if (process.argv.includes('--self-test')) selfTest();
else main();
