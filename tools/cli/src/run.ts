import { randomFillSync } from 'node:crypto';
import type { DriveFailure } from '@pagurus/block';
import type { EntropySource, RunState } from '@pagurus/device-model';
import {
  errorLine,
  loadCpuModule,
  MigrationController,
  MonitorSession,
  QmpSession,
  realTimeClock,
  snapshotPath,
} from '@pagurus/host-node';
import {
  createMachine,
  findMachineType,
  isLinuxKernel,
  type Machine,
  type MachineConfig,
  type MachineType,
  machineTypes,
} from '@pagurus/machine';
import { drivesOfNodes } from './block-nodes.js';
import { type Consoles, openConsoles } from './consoles.js';
import { debugHelp, watchCpu } from './debug-log.js';
import { CursesDisplay } from './display.js';
import { Drives } from './drives.js';
import { type EventLog, openEvents, silentEvents } from './event-log.js';
import { EXIT_CODES, SIGNAL_CODE } from './exit-codes.js';
import { KeyboardInput } from './keyboard-input.js';
import { printCpus, printDevice, printDevices, printMachine, printMachines } from './lists.js';
import { isMachineFile, loadMachineFile } from './machine-file.js';
import { MachineMonitor } from './machine-monitor.js';
import { type Networks, networkPlan, openNetworks } from './networks.js';
import { migrationBar } from './progress.js';
import { findDataFile, readFirmware, readOptionFile } from './run-files.js';
import { parseRunOptions, type RunOptions, runHelp } from './run-options.js';
import { nearest, UsageError } from './usage-error.js';
import { VERSION } from './version.js';

/** Where a command's words go: results to `out`, everything else to `error` (one line a call, without its end). */
export interface CommandHost {
  out(text: string): void;
  error(line: string): void;
}

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
const VGA_ROM = 'vgabios-stdvga.bin';
/** Boot ROMs of network cards: of machines since 1.5, and before. A card works without. */
const NETWORK_ROMS: Readonly<Record<string, readonly string[]>> = {
  e1000: ['efi-e1000.rom', 'pxe-e1000.rom'],
  ne2k_pci: ['efi-ne2k_pci.rom', 'pxe-ne2k_pci.rom'],
};

/**
 * `pagurus run`: puts a machine together, runs it until it ends, cleans up.
 * @returns the exit code.
 * @throws {UsageError} and other errors of one line for anything that cannot be; nothing has run then, nothing is left open.
 */
export async function runCommand(args: readonly string[], commandHost: CommandHost): Promise<number> {
  let host = commandHost;
  const options = parseRunOptions(args);
  if (options.list) {
    await printList(options.list, options, host);
    return EXIT_CODES.OK;
  }
  const type = await machineType(options.machine ?? 'pc');
  let run: Run | undefined;
  const hangUp = (): void => run?.finish(SIGNAL_CODE + SIGNALS.SIGHUP);
  const events = options.events === undefined ? silentEvents : openEvents(options.events, hangUp);
  if (options.display === 'curses' && options.noGraphic)
    throw new UsageError('-nographic: not together with -display curses; Alt-2 and Alt-3 are monitor and serial port there');
  const keyboard = new KeyboardInput();
  const display = options.display === 'curses' ? await CursesDisplay.create(keyboard) : undefined;
  if (display) host = { ...commandHost, error: (line) => display.note(line) };
  let consoles: Consoles | undefined;
  let networks: Networks | undefined;
  let drives: Drives | undefined;
  try {
    consoles = await openConsoles(options, {
      quit: () => run?.finish(EXIT_CODES.OK),
      note: (line) => host.error(line),
      page: display && ((name) => display.page(name)),
    });
    const plan = networkPlan(options, type.defaultNic);
    networks = await openNetworks(plan.netdevs);
    drives = await openDrives(options, host);
    const config = machineConfig(
      { ...options, devices: [...plan.devices] },
      type,
      { consoles, drives, networks, keyboard },
      host,
    );
    const cpuModule = await loadCpuModule();
    const machine = await createMachine(type, config, { cpuModule });
    machine.events.push({ state: (state) => networks?.setRunning(state === 'running') });
    display?.open(machine);
    run = new Run(machine, cpuModule, options, consoles, drives, networks, keyboard, events, host);
    const watch = watchCpu(machine, cpuModule, options.debug, (message, differs) => {
      host.error(message);
      run?.finish(differs ? EXIT_CODES.FAILED : EXIT_CODES.OK);
    });
    try {
      return await run.go();
    } finally {
      watch.close();
    }
  } finally {
    await drives?.close();
    networks?.close();
    await consoles?.close();
    for (const line of display?.close() ?? []) commandHost.error(line);
  }
}

