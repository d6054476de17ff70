import { HeartbeatFollower } from '@pagurus/guests';
import type { MigrationInfo } from '@pagurus/migration';
import { MultiBar } from 'cli-progress';
import { eventTime } from './event-log.js';
import { EXIT_CODES, SIGNAL_CODE } from './exit-codes.js';
import { demoFolder, MachineProcess, type RunEvent } from './machine-process.js';
import { BAR_OPTIONS, migrationPayload, migrationShare } from './progress.js';
import type { CommandHost } from './run.js';

export interface DemoOptions {
  /** Leave the guest at its prompt, with this terminal as its console. */
  readonly interactive: boolean;
  /** The front door's script. */
  readonly program: string;
  /** Machine-readable summary on standard output and nothing else there. */
  readonly json: boolean;
}

/** What the demonstration found. */
export interface DemoSummary {
  readonly machine: string;
  readonly bytes_sent: number;
  readonly dirty_rounds: number;
  readonly pages: { readonly whole: number; readonly zero: number };
  readonly total_ms: number;
  /** From the moment the source stopped to the moment the destination ran. */
  readonly pause_ms: number;
  readonly heartbeats: { readonly source: number; readonly destination: number; readonly problems: readonly string[] };
  readonly memory: string;
}

const MACHINE = 'pc-i440fx-7.2';
const MEMORY_MIB = 32;
const DIRTY_MEBIBYTES = 2;
/** Slow enough to be seen, with a guest that writes meanwhile. */
const BANDWIDTH = '16M';
/** Milliseconds that the machine may stand still, as far as that can be foreseen. */
const DOWNTIME_LIMIT = 30;
const BEATS_BEFORE = 5;
const BEATS_AFTER = 6;

/** How the guest clears a half-typed line: to its left end, erase to the right. */
const ERASE = '\r\x1b[K';

/** Shows lines, and below them a bar while something is under way. */
class Stage {
  private readonly bars: MultiBar | undefined;
  private bar: ReturnType<MultiBar['create']> | undefined;
  private shown = -25;
  private most = 0;

  constructor(
    private readonly host: CommandHost,
    quiet: boolean,
  ) {
    this.quiet = quiet;
    if (process.stdout.isTTY && !quiet)
      this.bars = new MultiBar({ ...BAR_OPTIONS, stream: process.stdout, clearOnComplete: false });
  }

  private readonly quiet: boolean;

  line(text: string): void {
    if (this.quiet) return;
    if (this.bar) this.bars!.log(`${text}\n`);
    else this.host.out(`${text}\n`);
  }

  progress(info: MigrationInfo): void {
    const share = migrationShare(info);
    const payload = migrationPayload(info);
    this.most = Math.max(this.most, share);
    if (this.bars) {
      this.bar ??= this.bars.create(100, 0, payload);
      this.bar.update(this.most, payload);
      this.bars.update();
    } else if (this.most >= this.shown + 25) {
      this.shown = this.most - (this.most % 25);
      this.line(`migrating ${this.most}% | ${payload.sent} MiB sent | round ${payload.round} | ${payload.remaining} MiB left`);
    }
  }

  done(): void {
    if (this.bar) this.bars!.stop();
    this.bar = undefined;
  }
}

/**
 * Boots the embedded guest in one process, moves it, running, over TCP to another one, and checks every heartbeat on the way.
 * @returns the exit code: 0 if nothing was lost.
 */
