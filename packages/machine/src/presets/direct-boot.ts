import { ACPI_FILE, acpiFiles } from '../firmware-tables/acpi.js';
import { PCI_REQUESTS, PM } from '../firmware-tables/acpi-tables.js';
import type { FirmwareTableInput } from '../firmware-tables/input.js';
import { completeTables } from '../firmware-tables/placement.js';
import type { PortBus } from '../port-bus.js';
import type { SystemMemory } from '../system-memory.js';

/** Local APIC registers. [SDM] volume 3, "Local APIC Register Address Map" */
const APIC = { SPURIOUS: 0xfee0_00f0, LINT0: 0xfee0_0350, LINT1: 0xfee0_0360 } as const;
const APIC_ENABLED = 0x100;
const EXTERNAL_INTERRUPT_LEVEL = 0x8700;
const NMI_LEVEL = 0x8400;

/** Firmware leaves the local APIC in virtual wire mode: the 8259's interrupts come through LINT0. [MP] 3.6.2.2 */
export function virtualWire(memory: SystemMemory): void {
  memory.mmioWrite(APIC.SPURIOUS, memory.mmioRead(APIC.SPURIOUS, 4) | APIC_ENABLED, 4);
  memory.mmioWrite(APIC.LINT0, EXTERNAL_INTERRUPT_LEVEL, 4);
  memory.mmioWrite(APIC.LINT1, NMI_LEVEL, 4);
}

/** Room for the tables at the end of RAM below 4 GiB; kernels are told that it is taken. */
export const DIRECT_TABLES = 0x20000;
/** Segment of the extended BIOS data area, in whose first KiB guests look for the root pointer, and where its number lies. [ACPI] 5.2.5.1 */
const EBDA = { SEGMENT: 0x9fc0, POINTER: 0x40e } as const;

/**
 * What firmware would have left for a kernel that is booted without it: completed ACPI tables, the power management block at the ports
 * that they name, PCI interrupts routed and level-triggered.
 * @param end of RAM below 4 GiB; the tables lie below it.
 */
export function leaveAcpi(memory: SystemMemory, ports: PortBus, input: FirmwareTableInput, end: number): void {
  // A generation ID needs firmware, which says where it has put it.
  const { tables, loader, rootPointer } = acpiFiles({ ...input, vmgenid: false });
  if (tables.length > DIRECT_TABLES)
    throw new RangeError(`ACPI tables of ${tables.length} bytes; there is room for ${DIRECT_TABLES}`);
  const place = { tables: end - DIRECT_TABLES, rootPointer: EBDA.SEGMENT * 16 };
  completeTables(
    loader,
    new Map([
      [ACPI_FILE.TABLES, { bytes: tables, address: place.tables }],
      [ACPI_FILE.ROOT_POINTER, { bytes: rootPointer, address: place.rootPointer }],
    ]),
  );
  memory.write(place.tables, tables);
  memory.write(place.rootPointer, rootPointer);
  memory.write(EBDA.POINTER, Uint8Array.of(EBDA.SEGMENT & 0xff, EBDA.SEGMENT >> 8));

  const configure = (devfn: number, register: number, value: number, size: 1 | 2 | 4): void => {
    ports.write(0xcf8, (0x8000_0000 | (devfn << 8) | (register & 0xfc)) >>> 0, 4);
    ports.write(0xcfc + (register & 3), value, size);
  };
  configure(POWER_MANAGEMENT.DEVFN, POWER_MANAGEMENT.BASE, PM.EVENT | 1, 4);
  configure(POWER_MANAGEMENT.DEVFN, POWER_MANAGEMENT.ENABLE, 1, 1);
  const [, ten, eleven] = PCI_REQUESTS;
  for (const [line, request] of [ten, ten, eleven, eleven].entries())
    configure(ISA_BRIDGE.DEVFN, ISA_BRIDGE.ROUTES + line, request, 1);
  ports.write(ELCR_HIGH, (1 << (ten - 8)) | (1 << (eleven - 8)), 1);
}

/** PIIX3 and PIIX4_PM. [82371SB] 2.2.9; [82371AB] 7.2 */
const ISA_BRIDGE = { DEVFN: 0x08, ROUTES: 0x60 } as const;
const POWER_MANAGEMENT = { DEVFN: 0x0b, BASE: 0x40, ENABLE: 0x80 } as const;
/** Level-triggered requests 8 to 15. */
const ELCR_HIGH = 0x4d1;
