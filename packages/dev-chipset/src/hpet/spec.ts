/**
 * Names and numbers of the high precision event timers.
 * [HPET]  Intel, "IA-PC HPET Specification", revision 1.0a.
 */

export const BASE = 0xfed0_0000;
export const LENGTH = 0x400;

/** Nanoseconds per tick: 100 MHz. */
export const PERIOD = 10n;

/** General registers; a 64-bit register has its upper half 4 further on. [HPET] table 2 */
export const REGISTER = {
  CAPABILITIES: 0x000,
  PERIOD: 0x004,
  CONFIGURATION: 0x010,
  STATUS: 0x020,
  COUNTER: 0x0f0,
  COUNTER_HIGH: 0x0f4,
  TIMERS: 0x100,
} as const;

/** Registers of one timer. [HPET] table 3 */
export const TIMER_REGISTER = {
  CONFIGURATION: 0x00,
  CAPABILITIES: 0x04,
  COMPARATOR: 0x08,
  COMPARATOR_HIGH: 0x0c,
  FSB_VALUE: 0x10,
  FSB_ADDRESS: 0x14,
  STRIDE: 0x20,
} as const;

/** Vendor 8086, legacy routing and 64-bit counter, revision 1; the number of timers less one goes to bits 12..8. [HPET] §2.3.4 */
export const CAPABILITIES = 0x8086_a001;
export const LAST_TIMER_SHIFT = 8;
/** Femtoseconds per tick. */
export const PERIOD_FEMTOSECONDS = Number(PERIOD) * 1_000_000;

/** General configuration. [HPET] §2.3.5 */
export const CONFIGURATION = { ENABLE: 0x1, LEGACY: 0x2 } as const;

/**
 * Timer configuration, lower half; the upper is the mask of interrupts that it can be routed to. [HPET] §2.3.8
 *
 *     | 15 FSB_CAP | 14 FSB | 13..9 ROUTE | 8 32BIT | 7 0 | 6 SETVAL | 5 SIZE_CAP | 4 PER_CAP | 3 PERIODIC | 2 ENABLE | 1 LEVEL | 0 |
 */
export const TIMER = {
  LEVEL: 0x0002,
  ENABLE: 0x0004,
  PERIODIC: 0x0008,
  PERIODIC_CAPABLE: 0x0010,
  SIZE_CAPABLE: 0x0020,
  SET_VALUE: 0x0040,
  MODE_32BIT: 0x0100,
  ROUTE_SHIFT: 9,
  ROUTE: 0x1f,
  FSB_ENABLE: 0x4000,
  FSB_CAPABLE: 0x8000,
  WRITABLE: 0x7f4e,
} as const;

export const TIMERS = { LEAST: 3, MOST: 32 } as const;

/** Legacy routing: timer 0 replaces the PIT, timer 1 the RTC. [HPET] §2.3.5, LEG_RT_CNF */
export const LEGACY_IRQ = [0, 8] as const;
export const RTC_IRQ = 8;

/** A comparator that was never written. */
export const NO_COMPARATOR = 0xffff_ffff_ffff_ffffn;

/** The table that firmware finds under fw_cfg key 0x8004: a count and 8 entries of 15 bytes. */
export const FIRMWARE_TABLE = { ENTRIES: 8, ENTRY_LENGTH: 15, LEAST_TICKS: 100 } as const;