async function printList(list: NonNullable<RunOptions['list']>, options: RunOptions, host: CommandHost): Promise<void> {
  const print = { json: false, out: host.out };
  switch (list.what) {
    case 'options':
      host.out(`${runHelp()}\n`);
      break;
    case 'machines':
      printMachines(print);
      break;
    case 'machine':
      printMachine(await machineType(list.name), print);
      break;
    case 'devices':
      printDevices(print);
      break;
    case 'device':
      printDevice(list.name, print);
      break;
    case 'debug':
      host.out(debugHelp());
      break;
    case 'cpus':
      printCpus(options.target ?? 'i386', print);
  }
}

/** @throws {UsageError} naming what was meant, perhaps. */
// biome-ignore lint/suspicious/noExplicitAny: a machine type of any properties.
async function machineType(name: string): Promise<MachineType<any>> {
  if (isMachineFile(name)) return await loadMachineFile(name);
  const names = machineTypes.flatMap((type) => (type.alias === undefined ? [type.name] : [type.name, type.alias]));
  if (names.includes(name)) return findMachineType(name);
  const guess = nearest(name, names);
  throw new UsageError(`unknown machine '${name}'${guess ? `; did you mean '${guess}'?` : ''} (pagurus machines lists them)`);
}

function openDrives(options: RunOptions, host: CommandHost): Promise<Drives> {
  return Drives.open([...options.drives, ...drivesOfNodes(options.blockNodes)], {
    snapshot: options.snapshot,
    inactive: options.incoming !== undefined,
    synchronous: options.icount !== undefined,
    warn: (line) => host.error(`warning: ${line}`),
  });
}

/** What of the host a machine is connected to. */
interface HostParts {
  readonly consoles: Consoles;
  readonly drives: Drives;
  readonly networks: Networks;
  readonly keyboard: KeyboardInput;
}

function machineConfig(
  options: RunOptions,
  // biome-ignore lint/suspicious/noExplicitAny: a machine type of any properties.
  type: MachineType<any>,
  { consoles, drives, networks, keyboard }: HostParts,
  host: CommandHost,
): MachineConfig {
  if (options.kernel === undefined && (options.initrd !== undefined || options.append !== undefined))
    throw new UsageError(`-${options.initrd === undefined ? 'append' : 'initrd'}: expected -kernel, too`);
  const read = (option: 'kernel' | 'initrd'): Uint8Array | undefined =>
    options[option] === undefined ? undefined : readOptionFile(option, options[option]);
  const image = read('kernel');
  const vga = options.vga ?? (options.noDefaults ? 'none' : 'std');
  const roms: Record<string, Uint8Array> = {};
  if (vga === 'std') {
    const path = findDataFile(VGA_ROM, options.dataFolders);
    if (path !== undefined) roms[VGA_ROM] = readOptionFile('vga', path);
    else if (!image) host.error(`-vga std: no '${VGA_ROM}' found, the adapter has no firmware (Debian: package seabios)`);
  }
  for (const name of new Set(options.devices.flatMap(({ driver }) => NETWORK_ROMS[driver] ?? []))) {
    const path = findDataFile(name, options.dataFolders);
    if (path !== undefined) roms[name] = readOptionFile('device', path);
  }
  // A kernel can do without firmware; a Multiboot kernel never meets it.
  const standard = type.name === 'isapc' ? 'bios.bin' : 'bios-256k.bin';
  const needed = !image || options.bios !== undefined;
  const wanted = needed || (isLinuxKernel(image) && findDataFile(standard, options.dataFolders) !== undefined);
  const firmware = wanted ? readFirmware(options.bios, options.dataFolders, standard) : undefined;
  const devices = [...options.devices, ...drives.devices];
  const chardevs: Record<string, object> = { ...consoles.byId };
  if (consoles.debugcon) {
    devices.push({ driver: 'isa-debugcon', properties: { chardev: 'debugcon' } });
    chardevs.debugcon = consoles.debugcon;
  }
  return {
    memory: options.memory,
    memorySlots: options.memorySlots,
    smp: options.smp,
    cpu: options.cpu,
    target: options.target,
    properties: options.machineProperties,
    devices,
    globals: options.globals,
    noDefaults: options.noDefaults,
    vga,
    name: options.name,
    uuid: options.uuid,
    rtc: options.rtc,
    icount: options.icount,
    boot: options.boot,
    smbios: options.smbios,
    firmware,
    roms,
    kernel: image && { image, initrd: read('initrd'), commandLine: options.append },
    serial: consoles.serial,
    parallel: consoles.parallel,
    ide: drives.ide,
    floppy: drives.floppy,
    hostWork: drives.activity,
    // As QEMU's rng-builtin: devices that name no source of entropy have the host's.
    backends: {
      rng: { '': { fill: (bytes: Uint8Array) => void randomFillSync(bytes) } satisfies EntropySource },
      memdev: Object.fromEntries(options.memoryObjects),
      chardev: chardevs,
      drive: drives.byId,
      netdev: networks.byId,
    },
    input: keyboard,
    hostClock: realTimeClock,
    log: (line) => host.error(line),
  };
}

