import { type AccessSize, type DeviceContext, PropertyError } from '@pagurus/device-model';
import { PciBusState } from './bus.state.js';
import type { PciFunction } from './function.js';
import { CONFIG_ENABLE } from './spec.js';

/** Where a PCI device sits; what `ctx.slot` of a PCI device is. */
export interface PciSlot {
  readonly bus: PciBus;
  /** Device number × 8 + function. */
  readonly devfn: number;
  /** Prefix of the device's section names, e.g. `0000:00:01.1`, behind a bridge `0000:00:05.0:01.0`. */
  readonly path: string;
  /** Property `multifunction` of the device that takes the place. */
  readonly multiFunction?: boolean;
  /** Property `acpi-index` of the device that takes the place. */
  readonly acpiIndex?: number;
}

/** The bridge in front of a secondary bus. */
export interface UpstreamBridge {
  readonly slot: PciSlot;
  /** Bus numbers as the guest has set them. */
  numbers(): { readonly secondary: number; readonly subordinate: number };
  /** Whether accesses to a range come through. */
  forwards(space: 'io' | 'memory', base: number, size: number): boolean;
}

/** What {@link PciBus.plug} is asked for. */
export interface PciPlug {
  /** `addr=` of the device, or undefined for the lowest device number without any function. */
  readonly address?: string | undefined;
  readonly multiFunction?: boolean;
  readonly acpiIndex?: number;
  /** The guest runs: function 0 must not be there yet, because it stands for the whole slot. */
  readonly hot?: boolean;
}

export interface PciBusOptions {
  /** `pci.0`, for messages. */
  name: string;
  /** Level of the router's input `line` (0 to 3) changed. Not called on a bus with a bridge in front. */
  interrupt(line: number, level: boolean): void;
  /** Absent on the root bus. */
  bridge?: UpstreamBridge;
  /**
   * False where nothing else restores {@link PciBusState}: the bus then counts again, function by function, as they resume.
   * Default true: the counts come from the section `PCIBUS`.
   */
  hasSection?: boolean;
  /** A function left the bus. */
  detached?(entry: PciFunction): void;
}

/** `00:01.1` without the domain, as users write and read addresses. */
export function formatDevfn(devfn: number): string {
  return `${(devfn >> 3).toString(16).padStart(2, '0')}.${devfn & 7}`;
}

/**
 * `addr=` as QEMU spells it: device number in hexadecimal, optionally `.function`.
 * @returns devfn, or undefined if the text is none.
 */
export function parseDevfn(text: string): number | undefined {
  const match = /^(?:0x)?([0-9a-f]{1,2})(?:\.([0-7]))?$/i.exec(text);
  if (!match) return undefined;
  const device = Number.parseInt(match[1]!, 16);
  return device < 32 ? device * 8 + Number(match[2] ?? 0) : undefined;
}

/**
 * One PCI bus: finds functions by address and counts who holds the interrupt lines. A host bridge owns it and hands out
 * {@link PciSlot}s; functions attach themselves.
 */
export class PciBus {
  readonly state = new PciBusState();
  /** Behind bridges on this bus, in order of creation. */
  readonly children: PciBus[] = [];
  private readonly functions: (PciFunction | undefined)[] = new Array(256).fill(undefined);
  private readonly resets = new Map<number, () => void>();

  constructor(private readonly options: PciBusOptions) {
    options.bridge?.slot.bus.children.push(this);
  }

  /** The bridge goes, and this bus with it. */
  remove(): void {
    const siblings = this.options.bridge?.slot.bus.children ?? [];
    const index = siblings.indexOf(this);
    if (index >= 0) siblings.splice(index, 1);
  }

  get name(): string {
    return this.options.name;
  }

  /** A place on the bus, taken or not. */
  slot(devfn: number): PciSlot {
    const above = this.options.bridge?.slot.path ?? '0000:00';
    return { bus: this, devfn, path: `${above}:${formatDevfn(devfn)}` };
  }

  /**
   * The place for a device that the user adds.
   * @throws {PropertyError} naming `addr` when the address is none, taken, or the bus is full.
   */
  plug(type: string, { address: addr, multiFunction = false, acpiIndex = 0, hot = false }: PciPlug = {}): PciSlot {
    const place = (devfn: number): PciSlot => ({ ...this.slot(devfn), multiFunction, acpiIndex });
    if (addr !== undefined && addr !== '') {
      const devfn = parseDevfn(addr);
      if (devfn === undefined) throw new PropertyError(type, 'addr', `'${addr}' is not a PCI address such as 04 or 04.1`);
      const user = this.functions[devfn];
      if (user) throw new PropertyError(type, 'addr', `slot ${formatDevfn(devfn)} of ${this.name} is in use by ${user.id}`);
      const first = this.functions[devfn & ~7];
      if (hot && (devfn & 7) !== 0 && first)
        throw new PropertyError(
          type,
          'addr',
          `function 0 of slot ${formatDevfn(devfn & ~7)} is there already (${first.id}): the guest would not see another`,
        );
      return place(devfn);
    }
    for (let device = 0; device < 32; device++) {
      if (this.functions.slice(device * 8, device * 8 + 8).every((entry) => !entry)) return place(device * 8);
    }
    throw new PropertyError(type, 'addr', `no free slot on ${this.name}`);
  }

