/** Streams that real QEMUs wrote, where PAGURUS_SHARED names the folder of recordings, and machines of ours like the ones that wrote them. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { gunzipSync, inflateSync } from 'node:zlib';
import { UserNetwork } from '@pagurus/dev-net';
import type { BlockBackend, CharacterBackend, HostNetwork, NetworkBackend } from '@pagurus/device-model';
import type { Machine, MachineConfig } from '@pagurus/machine';
import { bytesChannel, type HostTimer, incoming, parseStream } from '@pagurus/migration';
import { createMachine } from '../src/index.js';
import { saved } from '../src/testing.js';

export const shared = process.env.PAGURUS_SHARED;
const unpacked = process.env.PAGURUS_STREAMS ?? join(tmpdir(), 'streams');
const root = shared ? join(shared, 'qemu/streams') : '';

export interface Recording {
  /** Path of the file that describes it. */
  readonly sidecar: string;
  readonly kind: string;
  readonly qemu_version: string;
  readonly machine: string;
  readonly program: string;
  readonly file?: string;
  readonly archive?: string;
  readonly member?: string;
}

export interface Sidecar {
  readonly command: readonly string[];
  readonly sections: readonly (readonly unknown[])[];
  readonly capabilities_set_on_source?: { readonly [name: string]: boolean };
  readonly ram_blocks_after_load?: readonly { readonly id: string; readonly length: number; readonly sha256?: string }[];
  readonly source_hmp_after_stop?: { readonly [command: string]: readonly string[] };
}

export function recordings(...kinds: readonly string[]): Recording[] {
  if (!shared) return [];
  const all = JSON.parse(readFileSync(join(root, 'index.json'), 'utf8')) as Recording[];
  return all.filter((entry) => kinds.includes(entry.kind));
}

export const nameOf = (recording: Recording): string => `${recording.qemu_version} ${basename(recording.sidecar, '.json')}`;

export function sidecarOf(recording: Recording): Sidecar {
  return JSON.parse(readFileSync(join(root, recording.sidecar), 'utf8')) as Sidecar;
}

