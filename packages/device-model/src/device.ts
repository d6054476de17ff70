import type { Description } from '@pagurus/vmstate';
import type { Clock } from './clock.js';
import type { GuestMemory, MemorySpace, PortSpace } from './io.js';
import type { InputPin, IrqLine } from './lines.js';
import type { CompatTable, PropertyTable } from './properties.js';

/** One section of the stream: a description over a state object. */
export interface Section {
  // biome-ignore lint/suspicious/noExplicitAny: a list of sections is heterogeneous; each pair was checked where it was made, by `section()`.
  readonly description: Description<any>;
  readonly state: object;
  /** Fixed instance number; by default the machine counts equal names from 0 in order of creation. */
  readonly instance?: number;
  /** An extra instance number that is accepted on load only (QEMU's alias id), e.g. the I/O base of an ISA device. */
  readonly alias?: number;
  /** The section's name is not prefixed with the device's bus path (`i2c_bus` of a PCI device). */
  readonly plainName?: boolean;
}

/** Pairs a description with the state it describes; the compiler checks that they fit. */
export function section<S extends object>(
  description: Description<S>,
  state: S,
  options: { instance?: number; alias?: number; plainName?: boolean } = {},
): Section {
  return { description, state, ...options };
}

/** Messages about what the guest or the host did. Rate-limited by the machine; never an exception. */
export interface Log {
  /** The guest did something that hardware would silently ignore or that is not implemented. */
  guestError(message: string): void;
  /** A feature of the device that is not implemented was used. */
  unimplemented(message: string): void;
}

/** All that a device may touch. It reaches for nothing else. */
export interface DeviceContext {
  /** The user's `id=` or one made by the machine; for messages. */
  readonly id: string;
  readonly ports: PortSpace;
  readonly mmio: MemorySpace;
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * An output pin by name (`irq`, `irq0`, `intr`, `a20`, …). The machine decides where it goes; a pin nobody connected is
   * {@link unconnected}. A device's README lists its pins.
   */
  line(pin: string): IrqLine;
  /**
   * A host-side service by the name of the property that selects it (`chardev`, `drive`, `netdev`, `rng`, `input`, …).
   * Undefined where nothing is attached; the device behaves like hardware with nothing plugged in.
   */
  backend<B>(name: string): B | undefined;
  /** The slot on a parent bus (PCI: `PciSlot` of dev-pci); undefined for ISA and system devices. */
  readonly slot: unknown;
  /** The guest asked for a system reset; done at the next instruction boundary. */
  requestReset(reason: string): void;
  /** The guest asked for power off, or (isa-debug-exit) for the process to end with a code. */
  requestShutdown(reason: string, exitCode?: number): void;
  /** Called whenever a missing page has arrived, so that a device can retry a recorded request. */
  onMemoryArrived(retry: () => void): void;
}

/** A realized device. State lives in plain state classes reachable only through `sections`. */
export interface Device {
  /** In the order of the device's own sections on the wire. */
  readonly sections: readonly Section[];
  /** Power-on and system reset. Puts lines to their idle level. */
  reset(): void;
  /** Input pins by name, for the machine to connect. */
  readonly inputs?: { readonly [pin: string]: InputPin };
  /** What other parts of the machine may ask of it by interface (e.g. the PIC's `acknowledge`). Typed by the device's own package. */
  readonly services?: object;
  /**
   * After *all* sections of a stream have been committed (also after reset of a fresh machine for a load): re-drive output lines
   * and re-arm timers from state. The one place where loaded state reaches other devices.
   */
  resume?(): void;
  /** Called before each of the device's sections is saved: copies live state kept elsewhere (the CPU's registers in WASM memory) into the state classes. */
  beforeSave?(): void;
  /** Hot unplug or end of the machine: remove regions, cancel timers. */
  unrealize?(): void;
}

/**
 * A device type. `create` may throw {@link PropertyError} for configuration that cannot be; it may not depend on guest state.
 */
export interface DeviceType<P extends object = object> {
  /** QEMU's type name for `-device` and `-global`, e.g. `isa-serial`. */
  readonly type: string;
  /** One line for `pagurus devices`. */
  readonly doc: string;
  /** `system`: soldered on. `none`: plugged with `-device`, but into no bus (a memory module, vmgenid). */
  readonly bus: 'system' | 'isa' | 'pci' | 'ide' | 'floppy' | 'none';
  /** Type names that compat rows and `-global` may use for it besides `type` (QEMU's parent types, e.g. `pci-device`). */
  readonly parents?: readonly string[];
  readonly properties: PropertyTable<P>;
  create(context: DeviceContext, properties: P): Device;
}

/** Identity function that checks a device type where it is written. */
export function defineDevice<P extends object>(type: DeviceType<P>): DeviceType<P> {
  return type;
}

/** What a device package exports as `devicePackage`: its types and its history. */
export interface DevicePackage {
  /** npm name. */
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: a catalogue of types with different properties.
  readonly types: readonly DeviceType<any>[];
  readonly compat: CompatTable;
}
