import { Cpu, type CpuState, codeBits, codeLine, Disassembler } from '@pagurus/cpu-wasm';
import type { PciBus, PciFunction, PciHostService, Piix4PmService } from '@pagurus/dev-pci';
import { KEY_NAMES } from '@pagurus/dev-ps2';
import type { Property, PropertyValue, RunState, Screen } from '@pagurus/device-model';
import {
  type DeviceOptions,
  HostError,
  type MigrationController,
  type MonitorDevice,
  type MonitorPciFunction,
  type MonitorRegion,
  type MonitorRom,
  type MonitorTarget,
} from '@pagurus/host-node';
import type { Machine } from '@pagurus/machine';
import { DriveMonitor } from './drive-monitor.js';
import type { Drives } from './drives.js';
import type { KeyboardInput } from './keyboard-input.js';
import { type PagingState, translate } from './page-walk.js';

const PAGE = 4096;
const LONGEST_INSTRUCTION = 15;
/** General registers in wire order, without the letter of their width. */
const GENERAL = 'ax cx dx bx sp bp si di r8 r9 r10 r11 r12 r13 r14 r15'.split(' ');

export interface MachineMonitorOptions {
  /** For the disassembler. */
  readonly cpuModule: WebAssembly.Module;
  readonly machine: Machine;
  readonly migration: MigrationController;
  readonly keyboard: KeyboardInput;
  readonly drives: Drives;
  readonly version: string;
  readonly name: string | undefined;
  readonly uuid?: string | undefined;
  /** Whether a machine that waits for a stream starts when it is in, if it ran when it was sent. */
  setAutostart(on: boolean): void;
  /** Lines of `info network`. */
  networks?(): readonly string[];
  quit(): void;
  /** Told after the power button was pressed. */
  poweredDown?(): void;
}

/** The monitor's view of a {@link Machine}. */
export class MachineMonitor implements MonitorTarget {
  readonly version: string;
  readonly name: string | undefined;
  readonly uuid?: string;
  readonly machineName: string;
  readonly keyNames = KEY_NAMES;
  readonly migration: MigrationController;
  readonly drives: DriveMonitor;
  private readonly machine: Machine;
  private disassembler: Disassembler | undefined;

  constructor(private readonly options: MachineMonitorOptions) {
    this.machine = options.machine;
    this.migration = options.migration;
    this.drives = new DriveMonitor(options.machine, options.drives);
    this.version = options.version;
    this.name = options.name;
    if (options.uuid !== undefined) this.uuid = options.uuid;
    this.machineName = options.machine.machineName;
  }

  runState(): RunState {
    return this.machine.runState;
  }

  stop(): void {
    if (this.machine.runState === 'inmigrate') this.options.setAutostart(false);
    else if (this.machine.runState === 'running') this.machine.stop('paused');
  }

  cont(): void {
    if (this.machine.runState === 'inmigrate') this.options.setAutostart(true);
    else this.machine.start();
  }

  reset(): void {
    const { runState } = this.machine;
    this.machine.requestReset('monitor');
    if (runState === 'shutdown' || runState === 'internal-error') this.machine.stop('paused');
  }

  powerdown(): void {
    const button = this.machine.devices
      .map(({ device }) => device.services as Partial<Piix4PmService> | undefined)
      .find((services) => services?.pressPowerButton);
    if (!button) throw new HostError('unsupported', `system_powerdown: ${this.machineName} has no power button`);
    button.pressPowerButton!();
    this.options.poweredDown?.();
  }

  quit(): void {
    this.options.quit();
  }

  deviceAdd(device: DeviceOptions): void {
    this.refuseWhileMigrating('device_add');
    this.machine.composer.hotplug(device);
    this.machine.wake();
  }

  objectAdd({ id, size }: { readonly id: string; readonly size: number }): void {
    this.machine.composer.addBackend('memdev', id, { size });
  }

  deviceDel(id: string): void {
    this.refuseWhileMigrating('device_del');
    this.machine.composer.requestUnplug(id);
    this.machine.wake();
  }

