import type { AccessSize, DeviceContext, GuestMemory, IoHandler, RamAccess, RamBlock } from '@pagurus/device-model';
import type { Description } from '@pagurus/vmstate';
import { type BarOptions, type BarWindow, BaseAddress, ROM_BAR } from './base-address.js';
import { type PciBus, type PciSlot, pciSlot } from './bus.js';
import { overlaps, readConfig, writeConfig } from './config-space.js';
import { type ConfigMasks, type PciDeviceState, pciDeviceVmState } from './pci-device.state.js';
import { COMMAND, MEMORY_PRIORITY, MULTI_FUNCTION, PCI, PORT_PRIORITY, QEMU_SUBSYSTEM, STATUS } from './spec.js';

/** What a function says of itself. */
export interface PciIdentity {
  /** Type name, for messages. */
  readonly type: string;
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revision?: number;
  /** Base class and subclass, e.g. 0x0601. */
  readonly classCode: number;
  readonly programmingInterface?: number;
  /** Status bits that are always set. */
  readonly status?: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
  /** 1 to 4 for INTA# to INTD#; 0 or absent: none. */
  readonly interruptPin?: number;
  /** Layout of the header: 0, or 1 of a bridge. */
  readonly headerType?: number;
  /** This is function 0 of several, whatever the property `multifunction` says. */
  readonly multiFunction?: boolean;
  /** False for what is soldered on. Default true. */
  readonly hotpluggable?: boolean;
}

/** A device's state class holds its PCI part somewhere; the function finds it through this. */
export interface PciOwner {
  readonly pci: PciDeviceState;
}

/** Told after the default handling of a write to [offset, offset + size). */
export type ConfigWriteListener = (offset: number, size: AccessSize) => void;

/**
 * The PCI side of a device: configuration space, base address registers, INTx, capabilities, bus mastering. A device makes one in
 * `create`, adds its registers, and calls {@link reset} and {@link resume} from its own.
 */
export class PciFunction implements ConfigMasks {
  readonly slot: PciSlot;
  readonly wmask: Uint8Array;
  readonly w1cmask: Uint8Array;
  readonly cmask: Uint8Array;
  /** Nested at the head of the device's section. */
  readonly description: Description<PciDeviceState>;
  /** Guest memory as a bus master sees it: nobody answers while the guest has mastering switched off. */
  readonly dma: GuestMemory;

  /** Of a bridge: the bus behind it. */
  secondary: PciBus | undefined;

  private readonly bars: BaseAddress[] = [];
  private readonly listeners: ConfigWriteListener[] = [];
  private nextCapability: number = PCI.HEADER_SIZE;

  /** @throws {PropertyError} where the context has no slot or the slot is taken. */
  constructor(
    private readonly context: DeviceContext,
    private readonly owner: PciOwner,
    readonly identity: PciIdentity,
  ) {
    this.slot = pciSlot(context, identity.type);
    const { length } = this.config;
    this.wmask = new Uint8Array(length).fill(0xff, PCI.HEADER_SIZE);
    this.w1cmask = new Uint8Array(length);
    this.cmask = new Uint8Array(length);
    this.identify();
    this.description = pciDeviceVmState(this);
    this.dma = this.masterMemory();
    this.slot.bus.attach(this);
  }

  get id(): string {
    return this.context.id;
  }

  get config(): Uint8Array {
    return this.owner.pci.config;
  }

  get multiFunction(): boolean {
    return this.identity.multiFunction ?? this.slot.multiFunction ?? false;
  }

  get hotpluggable(): boolean {
    return this.identity.hotpluggable ?? true;
  }

  /** Onboard device number for ACPI, property `acpi-index`; 0: none. */
  get acpiIndex(): number {
    return this.slot.acpiIndex ?? 0;
  }

  get command(): number {
    return readConfig(this.config, PCI.COMMAND, 2);
  }

  /** The guest allows the function to use memory on its own. */
  get busMaster(): boolean {
    return (this.command & COMMAND.MASTER) !== 0;
  }

  onConfigWrite(listener: ConfigWriteListener): void {
    this.listeners.push(listener);
  }

