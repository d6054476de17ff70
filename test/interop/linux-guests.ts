import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Where the busybox of a guest lies beside its kernel. */
export function busyboxOf(kernel: string): string {
  const root = dirname(dirname(kernel));
  const found = ['bin/busybox', 'usr/bin/busybox'].map((path) => join(root, path)).find(existsSync);
  if (!found) throw new Error(`no busybox below ${root}`);
  return found;
}

/** What real hardware says: a shell script run by the guest's own busybox on this host. Its first argument is busybox itself. */
export function onThisHost(busybox: string, script: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'pagurus-applets-'));
  try {
    const names = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean);
    for (const name of names) if (name !== 'busybox') symlinkSync(busybox, join(folder, name));
    writeFileSync(join(folder, 'script'), script);
    return execFileSync(busybox, ['sh', join(folder, 'script'), busybox], { encoding: 'utf8', env: { PATH: folder } });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
