/**
 * Names and numbers of the 8042 and of the devices behind it, as the datasheets spell them.
 * [8042]   IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller".
 * [KBD]    IBM PS/2 Hardware Interface Technical Reference, "Keyboard (101- and 102-key)".
 * [MOUSE]  IBM PS/2 Hardware Interface Technical Reference, "Mouse".
 * [IMPS2]  Microsoft IntelliMouse and IntelliMouse Explorer protocol notes (Device Class Power Management, mouse appendix).
 */
export const PORT = { DATA: 0x60, COMMAND: 0x64 } as const;

/**
 * Status register, read from port 0x64. [8042]
 *
 *     7       6       5        4         3     2          1    0
 *     parity  timeout aux OBF  unlocked  cmd   self-test  IBF  OBF
 */
export const STATUS = { OBF: 0x01, SELFTEST: 0x04, CMD: 0x08, UNLOCKED: 0x10, AUX_OBF: 0x20 } as const;

/**
 * Controller command byte, commands 0x20 and 0x60. [8042]
 *
 *     6          5            4            3           2       1        0
 *     translate  disable aux  disable kbd  no keylock  system  aux int  kbd int
 */
export const MODE = { KBD_INT: 0x01, AUX_INT: 0x02, DISABLE_KBD: 0x10, DISABLE_AUX: 0x20, TRANSLATE: 0x40 } as const;

/** Output port P2. [8042] Bits 2, 3, 6 and 7 are not connected and read as ones. */
export const OUTPUT_PORT = { RESET: 0x01, A20: 0x02, OBF: 0x10, AUX_OBF: 0x20, ONES: 0xcc } as const;

/** Commands written to port 0x64. [8042] */
export const COMMAND = {
  READ_MODE: 0x20,
  WRITE_MODE: 0x60,
  AUX_DISABLE: 0xa7,
  AUX_ENABLE: 0xa8,
  AUX_TEST: 0xa9,
  SELF_TEST: 0xaa,
  KBD_TEST: 0xab,
  KBD_DISABLE: 0xad,
  KBD_ENABLE: 0xae,
  READ_INPUT_PORT: 0xc0,
  READ_OUTPUT_PORT: 0xd0,
  WRITE_OUTPUT_PORT: 0xd1,
  WRITE_OBF: 0xd2,
  WRITE_AUX_OBF: 0xd3,
  WRITE_AUX: 0xd4,
  A20_OFF: 0xdd,
  A20_ON: 0xdf,
  /** 0xf0 to 0xff pulse the output port's low bits; a zero in bit 0 pulses RESET. */
  PULSE: 0xf0,
} as const;

/** Bytes from the system to the keyboard. [KBD] */
export const KBD = {
  SET_LEDS: 0xed,
  ECHO: 0xee,
  SCANCODE_SET: 0xf0,
  READ_ID: 0xf2,
  SET_RATE: 0xf3,
  ENABLE: 0xf4,
  DEFAULT_DISABLE: 0xf5,
  DEFAULT: 0xf6,
  ALL_TYPEMATIC: 0xfa,
  KEY_MAKE_BREAK: 0xfc,
  RESET: 0xff,
} as const;

/** Bytes from the system to the mouse. [MOUSE] */
export const AUX = {
  SCALE_1_1: 0xe6,
  SCALE_2_1: 0xe7,
  SET_RESOLUTION: 0xe8,
  STATUS_REQUEST: 0xe9,
  SET_STREAM: 0xea,
  READ_DATA: 0xeb,
  RESET_WRAP: 0xec,
  SET_WRAP: 0xee,
  SET_REMOTE: 0xf0,
  READ_ID: 0xf2,
  SET_SAMPLE_RATE: 0xf3,
  ENABLE: 0xf4,
  DISABLE: 0xf5,
  DEFAULT: 0xf6,
  RESET: 0xff,
} as const;

/** Bytes from either device to the system. [KBD] [MOUSE] */
export const REPLY = { BAT_OK: 0xaa, ACK: 0xfa, RESEND: 0xfe } as const;

/** First byte of a status report. [MOUSE] */
export const AUX_STATUS = { SCALE_2_1: 0x10, ENABLED: 0x20, REMOTE: 0x40 } as const;

/** Device ids that the mouse answers; the number of bytes in a packet follows from them. [MOUSE] [IMPS2] */
export const AUX_ID = { PLAIN: 0, WHEEL: 3, EXPLORER: 4 } as const;
