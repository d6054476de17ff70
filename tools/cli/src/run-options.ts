import {
  type CharacterSpec,
  NamedOptions,
  type NetdevSpec,
  parseCharacter,
  parseChardev,
  parseDeviceOptions,
  parseMemoryObject,
  parseNetdev,
  parseSize,
  splitCommas,
} from '@pagurus/host-node';
import type {
  BootOptions,
  DeviceArguments,
  GlobalProperty,
  InstructionCountOptions,
  SmbiosOptions,
  SmpOptions,
} from '@pagurus/machine';
import { type BlockNode, parseBlockdev } from './block-nodes.js';
import { type DebugOptions, parseDebugItems } from './debug-log.js';
import { cdrom, type DriveSpec, floppyDisk, hardDisk, parseDrive } from './drive-spec.js';
import { addSmbios } from './smbios-options.js';
import { nearest, UsageError } from './usage-error.js';

/** What `pagurus run` was asked to do, checked for form but not yet for sense. */
export interface RunOptions {
  machine: string | undefined;
  machineProperties: Record<string, string>;
  target: 'i386' | 'x86_64' | undefined;
  cpu: string | undefined;
  /** Bytes. */
  memory: number | undefined;
  memorySlots: { count: number; maximum: number } | undefined;
  /** `-object memory-backend-ram`, by id: bytes. */
  memoryObjects: Map<string, { size: number }>;
  smp: SmpOptions | undefined;
  kernel: string | undefined;
  initrd: string | undefined;
  append: string | undefined;
  bios: string | undefined;
  /** `-L`: where firmware and ROMs are looked for first. */
  dataFolders: string[];
  devices: DeviceArguments[];
  drives: DriveSpec[];
  blockNodes: BlockNode[];
  /** `-snapshot`: no image is written to. */
  snapshot: boolean;
  globals: GlobalProperty[];
  noDefaults: boolean;
  noGraphic: boolean;
  vga: 'none' | 'std' | undefined;
  display: 'none' | 'curses';
  serial: CharacterSpec[];
  parallel: CharacterSpec[];
  /** `-qmp`, and `-mon mode=control`. */
  qmp: CharacterSpec[];
  smbios: SmbiosOptions;
  monitor: CharacterSpec | undefined;
  debugcon: CharacterSpec | undefined;
  chardevs: Map<string, CharacterSpec>;
  netdevs: NetdevSpec[];
  /** Texts of `-nic`; undefined: the machine's default card. */
  nics: string[] | undefined;
  /** A migration URI, or `defer`. */
  incoming: string | undefined;
  loadvm: string | undefined;
  startStopped: boolean;
  noReboot: boolean;
  noShutdown: boolean;
  icount: InstructionCountOptions | undefined;
  rtc: { base: bigint | undefined; clock: 'vm' | 'host' } | undefined;
  boot: { -readonly [K in keyof BootOptions]: BootOptions[K] };
  name: string | undefined;
  uuid: Uint8Array | undefined;
  /** File, or `fd:N`, for events as JSON lines. */
  events: string | undefined;
  debug: { -readonly [K in keyof DebugOptions]: DebugOptions[K] };
  /** Something to print instead of running: `help`, `-M help`, `-device help`, `-device X,help`, `-cpu help`. */
  list:
    | { what: 'options' | 'machines' | 'devices' | 'cpus' | 'debug' }
    | { what: 'device' | 'machine'; name: string }
    | undefined;
}

interface OptionRow {
  /** Without dashes. */
  readonly names: readonly string[];
  /** Shown in the list; undefined: the option takes no value. */
  readonly value?: string;
  readonly help: string;
  apply(options: RunOptions, value: string): void;
}

const MIB = 2 ** 20;

const unavailable = (names: string[], value: string | undefined, what: string): OptionRow => ({
  names,
  ...(value === undefined ? {} : { value }),
  help: `not available: ${what}`,
  apply: () => {
    throw new UsageError(`-${names[0]}: Pagurus has ${what} not yet`);
  },
});