  registers(): string {
    return this.machine.registersText();
  }

  devices(): readonly MonitorDevice[] {
    return this.machine.devices
      .filter(({ id, type }) => id !== type)
      .map(({ id, type, path, properties }) => ({
        id,
        type,
        path,
        properties: Object.entries(properties.values).map(([key, value]) => ({
          name: this.propertyName(type, key),
          value: propertyText(value),
        })),
      }));
  }

  regions(space: 'memory' | 'io'): readonly MonitorRegion[] {
    if (space === 'io')
      return this.machine.ports
        .flat()
        .map(({ base, length, name }) => ({ base: BigInt(base), length: BigInt(length), name, kind: 'i/o' }));
    return this.machine.memory.pieces().map(({ base, length, entry }) => ({
      base: BigInt(base),
      length: BigInt(length),
      name: entry.name,
      kind: entry.target.ram ? (entry.target.ram.writable ? 'ram' : 'rom') : 'i/o',
    }));
  }

  pci(): readonly MonitorPciFunction[] | undefined {
    const host = this.machine.devices
      .map(({ device }) => device.services as Partial<PciHostService> | undefined)
      .find((services) => services?.bus);
    return host?.bus ? describeBus(host.bus, 0) : undefined;
  }

  pic(): readonly string[] {
    return this.machine.devices.flatMap(({ device }) =>
      device.sections
        .filter(({ description }) => description.name === 'i8259')
        .map(({ state }, i) => {
          const pic = state as unknown as Record<string, number>;
          const hex = (key: string): string => (pic[key] ?? 0).toString(16).padStart(2, '0');
          return (
            `pic${i}: irr=${hex('irr')} imr=${hex('imr')} isr=${hex('isr')} hprio=${pic.priorityAdd ?? 0} ` +
            `irq_base=${hex('irqBase')} rr_sel=${pic.readRegisterSelect ?? 0} elcr=${hex('elcr')} fnm=${pic.specialFullyNestedMode ?? 0}`
          );
        }),
    );
  }

  roms(): readonly MonitorRom[] {
    return this.machine.composer.roms.map(({ block, offset, bytes }) => {
      const window = this.machine.memory.pieces().find(({ entry }) => entry.target.ram?.block === block);
      const address = window ? window.entry.base - window.entry.target.ram!.offset + offset : offset;
      return { address: BigInt(address), length: bytes.length, name: block.name };
    });
  }

  sendKeys(names: readonly string[], hold: number): void {
    this.options.keyboard.press(names, hold, this.machine.clock);
    this.machine.wake();
  }

  moveMouse(dx: number, dy: number, dz: number): void {
    this.options.keyboard.point({ kind: 'move', dx, dy, dz });
    this.machine.wake();
  }

  setMouseButtons(state: number): void {
    this.options.keyboard.hold(state);
    this.machine.wake();
  }

  networks(): readonly string[] {
    return this.options.networks?.() ?? [];
  }

  screen(): Screen | undefined {
    return this.machine.screen();
  }

  readMemory(kind: 'physical' | 'virtual', address: bigint, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    if (kind === 'physical') {
      this.readPhysical(address, bytes);
      return bytes;
    }
    const paging = this.paging();
    for (let done = 0; done < length; ) {
      const linear = address + BigInt(done);
      const part = Math.min(length - done, PAGE - Number(linear & BigInt(PAGE - 1)));
      const physical = translate(paging, linear, (at, size) => this.readWord(at, size));
      if (physical === undefined) throw new HostError('not-found', `x: nothing is mapped at 0x${linear.toString(16)}`);
      this.readPhysical(physical, bytes.subarray(done, done + part));
      done += part;
    }
    return bytes;
  }

