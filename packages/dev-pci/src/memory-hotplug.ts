import type { IoHandler, Log } from '@pagurus/device-model';
import type { MemoryHotplugState, MemorySlotState } from './memory-hotplug.state.js';

/** Memory hotplug registers. [QEMU: docs/specs/acpi_mem_hotplug] Reads and writes of one offset are different registers. */
export const MEMORY_HOTPLUG = {
  PORT: 0x0a00,
  LENGTH: 0x18,
  READ: { ADDRESS_LOW: 0x00, ADDRESS_HIGH: 0x04, SIZE_LOW: 0x08, SIZE_HIGH: 0x0c, NODE: 0x10, FLAGS: 0x14 },
  WRITE: { SELECTOR: 0x00, OST_EVENT: 0x04, OST_STATUS: 0x08, FLAGS: 0x14 },
} as const;

export const MEMORY_FLAG = { ENABLED: 1, INSERTING: 2, REMOVING: 4, EJECT: 8 } as const;

/** A memory module that sits in a slot. */
export interface MemoryModule {
  readonly address: number;
  readonly size: number;
  readonly node: number;
}

/** Memory slots, as the machine drives them. */
export interface MemorySlotsService {
  /** Number of slots; 0: memory stays as it is. */
  readonly count: number;
  /** A slot with a number, or the first free one; undefined: there is none. */
  find(slot?: number): number | undefined;
  /** A module is there. `hot`: the guest is told. */
  insert(slot: number, module: MemoryModule, hot: boolean): void;
  /** Asks the guest to let go; {@link onEject} follows when it has. */
  requestRemoval(slot: number): void;
  /** Empties a slot. */
  remove(slot: number): void;
  onEject(handler: (slot: number) => void): void;
}

/** The registers at 0x0a00 through which the ACPI tables learn of memory modules that come and go. */
export class MemoryHotplug implements MemorySlotsService {
  private readonly modules: (MemoryModule | undefined)[];
  /** Not sent: a request that a migration interrupts is made again. [QEMU] */
  private readonly removing: boolean[];
  private readonly handlers: ((slot: number) => void)[] = [];

  constructor(
    private readonly state: MemoryHotplugState,
    private readonly log: Log,
    private readonly notify: () => void,
  ) {
    this.modules = new Array(state.slotCount).fill(undefined);
    this.removing = new Array(state.slotCount).fill(false);
  }

  readonly registers: IoHandler = {
    sizes: [1, 2, 4],
    read: (offset) => this.read(offset),
    write: (offset, value) => this.write(offset, value),
  };

  get count(): number {
    return this.state.slotCount;
  }

  find(slot?: number): number | undefined {
    const free = (n: number): boolean => n < this.count && this.modules[n] === undefined;
    if (slot !== undefined) return free(slot) ? slot : undefined;
    const first = Array.from({ length: this.count }, (_, n) => n).find(free);
    return first;
  }

  insert(slot: number, module: MemoryModule, hot: boolean): void {
    this.modules[slot] = module;
    this.removing[slot] = false;
    const state = this.state.slots[slot]!;
    state.enabled = true;
    state.inserting = hot;
    if (hot) this.notify();
  }

  requestRemoval(slot: number): void {
    this.removing[slot] = true;
    this.notify();
  }

  remove(slot: number): void {
    this.modules[slot] = undefined;
    this.removing[slot] = false;
    this.state.slots[slot]!.enabled = false;
    this.state.slots[slot]!.inserting = false;
  }

  onEject(handler: (slot: number) => void): void {
    this.handlers.push(handler);
  }

  private get selected(): MemorySlotState | undefined {
    return this.state.slots[this.state.selector];
  }

  private read(offset: number): number {
    const slot = this.selected;
    if (!slot) return 0;
    const module = this.modules[this.state.selector];
    const { READ } = MEMORY_HOTPLUG;
    switch (offset) {
      case READ.ADDRESS_LOW:
        return (module?.address ?? 0) >>> 0;
      case READ.ADDRESS_HIGH:
        return Math.floor((module?.address ?? 0) / 2 ** 32);
      case READ.SIZE_LOW:
        return (module?.size ?? 0) >>> 0;
      case READ.SIZE_HIGH:
        return Math.floor((module?.size ?? 0) / 2 ** 32);
      case READ.NODE:
        return module?.node ?? 0;
      case READ.FLAGS:
        return (
          (slot.enabled ? MEMORY_FLAG.ENABLED : 0) |
          (slot.inserting ? MEMORY_FLAG.INSERTING : 0) |
          (this.removing[this.state.selector] ? MEMORY_FLAG.REMOVING : 0)
        );
      default:
        return 0xffff_ffff;
    }
  }

  private write(offset: number, value: number): void {
    const { state } = this;
    const { WRITE } = MEMORY_HOTPLUG;
    if (offset === WRITE.SELECTOR) {
      if (value >= this.count) this.log.guestError(`memory slot ${value} of ${this.count} selected`);
      state.selector = value;
      return;
    }
    const slot = this.selected;
    if (!slot) return;
    switch (offset) {
      case WRITE.OST_EVENT:
        slot.ostEvent = value;
        return;
      case WRITE.OST_STATUS:
        slot.ostStatus = value;
        return;
      case WRITE.FLAGS:
        if ((value & MEMORY_FLAG.INSERTING) !== 0) slot.inserting = false;
        else if ((value & MEMORY_FLAG.REMOVING) !== 0) this.removing[state.selector] = false;
        else if ((value & MEMORY_FLAG.EJECT) !== 0 && this.modules[state.selector])
          for (const handler of this.handlers) handler(state.selector);
        return;
      default:
        this.log.guestError(`memory hotplug register ${offset} written`);
    }
  }
}