  /** A register of one I/O range. */
  ioBar(index: number, size: number, handler: IoHandler, name: string): BaseAddress {
    const region = this.context.ports.add(0, size, handler, { name, enabled: false, priority: PORT_PRIORITY.BAR });
    return this.addBar(index, { space: 'io', size }, [{ region, offset: 0 }]);
  }

  /** A register of one memory range. */
  memoryBar(
    index: number,
    size: number,
    handler: IoHandler,
    name: string,
    options: Omit<BarOptions, 'space' | 'size'> = {},
  ): BaseAddress {
    const region = this.context.mmio.add(0, size, handler, { name, enabled: false, priority: MEMORY_PRIORITY.BAR });
    return this.addBar(index, { space: 'memory', size, ...options }, [{ region, offset: 0 }]);
  }

  /** A register of one RAM block: video memory, or with {@link ROM_BAR} and `rom` the expansion ROM. */
  ramBar(index: number, block: RamBlock, access: RamAccess, options: Omit<BarOptions, 'space' | 'size'> = {}): BaseAddress {
    const { length: size, name } = block;
    const region = this.context.mmio.addRam(0, size, block, 0, access, { name, enabled: false, priority: MEMORY_PRIORITY.BAR });
    return this.addBar(index, { space: 'memory', size, ...options }, [{ region, offset: 0 }]);
  }

  /** A register of several windows, each created disabled at base 0 with the priorities of {@link MEMORY_PRIORITY}. */
  addBar(index: number, options: BarOptions, windows: readonly BarWindow[]): BaseAddress {
    const bar = new BaseAddress(index, options, windows);
    bar.install(this.config, this.wmask, this.cmask);
    this.bars.push(bar);
    return bar;
  }

  /**
   * Puts a capability at the head of the list: read-only and compared on load, until the caller opens bits in {@link wmask}.
   * @param size with the two bytes of its head.
   * @param at a multiple of four; default: behind the last one.
   * @returns its offset.
   */
  addCapability(id: number, size: number, at = this.nextCapability): number {
    const { config } = this;
    config[PCI.STATUS] = config[PCI.STATUS]! | STATUS.CAPABILITY_LIST;
    config[at] = id;
    config[at + 1] = config[PCI.CAPABILITY_LIST]!;
    config[PCI.CAPABILITY_LIST] = at;
    this.wmask.fill(0, at, at + size);
    this.cmask.fill(0xff, at, at + size);
    this.nextCapability = Math.max(this.nextCapability, (at + size + 3) & ~3);
    return at;
  }

  /** Drives the function's own pin. */
  setInterrupt(level: boolean): void {
    const pin = (this.identity.interruptPin ?? 0) - 1;
    const { irqState } = this.owner.pci;
    if (pin < 0 || irqState[pin] === Number(level)) return;
    irqState[pin] = Number(level);
    this.showInterrupt();
    if ((this.command & COMMAND.INTX_DISABLE) === 0) this.slot.bus.changeInterrupt(this.slot.devfn, pin, level ? 1 : -1);
  }

  configRead(offset: number, size: AccessSize): number {
    return readConfig(this.config, offset, size);
  }

  configWrite(offset: number, value: number, size: AccessSize): void {
    const { config, wmask, w1cmask } = this;
    const before = this.command;
    for (let i = 0; i < size && offset + i < config.length; i++) {
      const at = offset + i;
      const byte = (value >>> (8 * i)) & 0xff;
      config[at] = ((config[at]! & ~wmask[at]!) | (byte & wmask[at]!)) & ~(byte & w1cmask[at]!);
    }
    if (overlaps(offset, size, PCI.COMMAND, 2)) this.switchInterrupts(before);
    const movesBar = overlaps(offset, size, PCI.BAR0, 24) || overlaps(offset, size, PCI.ROM_ADDRESS, 4);
    if (movesBar || overlaps(offset, size, PCI.COMMAND, 2)) this.updateBars();
    for (const listener of this.listeners) listener(offset, size);
  }

  /** Bus reset: no interrupt, nothing decoded; registers beyond the header are the device's own business. */
  reset(): void {
    const { config, wmask, w1cmask } = this;
    this.setInterrupt(false);
    for (const at of [PCI.COMMAND, PCI.COMMAND + 1, PCI.STATUS, PCI.STATUS + 1, PCI.INTERRUPT_LINE, PCI.CACHE_LINE_SIZE])
      config[at] = config[at]! & ~(wmask[at]! | w1cmask[at]!);
    for (const bar of this.bars) bar.clear(config);
    this.updateBars();
  }