  disassemble(kind: 'physical' | 'virtual', address: bigint, count: number): string[] {
    const { cpu } = this.machine;
    if (!(cpu instanceof Cpu)) throw new HostError('unsupported', 'x: this CPU cannot be disassembled');
    this.disassembler ??= new Disassembler(this.options.cpuModule);
    const lines: string[] = [];
    for (let at = address; lines.length < count; ) {
      const instruction = this.disassembler.one(this.readCode(kind, at), at, codeBits(cpu));
      lines.push(codeLine(instruction, at));
      at += BigInt(instruction.bytes.length);
    }
    return lines;
  }

  /** Enough for an instruction, or what is left before a page that is not there. */
  private readCode(kind: 'physical' | 'virtual', address: bigint): Uint8Array {
    const here = PAGE - Number(address & BigInt(PAGE - 1));
    if (here >= LONGEST_INSTRUCTION) return this.readMemory(kind, address, LONGEST_INSTRUCTION);
    const first = this.readMemory(kind, address, here);
    try {
      return this.readMemory(kind, address, LONGEST_INSTRUCTION);
    } catch {
      return first;
    }
  }

  register(name: string): bigint | undefined {
    const { eip, regs, segments } = this.cpuState();
    const word = (value: number | bigint): bigint => BigInt.asUintN(64, BigInt(value));
    if (name === 'pc') return word(eip) + word(segments[1]!.base);
    if (/^[er]?ip$/.test(name)) return word(eip);
    const place = GENERAL.indexOf(name.replace(/^[er](?=[a-z])/, ''));
    return regs[place] === undefined ? undefined : word(regs[place]);
  }

  instructionCount(): number {
    return this.machine.cpu.instructions;
  }

  breakAt(instructions: number): void {
    this.machine.breakAt(instructions);
  }

  clearBreak(): void {
    if (this.machine.time.counting) this.machine.breakAt(Number.MAX_SAFE_INTEGER);
  }

  /** Both ends must agree on the devices. */
  private refuseWhileMigrating(command: string): void {
    const { status } = this.migration.info();
    if (this.machine.runState === 'inmigrate' || !['none', 'completed', 'failed', 'cancelled'].includes(status))
      throw new HostError('unsupported', `${command}: not while the machine migrates (${status})`);
  }

  saveSnapshot(path: string): Promise<void> {
    return this.migration.saveSnapshot(path);
  }

  async loadSnapshot(path: string): Promise<void> {
    await this.migration.loadSnapshot(path);
  }

  /** RAM and ROM only: reading a device's registers could change it. What is neither reads as zeros. */
  private readPhysical(address: bigint, target: Uint8Array): void {
    const from = Number(address);
    if (!Number.isSafeInteger(from + target.length)) throw new HostError('syntax', `no memory at 0x${address.toString(16)}`);
    for (const { base, length, entry } of this.machine.memory.pieces()) {
      const { ram } = entry.target;
      const [start, end] = [Math.max(base, from), Math.min(base + length, from + target.length)];
      if (ram && start < end) ram.block.read(ram.offset + start - entry.base, target.subarray(start - from, end - from));
    }
  }

