import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackages, linuxGuest } from '@pagurus/guests/linux';

const MIB = 2 ** 20;
/** The first partition begins here, so that GRUB's core has its place behind the boot sector. */
export const PARTITION = MIB;
const GRUB = '/usr/lib/grub/i386-pc';

/** What Debian's kernel has as modules on the way to an ext4 root on an IDE disk, besides what these depend on. */
export const DISK_MODULES = [
  'ata_generic',
  'ata_piix',
  'crct10dif_generic',
  'crc64_rocksoft_generic',
  'sd_mod',
  'sr_mod',
  'isofs',
  'crc32c_generic',
  'ext4',
];

/** For /init. */
export const LOAD_MODULES = 'for module in /lib/modules/*; do insmod $module; done';

const INITRD = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
${LOAD_MODULES}
i=0; while [ ! -b /dev/sda1 ] && [ $i -lt 100 ]; do sleep 0.2; i=$((i+1)); done
mkdir -p /root
mount -t ext4 /dev/sda1 /root || { echo "NO ROOT"; poweroff -f; }
mount --move /dev /root/dev
umount /sys /proc
exec switch_root /root /sbin/init
`;

/** GRUB's boot sector and core, as they lie before the first partition; it looks for its menu in /boot/grub there. */
export function grubBoot(folder: string): Uint8Array {
  const core = join(folder, 'core.img');
  const modules = [
    'biosdisk',
    'part_msdos',
    'ext2',
    'normal',
    'configfile',
    'linux',
    'echo',
    'sleep',
    'serial',
    'terminal',
    'reboot',
    'halt',
  ];
  execFileSync('grub-mkimage', ['-O', 'i386-pc', '-p', '(hd0,msdos1)/boot/grub', '-o', core, ...modules]);
  return Buffer.concat([readFileSync(join(GRUB, 'boot.img')), readFileSync(core)]);
}

/**
 * A bootable hard disk image of 64 MiB, made without root: GRUB, an ext4 partition with Debian's kernel, busybox and `/sbin/init`.
 * @param script what /sbin/init does
 * @param applets programs of busybox that it calls
 */
export function hardDisk(folder: string, script: string, applets: readonly string[], menu: string): string {
  const image = join(folder, 'disk.img');
  const tree = join(folder, 'tree');
  const { kernel, initrd } = linuxGuest('i386', INITRD, { modules: DISK_MODULES });
  for (const name of ['bin', 'sbin', 'dev', 'proc', 'sys', 'boot/grub', 'work']) mkdirSync(join(tree, name), { recursive: true });
  copyFileSync(kernel, join(tree, 'boot/vmlinuz'));
  copyFileSync(initrd, join(tree, 'boot/initrd.gz'));
  copyFileSync(busybox(), join(tree, 'bin/busybox'));
  for (const name of applets) symlinkSync('busybox', join(tree, 'bin', name));
  writeFileSync(join(tree, 'boot/grub/grub.cfg'), menu);
  writeFileSync(join(tree, 'sbin/init'), script, { mode: 0o755 });

  const sectors = 64 * 2048;
  const table = Buffer.alloc(64);
  // Active, Linux, no CHS addresses that anybody reads; first sector and length.
  table.set([0x80, 0x20, 0x21, 0, 0x83, 0xfe, 0xff, 0xff]);
  table.writeUInt32LE(PARTITION / 512, 8);
  table.writeUInt32LE(sectors - PARTITION / 512, 12);
  const start = Buffer.from(grubBoot(folder));
  start.set(table, 446);
  writeFileSync(image, start);
  truncateSync(image, sectors * 512);
  const blocks = String((sectors * 512 - PARTITION) / 1024);
  const options = ['-q', '-t', 'ext4', '-b', '1024', '-O', '^metadata_csum_seed,^orphan_file', '-E', `offset=${PARTITION}`];
  execFileSync('/sbin/mke2fs', [...options, '-d', tree, '-U', '5e7f3a10-0000-4000-8000-000000000001', image, blocks]);
  return image;
}

function busybox(): string {
  const root = debianPackages('host-busybox-i386', { architecture: 'i386', suite: 'host', packages: ['busybox-static'] });
  const find = execFileSync('find', [root, '-name', 'busybox', '-type', 'f', '-perm', '/111'], { encoding: 'utf8' });
  return find.trim().split('\n')[0]!;
}

/** The files of the first partition, by path: kind, mode, contents. */
export function filesOf(image: string, folder: string): Record<string, string> {
  mkdirSync(folder, { recursive: true });
  execFileSync('/sbin/debugfs', ['-R', `rdump / ${folder}`, `${image}?offset=${PARTITION}`], { stdio: 'ignore' });
  const lines = execFileSync('sh', ['-c', 'find . -printf "%y %m %p %l\\\\n" | sort; find . -type f | sort | xargs sha256sum'], {
    cwd: folder,
    encoding: 'utf8',
  });
  return Object.fromEntries(
    lines
      .trim()
      .split('\n')
      .map((line, i) => [`${i}`, line]),
  );
}

/** @throws with e2fsck's words unless the file system is clean. */
export function checkFileSystem(image: string): void {
  execFileSync('/sbin/e2fsck', ['-f', '-n', `${image}?offset=${PARTITION}`], { stdio: 'pipe' });
}
