import { type Aml, define, device, eisaId, field, integer, method, mutex, name, region, text } from './aml.js';
import { MEMORY_RANGE, memoryRange, ports, resources } from './aml-resources.js';
import {
  add,
  arg,
  call,
  createDwordField,
  equal,
  less,
  local,
  locked,
  notify,
  otherwise,
  returns,
  store,
  subtract,
  when,
} from './aml-statements.js';
import { concat } from './bytes.js';

/** QEMU's registers; see `docs/specs/acpi_mem_hotplug` of QEMU. Reads and writes of one offset are different registers. */
export const MEMORY_PORTS = { base: 0x0a00, length: 0x18 } as const;
const FLAGS_OFFSET = 0x14;

/** The method that tells the guest of modules which came or shall go. */
export const MEMORY_SCAN = '\\_SB.MHPC.MSCN';

/** Notifications. [ACPI] 5.6.6 */
const DEVICE_CHECK = 1;
const EJECT_REQUEST = 3;
/** Present, enabled, shown, working. [ACPI] 6.3.7 */
const PRESENT = 0x0f;

const slotName = (slot: number): string => `MP${slot.toString(16).toUpperCase().padStart(2, '0')}`;

/** Slots for memory modules as devices in a container. [ACPI] 9.11 "Memory Devices" */
export function memorySlots(count: number): Aml {
  const numbers = Array.from({ length: count }, (_, slot) => slot);
  return device(
    'MHPC',
    define('_HID', eisaId('PNP0A06')),
    define('_UID', text('DIMM devices')),
    define('_CRS', resources(ports(MEMORY_PORTS.base, MEMORY_PORTS.length))),
    registers(),
    // A slot at a time: whoever selects one holds the mutex.
    method('MSCN', { serialized: true }, locked('MHMX', ...numbers.flatMap(scanSlot))),
    method(
      'MSTA',
      { args: 1 },
      store(integer(0), local(0)),
      locked('MHMX', select(arg(0)), store(name('MHEN'), local(0))),
      when(local(0), returns(integer(PRESENT))),
      returns(integer(0)),
    ),
    moduleRange(),
    method('MEJT', { args: 1 }, locked('MHMX', select(arg(0)), store(integer(1), name('MHEJ')))),
    method('MOST', { args: 3 }, locked('MHMX', select(arg(0)), store(arg(1), name('MHOE')), store(arg(2), name('MHOS')))),
    ...numbers.map((slot) =>
      device(
        slotName(slot),
        define('_HID', eisaId('PNP0C80')),
        define('_UID', integer(slot)),
        method('_STA', {}, returns(call('MSTA', integer(slot)))),
        method('_CRS', {}, returns(call('MCRS', integer(slot)))),
        method('_PXM', {}, returns(integer(0))),
        method('_EJ0', { args: 1 }, call('MEJT', integer(slot))),
        method('_OST', { args: 3 }, call('MOST', integer(slot), arg(0), arg(1))),
      ),
    ),
  );
}

const select = (slot: Aml): Aml => store(slot, name('MHSL'));

function registers(): Aml {
  return concat(
    region('MHPR', 'io', MEMORY_PORTS.base, MEMORY_PORTS.length),
    field('MHPR', { access: 32, update: 'preserve' }, ['MHAL', 32], ['MHAH', 32], ['MHLL', 32], ['MHLH', 32]),
    // Ones act, so no bit may be written back.
    field(
      'MHPR',
      { access: 8, update: 'write-as-zeros' },
      [null, 8 * FLAGS_OFFSET],
      ['MHEN', 1],
      ['MHIN', 1],
      ['MHRM', 1],
      ['MHEJ', 1],
    ),
    field('MHPR', { access: 32, update: 'preserve' }, ['MHSL', 32], ['MHOE', 32], ['MHOS', 32]),
    mutex('MHMX'),
  );
}

/** Acknowledged before it is told: the guest may look at once. */
function scanSlot(slot: number): Aml[] {
  const tell = (code: number): Aml => notify(slotName(slot), integer(code));
  return [
    select(integer(slot)),
    when(equal(name('MHIN'), integer(1)), store(integer(1), name('MHIN')), tell(DEVICE_CHECK)),
    otherwise(when(equal(name('MHRM'), integer(1)), store(integer(1), name('MHRM')), tell(EJECT_REQUEST))),
  ];
}

/** The addresses of the module in slot Arg0; numbers have 32 bits, so carries are made by hand. */
function moduleRange(): Aml {
  const buffer = local(0);
  const word = (offset: number, path: string): Aml => createDwordField(buffer, offset, path);
  return method(
    'MCRS',
    { args: 1, serialized: true },
    store(resources(memoryRange()), buffer),
    word(MEMORY_RANGE.MINIMUM, 'MNLO'),
    word(MEMORY_RANGE.MINIMUM + 4, 'MNHI'),
    word(MEMORY_RANGE.MAXIMUM, 'MXLO'),
    word(MEMORY_RANGE.MAXIMUM + 4, 'MXHI'),
    word(MEMORY_RANGE.LENGTH, 'LNLO'),
    word(MEMORY_RANGE.LENGTH + 4, 'LNHI'),
    locked(
      'MHMX',
      select(arg(0)),
      store(name('MHAL'), name('MNLO')),
      store(name('MHAH'), name('MNHI')),
      store(name('MHLL'), name('LNLO')),
      store(name('MHLH'), name('LNHI')),
    ),
    add(name('MNLO'), name('LNLO'), name('MXLO')),
    add(name('MNHI'), name('LNHI'), name('MXHI')),
    when(less(name('MXLO'), name('MNLO')), add(name('MXHI'), integer(1), name('MXHI'))),
    when(equal(name('MXLO'), integer(0)), subtract(name('MXHI'), integer(1), name('MXHI'))),
    subtract(name('MXLO'), integer(1), name('MXLO')),
    returns(buffer),
  );
}
