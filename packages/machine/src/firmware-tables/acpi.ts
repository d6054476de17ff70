import { FADT_POINTER, facs, fadt, hpetTable, madt, RSDP, rsdp, rsdt, TABLE_CHECKSUM, waet } from './acpi-tables.js';
import { concat } from './bytes.js';
import { dsdt } from './dsdt.js';
import type { FirmwareTableInput } from './input.js';
import { LoaderScript } from './loader.js';
import { VMGENID, VMGENID_POINTER, vmgenidTable } from './ssdt-vmgenid.js';

/** fw_cfg's names of the files. */
export const ACPI_FILE = { TABLES: 'etc/acpi/tables', LOADER: 'etc/table-loader', ROOT_POINTER: 'etc/acpi/rsdp' } as const;

/** Contents of the three files, unpadded. */
export interface AcpiFiles {
  readonly tables: Uint8Array;
  readonly loader: Uint8Array;
  readonly rootPointer: Uint8Array;
}

/** The FACS lies on 64 bytes. [ACPI] 5.2.10 */
const TABLES_ALIGNMENT = 64;
/** [ACPI] 5.2.5.1 */
const ROOT_POINTER_ALIGNMENT = 16;
/** First entry of an RSDT. */
const RSDT_ENTRIES = 36;

/**
 * All ACPI tables of a machine and the script that puts them into a guest's memory.
 * @throws {RangeError} for a machine that they cannot describe.
 */
export function acpiFiles(input: FirmwareTableInput): AcpiFiles {
  const script = new LoaderScript();
  const parts: Uint8Array[] = [];
  let length = 0;
  const place = (contents: Uint8Array): number => {
    const offset = length;
    parts.push(contents);
    length += contents.length;
    return offset;
  };
  const placeTable = (contents: Uint8Array, pointers: readonly number[] = []): number => {
    const offset = place(contents);
    for (const pointer of pointers) script.addPointer(ACPI_FILE.TABLES, offset + pointer, ACPI_FILE.TABLES);
    script.addChecksum(ACPI_FILE.TABLES, offset + TABLE_CHECKSUM, offset, contents.length);
    return offset;
  };

  if (input.vmgenid) script.allocate(VMGENID.PAGE, VMGENID.ALIGNMENT, 'high');
  script.allocate(ACPI_FILE.TABLES, TABLES_ALIGNMENT, 'high');
  const placeVmgenid = (): number => {
    const contents = vmgenidTable();
    const offset = place(contents);
    script.writePointer(VMGENID.ADDRESS, VMGENID.PAGE, VMGENID.IDENTIFIER);
    script.addPointer(ACPI_FILE.TABLES, offset + VMGENID_POINTER, VMGENID.PAGE);
    script.addChecksum(ACPI_FILE.TABLES, offset + TABLE_CHECKSUM, offset, contents.length);
    return offset;
  };
  const facsOffset = place(facs());
  const dsdtOffset = placeTable(dsdt(input));
  const listed = [
    placeTable(fadt(input, facsOffset, dsdtOffset), [FADT_POINTER.FACS, FADT_POINTER.DSDT]),
    placeTable(madt(input)),
    ...(input.vmgenid ? [placeVmgenid()] : []),
    ...(input.hpetTimers === undefined ? [] : [placeTable(hpetTable(input.hpetTimers))]),
    placeTable(waet()),
  ];
  const rsdtOffset = placeTable(
    rsdt(listed),
    listed.map((_, i) => RSDT_ENTRIES + 4 * i),
  );

  script.allocate(ACPI_FILE.ROOT_POINTER, ROOT_POINTER_ALIGNMENT, 'f-segment');
  script.addPointer(ACPI_FILE.ROOT_POINTER, RSDP.RSDT, ACPI_FILE.TABLES);
  script.addChecksum(ACPI_FILE.ROOT_POINTER, RSDP.CHECKSUM, 0, RSDP.LENGTH);
  return { tables: concat(...parts), loader: script.encode(), rootPointer: rsdp(rsdtOffset) };
}

/** `etc/system-states`: per sleep state S0 to S5 its sleep type, and bit 7 where it is offered. */
export function systemStates(input: Pick<FirmwareTableInput, 'suspend' | 'hibernate'>): Uint8Array {
  const offered = 0x80;
  const hibernate = input.hibernate === undefined ? 0 : offered | input.hibernate;
  return Uint8Array.of(offered, 0, 0, 1 | (input.suspend ? offered : 0), hibernate, offered);
}
