/**
 * Names and numbers of the PIIX4 power management function and of the ACPI hotplug registers that QEMU puts beside it.
 * [82371AB] Intel 82371AB PCI-to-ISA/IDE Xcelerator PIIX4 (290562), chapter 7 (power management, SMBus).
 * [ACPI]    ACPI 2.0, 4.7 (fixed hardware, general-purpose events).
 * [SMB]     System Management Bus specification 1.1, chapter 5.
 * [QEMU]    behaviour observed on QEMU 7.2; its hotplug registers are no Intel hardware.
 */

export const PIIX4_PM = {
  VENDOR_ID: 0x8086,
  DEVICE_ID: 0x7113,
  REVISION: 0x03,
  /** Other bridge. */
  CLASS: 0x0680,
} as const;

/** Configuration registers. [82371AB] 7.1 */
export const PM_REGISTER = {
  /** Base of the power management ports, bits 15..6. */
  PM_BASE: 0x40,
  /** Device activity B: bit 1 lets a write to the APM command port raise SMI#. */
  DEVICE_ACTIVITY_B: 0x5b,
  /** Which legacy ports exist. [QEMU] */
  PARALLEL: 0x5f,
  FIXED: 0x63,
  SERIAL: 0x67,
  /** Bit 0: the power management ports are decoded. */
  PM_ENABLE: 0x80,
  SMBUS_BASE: 0x90,
  /** Bit 0: the SMBus ports are decoded; bits 3..1: interrupt select. */
  SMBUS_CONFIG: 0xd2,
} as const;

/** Bits 15..6 of a base register. */
export const PORT_BASE_MASK = 0xffc0;
export const PORT_BLOCK = 0x40;
export const APMC_SMI_ENABLE = 0x02;

/** Offsets of the power management ports. [82371AB] 7.2 */
export const PM_PORT = { STATUS: 0, ENABLE: 2, CONTROL: 4, TIMER: 8 } as const;

/** PM1 status and enable bits. [ACPI] 4.7.3.1 */
export const PM1 = { TIMER: 0x0001, GLOBAL: 0x0020, POWER_BUTTON: 0x0100, RTC: 0x0400 } as const;
export const PM1_EVENTS = PM1.TIMER | PM1.GLOBAL | PM1.POWER_BUTTON | PM1.RTC;

/**
 * PM1 control. [ACPI] 4.7.3.2.1
 *
 *      15 14   13    12..10   9..3    2     1     0
 *     +-----+------+--------+------+-----+-----+------+
 *     |  0  |SLP_EN| SLP_TYP|  0   | GBL | BM  |SCI_EN|
 *     +-----+------+--------+------+-----+-----+------+
 */
export const PM1_CONTROL = { SCI_ENABLE: 0x0001, SLEEP_TYPE_SHIFT: 10, SLEEP_TYPE_MASK: 7, SLEEP_ENABLE: 0x2000 } as const;

/** Sleep types as the ACPI tables of QEMU give them. [QEMU] */
export const SLEEP_TYPE = { SOFT_OFF: 0, SUSPEND: 1 } as const;

/** The power management timer: 24 bits, its top bit's changes set the status. [ACPI] 4.7.3.3 */
export const PM_TIMER = { HERTZ: 3_579_545n, MASK: 0xff_ffffn, HALF: 0x80_0000n } as const;

/** Two status and two enable bytes. [82371AB] 7.2.8; moved by [QEMU]. */
export const GPE = { PORT: 0xafe0, LENGTH: 4 } as const;

/** General-purpose events. [QEMU] */
export const GPE_EVENT = { PCI_HOTPLUG: 0x0002, CPU_HOTPLUG: 0x0004, MEMORY_HOTPLUG: 0x0008, GENERATION: 0x0020 } as const;

/** Advanced power management control and status. [82371AB] 5.1.12 */
export const APM_PORT = { CONTROL: 0xb2, STATUS: 0xb3 } as const;

/** Values of the APM control port that hand over to ACPI and back. [QEMU] */
export const APM_COMMAND = { ACPI_ENABLE: 0xf1, ACPI_DISABLE: 0xf0 } as const;

/** SMBus host controller, port offsets. [82371AB] 7.3 */
export const SMBUS = {
  DEFAULT_BASE: 0xb100,
  STATUS: 0x00,
  CONTROL: 0x02,
  COMMAND: 0x03,
  ADDRESS: 0x04,
  DATA0: 0x05,
  DATA1: 0x06,
  BLOCK_DATA: 0x07,
  AUXILIARY_CONTROL: 0x0d,
} as const;

export const SMBUS_STATUS = { BUSY: 0x01, INTERRUPT: 0x02, DEVICE_ERROR: 0x04, FAILED: 0x10, BYTE_DONE: 0x80 } as const;

export const SMBUS_CONTROL = {
  INTERRUPT_ENABLE: 0x01,
  KILL: 0x02,
  PROTOCOL_SHIFT: 2,
  PROTOCOL_MASK: 7,
  LAST_BYTE: 0x20,
  START: 0x40,
} as const;

/** Block transfers go through a buffer of 32 bytes instead of byte by byte. */
export const SMBUS_AUXILIARY = { BLOCK_BUFFER: 0x02, MASK: 0x03 } as const;

/** Protocols of the control register. */
export const SMBUS_PROTOCOL = { QUICK: 0, BYTE: 1, BYTE_DATA: 2, WORD_DATA: 3, BLOCK: 5, I2C_BLOCK_READ: 6 } as const;

export const SMBUS_BLOCK = 32;

/** ACPI PCI hotplug, double words. [QEMU] */
export const PCI_HOTPLUG = {
  PORT: 0xae00,
  LENGTH: 0x18,
  /** Slots with a device that just came. Reading clears, on machines with bridge support. */
  UP: 0x00,
  /** Slots whose device shall go. */
  DOWN: 0x04,
  /** Write: the guest let go of these slots. */
  EJECT: 0x08,
  /** Slots that can be plugged. */
  REMOVABLE: 0x0c,
  /** Bus that all other registers are about. */
  SELECT: 0x10,
  /** Write: slot as a bit; read once: its acpi-index. */
  ACPI_INDEX: 0x14,
  BUSES: 256,
} as const;

/** CPU hotplug: a bitmap of present processors, until the guest writes 0 to the first byte. [QEMU] */
export const CPU_HOTPLUG = {
  PORT: 0xaf00,
  BITMAP_LENGTH: 32,
  LENGTH: 12,
  SELECTOR: 0,
  FLAGS: 4,
  COMMAND: 5,
  DATA: 8,
} as const;

export const CPU_FLAG = { ENABLED: 1, INSERTING: 2, REMOVING: 4, EJECT: 8 } as const;

export const CPU_COMMAND = { NEXT_EVENT: 0, OST_EVENT: 1, OST_STATUS: 2, ARCHITECTURE_ID: 3 } as const;
