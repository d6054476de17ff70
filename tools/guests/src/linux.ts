import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

export type Architecture = 'i386' | 'amd64';

export interface LinuxGuest {
  readonly kernel: string;
  /** Initial RAM disk with busybox and the given /init, gzip-compressed. */
  readonly initrd: string;
}

const META = { i386: 'linux-image-686', amd64: 'linux-image-amd64' } as const;
const CACHE = join(tmpdir(), 'pagurus-linux-guests');

/**
 * Debian's kernel and busybox for an architecture, by `apt-get download` into a cache outside the repository; whatever the host's own
 * architecture is, and without root.
 * @param init the text of /init
 * @param programs more files of /bin, by name
 * @throws if the packages cannot be had.
 */
export function linuxGuest(
  architecture: Architecture,
  init: string,
  programs: Readonly<Record<string, Uint8Array>> = {},
): LinuxGuest {
  const folder = join(CACHE, architecture);
  if (!existsSync(join(folder, 'busybox'))) download(architecture, folder);
  const initrd = join(mkdtempSync(join(tmpdir(), 'pagurus-initrd-')), 'initrd.gz');
  const busybox = readFileSync(join(folder, 'busybox'));
  const files: Entry[] = Object.entries(programs).map(([name, bytes]) => [`bin/${name}`, bytes, 0o100755]);
  writeFileSync(
    initrd,
    gzipSync(cpio([...FOLDERS, ['bin/busybox', busybox, 0o100755], ...files, ['init', Buffer.from(init), 0o100755]])),
  );
  return { kernel: join(folder, 'vmlinuz'), initrd };
}

function download(architecture: Architecture, folder: string): void {
  const work = join(folder, 'work');
  rmSync(folder, { recursive: true, force: true });
  for (const part of ['apt/lists/partial', 'apt/cache/archives/partial', 'unpacked'])
    mkdirSync(join(work, part), { recursive: true });
  writeFileSync(join(work, 'apt/status'), '');
  const options = [
    ['APT::Architecture', architecture],
    ['APT::Architectures', architecture],
    ['Dir::State', join(work, 'apt')],
    ['Dir::State::status', join(work, 'apt/status')],
    ['Dir::Cache', join(work, 'apt/cache')],
    ['APT::Sandbox::User', ''],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const apt = (program: string, ...args: string[]) =>
    execFileSync(program, ['-q', ...options, ...args], { cwd: work, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    apt('apt-get', 'update');
  } catch {
    // A mirror in the middle of a synchronisation leaves one list out; the download below tells whether that matters.
  }
  const kernel = /Depends: (linux-image-\d\S*)/.exec(apt('apt-cache', 'depends', META[architecture]))?.[1];
  if (!kernel) throw new Error(`no kernel behind ${META[architecture]}`);
  for (const name of ['busybox-static', kernel]) apt('apt-get', 'download', name);
  for (const file of readdirSync(work).filter((name) => name.endsWith('.deb')))
    execFileSync('dpkg-deb', ['-x', file, 'unpacked'], { cwd: work });
  const boot = join(work, 'unpacked/boot');
  copyFileSync(join(boot, readdirSync(boot).find((name) => name.startsWith('vmlinuz-'))!), join(folder, 'vmlinuz'));
  const busybox = ['bin', 'usr/bin'].map((bin) => join(work, 'unpacked', bin, 'busybox')).find(existsSync)!;
  copyFileSync(busybox, join(folder, 'busybox'));
  rmSync(work, { recursive: true });
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
