import type { SectionRank } from '../section-registry.js';
import type { Program } from '../stream-settings.js';

/** Between what plain names say and each other, in the order in which QEMU's board makes them. [streams of QEMU 5.2, 7.2 and 10.0] */
const BRIDGE = ['PIIX3', 'i8259', 'ioapic'];
const PORTS = ['serial', 'parallel_isa'];
const KEYBOARD = ['fdc', 'ps2kbd', 'ps2mouse', 'pckbd', 'vmmouse', 'port92'];
const NETWORK = ['e1000'];
const POWER = ['ide', 'i2c_bus', 'piix4_pm'];
const TIMERS = ['i8254', 'pcspk'];

const ORDERS: Readonly<Record<Program, readonly string[]>> = {
  '5.2': [
    ...['fw_cfg', 'PCIHost', 'PCIBUS', 'I440FX', ...BRIDGE, 'vga', 'cirrus_vga', 'hpet', 'mc146818rtc', ...TIMERS, 'dma'],
    ...[...PORTS, ...KEYBOARD, ...NETWORK, ...POWER],
  ],
  '7.2': [
    ...['fw_cfg', 'PCIHost', 'PCIBUS', 'I440FX', 'dma', ...BRIDGE, 'vga', 'cirrus_vga', 'hpet', 'mc146818rtc', ...TIMERS],
    ...[...PORTS, ...KEYBOARD, ...NETWORK, ...POWER],
  ],
  '10.0': [
    ...[
      'I440FX',
      'PCIHost',
      'PCIBUS',
      'fw_cfg',
      'dma',
      'mc146818rtc',
      ...POWER,
      ...BRIDGE,
      'vga',
      'cirrus_vga',
      'hpet',
      ...TIMERS,
    ],
    ...[...PORTS, ...KEYBOARD, ...NETWORK],
  ],
};

/** Those of one processor stand together. */
const PROCESSOR = ['cpu_common', 'cpu', 'kvm-tpr-opt', 'apic'];
const FIRST = ['timer', 'slirp'];
const LAST = ['acpi_build'];

const RANK = { PROCESSORS: 100, BOARD: 100_000, PLUGGED: 200_000, LAST: 300_000 } as const;

/** The order of QEMU's PC, which has changed between programs, not between versions of the machine. */
export function pcSectionRank(program: Program): SectionRank {
  const order = ORDERS[program];
  return ({ idstr, instance }, plugged) => {
    const name = idstr.slice(idstr.lastIndexOf('/') + 1);
    if (FIRST.includes(name)) return FIRST.indexOf(name);
    if (PROCESSOR.includes(name)) return RANK.PROCESSORS + instance * PROCESSOR.length + PROCESSOR.indexOf(name);
    if (LAST.includes(name)) return RANK.LAST;
    const place = order.indexOf(name);
    return plugged ? RANK.PLUGGED : RANK.BOARD + (place < 0 ? order.length : place);
  };
}