export function bytesOf(recording: Recording): Uint8Array {
  const folder = dirname(recording.sidecar);
  if (recording.file) return new Uint8Array(gunzipSync(readFileSync(join(root, folder, recording.file))));
  const place = join(folder, recording.archive!);
  const target = join(unpacked, dirname(place), basename(place, '.tar.xz'));
  const path = join(target, recording.member!);
  if (!existsSync(path)) {
    mkdirSync(target, { recursive: true });
    execFileSync('tar', ['-xJf', join(root, place), '-C', target]);
  }
  return new Uint8Array(readFileSync(path));
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Of the firmware guests. */
const GUEST_FIRMWARE_LENGTH = 64 * 1024;

/** A command line that our machines have no counterpart for. */
export class NoCounterpart extends Error {}

export interface Counterpart {
  readonly machine: Machine;
  /** What the guest wrote to the port of its debug console. */
  console(): string;
}

const nowhere = (): CharacterBackend => ({ write() {}, connect() {} });

/** A machine of ours for a recorded command line, with firmware of the right size but no contents. */
export async function counterpart(
  recording: Pick<Recording, 'program' | 'qemu_version'>,
  sidecar: Sidecar,
  extra: MachineConfig = {},
): Promise<Counterpart> {
  let text = '';
  const dbg: CharacterBackend = {
    write: (bytes) => {
      text += String.fromCharCode(...bytes);
    },
    connect() {},
  };
  const { name, config, backends } = configuration(sidecar);
  const bios = sidecar.ram_blocks_after_load?.find((block) => block.id === 'pc.bios')?.length ?? GUEST_FIRMWARE_LENGTH;
  const machine = await createMachine(name, {
    ...config,
    target: recording.program === 'qemu-system-x86_64' ? 'x86_64' : 'i386',
    rtc: { base: 1_577_836_800_000_000_000n, clock: 'vm' },
    globals: [{ driver: 'migration', property: 'x-program', value: recording.qemu_version }],
    firmware: new Uint8Array(bios),
    roms: roms(sidecar),
    backends: { ...backends, chardev: { ...backends.chardev, dbg } },
    ...extra,
  });
  return { machine, console: () => text };
}

/** QEMU's `null-co`. */
const zeros = (sectors: number): BlockBackend => ({
  sectors,
  readOnly: false,
  async read(_sector, target) {
    target.fill(0);
  },
  async write() {},
  async flush() {},
});

/** A host that reaches nothing. */
const offline: HostNetwork = {
  connect: () => {
    throw new Error('no network');
  },
  datagrams: () => {
    throw new Error('no network');
  },
  nameServer: () => undefined,
  after: () => () => {},
};

const unconnected = (): NetworkBackend => ({ send() {}, connect() {} });

/** Option ROMs of the recorded sizes, without contents: those come with the stream. */
function roms(sidecar: Sidecar): Record<string, Uint8Array> {
  const files = { 'vga.rom': 'vgabios-stdvga.bin', 'e1000.rom': 'efi-e1000.rom' };
  return Object.fromEntries(
    Object.entries(files).flatMap(([suffix, name]) => {
      const block = sidecar.ram_blocks_after_load?.find(({ id }) => id.endsWith(`/${suffix}`));
      return block ? [[name, new Uint8Array(block.length)]] : [];
    }),
  );
}

/** Disk of the guests: sector s begins with s modulo 256 and s / 256, byte 2 + i is 7 s + i. */
function guestDisk(): BlockBackend {
  return {
    ...zeros(2048),
    async read(sector, target) {
      for (let at = 0; at < target.length; at++) {
        const [s, i] = [sector + Math.floor(at / 512), at % 512];
        target[at] = i === 0 ? s : i === 1 ? s >> 8 : 7 * s + i - 2;
      }
    },
  };
}

type Backends = { [kind in 'chardev' | 'drive' | 'memdev' | 'netdev']: Record<string, object> };

/** `128M` */
const bytes = (text: string): number => Number.parseInt(text, 10) * (text.endsWith('M') ? 2 ** 20 : 1);

type Draft = { -readonly [K in keyof MachineConfig]: MachineConfig[K] };

function configuration({ command }: Sidecar): { name: string; config: MachineConfig; backends: Backends } {
  const config: Draft = {};
  const backends: Backends = { chardev: {}, drive: {}, memdev: {}, netdev: {} };
  const serial: CharacterBackend[] = [];
  const parallel: CharacterBackend[] = [];
  const devices: NonNullable<MachineConfig['devices']>[number][] = [];
  let name = '';
  for (let i = 1; i < command.length; i++) {
    const option = command[i]!;
    if (option === '-nodefaults') {
      config.noDefaults = true;
      continue;
    }
    if (option === '-S') continue;
    const value = command[++i]!;
    const [first = '', ...rest] = value.split(',');
    const properties: Record<string, string> = Object.fromEntries(rest.map((part) => part.split('=') as [string, string]));
    switch (option) {
      case '-M':
        name = first;
        config.properties = properties;
        break;
      case '-m':
        config.memory = Number(first) * 2 ** 20;
        if (properties.slots) config.memorySlots = { count: Number(properties.slots), maximum: bytes(properties.maxmem!) };
        break;
      case '-object':
        if (first !== 'memory-backend-ram') throw new NoCounterpart(`-object ${value}`);
        backends.memdev[properties.id!] = { size: bytes(properties.size!) };
        break;
      case '-cpu':
        config.cpu = value;
        break;
      case '-vga':
        config.vga = value as 'std';
        break;
      case '-uuid':
        config.uuid = Uint8Array.from(value.replaceAll('-', '').match(/../g)!, (pair) => Number.parseInt(pair, 16));
        break;
      case '-serial':
        serial.push(nowhere());
        break;
      case '-parallel':
        if (value !== 'none') parallel.push(nowhere());
        break;
      case '-device': {
        if (value === 'ide-cd,bus=ide.1') {
          config.ide = [undefined, undefined, { media: 'cdrom' }];
          break;
        }
        const { id, addr, ...own } = properties;
        devices.push({ driver: first, properties: own, ...(id ? { id } : {}), ...(addr ? { addr } : {}) });
        break;
      }
      case '-drive': {
        const size = Number.parseInt(properties.size ?? '0', 10) * (properties.size?.endsWith('M') ? 2 ** 20 : 1);
        const image = properties.file === 'vdisk.img' ? guestDisk() : zeros(size / 512);
        if (value.startsWith('if=none,')) backends.drive[properties.id!] = image;
        else if (value.startsWith('if=ide,')) config.ide = [{ media: 'disk', image }];
        else if (value.startsWith('if=floppy,index=0,')) config.floppy = [{ image }];
        else throw new NoCounterpart(`-drive ${value}`);
        break;
      }
      case '-netdev':
        if (first !== 'hubport' && first !== 'user') throw new NoCounterpart(`-netdev ${value}`);
        backends.netdev[properties.id!] = first === 'user' ? new UserNetwork(offline) : unconnected();
        break;
      case '-chardev':
        backends.chardev[properties.id!] = nowhere();
        break;
      case '-smp':
        config.smp = { cpus: Number(value) };
        break;
      case '-boot':
        config.boot = { order: 'c' };
        break;
      case '-icount':
        config.icount = { shift: Number(/shift=(\d+)/.exec(value)![1]), sleep: properties.sleep !== 'off' };
        break;
      // The kernel came into memory before the stream was written.
      case '-kernel':
      case '-initrd':
      case '-append':
      case '-nic':
      case '-bios':
      case '-rtc':
      case '-accel':
      case '-display':
      case '-monitor':
        break;
      default:
        throw new NoCounterpart(`${option} ${value}`);
    }
  }
  if (!config.noDefaults) {
    if (!command.includes('-serial')) serial.push(nowhere());
    if (!command.includes('-parallel')) parallel.push(nowhere());
    if (!command.includes('-netdev') && !command.includes('-nic')) {
      backends.netdev.user = new UserNetwork(offline);
      devices.unshift({ driver: 'e1000', board: true, properties: { netdev: 'user', mac: '52:54:00:12:34:56' } });
    }
    config.ide = [...(config.ide ?? [undefined, undefined]), { media: 'cdrom' }];
    config.floppy ??= [{}];
  }
  config.serial = serial;
  config.parallel = parallel;
  config.devices = devices;
  return { name, config, backends };
}

const timer: HostTimer = {
  now: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

/** @param answers whether the source listens, as its stream expects of a connection. */
export const load = (machine: Machine, stream: Uint8Array, capabilities: readonly string[] = [], answers = false) =>
  incoming(machine, answers ? Object.assign(bytesChannel(stream), { duplex: true, async write() {} }) : bytesChannel(stream), {
    timer,
    capabilities,
    inflate: (data, maxLength) => inflateSync(data, { maxOutputLength: maxLength }),
  });

/** Type, id, name with its length, instance, version. */
const headerLength = (idstr: string): number => 1 + 4 + 1 + idstr.length + 4 + 4;

/** Data of the devices' sections by `name instance`. */
export async function sectionsOf(stream: Uint8Array): Promise<Map<string, Uint8Array>> {
  const sections = new Map<string, Uint8Array>();
  let start = 0;
  let key: string | undefined;
  await parseStream(bytesChannel(stream), (event) => {
    if (event.kind === 'section') {
      key = event.type === 'FULL' ? `${event.idstr} ${event.instance}` : undefined;
      start = event.offset + headerLength(event.idstr);
    } else if (event.kind === 'section-end' && key !== undefined) {
      sections.set(key, stream.subarray(start, start + event.length));
    }
  });
  return sections;
}

/** The contents of a RAM block. */
export function blockBytes(machine: Machine, name: string): Uint8Array | undefined {
  const block = machine.ramBlocks.find((candidate) => candidate.name === name);
  if (!block) return undefined;
  const bytes = new Uint8Array(block.usedLength);
  for (let at = 0; at < bytes.length; at += 4096) bytes.set(block.page(at), at);
  return bytes;
}

/** Sections that a machine saves otherwise than the stream that it was loaded from had them. */
export async function changedSections(stream: Uint8Array, machine: Machine): Promise<string[]> {
  const problems: string[] = [];
  const before = await sectionsOf(stream);
  // The source ran while it was saved; what is compared is what ours would write if it ran.
  const ran = Buffer.from(before.get('globalstate 0') ?? []).includes('running');
  if (ran) machine.stop('running');
  const again = await sectionsOf(await saved(machine));
  if (ran) machine.stop();
  for (const [key, bytes] of before) {
    const own = again.get(key);
    if (!own) problems.push(`section ${key} not saved`);
    else if (!Buffer.from(own).equals(bytes)) {
      const at = bytes.findIndex((byte, i) => byte !== own[i]);
      const part = (data: Uint8Array) => Buffer.from(data.subarray(at, at + 8)).toString('hex');
      problems.push(`section ${key} at ${at}: ${part(bytes)} / ${part(own)} (${bytes.length} / ${own.length} bytes)`);
    }
  }
  for (const key of again.keys()) if (!before.has(key)) problems.push(`section ${key} saved, not in the stream`);
  if (problems.length === 0) {
    const [theirs, ours] = [[...before.keys()], [...again.keys()]];
    const at = theirs.findIndex((key, i) => key !== ours[i]);
    if (at >= 0) problems.push(`order: ${theirs[at]} is followed here by ${ours[at]}: ${theirs.join(', ')} / ${ours.join(', ')}`);
  }
  return problems;
}

/** Lines of `info registers` that are not as recorded. */
export function changedRegisters(recorded: readonly string[], machine: Machine): string[] {
  const ours = Array.from({ length: machine.smp.cpus }, (_, n) => machine.registersText(n)).flatMap((text) =>
    text.split('\n').filter((line) => line !== ''),
  );
  return recorded
    .filter((line) => line !== '')
    .flatMap((line, i) => (line.trimEnd() === ours[i]?.trimEnd() ? [] : [`register line: ${line} / ${ours[i]}`]));
}
