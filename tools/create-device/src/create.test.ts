import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { deviceNames, main } from './index.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
const temporary = (parent = tmpdir()) => {
  const folder = mkdtempSync(join(parent, 'create-device-'));
  folders.push(folder);
  return folder;
};
const run = (...args: string[]) => {
  const out: string[] = [];
  const errors: string[] = [];
  const code = main(
    args,
    (line) => out.push(line),
    (line) => errors.push(line),
  );
  return { code, out: out.join('\n'), errors: errors.join('\n') };
};

describe('names', () => {
  it('follow from the npm name', () => {
    expect(deviceNames('@me/my-hot-sensor2')).toEqual({
      package: '@me/my-hot-sensor2',
      type: 'my-hot-sensor2',
      section: '@me/my-hot-sensor2/my-hot-sensor2',
      camel: 'myHotSensor2',
      folder: 'my-hot-sensor2',
    });
  });

  it.each(['My-Sensor', '../sensor', 'a--b', '', '@me/', '9lives'])("refuse '%s'", (name) => {
    expect(run(name)).toMatchObject({ code: 2, errors: expect.stringContaining('is not a name') });
  });
});

describe('npm create @pagurus/device', () => {
  it('refuses a folder with something in it', () => {
    const folder = temporary();
    writeFileSync(join(folder, 'mine'), '');
    expect(run('sensor', folder)).toMatchObject({ code: 2, errors: `${folder} exists and is not empty` });
  });

  it('explains itself', () => {
    expect(run().code).toBe(2);
    expect(run('--help')).toMatchObject({ code: 0, out: expect.stringContaining('npm create @pagurus/device NAME') });
  });

  it('makes a package that type-checks and passes its own tests', () => {
    // Inside the repository, so that it finds the packages that it depends on.
    const folder = temporary(join(ROOT, 'tools/create-device'));
    expect(run('@me/my-sensor', join(folder, 'package')).code).toBe(0);
    const made = join(folder, 'package');
    expect(JSON.parse(readFileSync(join(made, 'package.json'), 'utf8'))).toMatchObject({ name: '@me/my-sensor' });
    const check = spawnSync(
      process.execPath,
      [
        join(ROOT, 'node_modules/typescript/bin/tsc'),
        '-p',
        made,
        '--noEmit',
        '--customConditions',
        '@pagurus/source',
        '--rootDir',
        ROOT,
      ],
      { encoding: 'utf8' },
    );
    expect(check.stdout).toBe('');
    const config = join(made, 'vitest.config.mjs');
    writeFileSync(
      config,
      `export default { resolve: { conditions: ['@pagurus/source'] }, ssr: { resolve: { conditions: ['@pagurus/source'] } } };`,
    );
    const test = spawnSync(
      process.execPath,
      [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--root', made, '--config', config],
      { encoding: 'utf8', cwd: made, env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined } },
    );
    expect(test.status, test.stdout + test.stderr).toBe(0);
    expect(test.stdout).toMatch(/Tests\s+\d+ passed/);
  });
});