/** One machine from its first instruction to the end of the process. */
class Run {
  private readonly migration: MigrationController;
  private resolve: (code: number) => void = () => {};
  private readonly ended = new Promise<number>((resolve) => {
    this.resolve = resolve;
  });
  private autostart: boolean;
  private lastStatus = 'none';
  private readonly programs: QmpSession[] = [];
  /** The end has begun: what fails now fails because of it. */
  private closing = false;

  constructor(
    private readonly machine: Machine,
    private readonly cpuModule: WebAssembly.Module,
    private readonly options: RunOptions,
    private readonly consoles: Consoles,
    private readonly drives: Drives,
    private readonly networks: Networks,
    private readonly keyboard: KeyboardInput,
    private readonly events: EventLog,
    private readonly host: CommandHost,
  ) {
    // A display has the terminal for itself.
    const bar = options.display === 'curses' ? () => {} : migrationBar(process.stderr);
    this.autostart = !options.startStopped;
    this.migration = new MigrationController(machine, {
      ...(options.uuid ? { uuid: formatUuid(options.uuid) } : {}),
      onProgress: (info) => {
        bar(info);
        this.status(info.status);
        events.emit('X_MIGRATION_PROGRESS', info);
      },
      onLoaded: ({ runState, warnings, missing }) => {
        for (const warning of warnings) host.error(`warning: ${warning}`);
        if (missing.length > 0) host.error(`warning: not in the stream, left as after reset: ${missing.join(', ')}`);
        this.status('completed');
        if (this.closing) return;
        if (runState === 'running' && this.autostart) machine.start();
      },
      onIncomingFailed: (error) => {
        if (this.closing) return;
        this.status('failed');
        host.error(`incoming migration failed: ${errorLine(error)}`);
        this.finish(EXIT_CODES.FAILED);
      },
    });
  }

  async go(): Promise<number> {
    const { machine, options, migration } = this;
    machine.noReboot = options.noReboot;
    this.drives.failed = (failure) => this.driveFailed(failure);
    machine.events.push({
      state: (state) => this.stateChanged(state),
      reset: (reason) => this.emit('RESET', { reason }),
      shutdown: ({ reason, exitCode }) => {
        this.emit('SHUTDOWN', { reason });
        if (!options.noShutdown || exitCode !== undefined) this.finish(exitCode ?? EXIT_CODES.OK);
      },
      error: (error) => this.defect(error),
    });
    machine.composer.deviceDeleted.push(({ id }) =>
      this.emit('DEVICE_DELETED', { device: id, path: `/machine/peripheral/${id}` }),
    );
    const signals = Object.entries(SIGNALS).map(([name, number]) => {
      const handler = (): void => this.finish(SIGNAL_CODE + number);
      process.on(name, handler);
      return () => process.off(name, handler);
    });
    // A stopped machine without a console has nothing that would keep the process; it stays all the same, as QEMU's does.
    const alive = setInterval(() => {}, 2 ** 30);
    try {
      if (options.incoming !== undefined) {
        machine.stop('inmigrate');
        this.openMonitor();
        if (options.incoming !== 'defer') await this.expect(options.incoming);
      } else {
        if (options.loadvm !== undefined) await migration.loadSnapshot(snapshotPath(options.loadvm));
        this.openMonitor();
        if (!options.startStopped) machine.start();
      }
      return await this.ended;
    } finally {
      clearInterval(alive);
      this.closing = true;
      await migration.close();
      if (machine.runState === 'running') machine.stop('paused');
      await machine.whenStopped();
      for (const remove of signals) remove();
    }
  }