/** Every option of `pagurus run`: QEMU's names with QEMU's meaning. */
export const OPTION_TABLE: readonly OptionRow[] = [
  { names: ['M', 'machine'], value: 'TYPE[,PROP=VALUE]...', help: "machine type; 'help' lists them", apply: machine },
  {
    names: ['target'],
    value: 'i386|x86_64',
    help: 'whose machine: of qemu-system-i386 (default) or of qemu-system-x86_64',
    apply: target,
  },
  { names: ['cpu'], value: 'MODEL[,+F][,-F]', help: "CPU model and features; 'help' lists them", apply: cpu },
  {
    names: ['m'],
    value: '[size=]SIZE[,slots=N,maxmem=SIZE]',
    help: 'memory, in MiB or with K, M, G; room for memory modules',
    apply: memory,
  },
  {
    names: ['smp'],
    value: '[cpus=]N[,maxcpus=N][,sockets=N][,cores=N][,threads=N]',
    help: 'number of CPUs, and how they lie in sockets',
    apply: smp,
  },
  { names: ['accel'], value: 'tcg', help: 'accepted for compatibility', apply: accel },
  { names: ['kernel'], value: 'FILE', help: 'Linux bzImage or Multiboot kernel', apply: (o, value) => (o.kernel = value) },
  { names: ['initrd'], value: 'FILE', help: 'initial RAM disk or Multiboot module', apply: (o, value) => (o.initrd = value) },
  { names: ['append'], value: 'TEXT', help: 'kernel command line', apply: (o, value) => (o.append = value) },
  { names: ['bios'], value: 'FILE', help: 'firmware; looked for in -L folders, too', apply: (o, value) => (o.bios = value) },
  { names: ['L'], value: 'FOLDER', help: 'look here for firmware and ROMs', apply: (o, value) => void o.dataFolders.push(value) },
  {
    names: ['object'],
    value: 'memory-backend-ram,id=ID,size=SIZE',
    help: 'memory for a module (-device pc-dimm,memdev=ID)',
    apply: memoryObject,
  },
  { names: ['device'], value: 'TYPE[,PROP=VALUE]...', help: "add a device; 'help' lists them", apply: device },
  { names: ['global'], value: 'TYPE.PROP=VALUE', help: 'set a property of all devices of a type', apply: globalProperty },
  { names: ['nodefaults'], help: 'without the default devices', apply: (o) => (o.noDefaults = true) },
  { names: ['nographic'], help: 'no window; first serial port and monitor on the terminal', apply: (o) => (o.noGraphic = true) },
  {
    names: ['display'],
    value: 'none|curses',
    help: 'curses: text screen, monitor and serial port on the terminal (Alt-1, Alt-2, ...)',
    apply: display,
  },
  { names: ['vga'], value: 'std|none', help: 'display adapter', apply: vga },
  {
    names: ['serial'],
    value: 'CHAR',
    help: 'next serial port',
    apply: (o, value) => void o.serial.push(parseCharacter(value, '-serial')),
  },
  {
    names: ['debugcon'],
    value: 'CHAR',
    help: 'Bochs debug port',
    apply: (o, value) => (o.debugcon = parseCharacter(value, '-debugcon')),
  },
  {
    names: ['monitor'],
    value: 'CHAR',
    help: 'human monitor',
    apply: (o, value) => (o.monitor = parseCharacter(value, '-monitor')),
  },
  { names: ['chardev'], value: 'KIND,id=ID,...', help: 'a character device to name in others', apply: chardev },
  {
    names: ['netdev'],
    value: 'KIND,id=ID,...',
    help: 'a network to name in a card: user, socket, stream, hubport',
    apply: (o, value) => void o.netdevs.push(parseNetdev('-netdev', value)),
  },
  { names: ['nic'], value: 'KIND[,model=CARD][,mac=ADDRESS]...|none', help: 'a network with a card', apply: nic('nic') },
  { names: ['net'], value: 'none', help: 'no network; for others use -nic', apply: nic('net') },
  {
    names: ['parallel'],
    value: 'CHAR',
    help: 'next parallel port',
    apply: (o, value) => void o.parallel.push(parseCharacter(value, '-parallel')),
  },
  {
    names: ['qmp', 'qmp-pretty'],
    value: 'CHAR',
    help: 'a monitor for programs: QEMU machine protocol',
    apply: (o, value) => void o.qmp.push(parseCharacter(value, '-qmp')),
  },
  { names: ['mon'], value: '[chardev=]ID[,mode=readline|control]', help: 'a monitor on a -chardev', apply: mon },
  {
    names: ['smbios'],
    value: 'type=N[,FIELD=VALUE]...|file=FILE',
    help: 'what the system management tables say (types 0 1 2 3 4 11 17)',
    apply: (o, value) => addSmbios(o.smbios, value),
  },
  { names: ['incoming'], value: 'URI|defer', help: 'wait for a migration', apply: (o, value) => (o.incoming = value) },
  { names: ['loadvm'], value: 'NAME', help: 'start from a snapshot (see savevm)', apply: (o, value) => (o.loadvm = value) },
  { names: ['S'], help: 'do not start', apply: (o) => (o.startStopped = true) },
  { names: ['no-reboot'], help: 'end at a reset', apply: (o) => (o.noReboot = true) },
  { names: ['no-shutdown'], help: 'stop, but stay, when the guest powers off', apply: (o) => (o.noShutdown = true) },
  {
    names: ['icount'],
    value: 'shift=N|auto[,sleep=on|off]',
    help: 'deterministic: an instruction takes 2^N ns; auto: as the host can',
    apply: icount,
  },
  {
    names: ['rtc'],
    value: '[base=utc|localtime|DATE][,clock=host|vm][,driftfix=none|slew]',
    help: 'wall clock of the guest',
    apply: rtc,
  },
  {
    names: ['boot'],
    value: '[order=]abcdn[,once=abcdn][,menu=on][,splash-time=MS][,reboot-timeout=MS][,strict=on]',
    help: 'what firmware boots from',
    apply: boot,
  },
  {
    names: ['name'],
    value: '[guest=]NAME',
    help: 'name of the machine',
    apply: name,
  },
  { names: ['uuid'], value: 'UUID', help: 'of the machine', apply: uuid },
  {
    names: ['events'],
    value: 'FILE|fd:N',
    help: 'write STOP, RESUME, MIGRATION … as JSON lines',
    apply: (o, value) => (o.events = value),
  },
  {
    names: ['drive'],
    value: 'file=FILE[,format=raw|qcow2][,if=ide|floppy|virtio|none][,index=N][,media=disk|cdrom][,id=ID]...',
    help: 'a drive; also readonly=on, snapshot=on, cache=, werror=, rerror=, bus=, unit=',
    apply: (o, value) => void o.drives.push(parseDrive(value)),
  },
  {
    names: ['blockdev'],
    value: 'driver=DRIVER,node-name=NAME,...',
    help: 'an image for -device ...,drive=NAME: raw, qcow2 over file, http, https; null-co',
    apply: (o, value) => void o.blockNodes.push(parseBlockdev(value)),
  },
  ...['hda', 'hdb', 'hdc', 'hdd'].map((name, index) => ({
    names: [name],
    value: 'FILE',
    help: `IDE disk ${index}`,
    apply: (o: RunOptions, value: string) => void o.drives.push(hardDisk(name, index, value)),
  })),
  { names: ['cdrom'], value: 'FILE', help: 'disc in IDE drive 2', apply: (o, value) => void o.drives.push(cdrom(value)) },
  ...['fda', 'fdb'].map((name, index) => ({
    names: [name],
    value: 'FILE',
    help: `disk in floppy drive ${index === 0 ? 'A' : 'B'}`,
    apply: (o: RunOptions, value: string) => void o.drives.push(floppyDisk(name, index, value)),
  })),
  { names: ['snapshot'], help: 'write to no image: changes are lost at the end', apply: (o) => (o.snapshot = true) },
  { names: ['d'], value: 'ITEM[,ITEM]...', help: "log what the CPU does; 'help' lists the items", apply: debugItems },
  { names: ['D'], value: 'FILE', help: 'write the log of -d there', apply: (o, value) => (o.debug.debugFile = value) },
  { names: ['singlestep'], help: 'with -d cpu, exec: before each instruction', apply: (o) => (o.debug.singleStep = true) },
  {
    names: ['trace-record'],
    value: 'FILE',
    help: 'write the registers before each instruction',
    apply: (o, value) => (o.debug.traceRecord = value),
  },
  {
    names: ['trace-compare'],
    value: 'FILE',
    help: 'run beside such a trace, stop where it differs',
    apply: (o, value) => (o.debug.traceCompare = value),
  },
  { names: ['h', 'help'], help: 'this list', apply: (o) => (o.list = { what: 'options' }) },
  unavailable(['gdb'], 'CHAR', 'a gdb server'),
  unavailable(['s'], undefined, 'a gdb server'),
];

