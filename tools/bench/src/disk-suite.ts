import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DISK_WRITER, diskWriter } from '@pagurus/guests/disk-writer';

/** What one engine did with one format. */
export interface DiskFigures {
  readonly engine: string;
  readonly format: string;
  /** By name: megabytes or requests per second. */
  readonly rates: ReadonlyMap<string, number>;
}

const PAGURUS = fileURLToPath(new URL('../../../packages/pagurus/bin/pagurus.js', import.meta.url));
const DISK = 32 * 2 ** 20;

/** The writing guest under SeaBIOS, with an IDE disk of each format in each engine that is here; medians of `runs`. */
export async function diskSuite(runs: number, progress: (text: string) => void): Promise<DiskFigures[]> {
  const folder = mkdtempSync(join(tmpdir(), 'pagurus-disk-'));
  const present = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
  try {
    const source = join(folder, 'source.img');
    writeFileSync(source, diskWriter());
    truncateSync(source, DISK);
    const figures: DiskFigures[] = [];
    for (const format of present('qemu-img') ? ['raw', 'qcow2'] : ['raw'])
      for (const engine of present('qemu-system-i386') ? ['pagurus', 'qemu'] : ['pagurus']) {
        const all: ReadonlyMap<string, number>[] = [];
        for (let run = 0; run < runs; run++) {
          progress(`${engine} ${format}, run ${run + 1} of ${runs}`);
          const image = join(folder, `${engine}.${format}`);
          if (format === 'raw') copyFileSync(source, image);
          else execFileSync('qemu-img', ['convert', '-q', '-f', 'raw', '-O', format, source, image]);
          const machine = '-M pc-i440fx-7.2 -m 32 -display none -serial stdio -device isa-debug-exit'.split(' ');
          const args = [...machine, '-drive', `file=${image},format=${format},if=ide`];
          const [command, first] =
            engine === 'pagurus' ? [process.execPath, [PAGURUS, 'run']] : ['qemu-system-i386', ['-accel', 'tcg']];
          all.push(await measure(command, [...first, ...args]));
        }
        const names = [...all[0]!.keys()];
        figures.push({ engine, format, rates: new Map(names.map((name) => [name, median(all.map((one) => one.get(name)!))])) });
      }
    return figures;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Seconds between the letters that the guest sends. */
function measure(command: string, args: readonly string[]): Promise<ReadonlyMap<string, number>> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const times = new Map<string, number>();
    let text = '';
    child.stdout.setEncoding('latin1').on('data', (data: string) => {
      text += data;
      for (const letter of data) times.set(letter, performance.now());
    });
    child.on('error', reject);
    child.on('close', () => {
      if (text !== 'SWRQ') {
        reject(new Error(`${command}: the guest said '${text}' instead of 'SWRQ'`));
        return;
      }
      const seconds = (from: string, to: string): number => (times.get(to)! - times.get(from)!) / 1000;
      const megabytes = DISK_WRITER.BYTES / 1e6;
      resolve(
        new Map([
          ['write MB/s', megabytes / seconds('S', 'W')],
          ['read MB/s', megabytes / seconds('W', 'R')],
          ['4 KiB reads/s', DISK_WRITER.SMALL / seconds('R', 'Q')],
        ]),
      );
    });
  });
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
