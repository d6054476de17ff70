/** Bit names that the state, the CPU and the tools share. [SDM] Intel 64 Software Developer's Manual, volumes 1 and 3A. */

/** EFLAGS. [SDM 1:3.4.3] */
export const EFLAGS = {
  CF: 1 << 0,
  PF: 1 << 2,
  AF: 1 << 4,
  ZF: 1 << 6,
  SF: 1 << 7,
  TF: 1 << 8,
  IF: 1 << 9,
  DF: 1 << 10,
  OF: 1 << 11,
  IOPL: 3 << 12,
  NT: 1 << 14,
  RF: 1 << 16,
  VM: 1 << 17,
  AC: 1 << 18,
  VIF: 1 << 19,
  VIP: 1 << 20,
  ID: 1 << 21,
} as const;

/** [SDM 3A:2.5] */
export const CR0 = {
  PE: 1,
  MP: 2,
  EM: 4,
  TS: 8,
  ET: 0x10,
  NE: 0x20,
  WP: 0x10000,
  AM: 0x40000,
  NW: 1 << 29,
  CD: 1 << 30,
  PG: 0x80000000,
} as const;

/** [SDM 3A:2.5] */
export const CR4 = {
  VME: 1 << 0,
  PVI: 1 << 1,
  TSD: 1 << 2,
  DE: 1 << 3,
  PSE: 1 << 4,
  PAE: 1 << 5,
  MCE: 1 << 6,
  PGE: 1 << 7,
  PCE: 1 << 8,
  OSFXSR: 1 << 9,
  OSXMMEXCPT: 1 << 10,
  UMIP: 1 << 11,
  LA57: 1 << 12,
  FSGSBASE: 1 << 16,
  PCIDE: 1 << 17,
  OSXSAVE: 1 << 18,
  SMEP: 1 << 20,
  SMAP: 1 << 21,
  PKE: 1 << 22,
  PKS: 1 << 24,
} as const;

export const EFER = { SCE: 1, LME: 1 << 8, LMA: 1 << 10, NXE: 1 << 11, SVME: 1 << 12, FFXSR: 1 << 14 } as const;

/** `hflags` of the section `cpu`: mode bits derived from other registers, but sent nevertheless. */
export const HFLAGS = {
  CPL: 3,
  /** Interrupts are held off for one instruction after STI and MOV SS. */
  INHIBIT_IRQ: 1 << 3,
  CS32: 1 << 4,
  SS32: 1 << 5,
  /** DS, ES or SS has a base that must be added. */
  ADDSEG: 1 << 6,
  PE: 1 << 7,
  TF: 1 << 8,
  MP: 1 << 9,
  EM: 1 << 10,
  TS: 1 << 11,
  IOPL: 3 << 12,
  LMA: 1 << 14,
  CS64: 1 << 15,
  RF: 1 << 16,
  VM: 1 << 17,
  AC: 1 << 18,
  SMM: 1 << 19,
  SVME: 1 << 20,
  /** In a nested SVM guest. */
  GUEST: 1 << 21,
  OSFXSR: 1 << 22,
  SMAP: 1 << 23,
  IOBPT: 1 << 24,
  MPX_EN: 1 << 25,
  MPX_IU: 1 << 26,
  UMIP: 1 << 27,
  AVX_EN: 1 << 28,
} as const;

/** `hflags2` of the section `cpu`. */
export const HFLAGS2 = {
  /** Global interrupt flag (SVM); 1 without SVM. */
  GIF: 1 << 0,
  HIF: 1 << 1,
  /** In an NMI handler: further NMIs wait. */
  NMI: 1 << 2,
  VINTR: 1 << 3,
  SMM_INSIDE_NMI: 1 << 4,
  MPX_PR: 1 << 5,
  NPT: 1 << 6,
  IGNNE: 1 << 7,
  /** Set after RESET. */
  VGIF: 1 << 8,
} as const;

/** `interrupt_request` of the section `cpu_common`. */
export const INTERRUPT_REQUEST = {
  HARD: 0x2,
  EXITTB: 0x4,
  HALT: 0x20,
  DEBUG: 0x80,
  SMI: 0x40,
  NMI: 0x200,
  VIRTUAL: 0x100,
} as const;

/** Segment flags as in the state: high dword of a descriptor. */
export const SEGMENT = {
  ACCESSED: 1 << 8,
  /** Writable data or readable code. */
  WRITABLE: 1 << 9,
  /** Expand-down data or conforming code. */
  EXPAND_DOWN: 1 << 10,
  CODE: 1 << 11,
  /** Code or data, not system. */
  S: 1 << 12,
  DPL_SHIFT: 13,
  DPL: 3 << 13,
  PRESENT: 1 << 15,
  AVL: 1 << 20,
  L: 1 << 21,
  B: 1 << 22,
  G: 1 << 23,
} as const;
