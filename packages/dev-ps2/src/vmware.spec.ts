/**
 * VMware's backdoor and mouse, as guests use them: open-vm-tools `backdoor_def.h` and the xf86-input-vmmouse driver's protocol notes.
 * Answers to single calls were compared with QEMU 7.2.
 */
export const VMPORT = {
  PORT: 0x5658,
  MAGIC: 0x564d_5868,
  VERSION: 10,
  BIOS_UUID: 19,
  RAM_SIZE: 20,
  CLOCK_RATE: 45,
  VCPU_INFO: 68,
} as const;

/** Backdoor commands of the mouse. */
export const VMMOUSE = { DATA: 39, STATUS: 40, COMMAND: 41 } as const;

/** Argument of {@link VMMOUSE.COMMAND} in EBX. */
export const VMMOUSE_COMMAND = {
  READ_ID: 0x4541_4552,
  DISABLE: 0xf5,
  REQUEST_RELATIVE: 0x4c45_5252,
  REQUEST_ABSOLUTE: 0x5342_4152,
} as const;

/** First word that the mouse gives after READ_ID. */
export const VMMOUSE_ID = 0x3442_554a;
export const VMMOUSE_BUTTON = { LEFT: 0x20, RIGHT: 0x10, MIDDLE: 0x08 } as const;
/** Status of a mouse that is off or was asked for more than it has. */
export const VMMOUSE_ERROR = 0xffff;
