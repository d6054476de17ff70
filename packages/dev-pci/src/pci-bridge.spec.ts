/**
 * PCI-to-PCI bridges and their hotplug controller.
 * [BRIDGE] PCI-to-PCI Bridge Architecture Specification 1.2, chapter 3. [SHPC] PCI Standard Hot-Plug Controller Specification 1.0,
 * chapter 4. [QEMU] streams of QEMU 7.2.
 */

export const PCI_BRIDGE = {
  VENDOR_ID: 0x1b36,
  DEVICE_ID: 0x0001,
  CLASS: 0x0604,
  HEADER_TYPE: 1,
} as const;

/** Registers of a type 1 header. [BRIDGE] 3.2 */
export const BRIDGE = {
  PRIMARY_BUS: 0x18,
  SECONDARY_BUS: 0x19,
  SUBORDINATE_BUS: 0x1a,
  SECONDARY_LATENCY: 0x1b,
  IO_BASE: 0x1c,
  IO_LIMIT: 0x1d,
  SECONDARY_STATUS: 0x1e,
  MEMORY_BASE: 0x20,
  MEMORY_LIMIT: 0x22,
  PREFETCH_BASE: 0x24,
  PREFETCH_LIMIT: 0x26,
  PREFETCH_BASE_HIGH: 0x28,
  PREFETCH_LIMIT_HIGH: 0x2c,
  CONTROL: 0x3e,
} as const;

/** Prefetchable addresses have 64 bits: low bits of base and limit. [BRIDGE] 3.2.5.9 */
export const PREFETCH_WIDE = 1;

/** Bridge control. [BRIDGE] 3.2.5.18 */
export const BRIDGE_CONTROL = { WRITABLE: 0x0bff, SECONDARY_RESET: 0x0040, DISCARD_STATUS: 0x0400 } as const;

/** Both sides: 66 MHz, fast back-to-back. */
export const BRIDGE_STATUS = 0x00a0;

/** Slot numbering capability. [BRIDGE] 13.2 */
export const SLOT_ID = { ID: 0x04, LENGTH: 4, FIRST_IN_CHASSIS: 0x20 } as const;

/** Hotplug controller, capability and registers in base address register 0. [SHPC] 4.8 */
export const SHPC = {
  ID: 0x0c,
  CAPABILITY_LENGTH: 8,
  BAR: 0,
  BAR_LENGTH: 0x100,
  LENGTH: 160,
  SLOTS: 31,
  SLOT_COUNT: 0x04,
  CONFIGURATION: 0x0c,
  INTERFACE: 0x13,
  COMMAND: 0x14,
  STATUS: 0x16,
  SERR_INTERRUPT: 0x20,
  SLOT: 0x24,
} as const;

/** Status of the last command. [SHPC] 4.9.11 */
export const SHPC_INVALID_COMMAND = 0x0004;

/**
 * Slot register, first byte: state (2 enabled, 3 disabled) and power light (1 on, 3 off); second: latch open and slot empty; third: events;
 * fourth: masks. [SHPC] 4.10
 */
export const SHPC_SLOT = { OCCUPIED: [0x06, 0x00, 0x00, 0x7f], EMPTY: [0x0f, 0x0d, 0x00, 0x7f] } as const;
