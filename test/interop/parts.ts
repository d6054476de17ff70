import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe } from 'vitest';
import { qemu10 } from './qemu10.js';

const succeeds = (action: () => void): boolean => {
  try {
    action();
    return true;
  } catch (error) {
    console.warn((error as Error).message.split('\n')[0]);
    return false;
  }
};

/** Real parts and how their presence is seen. */
const PROBES = {
  qemu: () => spawnSync('qemu-system-i386', ['--version']).status === 0,
  /** qemu-utils. */
  'qemu-img': () => spawnSync('qemu-img', ['--version']).status === 0,
  /** grub-common, grub-pc-bin, xorriso, mtools: `grub-mkrescue`. */
  grub: () => spawnSync('grub-mkrescue', ['--version']).status === 0 && spawnSync('mformat', ['--version']).status === 0,
  /** mke2fs, e2fsck, debugfs. */
  e2fsprogs: () => existsSync('/sbin/mke2fs') && existsSync('/sbin/debugfs'),
  seabios: () => existsSync('/usr/share/seabios/bios-256k.bin'),
  /** binutils. */
  objdump: () => spawnSync('objdump', ['--version']).status === 0,
  /** A terminal that can be looked at. */
  tmux: () => spawnSync('tmux', ['-V']).status === 0,
  /** A processor to ask, and a compiler for the program that asks it. */
  amd64: () =>
    existsSync('/proc/cpuinfo') &&
    readFileSync('/proc/cpuinfo', 'latin1').includes('AuthenticAMD') &&
    process.arch === 'x64' &&
    spawnSync('cc', ['--version']).status === 0,
  nasm: () => spawnSync('nasm', ['--version']).status === 0,
  /** Debian's kernels and busybox, fetched as packages. */
  guests: () => spawnSync('apt-get', ['--version']).status === 0 && spawnSync('dpkg-deb', ['--version']).status === 0,
  /** QEMU 10.0 of Debian trixie, unpacked beside the host's own (see qemu10.ts). */
  qemu10: () => process.arch === 'x64' && succeeds(() => qemu10('qemu-system-i386')),
  /** Where npm finds what the packages depend on. */
  registry: () => spawnSync('npm', ['view', 'commander', 'version'], { shell: process.platform === 'win32' }).status === 0,
  chromium: () => existsSync('/usr/bin/chromium'),
} as const;

export type Part = keyof typeof PROBES;

const required = new Set((process.env.PAGURUS_REQUIRE ?? '').split(',').filter(Boolean));
for (const name of required)
  if (!(name in PROBES)) throw new Error(`PAGURUS_REQUIRE names '${name}'; known: ${Object.keys(PROBES).join(', ')}`);

/** Runs the suite where all parts are here; says what is absent otherwise, and fails where PAGURUS_REQUIRE names an absent part. */
export function withParts(title: string, parts: readonly Part[], suite: () => void): void {
  const absent = parts.filter((part) => !PROBES[part]());
  const missing = absent.filter((part) => required.has(part));
  if (missing.length > 0) throw new Error(`${title}: required but not installed: ${missing.join(', ')}`);
  if (absent.length > 0) console.warn(`skipped: ${title} (not installed: ${absent.join(', ')})`);
  describe.skipIf(absent.length > 0)(title, suite);
}
