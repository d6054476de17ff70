import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackages } from '@pagurus/guests/linux';

/** A program and what comes before its own arguments. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu', 'usr/lib', 'lib'];
const DATA = ['usr/share/qemu', 'usr/share/seabios', 'usr/lib/ipxe/qemu'];

/**
 * QEMU 10.0 of Debian trixie, run by its own dynamic linker with its own C library, whatever the host has.
 * @throws if the packages cannot be had.
 */
export function qemu10(program: 'qemu-system-i386' | 'qemu-system-x86_64'): Program {
  const root = debianPackages('trixie-qemu-amd64', {
    architecture: 'amd64',
    suite: 'trixie',
    packages: ['qemu-system-x86'],
    closure: true,
  });
  const libraries = LIBRARIES.map((folder) => join(root, folder)).filter((folder) => existsSync(folder));
  const linker = libraries
    .map((folder) => readdirSync(folder).find((name) => name.startsWith('ld-linux-x86-64.so')))
    .map((name, i) => (name ? join(libraries[i]!, name) : undefined))
    .find((path) => path !== undefined);
  if (!linker) throw new Error(`no dynamic linker below ${root}`);
  return {
    command: linker,
    args: [
      '--library-path',
      libraries.join(':'),
      '--argv0',
      program,
      join(root, 'usr/bin', program),
      ...DATA.flatMap((folder) => ['-L', join(root, folder)]),
    ],
    env: { QEMU_MODULE_DIR: join(root, 'usr/lib/x86_64-linux-gnu/qemu') },
  };
}