/** @throws {UsageError} for an option, value or form that is not known. Options that may come from `host-node` throw its HostError. */
export function parseRunOptions(args: readonly string[]): RunOptions {
  const options: RunOptions = {
    machine: undefined,
    machineProperties: {},
    target: undefined,
    cpu: undefined,
    memory: undefined,
    memorySlots: undefined,
    memoryObjects: new Map(),
    smp: undefined,
    kernel: undefined,
    initrd: undefined,
    append: undefined,
    bios: undefined,
    dataFolders: [],
    devices: [],
    drives: [],
    blockNodes: [],
    snapshot: false,
    globals: [],
    noDefaults: false,
    noGraphic: false,
    vga: undefined,
    display: 'none',
    serial: [],
    parallel: [],
    qmp: [],
    smbios: {},
    monitor: undefined,
    debugcon: undefined,
    chardevs: new Map(),
    netdevs: [],
    nics: undefined,
    incoming: undefined,
    loadvm: undefined,
    startStopped: false,
    noReboot: false,
    noShutdown: false,
    icount: undefined,
    rtc: undefined,
    boot: {},
    name: undefined,
    uuid: undefined,
    events: undefined,
    debug: { debugItems: [], debugFile: undefined, singleStep: false, traceRecord: undefined, traceCompare: undefined },
    list: undefined,
  };
  for (let i = 0; i < args.length; i++) {
    const text = args[i]!;
    if (!text.startsWith('-') || text === '-')
      throw new UsageError(`unexpected '${text}': pagurus run takes options only (a disk is given with -drive)`);
    const name = text.replace(/^--?/, '');
    const row = OPTION_TABLE.find(({ names }) => names.includes(name));
    if (!row) {
      const guess = nearest(
        name,
        OPTION_TABLE.flatMap(({ names }) => names),
      );
      throw new UsageError(
        `unknown option '${text}'${guess ? `; did you mean '-${guess}'?` : ''} (pagurus run -help lists them)`,
      );
    }
    let value = '';
    if (row.value !== undefined) {
      const next = args[++i];
      if (next === undefined) throw new UsageError(`${text}: expected ${row.value} behind it`);
      value = next;
    }
    row.apply(options, value);
  }
  return options;
}

