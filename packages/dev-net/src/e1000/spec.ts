/**
 * Registers of Intel's 82540EM.
 * [8254x] Intel PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual, 317453; table 13-2 "Register Summary".
 * [MWIRE] The EEPROM's Microwire protocol, [8254x] 5.3.
 */

/** Byte offset of a register in BAR 0. [8254x] */
export const REG = {
  CTRL: 0x0000,
  STATUS: 0x0008,
  EECD: 0x0010,
  EERD: 0x0014,
  MDIC: 0x0020,
  VET: 0x0038,
  ICR: 0x00c0,
  ITR: 0x00c4,
  ICS: 0x00c8,
  IMS: 0x00d0,
  IMC: 0x00d8,
  RCTL: 0x0100,
  TCTL: 0x0400,
  AIT: 0x0458,
  LEDCTL: 0x0e00,
  PBA: 0x1000,
  RDFH: 0x2410,
  RDFPC: 0x2430,
  RDBAL: 0x2800,
  RDBAH: 0x2804,
  RDLEN: 0x2808,
  RDH: 0x2810,
  RDT: 0x2818,
  RDTR: 0x2820,
  RADV: 0x282c,
  TDFH: 0x3410,
  TDFT: 0x3418,
  TDFHS: 0x3420,
  TDFPC: 0x3430,
  TDBAL: 0x3800,
  TDBAH: 0x3804,
  TDLEN: 0x3808,
  TDH: 0x3810,
  TDT: 0x3818,
  TXDCTL: 0x3828,
  TADV: 0x382c,
  STATISTICS: 0x4000,
  MPC: 0x4010,
  FCRUC: 0x4058,
  PRC64: 0x405c,
  GPRC: 0x4074,
  BPRC: 0x4078,
  MPRC: 0x407c,
  GPTC: 0x4080,
  GORCL: 0x4088,
  GORCH: 0x408c,
  GOTCL: 0x4090,
  GOTCH: 0x4094,
  RNBC: 0x40a0,
  ROC: 0x40ac,
  TORL: 0x40c0,
  TORH: 0x40c4,
  TOTL: 0x40c8,
  TOTH: 0x40cc,
  TPR: 0x40d0,
  TPT: 0x40d4,
  PTC64: 0x40d8,
  MPTC: 0x40f0,
  BPTC: 0x40f4,
  TSCTC: 0x40f8,
  STATISTICS_END: 0x4100,
  MTA: 0x5200,
  RA: 0x5400,
  RA_END: 0x5480,
  VFTA: 0x5600,
  WUC: 0x5800,
  WUFC: 0x5808,
  WUS: 0x5810,
  MANC: 0x5820,
  IPAV: 0x5838,
  IP4AT: 0x5840,
  IP6AT: 0x5880,
  WUPM: 0x5a00,
  SWSM: 0x5b50,
  FFLT: 0x5f00,
  FFMT: 0x9000,
  FFVT: 0x9800,
  PBM: 0x10000,
} as const;

/** Bytes of BAR 0 and BAR 1. */
export const MMIO_SIZE = 0x20000;
export const IO_SIZE = 0x40;

export const CTRL = { RESET: 0x0400_0000, VLAN_MODE: 0x4000_0000 } as const;
export const STATUS = { LINK_UP: 0x02 } as const;
/** Interrupt cause. [8254x] 13.4.17 */
export const CAUSE = {
  TX_DONE: 0x01,
  TX_QUEUE_EMPTY: 0x02,
  LINK_CHANGE: 0x04,
  RX_LOW: 0x10,
  RX_OVERRUN: 0x40,
  RX_TIMER: 0x80,
  MDIO: 0x200,
} as const;
/** Receive control. [8254x] 13.4.22 */
export const RCTL = {
  ENABLE: 0x02,
  STORE_BAD: 0x04,
  UNICAST_PROMISCUOUS: 0x08,
  MULTICAST_PROMISCUOUS: 0x10,
  LONG: 0x20,
  BROADCAST: 0x8000,
  VLAN_FILTER: 0x4_0000,
  STRIP_CRC: 0x0400_0000,
} as const;
export const TCTL = { ENABLE: 0x02 } as const;

/** MDI control: access to the PHY. [8254x] 13.4.8 */
export const MDIC = {
  READ: 0x0800_0000,
  WRITE: 0x0400_0000,
  READY: 0x1000_0000,
  INTERRUPT: 0x2000_0000,
  ERROR: 0x4000_0000,
  PHY_ADDRESS: 1,
} as const;

/** PHY registers. [8254x] 13.3; IEEE 802.3 clause 22. */
export const PHY = { CONTROL: 0, STATUS: 1, PARTNER: 5 } as const;
export const PHY_CONTROL = { RESET: 0x8000, LOOPBACK: 0x4000, AUTONEG: 0x1000, RESTART: 0x0200, RESERVED: 0x003f } as const;
export const PHY_STATUS = { LINK: 0x04, AUTONEG_DONE: 0x20 } as const;
export const PHY_PARTNER_ACK = 0x4000;

/** EEPROM control. [8254x] 13.4.3 */
export const EECD = {
  CLOCK: 0x01,
  SELECT: 0x02,
  DATA_IN: 0x04,
  DATA_OUT: 0x08,
  REQUEST: 0x40,
  GRANT: 0x80,
  PRESENT: 0x100,
} as const;
/** Bits that the guest keeps. */
export const EECD_KEPT = 0x77;
export const EERD = { START: 0x01, DONE: 0x10 } as const;

/** Transmit descriptor, lower double word of the second half. [8254x] 3.3 */
export const TX = {
  LENGTH: 0xffff,
  PAYLOAD: 0xf_ffff,
  DATA_TYPE: 0x0010_0000,
  END: 0x0100_0000,
  CONTEXT_TCP: 0x0100_0000,
  CONTEXT_IP: 0x0200_0000,
  SEGMENT: 0x0400_0000,
  REPORT: 0x0800_0000,
  REPORT_SENT: 0x1000_0000,
  EXTENDED: 0x2000_0000,
  VLAN: 0x4000_0000,
  DELAY: 0x8000_0000,
  /** Upper double word. */
  DONE: 0x01,
  STATUS: 0x0f,
} as const;
/** Options of a data descriptor. */
export const TX_OPTION = { IP_SUM: 0x01, TCP_SUM: 0x02 } as const;

/** Receive descriptor status. [8254x] 3.2.3 */
export const RX = { DONE: 0x01, END: 0x02, NO_CHECKSUM: 0x04, VLAN: 0x08 } as const;

export const DESCRIPTOR = 16;

/** The card. */
export const E1000 = { VENDOR: 0x8086, DEVICE: 0x100e, REVISION: 3, CLASS: 0x0200 } as const;
