/**
 * The ACPI tables that have a fixed layout. Contents equal those of QEMU's `pc` machines byte for byte (`fixtures/firmware-tables.json`).
 * [ACPI] Advanced Configuration and Power Interface Specification 6.5, chapter 5.
 * [HPET] IA-PC HPET Specification 1.0a, 3.2.4.
 * [WAET] Windows ACPI Emulated Devices Table 1.0.
 */
import { ascii, bytes, concat, u8, u16, u32, u64 } from './bytes.js';
import type { FirmwareTableInput } from './input.js';

/** Who made the tables; guests' quirk lists know QEMU by it. */
const MAKER = { OEM: 'BOCHS ', TABLE: 'BXPC    ', CREATOR: 'BXPC' } as const;

/** Offset of the checksum in a table. [ACPI] 5.2.6 */
export const TABLE_CHECKSUM = 9;

/** A table with its header; the loader computes the checksum. [ACPI] 5.2.6 */
export const table = (signature: string, revision: number, ...contents: readonly Uint8Array[]): Uint8Array =>
  tableOf({ signature, revision, id: MAKER.TABLE }, ...contents);

/** Bytes of a table's header. [ACPI] 5.2.6 */
export const TABLE_HEADER = 36;

/** A table with an identifier of its own: several have the signature SSDT. */
export function tableOf(
  { signature, revision, id }: { signature: string; revision: number; id: string },
  ...contents: readonly Uint8Array[]
): Uint8Array {
  const inside = concat(...contents);
  const maker = concat(ascii(MAKER.OEM), ascii(id, 8), u32(1), ascii(MAKER.CREATOR), u32(1));
  return concat(ascii(signature, 4), u32(TABLE_HEADER + inside.length), bytes(revision, 0), maker, inside);
}

/** [ACPI] 5.2.10 */
export const facs = (): Uint8Array => concat(ascii('FACS'), u32(64), new Uint8Array(56));

/** The PIIX4's ports where firmware puts them, and those that QEMU adds. */
export const PM = { EVENT: 0x600, CONTROL: 0x604, TIMER: 0x608, GPE0: 0xafe0, GPE0_LENGTH: 4, SMI: 0xb2, SCI: 9 } as const;
const APM = { ACPI_ENABLE: 0xf1, ACPI_DISABLE: 0xf0 } as const;

/** Feature flags. [ACPI] 5.2.9, table "Fixed ACPI Description Table Fixed Feature Flags" */
const FADT_FLAG = {
  WBINVD: 1 << 0,
  PROC_C1: 1 << 2,
  /** The sleep button is no fixed hardware; the power button is. */
  SLP_BUTTON: 1 << 5,
  RTC_S4: 1 << 7,
  USE_PLATFORM_CLOCK: 1 << 15,
  /** APICs in logical mode must be programmed as clusters. */
  FORCE_APIC_CLUSTER: 1 << 18,
} as const;
/** APIC ids that flat logical mode can name. */
const FLAT_PROCESSORS = 8;
/** Latencies from which on C2 and C3 do not exist. */
const NO_C_STATE = 0xfff;
const CENTURY_INDEX = 0x32;

/** Offsets of the pointers in the FADT. [ACPI] 5.2.9 */
export const FADT_POINTER = { FACS: 36, DSDT: 40 } as const;

/**
 * Revision 1 of ACPI 1.0, as QEMU's `pc` machines up to 10.0 have it: no reset register, no IA-PC boot flags. [ACPI] 5.2.9
 * `facsOffset`, `dsdtOffset`: in the file of tables; the loader makes addresses of them.
 */
