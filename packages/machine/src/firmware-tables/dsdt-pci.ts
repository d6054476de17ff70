import { PCI_REQUESTS, PM } from './acpi-tables.js';
import { type Aml, define, device, eisaId, field, integer, method, mutex, name, packageOf, region } from './aml.js';
import { ports, resources, SHARED_INTERRUPT_NUMBER, sharedInterrupts, window } from './aml-resources.js';
import { and, arg, call, createDwordField, lNot, local, locked, notify, or, returns, store, when } from './aml-statements.js';
import { concat } from './bytes.js';
import { ISA_PATH, ROUTING_REGISTERS } from './dsdt-isa.js';
import type { FirmwareTableInput, PciFunctionDescription } from './input.js';

const SLOTS = 32;
const PINS = 4;
/** The bridge whose function 3, the power management, has its interrupt wired to the SCI. */
const PIIX_SLOT = 1;
/** All functions of a device. [ACPI] 6.2.13 */
const ANY_FUNCTION = 0xffff;
const LINKS = ['LNKA', 'LNKB', 'LNKC', 'LNKD'] as const;

const CONFIGURATION_PORTS = { FIRST: 0xcf8, COUNT: 8 } as const;
/** Where the interrupt controllers' memory begins. */
const MEMORY_END = 0xfec0_0000;

/** The method that tells the guest of devices which came or shall go. */
export const PCI_SCAN = '\\_SB.PCI0.PSCN';

/** Host bridge and root bus; `children`: what else lies behind it. */
export function pciRoot(input: FirmwareTableInput, ...children: readonly Aml[]): Aml {
  return device(
    'PCI0',
    define('_HID', eisaId('PNP0A03')),
    define('_UID', integer(0)),
    define('_BBN', integer(0)),
    define('_CRS', rootWindows(input)),
    define('_PRT', routingTable()),
    ...children,
    ...(input.pciHotplug ? [hotplug(input)] : []),
  );
}

/** What the host bridge passes on. */
function rootWindows(input: FirmwareTableInput): Aml {
  const { FIRST, COUNT } = CONFIGURATION_PORTS;
  return resources(
    window('bus', 2, 0, 0xff),
    ports(FIRST, COUNT),
    window('io', 2, 0, FIRST - 1),
    window('io', 2, FIRST + COUNT, 0xffff),
    window('cacheable-memory', 4, 0xa0000, 0xbffff),
    window('memory', 4, input.memory.below4g, MEMORY_END - 1),
    ...(input.window64 ? [window('memory', 8, input.window64.first, input.window64.last)] : []),
  );
}

/** Pin INTA# of device 1 is PIRQA; both count on. [ACPI] 6.2.13 */
function routingTable(): Aml {
  const rows: Aml[] = [];
  for (let slot = 1; slot < SLOTS; slot++) {
    for (let pin = 0; pin < PINS; pin++) {
      const link = LINKS[(slot + pin - 1) % PINS]!;
      const hardWired = slot === PIIX_SLOT && pin === 0;
      const source = hardWired ? [integer(0), integer(PM.SCI)] : [name(link), integer(0)];
      rows.push(packageOf([integer(slot * 0x1_0000 + ANY_FUNCTION), integer(pin), ...source]));
    }
  }
  return packageOf(rows);
}

/** Bit 7 of a routing register: to no request. */
const NOT_ROUTED = 0x80;
/** Device status: present, decoding, shown, working. [ACPI] 6.3.7 */
const ENABLED = 0x0b;
const DISABLED = 0x09;

/** PIRQA to PIRQD, which the guest may route to a request. [ACPI] 6.2.13, "PCI Interrupt Link Devices" */
export function interruptLinks(): Aml[] {
  return [
    // The resources of a link whose routing register has the value Arg0.
    method(
      'LCRS',
      { args: 1, serialized: true },
      store(resources(sharedInterrupts(0)), local(0)),
      createDwordField(local(0), SHARED_INTERRUPT_NUMBER, 'LIRQ'),
      when(lNot(and(arg(0), integer(NOT_ROUTED))), store(and(arg(0), integer(0x0f)), name('LIRQ'))),
      returns(local(0)),
    ),
    method('LSTA', { args: 1 }, when(and(arg(0), integer(NOT_ROUTED)), returns(integer(DISABLED))), returns(integer(ENABLED))),
    ...LINKS.map((link, n) => interruptLink(link, n, name(`${ISA_PATH}.${ROUTING_REGISTERS[n]}`))),
  ];
}

