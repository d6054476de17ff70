import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Architecture, debianPackages, type Suite } from './debian.js';

export { type Architecture, debianPackages, type Suite, type Wanted } from './debian.js';

export interface LinuxGuest {
  readonly kernel: string;
  /** Initial RAM disk with busybox and the given /init, gzip-compressed. */
  readonly initrd: string;
}

const META = { i386: 'linux-image-686', amd64: 'linux-image-amd64' } as const;

export interface LinuxOptions {
  /** More files of /bin, by name. */
  readonly programs?: Readonly<Record<string, Uint8Array>>;
  /** Modules of the kernel, by name (`e1000`); with what they depend on they become /lib/modules/NN-NAME.ko, to be loaded in that order. */
  readonly modules?: readonly string[];
  /** The host's own release (bookworm: kernel 6.1) or another (trixie: 6.12, amd64 only). */
  readonly suite?: Suite;
}

/**
 * Debian's kernel and busybox for an architecture, as packages in a cache outside the repository; whatever the host's own architecture
 * is, and without root.
 * @param init the text of /init
 * @throws if the packages cannot be had, or the kernel has no such module.
 */
export function linuxGuest(
  architecture: Architecture,
  init: string,
  { programs = {}, modules = [], suite = 'host' }: LinuxOptions = {},
): LinuxGuest {
  const root = debianPackages(`${suite}-kernel-${architecture}`, {
    architecture,
    suite,
    packages: ['busybox-static', `depends:${META[architecture]}`],
    without: ['usr/share'],
  });
  const boot = join(root, 'boot');
  const kernel = readdirSync(boot).find((name) => name.startsWith('vmlinuz-'));
  const busybox = ['bin', 'usr/bin'].map((bin) => join(root, bin, 'busybox')).find(existsSync);
  if (!kernel || !busybox) throw new Error(`no kernel or busybox below ${root}`);
  const initrd = join(mkdtempSync(join(tmpdir(), 'pagurus-initrd-')), 'initrd.gz');
  const files: Entry[] = Object.entries(programs).map(([name, bytes]) => [`bin/${name}`, bytes, 0o100755]);
  files.push(['bin/busybox', readFileSync(busybox), 0o100755], ['init', Buffer.from(init), 0o100755]);
  files.push(...withDependencies(root, modules).map(([name, bytes]): Entry => [`lib/modules/${name}.ko`, bytes, 0o100644]));
  writeFileSync(initrd, gzipSync(cpio([...FOLDERS, ...files])));
  return { kernel: join(boot, kernel), initrd };
}

/** Modules in an order in which they can be loaded. */
function withDependencies(root: string, names: readonly string[]): [name: string, bytes: Buffer][] {
  if (names.length === 0) return [];
  const base = ['lib/modules', 'usr/lib/modules'].map((folder) => join(root, folder)).find(existsSync);
  const files = base === undefined ? [] : readdirSync(base, { recursive: true, encoding: 'utf8' });
  const plain = (name: string) => name.replaceAll('-', '_');
  const found = new Map<string, Buffer>();
  const add = (name: string): void => {
    if (found.has(plain(name))) return;
    const file = files.find((path) => new RegExp(`(^|/)${plain(name).replaceAll('_', '[-_]')}\\.ko(\\.xz)?$`).test(path));
    if (!file) throw new Error(`the kernel below ${root} has no module '${name}'`);
    const path = join(base!, file);
    const bytes = file.endsWith('.xz') ? execFileSync('xz', ['-dc', path], { maxBuffer: 2 ** 26 }) : readFileSync(path);
    const depends = /\0depends=([^\0]*)\0/.exec(bytes.toString('latin1'))?.[1] ?? '';
    for (const other of depends.split(',').filter(Boolean)) add(other);
    found.set(plain(name), bytes);
  };
  for (const name of names) add(name);
  return [...found].map(([name, bytes], i) => [`${String(i).padStart(2, '0')}-${name}`, bytes]);
}

type Entry = readonly [name: string, data: Uint8Array, mode: number];
const FOLDERS: readonly Entry[] = ['bin', 'dev', 'lib', 'lib/modules', 'proc', 'sys', 'tmp'].map((name) => [
  name,
  new Uint8Array(),
  0o40755,
]);

/** A cpio archive in the "new ASCII" format. [cpio(5)] */
function cpio(entries: readonly Entry[]): Buffer {
  const hex = (value: number) => value.toString(16).padStart(8, '0');
  const padded = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  const parts = [...entries, ['TRAILER!!!', new Uint8Array(), 0] as Entry].flatMap(([name, data, mode], inode) => {
    const fields = [inode + 1, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
    return [padded(Buffer.from(`070701${fields.map(hex).join('')}${name}\0`, 'latin1')), padded(data)];
  });
  return Buffer.concat(parts);
}