  finish(code: number): void {
    this.resolve(code);
  }

  /** Only when the machine stands as the command line wants it. */
  private openMonitor(): void {
    const { machine, migration, keyboard, drives, options, consoles } = this;
    const networks = (): string[] => this.networks.describe();
    if (!consoles.monitor && consoles.qmp.length === 0) return;
    const uuid = options.uuid && formatUuid(options.uuid);
    const poweredDown = (): void => this.tell('POWERDOWN');
    const setAutostart = (on: boolean): void => {
      this.autostart = on;
    };
    const monitor = (quit: () => void): MachineMonitor =>
      new MachineMonitor({
        machine,
        cpuModule: this.cpuModule,
        migration,
        keyboard,
        drives,
        networks,
        version: VERSION,
        name: options.name,
        uuid,
        setAutostart,
        quit,
        poweredDown,
      });
    if (consoles.monitor)
      new MonitorSession(
        monitor(() => this.finish(EXIT_CODES.OK)),
        consoles.monitor.backend,
        consoles.monitor.greet,
      );
    const quit = (): void => {
      this.tell('SHUTDOWN', { guest: false, reason: 'host-qmp-quit' });
      // Its answer goes first.
      setImmediate(() => this.finish(EXIT_CODES.OK));
    };
    for (const backend of consoles.qmp) this.programs.push(new QmpSession(monitor(quit), backend));
  }

  private async expect(source: string): Promise<void> {
    const { uri } = await this.migration.startIncoming(source);
    if (/^(tcp|unix):/.test(uri)) this.host.error(`waiting for a migration on ${uri}`);
    this.events.emit('X_LISTENING', { uri });
    this.status('setup');
  }

  private stateChanged(state: RunState): void {
    if (state === 'running') {
      this.emit('RESUME');
      this.drives.retry();
    } else this.emit('STOP', { state });
  }

  private emit(event: string, data?: object): void {
    this.events.emit(event, data);
    if (event === 'MIGRATION' && this.migration.capabilities().get('events') !== true) return;
    this.tell(event, qmpData(event, data));
  }

  /** To the monitors for programs. */
  private tell(event: string, data?: object): void {
    for (const program of this.programs) program.event(event, data);
  }

  private status(status: string): void {
    if (status === this.lastStatus) return;
    this.lastStatus = status;
    this.emit('MIGRATION', { status });
  }

  private driveFailed({ drive, operation, action, error }: DriveFailure): void {
    const kind = operation === 'flush' ? 'write' : operation;
    this.emit('BLOCK_IO_ERROR', { device: drive, operation: kind, action, reason: errorLine(error) });
    this.host.error(
      `drive ${drive}: ${operation} failed${action === 'stop' ? ', the machine is stopped' : ''}: ${errorLine(error)}`,
    );
    if (action === 'stop' && this.machine.runState === 'running') this.machine.stop('io-error');
  }

  private defect(error: unknown): void {
    const more = process.env.PAGURUS_DEBUG && error instanceof Error ? `\n${error.stack}` : '';
    this.host.error(`internal error, the machine is stopped: ${errorLine(error)}${more}`);
    this.finish(EXIT_CODES.FAILED);
  }
}

/** Our events' data in QMP's words. */
function qmpData(event: string, data: object | undefined): object | undefined {
  const { reason } = (data ?? {}) as { reason?: string };
  switch (event) {
    case 'RESET':
      return reason === 'monitor' ? { guest: false, reason: 'host-qmp-system-reset' } : { guest: true, reason: 'guest-reset' };
    case 'SHUTDOWN':
      return { guest: true, reason: reason?.startsWith('reset') ? 'guest-reset' : 'guest-shutdown' };
    case 'STOP':
      return undefined;
    default:
      return data;
  }
}

function formatUuid(uuid: Uint8Array): string {
  return Buffer.from(uuid)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
