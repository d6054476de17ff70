import { PciDeviceState } from '@pagurus/dev-pci';
import { type Codec, type Description, type Field, fieldsOf, vmstate } from '@pagurus/vmstate';
import { REG } from './spec.js';

/** What a context descriptor says about checksums and segmentation. */
export class OffloadState {
  ipcss = 0;
  ipcso = 0;
  ipcse = 0;
  tucss = 0;
  tucso = 0;
  tucse = 0;
  paylen = 0;
  headerLength = 0;
  mss = 0;
  ip = 0;
  tcp = 0;
}

export class E1000State {
  readonly pci = new PciDeviceState();
  /** All registers by offset / 4. */
  readonly mac = new Uint32Array(0x8000);
  readonly phy = new Uint16Array(32);
  readonly eeprom = new Uint16Array(64);
  rxBufferSize = 0;
  rxMinShift = 1;

  /** Microwire: bits shifted in, counters, whether a read command was recognised, the control lines before. */
  eepromIn = 0;
  eepromBitsIn = 0;
  eepromBitsOut = 0;
  eepromReading = 0;
  eepromLines = 0;

  /** The frame being put together. */
  txSize = 0;
  txFrames = 0;
  /** Options of the frame's first data descriptor. */
  txOptions = 0;
  readonly txHeader = new Uint8Array(256);
  readonly txData = new Uint8Array(0x10000);
  /** Segmentation is on, a VLAN tag waits: since the frame's first descriptor. */
  txSegmenting = false;
  txVlan = -1;
  /** Last context for plain frames, and last one for segmentation. */
  plain = new OffloadState();
  segmentation = new OffloadState();
  segmentationLast = false;
  /** The one of the two that the main part of the section carries. */
  sent = new OffloadState();
  segmentationLoaded = false;

  /** The interrupt line as mitigation lets it be. */
  interruptLevel = false;
  /** A descriptor asked for a delayed interrupt. */
  interruptDelayed = false;
  mitigating = false;
}

/** Single registers of the section, in its order. */
const NAMED = [
  'CTRL EECD EERD GPRC GPTC ICR ICS IMC IMS LEDCTL MANC MDIC MPC PBA RCTL RDBAH RDBAL RDH RDLEN RDT STATUS SWSM',
  'TCTL TDBAH TDBAL TDH TDLEN TDT TORH TORL TOTH TOTL TPR TPT TXDCTL WUFC VET',
]
  .join(' ')
  .split(' ') as (keyof typeof REG)[];

const f = fieldsOf<E1000State>();

const register = (name: keyof typeof REG): Field =>
  f.array('u32', 'mac', `mac_reg[${name}]`, { start: REG[name] / 4, length: 1 });

type Width = 'u8' | 'u16' | 'u32' | 'i8';

/** QEMU sends the members of a context one by one, between members of other things. */
function member(name: keyof OffloadState, width: Width): Codec<OffloadState> {
  const size = { u8: 1, i8: 1, u16: 2, u32: 4 }[width];
  return {
    type: `${width.startsWith('i') ? 'int' : 'uint'}${8 * size}`,
    minSize: size,
    maxSize: size,
    get: (reader, current) => ({ ...current, [name]: reader[width]() }),
    put: (writer, value) => writer[width](value[name]),
    toJson: (value) => value[name],
    fromJson: (json, current) => ({ ...current, [name]: Number(json) }),
  };
}

const SUMS: readonly (readonly [key: keyof OffloadState, wire: string, width: Width])[] = [
  ['ipcss', 'ipcss', 'u8'],
  ['ipcso', 'ipcso', 'u8'],
  ['ipcse', 'ipcse', 'u16'],
  ['tucss', 'tucss', 'u8'],
  ['tucso', 'tucso', 'u8'],
  ['tucse', 'tucse', 'u16'],
  ['paylen', 'paylen', 'u32'],
  ['headerLength', 'hdr_len', 'u8'],
  ['mss', 'mss', 'u16'],
];
const PROTOCOL: typeof SUMS = [
  ['ip', 'ip', 'i8'],
  ['tcp', 'tcp', 'i8'],
];

