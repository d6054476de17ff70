import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { linuxGuest } from '@pagurus/guests/linux';

/** What one engine did with one format. */
export interface DiskFigures {
  readonly engine: string;
  readonly format: string;
  /** By name: megabytes or requests per second. */
  readonly rates: ReadonlyMap<string, number>;
}

const PAGURUS = fileURLToPath(new URL('../../../packages/pagurus/bin/pagurus.js', import.meta.url));
const SIZE = 64 * 2 ** 20;
/** Requests of one kind. */
const REQUESTS = 400;
const MODULES = ['ata_generic', 'ata_piix', 'crct10dif_generic', 'crc64_rocksoft_generic', 'sd_mod'];

/** dd of busybox tells seconds: the same work on /dev/sda everywhere, past the guest's own cache. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t devtmpfs dev /dev
for module in /lib/modules/*; do insmod $module; done
i=0; while [ ! -b /dev/sda ] && [ $i -lt 200 ]; do sleep 0.1; i=$((i+1)); done
run() { name=$1; shift; echo "FIGURE $name $(dd "$@" 2>&1 | grep copied)"; }
run write-new-MB/s if=/dev/zero of=/dev/sda bs=256k count=96 oflag=direct
run write-again-MB/s if=/dev/zero of=/dev/sda bs=256k count=96 oflag=direct
run read-MB/s if=/dev/sda of=/dev/null bs=256k count=96 iflag=direct
run write-4k/s if=/dev/zero of=/dev/sda bs=4k count=${REQUESTS} seek=9000 oflag=direct
run read-4k/s if=/dev/sda of=/dev/null bs=4k count=${REQUESTS} skip=100 iflag=direct
echo DISKDONE
`;

/** Boots the guest with an IDE disk of each format in each engine that is here. */
export async function diskSuite(progress: (text: string) => void): Promise<DiskFigures[]> {
  const folder = mkdtempSync(join(tmpdir(), 'pagurus-disk-'));
  try {
    const { kernel, initrd } = linuxGuest('i386', INIT, { modules: MODULES });
    const figures: DiskFigures[] = [];
    const present = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
    for (const format of present('qemu-img') ? ['raw', 'qcow2'] : ['raw'])
      for (const engine of present('qemu-system-i386') ? ['pagurus', 'qemu'] : ['pagurus']) {
        progress(`${engine} ${format}`);
        const image = join(folder, `${engine}.${format}`);
        if (format === 'raw') {
          writeFileSync(image, '');
          truncateSync(image, SIZE);
        } else execFileSync('qemu-img', ['create', '-q', '-f', format, image, String(SIZE)]);
        const machine = ['-M', 'pc-i440fx-7.2', '-m', '96', '-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot'];
        const linux = ['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 quiet panic=-1'];
        const args = [...machine, ...linux, '-drive', `file=${image},format=${format},if=ide`];
        const [command, first] =
          engine === 'pagurus' ? [process.execPath, [PAGURUS, 'run']] : ['qemu-system-i386', ['-accel', 'tcg']];
        figures.push({ engine, format, rates: await boot(command, [...first, ...args]) });
      }
    return figures;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function boot(command: string, args: readonly string[]): Promise<ReadonlyMap<string, number>> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    let done = false;
    child.stdout.setEncoding('latin1').on('data', (data: string) => {
      text += data;
      if (done || !text.includes('DISKDONE')) return;
      done = true;
      child.kill();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (!done) {
        reject(new Error(`${command} ended with ${code}; its last words: ${text.slice(-300)}`));
        return;
      }
      const lines = [...text.matchAll(/FIGURE (\S+) (\d+) bytes.*copied, ([\d.]+) seconds/g)];
      resolve(
        new Map(
          lines.map(([, name, bytes, seconds]) => [
            name!,
            (name!.endsWith('MB/s') ? Number(bytes) / 1e6 : REQUESTS) / Number(seconds),
          ]),
        ),
      );
    });
  });
}
