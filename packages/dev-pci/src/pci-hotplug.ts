import type { IoHandler, Log } from '@pagurus/device-model';
import type { PciBus } from './bus.js';
import type { PciHotplugState } from './pci-hotplug.state.js';
import { PCI_HOTPLUG } from './piix4.spec.js';

/** Hotplug on the root bus, as the machine drives it. */
export interface PciHotplugService {
  /** A device was added while the guest runs: tell the guest. */
  plugged(devfn: number): void;
  /** Ask the guest to let go of the device; {@link onEject} follows when it has. */
  requestUnplug(devfn: number): void;
  /** Called with the device number that the guest let go of. The machine then unrealizes what sits there. */
  onEject(handler: (device: number) => void): void;
}

export interface PciHotplugOptions {
  /** Machines since 2.0: several buses, and a read of UP clears it. */
  readonly bridges: boolean;
  /** A general-purpose event is due. */
  notify(): void;
}

const ROOT = 0;

/** The registers at 0xae00 through which the ACPI tables learn of PCI devices that come and go. [QEMU] */
export class PciHotplug implements PciHotplugService {
  private readonly handlers: ((device: number) => void)[] = [];

  constructor(
    private readonly bus: PciBus,
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

  plugged(devfn: number): void {
    const status = this.state.busStatus[ROOT]!;
    status.up = (status.up | slotBit(devfn >> 3)) >>> 0;
    this.options.notify();
  }

  requestUnplug(devfn: number): void {
    const status = this.state.busStatus[ROOT]!;
    status.down = (status.down | slotBit(devfn >> 3)) >>> 0;
    this.options.notify();
  }

  onEject(handler: (device: number) => void): void {
    this.handlers.push(handler);
  }

  /** Devices that were on their way out leave; the selected bus stays, as on QEMU. */
  reset(): void {
    this.eject(ROOT, this.state.busStatus[ROOT]!.down);
    this.state.acpiIndex = 0;
  }

  private read(offset: number): number {
    const { state } = this;
    const selected = state.hotplugSelect;
    if (selected >= PCI_HOTPLUG.BUSES) return 0;
    const status = state.busStatus[selected]!;
    switch (offset) {
      case PCI_HOTPLUG.UP: {
        const { up } = status;
        if (this.options.bridges) status.up = 0;
        return up;
      }
      case PCI_HOTPLUG.DOWN:
        return status.down;
      case PCI_HOTPLUG.REMOVABLE:
        return this.removable(selected);
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
        state.hotplugSelect = this.options.bridges ? value : ROOT;
        return;
      case PCI_HOTPLUG.ACPI_INDEX: {
        const bit = lowestBit(value);
        const device = bit === 0 || state.hotplugSelect !== ROOT ? undefined : this.bus.find((31 - Math.clz32(bit)) << 3);
        state.acpiIndex = device?.identity.acpiIndex ?? 0;
        return;
      }
      default:
        this.log.guestError(`PCI hotplug register ${offset} written`);
    }
  }

  private eject(bus: number, slots: number): void {
    const status = this.state.busStatus[bus]!;
    status.up = (status.up & ~slots) >>> 0;
    status.down = (status.down & ~slots) >>> 0;
    if (bus !== ROOT) return;
    for (let device = 0; device < 32; device++) {
      if ((slots & slotBit(device)) === 0 || !this.bus.find(device << 3)?.hotpluggable) continue;
      for (const handler of this.handlers) handler(device);
    }
  }

  private removable(bus: number): number {
    let slots = 0xffff_ffff;
    if (bus !== ROOT) return slots;
    for (const entry of this.bus.list()) if (!entry.hotpluggable) slots &= ~slotBit(entry.slot.devfn >> 3);
    return slots >>> 0;
  }
}

const slotBit = (device: number): number => (1 << device) >>> 0;

const lowestBit = (value: number): number => (value & -value) >>> 0;