/** `pagurus run -help` */
export function runHelp(): string {
  const rows = OPTION_TABLE.filter(({ help }) => !help.startsWith('not available'));
  const lines = rows.map(({ names, value, help }) => {
    const left = `  ${names.map((name) => `-${name}`).join(', ')}${value === undefined ? '' : ` ${value}`}`;
    return left.length < 40 ? `${left.padEnd(40)} ${help}` : `${left}\n${' '.repeat(41)}${help}`;
  });
  return `pagurus run [OPTION]...   runs a machine; QEMU's options with QEMU's meaning\n\n${lines.join('\n')}

CHAR is one of none, null, stdio, vc, mon:stdio, file:PATH, pipe:PATH, tcp:HOST:PORT[,server=on][,wait=off], unix:PATH[,...], chardev:ID.
On mon:stdio: Ctrl-A x ends, Ctrl-A c goes to the monitor and back, Ctrl-A h helps.`;
}

function machine(options: RunOptions, value: string): void {
  const [first = '', ...rest] = splitCommas(value);
  if (first === 'help' || first === '?') {
    options.list = { what: 'machines' };
    return;
  }
  if (rest.includes('help') || rest.includes('?')) {
    options.list = { what: 'machine', name: first.replace(/^type=/, '') };
    return;
  }
  const named = new NamedOptions(`-machine ${value}`, first.includes('=') ? [first, ...rest] : rest);
  const type = first.includes('=') ? named.text('type') : first;
  if (type) options.machine = type;
  const accelerator = named.text('accel');
  if (accelerator !== undefined) accel(options, accelerator);
  Object.assign(options.machineProperties, named.rest());
}

