import type { CpuPort, CpuRamBlock } from '@pagurus/cpu-wasm';
import {
  type Device,
  type DeviceContext,
  type DeviceType,
  type InputPin,
  type IoRegion,
  type IrqLine,
  type Log,
  PropertyError,
  type PropertyValue,
  type RamBlock,
  type Timer,
} from '@pagurus/device-model';
import type { VirtualClock } from './clock.js';
import { type GlobalProperty, type ResolvedProperties, resolveProperties, rowsOf } from './compat.js';
import type { DeviceArguments, MachineConfig } from './config.js';
import type { BootRegisters } from './loader/index.js';
import { MachineError, type MachineType, type PlugBus, type RomImage } from './machine-type.js';
import type { PortBus } from './port-bus.js';
import { SectionRegistry } from './section-registry.js';
import type { SmpLayout } from './smp.js';
import { migrationCompat } from './stream-settings.js';
import type { SystemMemory } from './system-memory.js';
import { Wire } from './wire.js';

/** A device in a machine: what `info qtree` lists and what the composer connects. */
export interface ComposedDevice {
  readonly id: string;
  readonly type: string;
  readonly path: string | undefined;
  readonly device: Device;
  readonly properties: ResolvedProperties;
  /** Output pins that the device asked for. */
  readonly wires: ReadonlyMap<string, Wire>;
}

export interface ComposeOptions {
  readonly id?: string;
  /** By QEMU property name; text is parsed. */
  readonly properties?: Readonly<Record<string, PropertyValue>>;
  /** Services and host handles by backend name. */
  readonly backends?: Readonly<Record<string, object | undefined>>;
  readonly slot?: unknown;
  /** Section name prefix. */
  readonly path?: string;
}

/** What a processor and its local APIC share: MSR IA32_APIC_BASE and the task priority. */
export interface LocalApic {
  base(): number;
  setBase(value: number): void;
  setTaskPriority(value: number): void;
  setTscDeadline(time: bigint | undefined): void;
  tscDeadlineArmed(): boolean;
}

/** CPUID leaf 1: EAX and EDX. */
export interface ProcessorIdentity {
  readonly signature: number;
  readonly features: number;
}

/** General registers that a device behind a port may read and change while the access is served (VMware's backdoor). */
export interface RegisterAccess {
  registers(): GeneralRegisters;
  setRegisters(registers: GeneralRegisters): void;
}

export type GeneralRegisters = { [name in 'eax' | 'ebx' | 'ecx' | 'edx' | 'esi' | 'edi']: number };

/** What the composer needs from the machine that it fills. */
export interface ComposerMachine {
  readonly cpu: CpuPort;
  readonly memory: SystemMemory;
  readonly ports: PortBus;
  readonly clock: VirtualClock;
  readonly log: Log;
  logFor(id: string): Log;
  requestReset(reason: string): void;
  requestShutdown(reason: string, exitCode?: number): void;
  /** INTR pin of a processor; also wakes a sleeping machine. */
  interruptPin(processor: number): InputPin;
  readonly a20Pin: InputPin;
  nmiPin(processor: number): InputPin;
  smiPin(processor: number): InputPin;
  /** IGNNE# of the boot processor. */
  readonly ignoreNumericErrorPin: InputPin;
  /** Whether each processor has a local APIC. */
  readonly hasApic: boolean;
  readonly smp: SmpLayout;
  /** Sections and reset of the processors that run. */
  readonly processorDevices: readonly Device[];
  readonly processor: ProcessorIdentity;
  /** General registers of the processor that executes a port access. */
  readonly backdoor: RegisterAccess;
  /** INIT: a processor starts over, memory and devices stay; all but the boot processor then wait for `startup`. */
  init(processor: number): void;
  startup(processor: number, vector: number): void;
  /** Direct kernel boot: registers at the kernel's entry. */
  setRegisters(registers: BootRegisters): void;
}

/** What a device took from the machine; given back when it leaves. */
interface Holdings {
  readonly regions: IoRegion[];
  readonly blocks: RamBlock[];
  readonly timers: Timer[];
  readonly retries: (() => void)[];
}

/** Builds one machine: creates devices, wires pins, places ROMs, offers buses. Handed to {@link MachineType.build}. */
export class Composer {
  readonly devices: ComposedDevice[] = [];
  readonly roms: RomImage[] = [];
  readonly sections = new SectionRegistry();
  readonly memoryArrived: (() => void)[] = [];
  /** Run at every reset after all devices were reset (direct kernel boot). */
  readonly afterReset: (() => void)[] = [];
  /** The interrupt controller, asked when the CPU takes an interrupt. */
  acknowledgeInterrupt: () => number = () => 0xff;

