import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { INTERRUPT, MEMORY } from './ne2000.spec.js';

/** What an NE2000 remembers: the DP8390's registers and the card's memory. */
export class Ne2000State {
  receiveConfiguration = 0;
  command = 0;
  /** Byte addresses of the receive ring. */
  start = 0;
  stop = 0;
  /** Page of the oldest packet that the driver has not read. */
  boundary = 0;
  transmitStatus = 0;
  transmitPage = 0;
  transmitCount = 0;
  remoteCount = 0;
  remoteAddress = 0;
  receiveStatus = 0;
  interruptStatus: number = INTERRUPT.RESET;
  dataConfiguration = 0;
  interruptMask = 0;
  readonly physical = new Uint8Array(6);
  /** Page that the next packet is written to. */
  current = 0;
  readonly multicast = new Uint8Array(8);
  readonly memory = new Uint8Array(MEMORY.SIZE);

  /** @param mac goes into the address ROM at the beginning of memory, each byte twice. */
  constructor(mac: Uint8Array) {
    fillRom(this.memory, mac);
  }
}

/**
 * The address ROM is eight bits wide: each byte appears twice. 0x57 at its end says that the slot is 16 bits wide. What lies between
 * address and mark is doubled as it is, so that a second reset doubles doubled bytes; drivers don't look there. [QEMU]
 */
export function fillRom(memory: Uint8Array, mac: Uint8Array): void {
  memory.set(mac);
  memory.fill(0x57, 14, 16);
  for (let i = MEMORY.ROM_SIZE / 2 - 1; i >= 0; i--) memory.fill(memory[i]!, 2 * i, 2 * i + 2);
}

const f = fieldsOf<Ne2000State>();

/** The part that both cards' sections, named `ne2000` as well, have. Version 0 had no receive configuration. */
export const ne2000VmState = vmstate<Ne2000State>({
  name: 'ne2000',
  version: 2,
  minVersion: 0,
  fields: [
    f.u8('receiveConfiguration', 'rxcr', { since: 2 }),
    f.u8('command', 'cmd'),
    f.u32('start'),
    f.u32('stop'),
    f.u8('boundary'),
    f.u8('transmitStatus', 'tsr'),
    f.u8('transmitPage', 'tpsr'),
    f.u16('transmitCount', 'tcnt'),
    f.u16('remoteCount', 'rcnt'),
    f.u32('remoteAddress', 'rsar'),
    f.u8('receiveStatus', 'rsr'),
    f.u8('interruptStatus', 'isr'),
    f.u8('dataConfiguration', 'dcfg'),
    f.u8('interruptMask', 'imr'),
    f.bytes('physical', 'phys'),
    f.u8('current', 'curpag'),
    f.bytes('multicast', 'mult'),
    f.unused(4),
    f.bytes('memory', 'mem'),
  ],
  postLoad(s, version) {
    // A card without the field received broadcasts only.
    if (version < 2) s.receiveConfiguration = 0x0c;
    s.start = Math.min(s.start, MEMORY.SIZE);
    s.stop = Math.min(s.stop, MEMORY.SIZE);
  },
});
