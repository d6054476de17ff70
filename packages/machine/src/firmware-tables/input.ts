/** A machine as its firmware tables describe it. Plain data: equal input gives equal bytes. */
export interface FirmwareTableInput {
  /** All possible processors in order. */
  readonly processors: readonly { readonly apicId: number; readonly present: boolean }[];
  /** Bytes of RAM below the PCI hole and from 4 GiB on. */
  readonly memory: { readonly below4g: number; readonly above4g: number };
  /** Where PCI devices may lie above 4 GiB: first and last address. */
  readonly window64?: { readonly first: number; readonly last: number };
  /** What sits on the root bus at start. */
  readonly pciFunctions: readonly PciFunctionDescription[];
  readonly isa: IsaDescription;
  /** Comparators of the HPET, where there is one. */
  readonly hpetTimers?: number;
  /** PIT's interrupt 0 is pin 2 of the I/O APIC. */
  readonly irq0Override: boolean;
  /** Suspend to RAM is offered. */
  readonly suspend: boolean;
  /** Sleep type of suspend to disk, where it is offered. */
  readonly hibernate?: number;
  /** PCI devices come and go while the guest runs: the registers at 0xae00 are there. */
  readonly pciHotplug: boolean;
  /** Number of the root bus in those registers; undefined: its devices stay. */
  readonly rootHotplugNumber?: number;
  /** The processor registers at 0xaf00, which have machines since 2.7. */
  readonly cpuHotplug: boolean;
  /** Slots for memory modules; absent or 0: memory stays as it is. */
  readonly memorySlots?: number;
  /** An identifier of the guest's life (vmgenid). */
  readonly vmgenid?: boolean;
  /** Ports of fw_cfg, for guests that read it after the firmware did. */
  readonly fwCfg?: { readonly base: number; readonly length: number };
}

/** A PCI device, as far as hotplug goes. */
export interface PciFunctionDescription {
  readonly devfn: number;
  readonly hotpluggable: boolean;
  /** What is behind a bridge whose devices come and go. */
  readonly behind?: { readonly number: number; readonly functions: readonly PciFunctionDescription[] };
}

/** What firmware tables tell of the ISA bus. */
export interface IsaDescription {
  readonly keyboard: boolean;
  readonly mouse: boolean;
  readonly floppy: boolean;
  readonly serial: readonly { readonly base: number; readonly irq: number }[];
  readonly parallel: readonly { readonly base: number; readonly irq: number }[];
}