  /** In the order in which an interrupt passes through them. */
  readonly interruptControllers: ComposedDevice[] = [];

  /** The processors' local APICs, where they have some. */
  readonly localApics: LocalApic[] = [];

  /** Told which processor runs next: whose local APIC answers. */
  processorSelected: (processor: number) => void = () => {};

  /** Told whether the processor that runs is in system management mode, so that it sees SMRAM. */
  systemManagement: (on: boolean) => void = () => {};

  /** FERR#: an unmasked x87 error while CR0.NE is 0. */
  numericError: () => void = () => {};

  /** Called with each device that has left the running machine. */
  readonly deviceDeleted: ((device: ComposedDevice) => void)[] = [];

  /** Backends that came later, by kind and id. */
  private readonly objects = new Map<string, object>();
  private readonly buses: PlugBus[] = [];
  private readonly plugged = new Map<ComposedDevice, PlugBus>();
  private readonly holdings = new Map<Device, Holdings>();
  private readonly rows: readonly GlobalProperty[];
  private readonly globals: readonly GlobalProperty[];
  private readonly ids = new Set<string>();
  private readonly usedGlobals = new Set<GlobalProperty>();

  constructor(
    readonly machine: ComposerMachine,
    // biome-ignore lint/suspicious/noExplicitAny: a machine type of any properties.
    readonly type: MachineType<any>,
    readonly config: MachineConfig,
    /** Bytes of guest RAM. */
    readonly memorySize: number,
  ) {
    this.rows = rowsOf(type, [migrationCompat]);
    this.globals = config.globals ?? [];
  }

  /** The properties that a type would have on this machine. */
  resolve<P extends object>(type: DeviceType<P>, own: Readonly<Record<string, PropertyValue>> = {}): ResolvedProperties {
    const names = [type.type, ...(type.parents ?? [])];
    for (const row of this.globals) if (names.includes(row.driver)) this.usedGlobals.add(row);
    return resolveProperties(type, this.rows, this.globals, own);
  }

  /**
   * Creates a device.
   * @throws {PropertyError} for its configuration, {@link MachineError} for a taken id.
   */
  add<P extends object>(type: DeviceType<P>, options: ComposeOptions = {}): ComposedDevice {
    const id = options.id ?? this.freeId(type.type);
    if (this.ids.has(id)) throw new MachineError(`duplicate device id '${id}'`);
    this.ids.add(id);
    const properties = this.resolve(type, options.properties);
    const wires = new Map<string, Wire>();
    const held: Holdings = { regions: [], blocks: [], timers: [], retries: [] };
    const context = this.context(type, id, properties, options, wires, held);
    let device: Device;
    try {
      device = type.create(context, properties.values as P);
    } catch (error) {
      this.giveBack(held);
      this.ids.delete(id);
      throw error;
    }
    this.holdings.set(device, held);
    const composed: ComposedDevice = { id, type: type.type, path: options.path, device, properties, wires };
    this.devices.push(composed);
    this.sections.add(device, options.path);
    return composed;
  }

  /** Adds a device that exists only as an object (the CPU, the clock): its sections and reset take part as any other's. */
  addInternal(id: string, device: Device): void {
    this.ids.add(id);
    this.devices.push({ id, type: id, path: undefined, device, properties: { values: {}, sources: {} }, wires: new Map() });
    this.sections.add(device, undefined);
  }

  /** Connects an output pin to an input. @throws {MachineError} if the device has no such pin. */
  connect(from: ComposedDevice, pin: string, to: InputPin): void {
    const wire = from.wires.get(pin);
    if (!wire)
      throw new MachineError(`${from.id} has no output pin '${pin}'; it has: ${[...from.wires.keys()].join(', ') || 'none'}`);
    wire.connect(to);
  }

  /** A device's input pin. @throws {MachineError} if it has none of that name. */
  input(device: ComposedDevice, pin: string): InputPin {
    const input = device.device.inputs?.[pin];
    if (!input)
      throw new MachineError(
        `${device.id} has no input pin '${pin}'; it has: ${Object.keys(device.device.inputs ?? {}).join(', ') || 'none'}`,
      );
    return input;
  }

  /** Contents that are written again at every reset. @throws {MachineError} if they do not fit. */
  rom(image: RomImage): void {
    if (image.offset + image.bytes.length > image.block.length)
      throw new MachineError(`ROM image of ${image.bytes.length} bytes does not fit block ${image.block.name}`);
    this.roms.push(image);
  }

