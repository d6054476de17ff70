/** What is published, used by somebody who has only that: every package packed, installed in an empty folder, composed, and extended. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withParts } from './parts.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** An entry point without types: the module itself. */
const NO_TYPES = ['--exclude-entrypoints', './cpu.wasm'];
const SENSOR = '@me/my-sensor';

interface Manifest {
  name: string;
  version: string;
  private?: boolean;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

withParts('packages on their own', ['registry'], () => {
  const place = mkdtempSync(join(tmpdir(), 'pagurus-publish-'));
  /** By package name: the packed file. */
  const tarballs = new Map<string, string>();
  const app = join(place, 'app');
  const device = join(place, 'my-sensor');

  function run(cwd: string, program: string, ...args: string[]): string {
    // Nothing of this repository's npm or vitest may leak into the other project.
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(npm_|VITEST|NODE_ENV$|NODE_OPTIONS$)/i.test(name)),
    );
    const result = spawnSync(program, args, { cwd, encoding: 'utf8', env: { ...env, NO_COLOR: '1' }, maxBuffer: 1 << 26 });
    expect(result.status, `${program} ${args.join(' ')}\n${result.stdout}\n${result.stderr}`).toBe(0);
    return result.stdout;
  }
  const npm = (cwd: string, ...args: string[]): string => run(cwd, 'npm', ...args);
  const install = (cwd: string): string => npm(cwd, 'install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error');
  const packed = (...names: string[]): Record<string, string> =>
    Object.fromEntries(names.map((name) => [name, `file:${tarballs.get(name)}`]));

  beforeAll(() => {
    const folders = ['packages', 'tools'].flatMap((group) => readdirSync(join(ROOT, group)).map((name) => join(group, name)));
    const published = folders.filter((folder) => manifestOf(join(ROOT, folder)).private !== true);
    const list = JSON.parse(
      npm(ROOT, 'pack', '--json', '--pack-destination', place, ...published.flatMap((folder) => ['-w', folder])),
    ) as { name: string; filename: string }[];
    for (const { name, filename } of list) tarballs.set(name, join(place, filename));
    mkdirSync(app);
    const dependencies = packed(...tarballs.keys());
    writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module', dependencies }));
    install(app);
  }, 300_000);
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  it('are all there, and nothing is a link into this repository', () => {
    expect(tarballs.size).toBeGreaterThan(15);
    const lock = JSON.parse(readFileSync(join(app, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { resolved?: string; link?: boolean }>;
    };
    for (const name of tarballs.keys())
      expect(lock.packages[`node_modules/${name}`]!.resolved, name).toMatch(/^file:\.\.\/.*\.tgz$/);
    expect(JSON.stringify(lock)).not.toContain(ROOT);
    expect(Object.values(lock.packages).filter(({ link }) => link)).toEqual([]);
  });

  it('pass publint and are-the-types-wrong', () => {
    const tool = (name: string, file: string) => join(ROOT, 'node_modules', name, file);
    for (const [name, tarball] of tarballs) {
      run(ROOT, process.execPath, tool('publint', 'src/cli.js'), '--strict', tarball);
      run(
        ROOT,
        process.execPath,
        tool('@arethetypeswrong/cli', 'dist/index.js'),
        tarball,
        '--profile',
        'esm-only',
        ...(name === '@pagurus/cpu-wasm' ? NO_TYPES : []),
      );
    }
  });

  it('compose a machine that boots the embedded guest', () => {
    writeFileSync(
      join(app, 'boot.mjs'),
      `import { createMachine } from 'pagurus';
import { embeddedGuest } from '@pagurus/guests';
let text = '';
const serial = { connect() {}, write(bytes) { text += Buffer.from(bytes).toString('latin1'); } };
const machine = await createMachine('pc-i440fx-7.2', { memory: 16 << 20, kernel: { image: embeddedGuest() }, serial: [serial] });
machine.start();
for (const end = Date.now() + 60_000; !/beat 1 .*err=0/.test(text); ) {
  if (Date.now() > end) throw new Error('no heartbeat: ' + text);
  await new Promise((resolve) => setTimeout(resolve, 20));
}
machine.stop();
await machine.whenStopped();
console.log(/beat 1 .*err=0/.exec(text)[0]);
`,
    );
    expect(run(app, process.execPath, 'boot.mjs')).toMatch(/^beat 1 tick=\d+ .*err=0/);
  });

  it('bring the command line', () => {
    const bin = join(app, 'node_modules/pagurus/bin/pagurus.js');
    expect(run(app, process.execPath, bin, 'machines')).toContain('pc-i440fx-7.2');
    expect(run(app, process.execPath, bin, 'check', 'pc-i440fx-7.2', 'pc-i440fx-7.2', '--effective')).toContain('0 breaks');
  });

  it('make a device that builds, passes its tests and its lock, and packs', () => {
    const bin = join(app, 'node_modules/@pagurus/create-device/bin/create-device.js');
    expect(run(place, process.execPath, bin, SENSOR, device)).toContain('npm test');
    // In place of the registry, which does not have these packages yet.
    const manifest = manifestOf(device);
    const wanted = { ...manifest.dependencies, ...manifest.devDependencies };
    for (const [name, range] of Object.entries(wanted)) {
      if (!tarballs.has(name)) continue;
      expect(range, name).toBe(`^${manifestOf(join(app, 'node_modules', name)).version}`);
    }
    const overridden = {
      ...manifest,
      dependencies: packed(...Object.keys(manifest.dependencies ?? {})),
      devDependencies: {
        ...manifest.devDependencies,
        ...packed(...[...tarballs.keys()].filter((name) => !(name in manifest.dependencies!))),
      },
    };
    writeFileSync(join(device, 'package.json'), JSON.stringify(overridden, undefined, 2));
    install(device);
    npm(device, 'run', 'build');
    expect(npm(device, 'test')).toMatch(/Tests +\d+ passed/);
    expect(npm(device, 'run', 'bench')).toMatch(/\bhz\b/);
    expect(npm(device, 'run', 'lock:check')).toContain(`${SENSOR}: as locked`);
    // As it would be published: with its own ranges.
    writeFileSync(join(device, 'package.json'), JSON.stringify(manifest, undefined, 2));
    const [result] = JSON.parse(npm(device, 'pack', '--json', '--ignore-scripts', '--pack-destination', place)) as {
      filename: string;
      files: { path: string }[];
    }[];
    expect(result!.files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'README.md']),
    );
    tarballs.set(SENSOR, join(place, result!.filename));
  });

