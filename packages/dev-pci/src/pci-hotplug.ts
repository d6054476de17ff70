import type { IoHandler, Log } from '@pagurus/device-model';
import type { PciBus, PciSlot } from './bus.js';
import type { PciHotplugState, SlotStatus } from './pci-hotplug.state.js';
import { PCI_HOTPLUG } from './piix4.spec.js';

/** Hotplug on the buses that the guest's tables know, as the machine drives it. */
export interface PciHotplugService {
  /** Buses by the number that the guest selects: those that were there at power-on. */
  readonly buses: readonly PciBus[];
  /** Whether the guest may be asked to let go of what is in a slot. */
  removable(slot: PciSlot): boolean;
  /** A device was added while the machine exists: tell the guest. */
  plugged(slot: PciSlot): void;
  /** Ask the guest to let go of the device; {@link onEject} follows when it has. */
  requestUnplug(slot: PciSlot): void;
  /** Called with the device number that the guest let go of. The machine then unrealizes what sits there. */
  onEject(handler: (bus: PciBus, device: number) => void): void;
}

export interface PciHotplugOptions {
  /** Machines since 2.0: several buses, and a read of UP clears it. */
  readonly bridges: boolean;
  /** Devices of the root bus can be plugged. */
  readonly root: boolean;
  /** A general-purpose event is due. */
  notify(): void;
}

/** The registers at 0xae00 through which the ACPI tables learn of PCI devices that come and go. [QEMU] */
export class PciHotplug implements PciHotplugService {
  private readonly handlers: ((bus: PciBus, device: number) => void)[] = [];
  private numbered: readonly PciBus[] | undefined;

  constructor(
    private readonly rootBus: PciBus,
    private readonly state: PciHotplugState,
    private readonly options: PciHotplugOptions,
    private readonly log: Log,
  ) {}

  readonly registers: IoHandler = {
    sizes: [1, 2, 4],
    read: (offset, size) => (size === 4 ? this.read(offset) : 0),
    write: (offset, value, size) => {
      if (size === 4) this.write(offset, value);
      else this.log.guestError(`PCI hotplug register ${offset} written with ${size} bytes`);
    },
  };

  /** Numbered once, at the first reset: what comes later has no number and no place in the guest's tables. */
  get buses(): readonly PciBus[] {
    this.numbered ??= [...(this.options.root ? [this.rootBus] : []), ...(this.options.bridges ? busesBelow(this.rootBus) : [])];
    return this.numbered;
  }

  removable(slot: PciSlot): boolean {
    return (this.removableSlots(this.buses.indexOf(slot.bus)) & slotBit(slot.devfn >> 3)) !== 0;
  }

  plugged(slot: PciSlot): void {
    const status = this.statusOf(slot);
    status.up = (status.up | slotBit(slot.devfn >> 3)) >>> 0;
    this.options.notify();
  }

  requestUnplug(slot: PciSlot): void {
    const status = this.statusOf(slot);
    status.down = (status.down | slotBit(slot.devfn >> 3)) >>> 0;
    this.options.notify();
  }

  onEject(handler: (bus: PciBus, device: number) => void): void {
    this.handlers.push(handler);
  }

  /** Devices that were on their way out leave; the selected bus stays, as on QEMU. */
  reset(): void {
    this.buses.forEach((_, number) => {
      this.eject(number, this.status(number).down);
    });
    this.state.acpiIndex = 0;
  }

  private read(offset: number): number {
    const { state } = this;
    const selected = state.hotplugSelect;
    if (selected >= PCI_HOTPLUG.BUSES) return 0;
    const status = this.status(selected);
    switch (offset) {
      case PCI_HOTPLUG.UP: {
        const { up } = status;
        if (this.options.bridges) status.up = 0;
        return up;
      }
      case PCI_HOTPLUG.DOWN:
        return status.down;
      case PCI_HOTPLUG.REMOVABLE:
        return this.removableSlots(selected);
      case PCI_HOTPLUG.SELECT:
        return selected;
      case PCI_HOTPLUG.ACPI_INDEX: {
        const index = state.acpiIndex;
        state.acpiIndex = 0;
        return index;
      }
      default:
        return 0;
    }
  }

  private write(offset: number, value: number): void {
    const { state } = this;
    switch (offset) {
      case PCI_HOTPLUG.EJECT:
        if (state.hotplugSelect < PCI_HOTPLUG.BUSES) this.eject(state.hotplugSelect, lowestBit(value));
        return;
      case PCI_HOTPLUG.SELECT:
        state.hotplugSelect = this.options.bridges ? value : 0;
        return;
      case PCI_HOTPLUG.ACPI_INDEX: {
        const bit = lowestBit(value);
        const device = bit === 0 ? undefined : this.buses[state.hotplugSelect]?.find((31 - Math.clz32(bit)) << 3);
        state.acpiIndex = device?.acpiIndex ?? 0;
        return;
      }
      default:
        this.log.guestError(`PCI hotplug register ${offset} written`);
    }
  }

  private statusOf({ bus }: PciSlot): SlotStatus {
    const number = this.buses.indexOf(bus);
    if (number < 0) throw new RangeError(`devices of ${bus.name} cannot be plugged`);
    return this.status(number);
  }

  private status(number: number): SlotStatus {
    return this.options.bridges ? this.state.busStatus[number]! : this.state.rootStatus;
  }

  private eject(number: number, slots: number): void {
    const status = this.status(number);
    status.up = (status.up & ~slots) >>> 0;
    status.down = (status.down & ~slots) >>> 0;
    const bus = this.buses[number];
    if (!bus) return;
    for (let device = 0; device < 32; device++) {
      if ((slots & this.removableSlots(number) & slotBit(device)) === 0 || !bus.find(device << 3)) continue;
      for (const handler of this.handlers) handler(bus, device);
    }
  }

  /** A bridge whose bus has a number stays: the guest's tables describe what is behind it. */
  private removableSlots(number: number): number {
    let slots = 0xffff_ffff;
    for (const { slot, hotpluggable, secondary } of this.buses[number]?.list() ?? [])
      if (!hotpluggable || (secondary && this.buses.includes(secondary))) slots &= ~slotBit(slot.devfn >> 3);
    return slots >>> 0;
  }
}

/** Depth first, of one bus the newest first: QEMU's numbers, which a stream carries. [QEMU] */
function busesBelow(bus: PciBus): PciBus[] {
  return [...bus.children].reverse().flatMap((child) => [child, ...busesBelow(child)]);
}

const slotBit = (device: number): number => (1 << device) >>> 0;

const lowestBit = (value: number): number => (value & -value) >>> 0;