  /**
   * For a load, before lines are driven again: what the interrupt controllers have been given is kept. The returned function puts it
   * back, since a line that only takes its old level is no edge: the loaded state has the last word about what has been seen.
   */
  holdInterruptControllers(): () => void {
    const held = this.interruptControllers.flatMap(({ device }) =>
      this.sections.of(device).map((part) => ({ part, state: part.save() })),
    );
    return () => {
      for (const { part, state } of held) part.decode(state.bytes, 0, part.version).commit();
      for (const { device } of this.interruptControllers) device.resume?.();
    };
  }

  offerBus(bus: PlugBus): void {
    this.buses.push(bus);
  }

  /** `object_add`: a backend that device properties may name from now on. @throws {MachineError} if there is one of that id. */
  addBackend(kind: string, id: string, handle: object): void {
    const key = `${kind}/${id}`;
    if (this.objects.has(key) || this.config.backends?.[kind]?.[id]) throw new MachineError(`duplicate object id '${id}'`);
    this.objects.set(key, handle);
  }

  /** `-device`. @throws {MachineError} for an unknown driver or bus, {@link PropertyError} for a place or property that cannot be. */
  plug(wanted: DeviceArguments): ComposedDevice {
    return this.place(wanted, false).composed;
  }

  /**
   * `device_add`: a device comes to a machine that exists, and the guest is told.
   * @throws as {@link plug}, and {@link MachineError} for a bus that is as it is; the machine has not changed then.
   */
  hotplug(wanted: DeviceArguments): ComposedDevice {
    const { bus, composed } = this.place(wanted, true);
    composed.device.reset();
    bus.hotplug!.plugged(composed);
    return composed;
  }

  /**
   * `device_del`: asks the guest to let go of a device; {@link deviceDeleted} follows when it has.
   * @throws {MachineError} for an unknown id or a device that stays.
   */
  requestUnplug(id: string): void {
    const composed = this.devices.find((device) => device.id === id);
    if (!composed) throw new MachineError(`device '${id}' not found`);
    const bus = this.plugged.get(composed);
    if (!bus) throw new MachineError(`device '${id}' is part of the machine and cannot be unplugged`);
    if (!bus.hotplug) throw new MachineError(`bus '${bus.name}' does not support hotplugging`);
    bus.hotplug.requestUnplug(composed);
  }

  /** Takes a device out: the guest has let go of it. */
  remove(composed: ComposedDevice): void {
    const index = this.devices.indexOf(composed);
    if (index < 0) return;
    const { device } = composed;
    for (const wire of composed.wires.values()) wire.set(false);
    device.unrealize?.();
    this.giveBack(this.holdings.get(device));
    this.holdings.delete(device);
    this.devices.splice(index, 1);
    this.plugged.delete(composed);
    this.ids.delete(composed.id);
    this.sections.remove(device);
    for (const listener of this.deviceDeleted) listener(composed);
  }

  private place(wanted: DeviceArguments, hot: boolean): { bus: PlugBus; composed: ComposedDevice } {
    const { driver, addr: address } = wanted;
    const types = this.type.packages.flatMap((entry) => entry.types);
    const type = types.find((candidate) => candidate.type === driver);
    if (!type) {
      throw new MachineError(
        `'${driver}' is not a known device; this machine's packages have: ${types.map((candidate) => candidate.type).join(', ')}`,
      );
    }
    if (type.bus === 'system') throw new MachineError(`'${driver}' is part of a machine and cannot be plugged`);
    const bus = this.busFor(type, wanted.bus);
    if (hot && !bus.hotplug) throw new MachineError(`bus '${bus.name}' does not support hotplugging`);
    if (wanted.id !== undefined && this.ids.has(wanted.id)) throw new MachineError(`duplicate device id '${wanted.id}'`);
    const id = wanted.id ?? this.freeId(driver);
    // On other buses `addr` is a property like any other.
    const own = bus.kind === 'pci' || address === undefined ? wanted.properties : { ...wanted.properties, addr: address };
    const properties = this.resolve(type, own).values;
    const place = bus.plug({ driver, id, address, properties, hot });
    let composed: ComposedDevice;
    try {
      composed = this.add(type, {
        id,
        properties: own,
        slot: place.slot,
        ...(place.backends === undefined ? {} : { backends: place.backends }),
        ...(place.path === undefined ? {} : { path: place.path }),
      });
    } catch (error) {
      place.abandoned?.();
      throw error;
    }
    for (const [pin, wire] of composed.wires) {
      const target = place.connect?.(pin, composed);
      if (target) wire.connect(target);
    }
    this.plugged.set(composed, bus);
    place.created?.(composed);
    return { bus, composed };
  }

