/**
 * Names and numbers of the local APIC of a processor.
 * [SDM]  Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3A, chapter "Advanced Programmable Interrupt Controller".
 */

/** Registers of the processor that accesses it, and above the first page (and in its first 16 bytes) interrupt messages. */
export const BASE = 0xfee0_0000;
export const LENGTH = 0x10_0000;
/** First address behind the registers. */
export const REGISTERS_LENGTH = 0x1000;

/** MSR IA32_APIC_BASE. [SDM] "Local APIC Status and Location" */
export const APIC_BASE = { BOOT_PROCESSOR: 0x100, ENABLE: 0x800, ADDRESS: 0xffff_f000 } as const;

/** Register numbers: offset divided by 16. [SDM] table "Local APIC Register Address Map" */
export const REGISTER = {
  ID: 0x02,
  VERSION: 0x03,
  TASK_PRIORITY: 0x08,
  ARBITRATION_PRIORITY: 0x09,
  PROCESSOR_PRIORITY: 0x0a,
  END_OF_INTERRUPT: 0x0b,
  LOGICAL_DESTINATION: 0x0d,
  DESTINATION_FORMAT: 0x0e,
  SPURIOUS_VECTOR: 0x0f,
  IN_SERVICE: 0x10,
  TRIGGER_MODE: 0x18,
  REQUEST: 0x20,
  ERROR_STATUS: 0x28,
  COMMAND_LOW: 0x30,
  COMMAND_HIGH: 0x31,
  LOCAL_VECTORS: 0x32,
  INITIAL_COUNT: 0x38,
  CURRENT_COUNT: 0x39,
  DIVIDE: 0x3e,
} as const;

/** Entries of the local vector table, in the order of their registers. */
export const LVT = { TIMER: 0, THERMAL: 1, PERFORMANCE: 2, LINT0: 3, LINT1: 4, ERROR: 5, COUNT: 6 } as const;

/**
 * A local vector. [SDM] figure "Local Vector Table (LVT)"
 *
 *     | 18..17 timer mode | 16 masked | 15 level | 10..8 delivery mode | 7..0 vector |
 */
export const LVT_ENTRY = {
  MASKED: 0x1_0000,
  LEVEL: 0x8000,
  PERIODIC: 0x2_0000,
  TSC_DEADLINE: 0x4_0000,
  MODE_SHIFT: 8,
  MODE: 7,
  VECTOR: 0xff,
} as const;

/** Delivery modes of vectors, commands, redirections and messages. */
export const DELIVERY = { FIXED: 0, LOWEST_PRIORITY: 1, SMI: 2, NMI: 4, INIT: 5, STARTUP: 6, EXTERNAL: 7 } as const;

/** [SDM] figure "Spurious-Interrupt Vector Register (SVR)" */
export const SPURIOUS = { ENABLE: 0x100, NO_EOI_BROADCAST: 0x1000, WRITABLE: 0x1ff, VECTOR: 0xff } as const;

/**
 * Interrupt command, low half. [SDM] figure "Interrupt Command Register (ICR)"
 *
 *     | 19..18 shorthand | 15 level-triggered | 14 assert | 11 logical | 10..8 delivery mode | 7..0 vector |
 */
export const COMMAND = { SHORTHAND_SHIFT: 18, LEVEL: 0x8000, ASSERT: 0x4000, LOGICAL: 0x0800 } as const;
export const SHORTHAND = { NONE: 0, SELF: 1, ALL: 2, OTHERS: 3 } as const;

/** Destination formats, upper four bits of the register. */
export const FORMAT = { CLUSTER: 0x0, FLAT: 0xf } as const;

/** A physical destination that means everybody. */
export const BROADCAST = 0xff;

/** [SDM] figure "Error Status Register (ESR)" */
export const ERROR = { ILLEGAL_REGISTER: 0x80 } as const;

/** Bits of the divide register that exist; 3, 1 and 0 make the divisor. */
export const DIVIDE_BITS = 0x0b;

/** Interrupt messages. [SDM] "Message Address Register Format", "Message Data Register Format" */
export const MESSAGE = { DESTINATION_SHIFT: 12, LOGICAL: 0x4, LEVEL: 0x8000 } as const;
