import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tftpFolder } from './tftp-folder.js';

const base = mkdtempSync(join(tmpdir(), 'pagurus-tftp-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const folder = join(base, 'served');
mkdirSync(join(folder, 'below'), { recursive: true });
mkdirSync(join(base, 'served-not'));
writeFileSync(join(folder, 'below', 'file'), 'hello');
writeFileSync(join(base, 'secret'), 'secret');
writeFileSync(join(base, 'served-not', 'secret'), 'secret');
symlinkSync(join(base, 'secret'), join(folder, 'link-out'));
symlinkSync('below/file', join(folder, 'link-in'));

describe('a folder behind TFTP', () => {
  it.each(['below/file', 'link-in'])('%s is read', (name) => {
    const file = tftpFolder(folder).open(name)!;
    const bytes = new Uint8Array(4);
    expect([file.size, file.read(1, bytes), Buffer.from(bytes).toString()]).toEqual([5, 4, 'ello']);
    file.close();
  });

  it.each(['../secret', 'below/../../secret', '../served-not/secret', 'link-out', 'below', '', 'nothing', 'a\0b'])(
    '%j is not there',
    (name) => {
      expect(tftpFolder(folder).open(name)).toBeUndefined();
    },
  );

  it('must be there', () => {
    expect(() => tftpFolder(join(base, 'nowhere'))).toThrow(/tftp=.*nowhere/);
  });
});