function target(options: RunOptions, value: string): void {
  if (value !== 'i386' && value !== 'x86_64') throw new UsageError(`-target ${value}: expected i386 or x86_64`);
  options.target = value;
}

function cpu(options: RunOptions, value: string): void {
  if (value === 'help' || value === '?') options.list = { what: 'cpus' };
  else options.cpu = value;
}

function memory(options: RunOptions, value: string): void {
  const parts = splitCommas(value);
  const named = new NamedOptions(`-m ${value}`, parts[0]?.includes('=') ? parts : [`size=${parts[0]}`, ...parts.slice(1)]);
  const amount = (name: string): number | undefined => {
    const text = named.text(name);
    if (text === undefined) return undefined;
    const size = parseSize(text, MIB);
    if (size === undefined || size === 0) throw new UsageError(`-m ${value}: expected a size such as 64, 512M or 1G`);
    return size;
  };
  const size = amount('size');
  const [count, maximum] = [named.integer('slots', 0), amount('maxmem')];
  named.done('size, slots, maxmem');
  if (size !== undefined) options.memory = size;
  if (count > 0 && maximum === undefined) throw new UsageError(`-m ${value}: slots without maxmem`);
  if (maximum !== undefined) options.memorySlots = { count, maximum };
}

function smp(options: RunOptions, value: string): void {
  const [first = '', ...rest] = splitCommas(value);
  const named = new NamedOptions(`-smp ${value}`, first.includes('=') ? [first, ...rest] : [`cpus=${first}`, ...rest]);
  const number = (name: string): number | undefined => {
    const text = named.text(name);
    if (text === undefined) return undefined;
    if (!/^\d+$/.test(text) || Number(text) === 0)
      throw new UsageError(`-smp ${value}: ${name}=${text}: expected a number from 1`);
    return Number(text);
  };
  options.smp = {
    cpus: number('cpus'),
    maxCpus: number('maxcpus'),
    sockets: number('sockets'),
    cores: number('cores'),
    threads: number('threads'),
  };
  for (const level of ['dies', 'clusters'] as const) {
    const count = number(level);
    if (count !== undefined && count !== 1)
      throw new UsageError(`-smp ${value}: ${level}=${count}: a PC has sockets, cores and threads only`);
  }
  named.done('cpus, maxcpus, sockets, dies, clusters, cores, threads');
}

function accel(_options: RunOptions, value: string): void {
  if (splitCommas(value)[0] !== 'tcg')
    throw new UsageError(`-accel ${value}: expected tcg; Pagurus translates, it has no other accelerator`);
}