const offload = (key: 'sent' | 'segmentation', prefix: string, members: typeof SUMS): Field[] =>
  members.map(([name, wire, width]) => f.custom(key, `${prefix}.${wire}`, member(name, width)));

export interface E1000Format {
  /** Subsection `e1000/mit_state`: property `mitigation`. */
  readonly mitigation: boolean;
  /** Subsection `e1000/full_mac_state`: property `extra_mac_registers`. */
  readonly allRegisters: boolean;
  /** Subsection `e1000/tx_tso_state`: property `migrate_tso_props`. */
  readonly segmentation: boolean;
}

/** Section `e1000`. */
export function e1000VmState(pci: Description<PciDeviceState>, format: E1000Format) {
  const mitigation = vmstate<E1000State>({
    name: 'e1000/mit_state',
    version: 1,
    needed: () => format.mitigation,
    fields: [...(['RDTR', 'RADV', 'TADV', 'ITR'] as const).map(register), f.bool('interruptLevel', 'mit_irq_level')],
  });
  const allRegisters = vmstate<E1000State>({
    name: 'e1000/full_mac_state',
    version: 1,
    needed: () => format.allRegisters,
    fields: [f.array('u32', 'mac', 'mac_reg')],
  });
  const segmentation = vmstate<E1000State>({
    name: 'e1000/tx_tso_state',
    version: 1,
    needed: () => format.segmentation,
    fields: offload('segmentation', 'tx.tso_props', [...SUMS, ...PROTOCOL]),
    postLoad(s) {
      s.segmentationLoaded = true;
    },
  });
  return vmstate<E1000State>({
    name: 'e1000',
    version: 2,
    minVersion: 1,
    fields: [
      f.struct('pci', 'parent_obj', pci),
      f.unused(4, { when: (_, version) => version === 1 }),
      f.unused(4),
      f.u32('rxBufferSize', 'rxbuf_size'),
      f.u32('rxMinShift', 'rxbuf_min_shift'),
      f.u32('eepromIn', 'eecd_state.val_in'),
      f.u16('eepromBitsIn', 'eecd_state.bitnum_in'),
      f.u16('eepromBitsOut', 'eecd_state.bitnum_out'),
      f.u16('eepromReading', 'eecd_state.reading'),
      f.u32('eepromLines', 'eecd_state.old_eecd'),
      ...offload('sent', 'mig_props', SUMS),
      f.u16('txSize', 'tx.size'),
      f.u16('txFrames', 'tx.tso_frames'),
      f.u8('txOptions', 'tx.sum_needed'),
      ...offload('sent', 'mig_props', PROTOCOL),
      f.bytes('txHeader', 'tx.header'),
      f.bytes('txData', 'tx.data'),
      f.array('u16', 'eeprom', 'eeprom_data'),
      f.array('u16', 'phy', 'phy_reg'),
      ...NAMED.map(register),
      f.array('u32', 'mac', 'mac_reg', { start: REG.RA / 4, length: 32 }),
      f.array('u32', 'mac', 'mac_reg', { start: REG.MTA / 4, length: 128 }),
      f.array('u32', 'mac', 'mac_reg', { start: REG.VFTA / 4, length: 128 }),
    ],
    subsections: [mitigation, allRegisters, segmentation],
    derived: [
      'txSegmenting',
      'txVlan',
      'plain',
      'segmentation',
      'segmentationLast',
      'segmentationLoaded',
      'interruptLevel',
      'interruptDelayed',
      'mitigating',
    ],
    preLoad(s) {
      s.segmentationLoaded = false;
      s.txSegmenting = false;
      s.txVlan = -1;
      s.interruptDelayed = false;
    },
    preSave(s) {
      Object.assign(s.sent, format.segmentation || !s.segmentationLast ? s.plain : s.segmentation);
    },
    postLoad(s) {
      if (!format.mitigation) {
        for (const name of ['RDTR', 'RADV', 'TADV', 'ITR'] as const) s.mac[REG[name] / 4] = 0;
        s.interruptLevel = false;
      }
      Object.assign(s.plain, s.sent);
      if (!s.segmentationLoaded) Object.assign(s.segmentation, s.sent);
      s.mitigating = format.mitigation;
    },
  });
}