  /** @throws {PropertyError} if the place is taken. */
  attach(entry: PciFunction): void {
    const { devfn } = entry.slot;
    const refuse = (text: string): PropertyError => new PropertyError(entry.identity.type, 'addr', text);
    const user = this.functions[devfn];
    if (user) throw refuse(`slot ${formatDevfn(devfn)} of ${this.name} is in use by ${user.id}`);
    const first = this.functions[devfn & ~7];
    if ((devfn & 7) !== 0 && first && !first.multiFunction)
      throw refuse(
        `function ${formatDevfn(devfn)} is hidden, because ${first.id} in function 0 says it is alone (multifunction=off)`,
      );
    this.functions[devfn] = entry;
  }

  detach(entry: PciFunction): void {
    if (this.functions[entry.slot.devfn] !== entry) return;
    this.functions[entry.slot.devfn] = undefined;
    this.resets.delete(entry.slot.devfn);
    this.options.detached?.(entry);
  }

  find(devfn: number): PciFunction | undefined {
    return this.functions[devfn];
  }

  /** All functions in order of address. */
  list(): readonly PciFunction[] {
    return this.functions.filter((entry) => entry !== undefined);
  }

  /** How the device of a function is reset when the bus is. */
  onReset(devfn: number, reset: () => void): void {
    this.resets.set(devfn, reset);
  }

  /** The bridge in front pulls RST#. */
  reset(): void {
    for (const reset of this.resets.values()) reset();
  }

  /** Reads through configuration mechanism #1; all ones where no function answers. */
  configRead(address: number, size: AccessSize): number {
    const target = this.target(address);
    return target ? target.configRead(address & 0xff, size) : 0xffff_ffff;
  }

  configWrite(address: number, value: number, size: AccessSize): void {
    this.target(address)?.configWrite(address & 0xff, value, size);
  }

  /** A function starts (+1) or stops (-1) to hold its pin. */
  changeInterrupt(devfn: number, pin: number, change: 1 | -1): void {
    const { bridge } = this.options;
    if (bridge) {
      bridge.slot.bus.changeInterrupt(bridge.slot.devfn, swizzle(devfn, pin), change);
      return;
    }
    const line = routerLine(devfn, pin);
    const { irqCount } = this.state;
    irqCount[line] = irqCount[line]! + change;
    this.options.interrupt(line, irqCount[line]! > 0);
  }

  /** A function with a held pin was loaded. */
  resumeInterrupt(devfn: number, pin: number): void {
    const { bridge, hasSection } = this.options;
    if (bridge) bridge.slot.bus.resumeInterrupt(bridge.slot.devfn, swizzle(devfn, pin));
    else if (hasSection === false) this.changeInterrupt(devfn, pin, 1);
  }

  /** Re-drives the router's inputs from the loaded counts. */
  resume(): void {
    this.state.irqCount.forEach((count, line) => {
      this.options.interrupt(line, count > 0);
    });
  }

  private target(address: number): PciFunction | undefined {
    if ((address & CONFIG_ENABLE) === 0) return undefined;
    const number = (address >>> 16) & 0xff;
    const bus = number === 0 ? this : this.below(number);
    return bus?.functions[(address >>> 8) & 0xff];
  }

  /** The bus that the guest has given a number. */
  private below(number: number): PciBus | undefined {
    for (const child of this.children) {
      const { secondary, subordinate } = child.options.bridge!.numbers();
      if (number === secondary) return child;
      if (number > secondary && number <= subordinate) return child.below(number);
    }
    return undefined;
  }

  /** Whether an access from the processor to a range gets as far as this bus. */
  reaches(space: 'io' | 'memory', base: number, size: number): boolean {
    const { bridge } = this.options;
    return !bridge || (bridge.forwards(space, base, size) && bridge.slot.bus.reaches(space, base, size));
  }

  /** What comes through has changed: all functions here and below decode again. */
  windowsMoved(): void {
    for (const entry of this.list()) entry.updateBars();
    for (const child of this.children) child.windowsMoved();
  }
}

/** A bridge turns pins by device, so that single-function cards spread over its four. [BRIDGE] PCI-to-PCI Bridge 1.2, 9.1 */
function swizzle(devfn: number, pin: number): number {
  return (pin + (devfn >> 3)) & 3;
}

/**
 * Which of the router's four inputs a slot's pin is wired to: each device is turned by one pin, and device 1 is not turned.
 * [QEMU] i440FX machines.
 */
export function routerLine(devfn: number, pin: number): number {
  return (pin + (devfn >> 3) + 3) & 3;
}

/**
 * The slot of a PCI device.
 * @throws {PropertyError} when the device was created without one.
 */
export function pciSlot(context: DeviceContext, type: string): PciSlot {
  const slot = context.slot as PciSlot | undefined;
  if (!slot || !(slot.bus instanceof PciBus)) throw new PropertyError(type, 'bus', 'needs a place on a PCI bus');
  return slot;
}
