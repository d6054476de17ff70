import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Architecture, linuxGuest } from '@pagurus/guests/linux';

/** The benchmark guest (`guest/`) in Pagurus, v86 and QEMU's TCG, one after the other in one run. */
export interface GuestOptions {
  /** Each engine boots the guest so often; medians are shown. */
  readonly runs: number;
  /** Milliseconds for each benchmark in the guest. */
  readonly milliseconds: number;
  /** Benchmarks by name; empty: all. */
  readonly only: readonly string[];
  readonly architectures: readonly Architecture[];
}

export interface GuestRow {
  /** `seconds to shell`, `CPU seconds to shell`, or a benchmark such as `i686.sieve`. */
  readonly name: string;
  /** Seconds, or nanoseconds per operation that the engine had a CPU, of each engine that told one. */
  readonly values: ReadonlyMap<string, number>;
}

export interface GuestTable {
  readonly architecture: Architecture;
  readonly engines: readonly string[];
  readonly rows: readonly GuestRow[];
  /** `engine: line` for each result that the guest found wrong. */
  readonly wrong: readonly string[];
}

interface Engine {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

const SOURCES = fileURLToPath(new URL('../guest', import.meta.url));
const PAGURUS = fileURLToPath(new URL('../../../packages/pagurus/bin/pagurus.js', import.meta.url));
const V86_HOST = fileURLToPath(new URL('./v86-host.js', import.meta.url));
const BUILDS = { i386: ['i686', 'sse2'], amd64: ['amd64'] } as const;

/** @throws if the guest's programs cannot be compiled (a C compiler that takes -m32) or Debian's kernels cannot be had. */
export async function guestSuite(options: GuestOptions, progress: (text: string) => void): Promise<GuestTable[]> {
  const built = mkdtempSync(join(tmpdir(), 'pagurus-bench-'));
  execFileSync('make', ['-s', '-C', SOURCES, `OUT=${built}`], { stdio: ['ignore', 'inherit', 'inherit'] });
  const init = readFileSync(join(SOURCES, 'init'), 'utf8');
  const tables: GuestTable[] = [];
  for (const architecture of options.architectures) {
    const programs = Object.fromEntries(
      BUILDS[architecture].map((build) => [`bench-${build}`, readFileSync(join(built, `bench-${build}`))]),
    );
    const { kernel, initrd } = linuxGuest(architecture, init, { programs });
    const append = [
      'console=ttyS0 quiet panic=-1 tsc=reliable',
      `bench_ms=${options.milliseconds}`,
      ...(options.only.length > 0 ? [`bench=${options.only.join(',')}`] : []),
    ].join(' ');
    const engines = enginesFor(architecture, kernel, initrd, append);
    const figures = new Map<string, Map<string, number[]>>();
    const wrong: string[] = [];
    for (let run = 0; run < options.runs; run++)
      for (const engine of engines) {
        progress(`${architecture} ${engine.name}, run ${run + 1} of ${options.runs}`);
        await boot(engine, {
          figure(name, value) {
            const row = figures.get(name) ?? new Map<string, number[]>();
            figures.set(name, row);
            row.set(engine.name, [...(row.get(engine.name) ?? []), value]);
            progress(`  ${name} ${value.toPrecision(3)}`);
          },
          wrong: (line) => void wrong.push(`${engine.name}: ${line}`),
        });
      }
    const rows = [...figures].map(([name, row]) => ({
      name,
      values: new Map([...row].map(([engine, values]) => [engine, median(values)])),
    }));
    tables.push({ architecture, engines: engines.map(({ name }) => name), rows, wrong });
  }
  return tables;
}

function enginesFor(architecture: Architecture, kernel: string, initrd: string, append: string): Engine[] {
  const wide = architecture === 'amd64';
  const linux = ['-kernel', kernel, '-initrd', initrd];
  const engines: Engine[] = [];
  engines.push({
    name: 'pagurus',
    command: process.execPath,
    args: [
      ...[PAGURUS, 'run', '-M', 'pc-i440fx-7.2', '-target', wide ? 'x86_64' : 'i386', '-cpu', wide ? 'qemu64' : 'qemu32'],
      ...['-m', '128', '-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot', ...linux, '-append', append],
    ],
  });
  // v86 has no long mode.
  if (!wide && existsSync('/usr/share/seabios/bios-256k.bin'))
    engines.push({ name: 'v86', command: process.execPath, args: [V86_HOST, kernel, initrd, append] });
  const qemu = wide ? 'qemu-system-x86_64' : 'qemu-system-i386';
  if (spawnSync(qemu, ['--version']).status === 0)
    engines.push({
      name: 'qemu',
      command: qemu,
      args: [
        ...['-M', 'pc', '-accel', 'tcg', '-cpu', wide ? 'qemu64' : 'qemu32', '-m', '128', '-nodefaults', '-display', 'none'],
        ...['-serial', 'stdio', '-no-reboot', ...linux, '-append', append],
      ],
    });
  return engines;
}

/** CPU seconds that a process has had, all its threads; undefined where the host has no /proc. [proc(5)] stat, fields 14 and 15 */
function cpuSeconds(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

/** Of shorter intervals /proc says too little: its clock ticks a hundred times a second. */
const INTERVAL = 200;

/** CPU time over time since it was asked last. What a benchmark measured on a shared host is too much by what is missing to 1. */
function shareOf(pid: number): () => number {
  let [wall, cpu, share] = [performance.now(), cpuSeconds(pid), 1];
  return () => {
    const [nowWall, nowCpu] = [performance.now(), cpuSeconds(pid)];
    if (cpu !== undefined && nowCpu !== undefined && nowWall - wall >= INTERVAL) {
      share = (nowCpu - cpu) / ((nowWall - wall) / 1000);
      [wall, cpu] = [nowWall, nowCpu];
    }
    return share;
  };
}

interface Sink {
  figure(name: string, value: number): void;
  wrong(line: string): void;
}

/** Boots the guest once, until it ends or says that it is done. */
function boot(engine: Engine, sink: Sink): Promise<void> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(engine.command, engine.args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const share = child.pid === undefined ? () => 1 : shareOf(child.pid);
    let text = '';
    let done = false;
    child.stdout.setEncoding('latin1').on('data', (data: string) => {
      text += data;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = text.slice(0, end).trim();
        text = text.slice(end + 1);
        const figure = /^(\w+\.\w+) ([\d.]+) \d+$/.exec(line);
        if (figure) sink.figure(figure[1]!, Number(figure[2]) * Math.min(1, share()));
        else if (/ BAD /.test(line)) sink.wrong(line);
        else if (line.startsWith('READY ')) {
          const seconds = (performance.now() - start) / 1000;
          sink.figure('seconds to shell', seconds);
          sink.figure('CPU seconds to shell', seconds * share());
        } else if (line.startsWith('BENCHDONE ')) {
          done = true;
          child.kill();
        }
      }
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (done) resolve();
      else reject(new Error(`${engine.name} ended with ${code} before the guest was done; its last words: ${text.slice(-200)}`));
    });
  });
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Of a benchmark: `i686` (x87, no SSE), `sse2`, `amd64`, or `run` (busybox). */
export const buildOf = (name: string): string | undefined => (name.includes('.') ? name.slice(0, name.indexOf('.')) : undefined);

/** Geometric mean of `engine`'s time over `peer`'s, of the benchmarks that both have; below 1, `engine` is faster. */
export function geometricMean(rows: readonly GuestRow[], engine: string, peer: string): number | undefined {
  const logarithms = rows
    .filter(({ name }) => buildOf(name) !== undefined)
    .flatMap(({ values }) => {
      const [one, other] = [values.get(engine), values.get(peer)];
      return one !== undefined && other !== undefined && one > 0 && other > 0 ? [Math.log(one / other)] : [];
    });
  if (logarithms.length === 0) return undefined;
  return Math.exp(logarithms.reduce((sum, value) => sum + value, 0) / logarithms.length);
}