  /** After a load: decodes what configuration space says and tells a bus without its own section of held pins. */
  resume(): void {
    this.updateBars();
    if ((this.command & COMMAND.INTX_DISABLE) !== 0) return;
    this.owner.pci.irqState.forEach((level, pin) => {
      if (level !== 0) this.slot.bus.resumeInterrupt(this.slot.devfn, pin);
    });
  }

  unrealize(): void {
    this.setInterrupt(false);
    for (const bar of this.bars) bar.remove();
    this.slot.bus.detach(this);
  }

  /** Follows configuration space and the bridges in front. */
  updateBars(): void {
    for (const bar of this.bars) bar.update(this.config, this.slot.bus);
  }

  /** Held pins leave or come back as the guest turns INTx off or on. */
  private switchInterrupts(before: number): void {
    if (((before ^ this.command) & COMMAND.INTX_DISABLE) === 0) return;
    const change = (this.command & COMMAND.INTX_DISABLE) !== 0 ? -1 : 1;
    this.owner.pci.irqState.forEach((level, pin) => {
      if (level !== 0) this.slot.bus.changeInterrupt(this.slot.devfn, pin, change);
    });
  }

  private showInterrupt(): void {
    const held = this.owner.pci.irqState.some((level) => level !== 0);
    const status = readConfig(this.config, PCI.STATUS, 2);
    writeConfig(this.config, PCI.STATUS, held ? status | STATUS.INTERRUPT : status & ~STATUS.INTERRUPT, 2);
  }

  private identify(): void {
    const { identity, config, wmask, w1cmask, cmask } = this;
    writeConfig(config, PCI.VENDOR_ID, identity.vendorId, 2);
    writeConfig(config, PCI.DEVICE_ID, identity.deviceId, 2);
    writeConfig(config, PCI.STATUS, identity.status ?? 0, 2);
    config[PCI.REVISION_ID] = identity.revision ?? 0;
    config[PCI.CLASS_PROG] = identity.programmingInterface ?? 0;
    writeConfig(config, PCI.CLASS_DEVICE, identity.classCode, 2);
    config[PCI.HEADER_TYPE] = (identity.headerType ?? 0) | (this.multiFunction ? MULTI_FUNCTION : 0);
    writeConfig(config, PCI.SUBSYSTEM_VENDOR_ID, identity.subsystemVendorId ?? QEMU_SUBSYSTEM.VENDOR_ID, 2);
    writeConfig(config, PCI.SUBSYSTEM_ID, identity.subsystemId ?? QEMU_SUBSYSTEM.ID, 2);
    config[PCI.INTERRUPT_PIN] = identity.interruptPin ?? 0;

    writeConfig(wmask, PCI.COMMAND, COMMAND.IO | COMMAND.MEMORY | COMMAND.MASTER | COMMAND.SERR | COMMAND.INTX_DISABLE, 2);
    wmask[PCI.CACHE_LINE_SIZE] = 0xff;
    wmask[PCI.INTERRUPT_LINE] = 0xff;
    writeConfig(w1cmask, PCI.STATUS, STATUS.ERRORS, 2);
    for (const at of [PCI.VENDOR_ID, PCI.DEVICE_ID, PCI.CLASS_DEVICE]) writeConfig(cmask, at, 0xffff, 2);
    cmask[PCI.STATUS] = STATUS.CAPABILITY_LIST;
    for (const at of [PCI.REVISION_ID, PCI.CLASS_PROG, PCI.HEADER_TYPE, PCI.CAPABILITY_LIST]) cmask[at] = 0xff;
  }

  private masterMemory(): GuestMemory {
    return {
      read: (address, target) => {
        if (this.busMaster) return this.context.memory.read(address, target);
        target.fill(0xff);
        return { done: true };
      },
      write: (address, source) => (this.busMaster ? this.context.memory.write(address, source) : { done: true }),
    };
  }
}

export { ROM_BAR };