function device(options: RunOptions, value: string): void {
  const [driver = '', ...rest] = splitCommas(value);
  if (driver === 'help' || driver === '?') {
    options.list = { what: 'devices' };
    return;
  }
  if (rest.includes('help') || rest.includes('?')) {
    options.list = { what: 'device', name: driver };
    return;
  }
  options.devices.push(parseDeviceOptions('-device', value));
}

function memoryObject(options: RunOptions, value: string): void {
  const { id, size } = parseMemoryObject('-object', value);
  if (options.memoryObjects.has(id)) throw new UsageError(`-object ${value}: duplicate id '${id}'`);
  options.memoryObjects.set(id, { size });
}

function globalProperty(options: RunOptions, value: string): void {
  const short = /^([^.=,]+)\.([^=,]+)=(.*)$/s.exec(value);
  if (short) {
    options.globals.push({ driver: short[1]!, property: short[2]!, value: short[3]! });
    return;
  }
  const named = new NamedOptions(`-global ${value}`, splitCommas(value));
  const [driver, property, text] = [named.text('driver'), named.text('property'), named.text('value')];
  if (!driver || !property || text === undefined) throw new UsageError(`-global ${value}: expected TYPE.PROPERTY=VALUE`);
  named.done('driver, property, value');
  options.globals.push({ driver, property, value: text });
}

function display(options: RunOptions, value: string): void {
  if (value !== 'none' && value !== 'curses')
    throw new UsageError(`-display ${value}: expected none or curses; Pagurus opens no window here`);
  options.display = value;
}

function vga(options: RunOptions, value: string): void {
  if (value !== 'none' && value !== 'std') throw new UsageError(`-vga ${value}: expected std or none`);
  options.vga = value;
}

function nic(name: string): (options: RunOptions, value: string) => void {
  return (options, value) => {
    options.nics ??= [];
    if (value === 'none') return;
    if (name === 'net') throw new UsageError(`-net ${value}: expected none; -nic and -netdev make networks`);
    options.nics.push(value);
  };
}

function chardev(options: RunOptions, value: string): void {
  const { id, spec } = parseChardev(value);
  if (options.chardevs.has(id)) throw new UsageError(`-chardev ${value}: duplicate id '${id}'`);
  options.chardevs.set(id, spec);
}

function icount(options: RunOptions, value: string): void {
  const parts = splitCommas(value);
  const named = new NamedOptions(`-icount ${value}`, parts[0]?.includes('=') ? parts : [`shift=${parts[0]}`, ...parts.slice(1)]);
  const shift = named.text('shift');
  if (shift === undefined || !/^(\d+|auto)$/.test(shift) || Number(shift) > 10)
    throw new UsageError(`-icount ${value}: expected shift=N, 0 to 10, or shift=auto`);
  const sleep = named.flag('sleep', true);
  if (named.flag('align', false)) throw new UsageError(`-icount ${value}: align=on is not available`);
  named.done('shift, sleep');
  if (shift === 'auto' && !sleep) throw new UsageError(`-icount ${value}: shift=auto and sleep=off do not go together`);
  options.icount = { shift: shift === 'auto' ? 'auto' : Number(shift), sleep };
}

function rtc(options: RunOptions, value: string): void {
  const named = new NamedOptions(`-rtc ${value}`, splitCommas(value));
  const clock = named.text('clock') ?? 'host';
  if (clock !== 'host' && clock !== 'vm') throw new UsageError(`-rtc ${value}: clock '${clock}': expected host or vm`);
  const text = named.text('base') ?? 'utc';
  const driftfix = named.text('driftfix') ?? 'none';
  if (driftfix !== 'none' && driftfix !== 'slew')
    throw new UsageError(`-rtc ${value}: driftfix '${driftfix}': expected none or slew`);
  // Ticks that the guest could not take come later.
  if (driftfix === 'slew') options.globals.push({ driver: 'mc146818rtc', property: 'lost_tick_policy', value: 'slew' });
  named.done('base, clock, driftfix');
  options.rtc = { base: rtcBase(text, value), clock };
}

