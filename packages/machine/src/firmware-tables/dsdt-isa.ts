import { type Aml, define, device, eisaId, field, integer, region } from './aml.js';
import { dma, irq, ports, type Resource, resources } from './aml-resources.js';
import { concat } from './bytes.js';
import type { IsaDescription } from './input.js';

/** PIIX3 on the root bus, device 1. */
const ADDRESS = 0x0001_0000;
/** PIRQRC[A:D]: bits 3..0 the request, bit 7 not routed. 82371SB (Intel 290550), 2.2.7 */
const ROUTING = { OFFSET: 0x60, COUNT: 4 } as const;

/** The routing registers by name, for the interrupt links. */
export const ROUTING_REGISTERS = ['PRQA', 'PRQB', 'PRQC', 'PRQD'] as const;
/** Where they are in the name space. */
export const ISA_PATH = '\\_SB.PCI0.ISA';

/** The PIIX3 and what lies behind it. Identifiers: [PNP] */
export function isaBridge(isa: IsaDescription): Aml {
  return device(
    'ISA',
    define('_ADR', integer(ADDRESS)),
    region('PIRQ', 'pci-config', ROUTING.OFFSET, ROUTING.COUNT),
    field('PIRQ', { access: 8, update: 'preserve' }, ...ROUTING_REGISTERS.map((register) => [register, 8] as const)),
    isaDevice('RTC', 'PNP0B00', undefined, ports(0x70, 2), irq(8)),
    ...(isa.keyboard ? [isaDevice('KBD', 'PNP0303', undefined, ports(0x60, 1), ports(0x64, 1), irq(1))] : []),
    ...(isa.mouse ? [isaDevice('MOU', 'PNP0F13', undefined, irq(12))] : []),
    ...(isa.floppy ? [isaDevice('FDC0', 'PNP0700', undefined, ports(0x3f2, 4), ports(0x3f7, 1), irq(6), dma(2))] : []),
    ...isa.parallel.map(({ base, irq: request }, n) => isaDevice(`LPT${n + 1}`, 'PNP0400', n + 1, ports(base, 8), irq(request))),
    ...isa.serial.map(({ base, irq: request }, n) => isaDevice(`COM${n + 1}`, 'PNP0501', n + 1, ports(base, 8), irq(request))),
  );
}

function isaDevice(name: string, id: string, uid: number | undefined, ...items: readonly Resource[]): Aml {
  const number = uid === undefined ? [] : [define('_UID', integer(uid))];
  return device(name, define('_HID', eisaId(id)), concat(...number), define('_CRS', resources(...items)));
}