export function fadt(input: FirmwareTableInput, facsOffset: number, dsdtOffset: number): Uint8Array {
  let flags = FADT_FLAG.WBINVD | FADT_FLAG.PROC_C1 | FADT_FLAG.SLP_BUTTON | FADT_FLAG.RTC_S4 | FADT_FLAG.USE_PLATFORM_CLOCK;
  if (input.processors.length > FLAT_PROCESSORS) flags |= FADT_FLAG.FORCE_APIC_CLUSTER;
  return table(
    'FACP',
    1,
    concat(u32(facsOffset), u32(dsdtOffset)),
    // Interrupt model: multiple APICs; profile unspecified.
    concat(bytes(1, 0), u16(PM.SCI)),
    concat(u32(PM.SMI), bytes(APM.ACPI_ENABLE, APM.ACPI_DISABLE, 0, 0)),
    // PM1a and PM1b event, PM1a and PM1b control, PM2 control, timer, GPE0, GPE1.
    ...[PM.EVENT, 0, PM.CONTROL, 0, 0, PM.TIMER, PM.GPE0, 0].map(u32),
    // Their lengths: PM1 event, PM1 control, PM2 control, timer, GPE0, GPE1; base of GPE1; no _CST.
    bytes(4, 2, 0, 4, PM.GPE0_LENGTH, 0, 0, 0),
    concat(u16(NO_C_STATE), u16(NO_C_STATE)),
    // Flush size and stride, duty cycle: none.
    concat(u16(0), u16(0), bytes(0, 0)),
    // Day and month alarm: none.
    bytes(0, 0, CENTURY_INDEX),
    concat(u16(0), u8(0), u32(flags)),
  );
}

const APIC_ADDRESS = { LOCAL: 0xfee0_0000, IO: 0xfec0_0000 } as const;
const PCAT_COMPATIBLE = 1;
/** Active high, level triggered. [ACPI] 5.2.12.5, table "MPS INTI Flags" */
const LEVEL_HIGH = 0x000d;
/** Requests that PCI interrupts may be routed to, and the SCI: level triggered although ISA's are not. */
export const PCI_REQUESTS = [5, 10, 11] as const;
const LEVEL_REQUESTS = [5, PM.SCI, 10, 11] as const;
const ALL_PROCESSORS = 0xff;

/** Structure type 0. [ACPI] 5.2.12.2 */
export function localApic(uid: number, apicId: number, enabled: boolean): Uint8Array {
  if (apicId > 254 || uid > 254)
    throw new RangeError(`processor ${uid} with APIC id ${apicId} needs x2APIC, which this board has not`);
  return concat(bytes(0, 8, uid, apicId), u32(enabled ? 1 : 0));
}

/** Interrupt controllers. [ACPI] 5.2.12 */
export function madt(input: FirmwareTableInput): Uint8Array {
  const override = (source: number, pin: number, flags: number): Uint8Array =>
    concat(bytes(2, 10, 0, source), u32(pin), u16(flags));
  return table(
    'APIC',
    1,
    concat(u32(APIC_ADDRESS.LOCAL), u32(PCAT_COMPATIBLE)),
    ...input.processors.map(({ apicId, present }, uid) => localApic(uid, apicId, present)),
    concat(bytes(1, 12, 0, 0), u32(APIC_ADDRESS.IO), u32(0)),
    ...(input.irq0Override ? [override(0, 2, 0)] : []),
    ...LEVEL_REQUESTS.map((request) => override(request, request, LEVEL_HIGH)),
    // NMI is LINT1 of every processor. [ACPI] 5.2.12.7
    concat(bytes(4, 6, ALL_PROCESSORS), u16(0), bytes(1)),
  );
}

export const HPET_BASE = 0xfed0_0000;
/** Vendor 8086, legacy routing, 64 bits, revision 1. [HPET] 2.3.4 */
const HPET_ID = 0x8086_a001;

/** [HPET] 3.2.4 */
export const hpetTable = (timers: number): Uint8Array =>
  table(
    'HPET',
    1,
    u32((HPET_ID | ((timers - 1) << 8)) >>> 0),
    concat(bytes(0, 0, 0, 0), u64(HPET_BASE)),
    concat(u8(0), u16(0), u8(0)),
  );

/** One read of the power management timer is enough. [WAET] */
export const waet = (): Uint8Array => table('WAET', 1, u32(2));

/** [ACPI] 5.2.7 */
export const rsdt = (tableOffsets: readonly number[]): Uint8Array => table('RSDT', 1, ...tableOffsets.map(u32));

/** Offsets in the root pointer. [ACPI] 5.2.5.3 */
export const RSDP = { CHECKSUM: 8, RSDT: 16, LENGTH: 20 } as const;

/** Root pointer of ACPI 1.0. [ACPI] 5.2.5.3 */
export const rsdp = (rsdtOffset: number): Uint8Array =>
  concat(ascii('RSD PTR '), u8(0), ascii(MAKER.OEM), u8(0), u32(rsdtOffset));