  private readWord(address: bigint, size: 4 | 8): bigint {
    const bytes = new Uint8Array(8);
    this.readPhysical(address, bytes.subarray(0, size));
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  private cpuState(): CpuState {
    const cpu = this.machine.devices.find(({ id }) => id === 'cpu')!.device;
    cpu.beforeSave?.();
    return cpu.sections.find(({ description }) => description.name === 'cpu')!.state as unknown as CpuState;
  }

  private paging(): PagingState {
    const { cr0, cr3, cr4, efer } = this.cpuState();
    const word = (value: number | bigint): bigint => BigInt.asUintN(64, BigInt(value));
    return { cr0: word(cr0), cr3: word(cr3), cr4: word(cr4), efer: word(efer) };
  }

  /** QEMU's name of a property that the device knows by our key. */
  private propertyName(type: string, key: string): string {
    for (const { types } of this.machine.type.packages) {
      const found = types.find((candidate) => candidate.type === type);
      const property = (found?.properties as Record<string, Property> | undefined)?.[key];
      if (property) return property.name;
    }
    return key;
  }
}

function propertyText(value: PropertyValue): string {
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  return typeof value === 'number' ? `${value} (0x${value.toString(16)})` : `"${value}"`;
}

/** Configuration space. [PCI] PCI Local Bus Specification 3.0, 6.1 and 6.2.5. */
const CONFIG = { VENDOR: 0x00, DEVICE: 0x02, SUBCLASS: 0x0a, CLASS: 0x0b, BAR0: 0x10, IRQ_LINE: 0x3c, IRQ_PIN: 0x3d } as const;
const BARS = 6;
const BRIDGE_BARS = 2;

const KINDS: Readonly<Record<number, string>> = {
  257: 'IDE controller',
  512: 'Ethernet controller',
  768: 'VGA controller',
  1536: 'Host bridge',
  1537: 'ISA bridge',
  1540: 'PCI bridge',
  1664: 'Bridge',
};

/** With the buses behind its bridges, each behind its bridge. */
function describeBus(bus: PciBus, number: number): MonitorPciFunction[] {
  return bus.list().flatMap((entry) => {
    const described = describeFunction(entry, number);
    const { secondary } = entry;
    return [described, ...(secondary && described.bridge ? describeBus(secondary, described.bridge.secondary) : [])];
  });
}

function describeFunction(entry: PciFunction, bus: number): MonitorPciFunction {
  const { config, wmask, slot } = entry;
  const view = new DataView(config.buffer, config.byteOffset, config.byteLength);
  const masks = new DataView(wmask.buffer, wmask.byteOffset, wmask.byteLength);
  const classCode = (config[CONFIG.CLASS]! << 8) | config[CONFIG.SUBCLASS]!;
  const bars = Array.from({ length: entry.secondary ? BRIDGE_BARS : BARS }, (_, index) => {
    const at = CONFIG.BAR0 + 4 * index;
    const io = (config[at]! & 1) !== 0;
    const low = io ? 0x3 : 0xf;
    const wide = (config[at]! & 0x7) === 0x4;
    const mask = (masks.getUint32(at, true) & ~low) >>> 0;
    return {
      index,
      space: io ? ('io' as const) : ('memory' as const),
      wide,
      base: BigInt((view.getUint32(at, true) & ~low) >>> 0) + (wide ? BigInt(view.getUint32(at + 4, true)) << 32n : 0n),
      length: mask === 0 ? 0n : BigInt((~mask >>> 0) + 1),
    };
  });
  return {
    bus,
    device: slot.devfn >> 3,
    function: slot.devfn & 7,
    kind: KINDS[classCode] ?? `Class ${classCode.toString(16).padStart(4, '0')}`,
    vendorId: view.getUint16(CONFIG.VENDOR, true),
    deviceId: view.getUint16(CONFIG.DEVICE, true),
    irq: config[CONFIG.IRQ_PIN] === 0 ? undefined : config[CONFIG.IRQ_LINE],
    bars: bars.filter(({ length }, index) => length > 0n && !bars[index - 1]?.wide),
    ...(entry.secondary ? { bridge: describeBridge(view) } : {}),
    id: entry.id,
  };
}

/** [BRIDGE] PCI-to-PCI Bridge Architecture Specification 1.2, 3.2.5. */
function describeBridge(view: DataView): NonNullable<MonitorPciFunction['bridge']> {
  const memory = (at: number, rest: bigint): bigint => (BigInt(view.getUint16(at, true) & 0xfff0) << 16n) | rest;
  const high = (at: number): bigint => BigInt(view.getUint32(at, true)) << 32n;
  const megabyte = 0xfffffn;
  return {
    secondary: view.getUint8(0x19),
    subordinate: view.getUint8(0x1a),
    io: [BigInt(view.getUint8(0x1c) & 0xf0) << 8n, (BigInt(view.getUint8(0x1d) & 0xf0) << 8n) | 0xfffn],
    memory: [memory(0x20, 0n), memory(0x22, megabyte)],
    prefetchable: [memory(0x24, 0n) | high(0x28), memory(0x26, megabyte) | high(0x2c)],
  };
}
