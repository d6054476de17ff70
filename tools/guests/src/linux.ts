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

/**
 * Debian's kernel and busybox for an architecture, as packages in a cache outside the repository; whatever the host's own architecture
 * is, and without root.
 * @param init the text of /init
 * @param programs more files of /bin, by name
 * @param suite the host's own release (bookworm: kernel 6.1) or another (trixie: 6.12, amd64 only).
 * @throws if the packages cannot be had.
 */
export function linuxGuest(
  architecture: Architecture,
  init: string,
  programs: Readonly<Record<string, Uint8Array>> = {},
  suite: Suite = 'host',
): LinuxGuest {
  const root = debianPackages(`${suite}-linux-${architecture}`, {
    architecture,
    suite,
    packages: ['busybox-static', `depends:${META[architecture]}`],
    without: ['lib/modules', 'usr/lib/modules', 'usr/share'],
  });
  const boot = join(root, 'boot');
  const kernel = readdirSync(boot).find((name) => name.startsWith('vmlinuz-'));
  const busybox = ['bin', 'usr/bin'].map((bin) => join(root, bin, 'busybox')).find(existsSync);
  if (!kernel || !busybox) throw new Error(`no kernel or busybox below ${root}`);
  const initrd = join(mkdtempSync(join(tmpdir(), 'pagurus-initrd-')), 'initrd.gz');
  const files: Entry[] = Object.entries(programs).map(([name, bytes]) => [`bin/${name}`, bytes, 0o100755]);
  writeFileSync(
    initrd,
    gzipSync(
      cpio([...FOLDERS, ['bin/busybox', readFileSync(busybox), 0o100755], ...files, ['init', Buffer.from(init), 0o100755]]),
    ),
  );
  return { kernel: join(boot, kernel), initrd };
}

type Entry = readonly [name: string, data: Uint8Array, mode: number];
const FOLDERS: readonly Entry[] = ['bin', 'dev', 'proc', 'sys', 'tmp'].map((name) => [name, new Uint8Array(), 0o40755]);

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