  private busFor({ type: driver, bus: kind }: DeviceType, name: string | undefined): PlugBus {
    const named = this.buses.find((bus) => bus.name === name && bus.kind !== 'none');
    if (name !== undefined && !named) {
      const names = this.buses.filter((bus) => bus.kind !== 'none').map((bus) => bus.name);
      throw new PropertyError(driver, 'bus', `bus '${name}' not found; this machine has: ${names.join(', ') || 'none'}`);
    }
    if (named && named.kind !== kind)
      throw new PropertyError(driver, 'bus', `device '${driver}' cannot go on bus '${named.name}'`);
    const bus = named ?? this.buses.find((candidate) => candidate.kind === kind && !candidate.full?.());
    if (!bus) throw new MachineError(`no '${kind}' bus with a free place in ${this.type.name} for device '${driver}'`);
    return bus;
  }

  /** A bus goes with the device that offered it. */
  withdrawBus(bus: PlugBus): void {
    const index = this.buses.indexOf(bus);
    if (index >= 0) this.buses.splice(index, 1);
  }

  private giveBack(held: Holdings | undefined): void {
    if (!held) return;
    for (const region of held.regions) region.remove();
    for (const timer of held.timers) timer.cancel();
    for (const block of held.blocks) this.machine.cpu.release(block as CpuRamBlock);
    for (const retry of held.retries) this.memoryArrived.splice(this.memoryArrived.indexOf(retry), 1);
  }

  /** `-global` rows whose driver no device of this machine is; QEMU warns about them. */
  unusedGlobals(): readonly GlobalProperty[] {
    return this.globals.filter((row) => !this.usedGlobals.has(row));
  }

  private context<P extends object>(
    type: DeviceType<P>,
    id: string,
    properties: ResolvedProperties,
    options: ComposeOptions,
    wires: Map<string, Wire>,
    held: Holdings,
  ): DeviceContext {
    const { machine, config } = this;
    const { ports, memory, clock } = machine;
    const keep = (region: IoRegion): IoRegion => {
      held.regions.push(region);
      return region;
    };
    const line = (pin: string): IrqLine => {
      let wire = wires.get(pin);
      if (!wire) {
        wire = new Wire();
        wires.set(pin, wire);
      }
      return wire;
    };
    const backend = <B>(name: string): B | undefined => {
      const given = options.backends?.[name];
      if (given !== undefined) return given as B;
      const key = Object.keys(type.properties).find(
        (candidate) => (type.properties as Record<string, { name: string }>)[candidate]!.name === name,
      );
      const selected = key === undefined ? undefined : properties.values[key];
      // What has no name gets the host's default, where there is one.
      if (typeof selected !== 'string' || selected === '') return config.backends?.[name]?.[''] as B | undefined;
      const handle =
        name === 'romfile'
          ? config.roms?.[selected]
          : (config.backends?.[name]?.[selected] ?? this.objects.get(`${name}/${selected}`));
      // A card's usual ROM may be left out (direct kernel boot needs none); what the user names must be there.
      if (!handle && name === 'romfile' && properties.sources[key!] === 'default') return undefined;
      if (!handle) throw new PropertyError(type.type, name, `no ${name} with id '${selected}'`);
      return handle as B;
    };
    return {
      id,
      ports: { add: (...range) => keep(ports.add(...range)) },
      mmio: {
        add: (...range) => keep(memory.add(...range)),
        addRam: (...window) => keep(memory.addRam(...window)),
        allocate(name, length) {
          const block = memory.allocate(name, length);
          held.blocks.push(block);
          return block;
        },
      },
      memory,
      clock: {
        now: () => clock.now(),
        wallClock: () => clock.wallClock(),
        rtcClock: () => clock.rtcClock(),
        timer(callback) {
          const timer = clock.timer(callback);
          held.timers.push(timer);
          return timer;
        },
      },
      log: machine.logFor(id),
      line,
      backend,
      slot: options.slot,
      requestReset: (reason) => machine.requestReset(reason),
      requestShutdown: (reason, exitCode) => machine.requestShutdown(reason, exitCode),
      onMemoryArrived: (retry) => {
        this.memoryArrived.push(retry);
        held.retries.push(retry);
      },
    };
  }

  private freeId(type: string): string {
    for (let n = 0; ; n++) {
      const id = `${type}[${n}]`;
      if (!this.ids.has(id)) return id;
    }
  }
}