/** Nanoseconds since 1970, or undefined for the host's time. */
function rtcBase(text: string, value: string): bigint | undefined {
  if (text === 'utc') return undefined;
  if (text === 'localtime') return BigInt(Date.now() - new Date().getTimezoneOffset() * 60_000) * 1_000_000n;
  const match = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?$/.exec(text);
  const milliseconds = match ? Date.parse(match[1] ? `${text}Z` : `${text}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(milliseconds))
    throw new UsageError(`-rtc ${value}: base '${text}': expected utc, localtime or a date such as 2026-01-31T12:00:00`);
  return BigInt(milliseconds) * 1_000_000n;
}

function boot(options: RunOptions, value: string): void {
  const parts = splitCommas(value);
  const named = new NamedOptions(`-boot ${value}`, parts[0]?.includes('=') ? parts : [`order=${parts[0]}`, ...parts.slice(1)]);
  const order = named.text('order');
  if (order !== undefined) options.boot.order = order;
  const once = named.text('once');
  if (once !== undefined) options.boot.once = once;
  const splashTime = named.integer('splash-time', -1);
  if (splashTime >= 0) options.boot.splashTime = splashTime;
  if (named.text('splash') !== undefined)
    throw new UsageError(`-boot ${value}: splash is not available: there is no picture to show`);
  options.boot.strict = named.flag('strict', options.boot.strict ?? false);
  options.boot.menu = named.flag('menu', options.boot.menu ?? false);
  const timeout = named.text('reboot-timeout');
  if (timeout !== undefined) {
    if (!/^-?\d+$/.test(timeout))
      throw new UsageError(`-boot ${value}: reboot-timeout '${timeout}': expected milliseconds, or -1`);
    options.boot.rebootTimeout = Number(timeout);
  }
  named.done('order, once, menu, splash-time, reboot-timeout, strict');
}

function name(options: RunOptions, value: string): void {
  const parts = splitCommas(value);
  const named = new NamedOptions(`-name ${value}`, parts[0]?.includes('=') ? parts : [`guest=${parts[0]}`, ...parts.slice(1)]);
  options.name = named.text('guest') ?? options.name;
  // There are no threads to name.
  named.flag('debug-threads', false);
  const title = named.text('process');
  if (title !== undefined) process.title = title;
  named.done('guest, process, debug-threads');
}

function mon(options: RunOptions, value: string): void {
  const parts = splitCommas(value);
  const named = new NamedOptions(`-mon ${value}`, parts[0]?.includes('=') ? parts : [`chardev=${parts[0]}`, ...parts.slice(1)]);
  const id = named.text('chardev');
  if (!id) throw new UsageError(`-mon ${value}: expected chardev=ID`);
  const mode = named.text('mode') ?? 'readline';
  named.flag('pretty', false);
  named.done('chardev, mode, pretty');
  if (mode === 'control') options.qmp.push({ kind: 'chardev', id });
  else if (mode !== 'readline') throw new UsageError(`-mon ${value}: mode '${mode}': expected readline or control`);
  else if (options.monitor) throw new UsageError(`-mon ${value}: there is a human monitor already`);
  else options.monitor = { kind: 'chardev', id };
}

function debugItems(options: RunOptions, value: string): void {
  if (value === 'help' || value === '?') options.list = { what: 'debug' };
  else options.debug.debugItems = parseDebugItems(value);
}

function uuid(options: RunOptions, value: string): void {
  const digits = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value) ? value.replaceAll('-', '') : undefined;
  if (!digits) throw new UsageError(`-uuid ${value}: expected xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`);
  options.uuid = Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}