export async function runDemo(options: DemoOptions, host: CommandHost): Promise<number> {
  const { folder, guest, remove } = demoFolder();
  const machines: MachineProcess[] = [];
  const stage = new Stage(host, options.json);
  const end = (): void => {
    stage.done();
    for (const machine of machines) machine.kill();
    remove();
  };
  const interrupted = (_name: NodeJS.Signals, number: number): void => {
    end();
    process.exit(SIGNAL_CODE + number);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    const start = (name: string, serial: string, ...args: string[]): MachineProcess => {
      const common = ['-M', MACHINE, '-m', String(MEMORY_MIB), '-nodefaults', '-display', 'none', '-kernel', guest];
      const machine = new MachineProcess(name, options.program, folder, [
        ...common,
        '-append',
        `dirty=${DIRTY_MEBIBYTES}`,
        '-serial',
        serial,
        ...args,
      ]);
      machines.push(machine);
      return machine;
    };
    stage.line(
      `A ${MACHINE} with ${MEMORY_MIB} MiB boots the embedded guest, which rewrites ${DIRTY_MEBIBYTES} MiB of its memory a second.\n`,
    );
    const source = start('source', 'stdio');
    const lines = new ConsoleLines((text, from) => stage.line(`${from.padEnd(11)} | ${text}`));
    source.onConsole = (bytes) => lines.push(bytes, 'source');
    await source.untilConsole(new RegExp(`beat ${BEATS_BEFORE} [^\\n]*\\n`));

    const destination = start('destination', options.interactive ? 'mon:stdio' : 'stdio', '-incoming', 'tcp:127.0.0.1:0');
    const waiting: Buffer[] = [];
    destination.onConsole = (bytes) => void waiting.push(bytes);
    const { uri } = (await destination.untilEvent('X_LISTENING')).data!;
    stage.line(`\nIt moves to another process, over ${uri}, and keeps running:\n`);
    source.onEvent = ({ event, data }) => {
      if (event === 'X_MIGRATION_PROGRESS') stage.progress(data!);
    };
    await source.monitor('migrate_set_capability return-path on');
    await source.monitor(`migrate_set_parameter max-bandwidth ${BANDWIDTH}`);
    await source.monitor(`migrate_set_parameter downtime-limit ${DOWNTIME_LIMIT}`);
    await source.monitor(`migrate -d ${uri}`);
    const finished = await source.untilEvent('MIGRATION', ({ data }) => /completed|failed|cancelled/.test(data!.status));
    const info = lastProgress(source.events);
    stage.done();
    if (finished.data!.status !== 'completed')
      throw new Error(`the migration ${finished.data!.status}: ${info['error-desc'] ?? ''}`);
    const resumed = await destination.untilEvent('RESUME');
    await source.quit();

    stage.line('\nHere it goes on:\n');
    const before = lines.follower.beats.length;
    destination.onConsole = (bytes) => lines.push(bytes, 'destination');
    for (const bytes of waiting) lines.push(bytes, 'destination');
    const last = new RegExp(`beat ${before + BEATS_AFTER} [^\\n]*\\n`);
    await destination.untilConsole(last);
    destination.type('sum\r');
    const [, memory] = await destination.untilConsole(/(sum pages=.*)\r\n/);
    const summary: DemoSummary = {
      machine: MACHINE,
      bytes_sent: info.ram!.transferred,
      dirty_rounds: info.ram!['dirty-sync-count'],
      pages: { whole: info.ram!.normal, zero: info.ram!.duplicate },
      total_ms: info['total-time']!,
      pause_ms: Math.round((eventTime(resumed) - eventTime(stopOf(source.events))) * 10) / 10,
      heartbeats: {
        source: before,
        destination: lines.follower.beats.length - before,
        problems: lines.follower.problems.map(({ message, text }) => `${message}: ${text}`),
      },
      memory: memory!,
    };
    const good = summary.heartbeats.problems.length === 0 && memory!.endsWith(' ok');
    if (options.json) host.out(`${JSON.stringify(summary, null, 2)}\n`);
    else host.out(`\n${summaryText(summary, good)}\n`);
    if (options.interactive) await converse(destination, host);
    else await destination.quit();
    return good ? EXIT_CODES.OK : EXIT_CODES.FAILED;
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    end();
  }
}

/** Turns two consoles, one after the other, into lines; a line that the source began and the destination ended is one. */
export class ConsoleLines {
  readonly follower = new HeartbeatFollower();
  private partial = '';

  constructor(private readonly show: (text: string, from: string) => void) {}

  push(bytes: Buffer, from: string): void {
    const lines = (this.partial + bytes.toString('latin1')).split('\r\n');
    this.partial = lines.pop()!;
    for (const line of lines) {
      // What was erased again before the line's end was never meant to stay.
      const erased = line.lastIndexOf(ERASE);
      const text = erased < 0 ? line : line.slice(erased + ERASE.length);
      this.follower.push(line);
      this.show(text, from);
    }
  }
}

function lastProgress(events: readonly RunEvent[]): MigrationInfo {
  const found = events.findLast(({ event }) => event === 'X_MIGRATION_PROGRESS');
  if (!found) throw new Error('the source reported no progress');
  return found.data!;
}

/** The stop that the migration made, not one before. */
function stopOf(events: readonly RunEvent[]): RunEvent {
  const found = events.find(({ event, data }) => event === 'STOP' && data!.state === 'finish-migrate');
  if (!found) throw new Error('the source did not report its stop');
  return found;
}

function summaryText(summary: DemoSummary, good: boolean): string {
  const { heartbeats, pages } = summary;
  const rows: [string, string][] = [
    ['bytes sent', `${summary.bytes_sent} (${pages.whole} whole pages, ${pages.zero} zero pages)`],
    ['dirty rounds', String(summary.dirty_rounds)],
    ['duration', `${summary.total_ms} ms`],
    ['pause', `${summary.pause_ms} ms from stop to running on the other side`],
    [
      'heartbeats',
      `${heartbeats.source} there, ${heartbeats.destination} here, ${heartbeats.problems.length === 0 ? 'no gap' : 'WITH GAPS'}`,
    ],
    ['memory', summary.memory],
  ];
  return [
    good ? 'Moved, nothing lost.' : 'SOMETHING WAS LOST:',
    ...rows.map(([name, value]) => `  ${name.padEnd(13)} ${value}`),
    ...heartbeats.problems.map((problem) => `  ! ${problem}`),
  ].join('\n');
}

/** The terminal becomes the guest's console until the guest or the user ends it. */
async function converse(machine: MachineProcess, host: CommandHost): Promise<void> {
  host.out("\nThe guest is yours: 'help' lists its commands, Ctrl-A x ends.\n\n");
  machine.onConsole = (bytes) => void process.stdout.write(bytes);
  const { stdin } = process;
  if (stdin.isTTY) stdin.setRawMode(true);
  const forward = (bytes: Buffer): void => machine.type(bytes);
  const eof = (): void => void machine.quit();
  stdin.on('data', forward).on('end', eof);
  stdin.resume();
  machine.type('\r');
  await machine.ended;
  stdin.off('data', forward).off('end', eof).pause();
  if (stdin.isTTY) stdin.setRawMode(false);
}