function interruptLink(path: string, uid: number, register: Aml): Aml {
  return device(
    path,
    define('_HID', eisaId('PNP0C0F')),
    define('_UID', integer(uid)),
    define('_PRS', resources(sharedInterrupts(...PCI_REQUESTS))),
    method('_STA', {}, returns(call('LSTA', register))),
    method('_CRS', {}, returns(call('LCRS', register))),
    method('_DIS', {}, or(register, integer(NOT_ROUTED), register)),
    method(
      '_SRS',
      { args: 1, serialized: true },
      createDwordField(arg(0), SHARED_INTERRUPT_NUMBER, 'NIRQ'),
      store(name('NIRQ'), register),
    ),
  );
}

/** QEMU's registers at 0xae00; see `docs/specs/acpi_pci_hotplug` of QEMU. Each bit is a slot of the selected bus. */
const HOTPLUG = { PORT: 0xae00, LENGTH: 0x18 } as const;
/** Notifications. [ACPI] 5.6.6 */
const DEVICE_CHECK = 1;
const EJECT_REQUEST = 3;

/** A bus that the registers know, where it is in the name space. */
interface HotplugBus {
  readonly number: number;
  readonly path: string;
}

function hotplug(input: FirmwareTableInput): Aml {
  const buses: HotplugBus[] = [];
  const slots = busSlots(input.pciFunctions, input.rootHotplugNumber, '\\_SB.PCI0', buses);
  const perBus = ({ number, path }: HotplugBus): Aml[] => [
    locked('HPMX', store(integer(number), name('HPBS')), store(name('HPUP'), local(0)), store(name('HPDN'), local(1))),
    call(`${path}.PNTF`, local(0), integer(DEVICE_CHECK)),
    call(`${path}.PNTF`, local(1), integer(EJECT_REQUEST)),
  ];
  return concat(
    region('HPRG', 'io', HOTPLUG.PORT, HOTPLUG.LENGTH),
    field('HPRG', { access: 32, update: 'write-as-zeros' }, ['HPUP', 32], ['HPDN', 32], ['HPEJ', 32], [null, 32], ['HPBS', 32]),
    mutex('HPMX'),
    // Lets go of the slots Arg1 of the bus Arg0.
    method('PEJT', { args: 2 }, locked('HPMX', store(arg(0), name('HPBS')), store(arg(1), name('HPEJ')))),
    slots,
    method('PSCN', {}, ...buses.flatMap(perBus)),
  );
}

/**
 * Slots of one bus as devices, those behind its bridges inside of them; `number`: the bus's own, undefined where its devices stay.
 * Appends to `buses`.
 */
function busSlots(
  functions: readonly PciFunctionDescription[],
  number: number | undefined,
  path: string,
  buses: HotplugBus[],
): Aml {
  const fixed = new Set(functions.filter((entry) => !entry.hotpluggable).map((entry) => entry.devfn >> 3));
  const open = number === undefined ? [] : Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => !fixed.has(slot));
  const bit = (slot: number): Aml => integer((1 << slot) >>> 0);
  if (number !== undefined) buses.push({ number, path });
  const bridges = functions.flatMap(({ devfn, behind }) => {
    if (!behind) return [];
    const inside = functionName(devfn);
    const place = integer((devfn >> 3) * 0x1_0000 + (devfn & 7));
    return [device(inside, define('_ADR', place), busSlots(behind.functions, behind.number, `${path}.${inside}`, buses))];
  });
  return concat(
    ...bridges,
    ...open.map((slot) =>
      device(
        functionName(slot << 3),
        define('_ADR', integer(slot * 0x1_0000)),
        define('_SUN', integer(slot)),
        method('_EJ0', { args: 1 }, call('PEJT', integer(number!), bit(slot))),
      ),
    ),
    // Sends notification Arg1 to the slots Arg0.
    ...(number === undefined
      ? []
      : [
          method(
            'PNTF',
            { args: 2 },
            ...open.map((slot) => when(and(arg(0), bit(slot)), notify(functionName(slot << 3), arg(1)))),
          ),
        ]),
  );
}

/** `S18` is device 3, function 0. */
const functionName = (devfn: number): string => `S${devfn.toString(16).toUpperCase().padStart(2, '0')}`;
