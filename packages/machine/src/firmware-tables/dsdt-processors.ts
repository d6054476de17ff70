import { localApic } from './acpi-tables.js';
import { type Aml, buffer, define, device, eisaId, field, integer, method, mutex, name, region, text } from './aml.js';
import {
  and,
  arg,
  breaks,
  call,
  equal,
  lNot,
  local,
  locked,
  notify,
  or,
  returns,
  store,
  when,
  whilst,
} from './aml-statements.js';
import { concat } from './bytes.js';
import type { FirmwareTableInput } from './input.js';

/** QEMU's registers; see `docs/specs/acpi_cpu_hotplug` of QEMU. */
export const CPU_HOTPLUG_PORTS = { base: 0xaf00, length: 12 } as const;
const COMMAND = { NEXT_EVENT: 0, OST_EVENT: 1, OST_STATUS: 2 } as const;

/** The method that tells the guest of processors which came or shall go. */
export const CPU_SCAN = '\\_SB.CPUS.CSCN';

/** Notifications. [ACPI] 5.6.6 */
const DEVICE_CHECK = 1;
const EJECT_REQUEST = 3;
/** Present, enabled, shown, working. [ACPI] 6.3.7 */
const PRESENT = 0x0f;

const processorName = (n: number): string => `C${n.toString(16).toUpperCase().padStart(3, '0')}`;

/** Processors as devices in a container. [ACPI] 8.4, 8.4.1 */
export function processors(list: FirmwareTableInput['processors'], hotplug: boolean): Aml {
  const known = list.map(({ apicId, present }, uid) => ({ apicId, present, uid })).filter(({ present }) => hotplug || present);
  return device(
    'CPUS',
    define('_HID', text('ACPI0010')),
    define('_CID', eisaId('PNP0A05')),
    ...(hotplug ? [registers(), scan(list.length)] : []),
    ...known.map(({ apicId, uid }) =>
      device(
        processorName(uid),
        define('_HID', text('ACPI0007')),
        define('_UID', integer(uid)),
        define('_MAT', buffer(localApic(uid, apicId, true))),
        ...(hotplug ? hotplugMethods(uid) : []),
      ),
    ),
  );
}

/** Every use selects a processor first, so all of them hold the mutex. */
function registers(): Aml {
  return concat(
    mutex('CPMX'),
    region('CPRG', 'io', CPU_HOTPLUG_PORTS.base, CPU_HOTPLUG_PORTS.length),
    field('CPRG', { access: 32, update: 'preserve' }, ['CPSL', 32], [null, 32], ['CPDA', 32]),
    // Enabled, came, shall go, eject; then the command. Ones clear, so no bit may be written back.
    field(
      'CPRG',
      { access: 8, update: 'write-as-zeros' },
      ['CPSW', 8],
      [null, 24],
      ['CPEN', 1],
      ['CPIN', 1],
      ['CPRM', 1],
      ['CPEJ', 1],
      [null, 4],
      ['CPCM', 8],
    ),
    // Zero to the first byte alone: registers in place of the bitmap of old machines.
    method('_INI', {}, store(integer(0), name('CPSW'))),
    method(
      'CSTA',
      { args: 1 },
      locked('CPMX', store(arg(0), name('CPSL')), store(name('CPEN'), local(0))),
      when(local(0), returns(integer(PRESENT))),
      returns(integer(0)),
    ),
    method('CEJT', { args: 1 }, locked('CPMX', store(arg(0), name('CPSL')), store(integer(1), name('CPEJ')))),
    method(
      'COST',
      { args: 3 },
      locked(
        'CPMX',
        store(arg(0), name('CPSL')),
        store(integer(COMMAND.OST_EVENT), name('CPCM')),
        store(arg(1), name('CPDA')),
        store(integer(COMMAND.OST_STATUS), name('CPCM')),
        store(arg(2), name('CPDA')),
      ),
    ),
  );
}

function hotplugMethods(uid: number): Aml[] {
  return [
    method('_STA', {}, returns(call('CSTA', integer(uid)))),
    method('_EJ0', { args: 1 }, call('CEJT', integer(uid))),
    method('_OST', { args: 3 }, call('COST', integer(uid), arg(0), arg(1))),
  ];
}

/** Takes one event after the other until the selected processor has none. */
function scan(count: number): Aml {
  const tell = (code: number): Aml[] =>
    Array.from({ length: count }, (_, n) => when(equal(local(0), integer(n)), notify(processorName(n), integer(code))));
  return method(
    'CSCN',
    { serialized: true },
    locked(
      'CPMX',
      store(integer(0), name('CPSL')),
      whilst(
        integer(1),
        store(integer(COMMAND.NEXT_EVENT), name('CPCM')),
        store(name('CPDA'), local(0)),
        store(name('CPIN'), local(1)),
        store(name('CPRM'), local(2)),
        when(lNot(or(local(1), local(2))), breaks()),
        // Acknowledged before it is told: the guest may look at once.
        when(local(1), store(integer(1), name('CPIN')), ...tell(DEVICE_CHECK)),
        when(and(lNot(local(1)), local(2)), store(integer(1), name('CPRM')), ...tell(EJECT_REQUEST)),
      ),
    ),
  );
}