  it('take that device into a machine of somebody else', () => {
    const manifest = manifestOf(app);
    writeFileSync(
      join(app, 'package.json'),
      JSON.stringify({ ...manifest, dependencies: { ...manifest.dependencies, ...packed(SENSOR) } }),
    );
    install(app);
    writeFileSync(
      join(app, 'sensor.mjs'),
      `import { createMachine, pcI440fx } from 'pagurus';
import { devicePackage } from '${SENSOR}';
import { embeddedGuest } from '@pagurus/guests';
let text = '';
const serial = { connect() {}, write(bytes) { text += Buffer.from(bytes).toString('latin1'); } };
const pc = pcI440fx('7.2');
const machine = await createMachine(
  { ...pc, name: 'pc-with-my-sensor', packages: [...pc.packages, devicePackage] },
  {
    memory: 16 << 20, kernel: { image: embeddedGuest() }, serial: [serial],
    devices: [{ driver: 'my-sensor', id: 'thermometer', properties: { iobase: 0x300, irq: 5 } }],
  },
);
machine.service('thermometer').set(37);
machine.start();
for (const end = Date.now() + 60_000; !/beat 1 .*err=0/.test(text); ) {
  if (Date.now() > end) throw new Error('no heartbeat: ' + text);
  await new Promise((resolve) => setTimeout(resolve, 20));
}
machine.stop();
await machine.whenStopped();
const section = machine.sections.find(({ idstr }) => idstr === '${SENSOR}/my-sensor');
console.log(JSON.stringify({ degrees: machine.ports.read(0x300, 1), version: section.version, bytes: [...section.save().bytes] }));
`,
    );
    expect(JSON.parse(run(app, process.execPath, 'sensor.mjs'))).toEqual({ degrees: 37, version: 1, bytes: [80, 0] });
  });
});
