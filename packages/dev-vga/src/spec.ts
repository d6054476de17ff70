/**
 * Registers of the VGA and of the Bochs display interface.
 * [VGA]   IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem"; also in any VGA's databook (e.g. Cirrus CL-GD5426).
 * [BOCHS] Bochs, "VBE display interface" (dispi), version 5.
 * [QEMU]  docs/specs/standard-vga.rst, and behaviour observed on QEMU 7.2.
 */

/** I/O ports; 0x3bx answer while the card is set to monochrome, 0x3dx while set to colour. [VGA] */
export const PORT = {
  CRTC_MONO: 0x3b4,
  STATUS1_MONO: 0x3ba,
  FIRST: 0x3c0,
  ATTRIBUTE: 0x3c0,
  ATTRIBUTE_READ: 0x3c1,
  /** Read: input status 0. Write: miscellaneous output. */
  MISC_WRITE: 0x3c2,
  SEQUENCER_INDEX: 0x3c4,
  SEQUENCER_DATA: 0x3c5,
  /** Read: DAC state. Write: DAC read index. */
  DAC_READ_INDEX: 0x3c7,
  DAC_WRITE_INDEX: 0x3c8,
  DAC_DATA: 0x3c9,
  FEATURE_READ: 0x3ca,
  MISC_READ: 0x3cc,
  GRAPHICS_INDEX: 0x3ce,
  GRAPHICS_DATA: 0x3cf,
  CRTC_COLOUR: 0x3d4,
  STATUS1_COLOUR: 0x3da,
} as const;

/** Sequencer. [VGA] */
export const SEQUENCER = { RESET: 0, CLOCKING: 1, MAP_MASK: 2, CHARACTER_MAP: 3, MEMORY_MODE: 4 } as const;
/** Writable bits of each sequencer register. */
export const SEQUENCER_MASK = [0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0x00, 0x00, 0xff] as const;
export const CLOCKING = { EIGHT_DOTS: 0x01, HALF_CLOCK: 0x08 } as const;
export const MEMORY_MODE = { CHAIN4: 0x08 } as const;

/** Graphics controller. [VGA] */
export const GRAPHICS = {
  SET_RESET: 0,
  ENABLE_SET_RESET: 1,
  COLOUR_COMPARE: 2,
  DATA_ROTATE: 3,
  READ_MAP: 4,
  MODE: 5,
  MISCELLANEOUS: 6,
  COLOUR_DONT_CARE: 7,
  BIT_MASK: 8,
} as const;
/** Writable bits of each graphics register. */
export const GRAPHICS_MASK = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff, 0, 0, 0, 0, 0, 0, 0] as const;
export const GRAPHICS_MODE = { READ_COMPARE: 0x08, ODD_EVEN: 0x10 } as const;

/** Attribute controller; 0 to 15 are the palette. [VGA] */
export const ATTRIBUTE = {
  MODE: 0x10,
  OVERSCAN: 0x11,
  PLANE_ENABLE: 0x12,
  PANNING: 0x13,
  COLOUR_SELECT: 0x14,
  COUNT: 21,
} as const;
export const ATTRIBUTE_MODE = { LINE_GRAPHICS: 0x04, BLINK: 0x08, PANNING_SPLIT: 0x20, P54_SELECT: 0x80 } as const;
/** Bit of the attribute index: the screen is on, the palette belongs to the display. */
export const SCREEN_ON = 0x20;

/** CRT controller. [VGA] */
export const CRTC = {
  HORIZONTAL_END: 0x01,
  VERTICAL_TOTAL: 0x06,
  OVERFLOW: 0x07,
  MAXIMUM_SCAN: 0x09,
  CURSOR_START: 0x0a,
  CURSOR_END: 0x0b,
  START_HIGH: 0x0c,
  START_LOW: 0x0d,
  CURSOR_HIGH: 0x0e,
  CURSOR_LOW: 0x0f,
  VERTICAL_RETRACE_END: 0x11,
  VERTICAL_END: 0x12,
  OFFSET: 0x13,
  MODE: 0x17,
  LINE_COMPARE: 0x18,
} as const;
/** Bit of VERTICAL_RETRACE_END: registers 0 to 7 can't be written, but for bit 4 of OVERFLOW. */
export const CRTC_PROTECT = 0x80;

/** Miscellaneous output. [VGA] */
export const MISC = { COLOUR: 0x01 } as const;
/** Input status 1. [VGA] */
export const STATUS1 = { DISPLAY_DISABLED: 0x01, VERTICAL_RETRACE: 0x08 } as const;

/** Ports and registers of the Bochs display interface. [BOCHS] */
export const DISPI = {
  PORT: 0x1ce,
  ID: 0,
  XRES: 1,
  YRES: 2,
  BPP: 3,
  ENABLE: 4,
  BANK: 5,
  VIRT_WIDTH: 6,
  VIRT_HEIGHT: 7,
  X_OFFSET: 8,
  Y_OFFSET: 9,
  COUNT: 10,
  /** Read only, not stored: memory in units of 64 KiB. */
  MEMORY_64K: 10,
  ID0: 0xb0c0,
  ID5: 0xb0c5,
  MAX_XRES: 16000,
  MAX_YRES: 12000,
  MAX_BPP: 32,
} as const;
export const DISPI_ENABLE = { ENABLED: 0x01, GET_CAPS: 0x02, DAC_8BIT: 0x20, LINEAR: 0x40, NO_CLEAR: 0x80 } as const;

/** Legacy window: both halves of 64 KiB. [VGA] */
export const WINDOW = { BASE: 0xa0000, LENGTH: 0x20000, HALF: 0x10000, QUARTER: 0x8000 } as const;
/** Above RAM, below shadow RAM. */
export const WINDOW_PRIORITY = 1;

/** PCI function and its register block, BAR 2. [QEMU] */
export const PCI_VGA = {
  VENDOR: 0x1234,
  DEVICE: 0x1111,
  REVISION: 2,
  CLASS: 0x0300,
  MMIO_SIZE: 0x1000,
  EDID_SIZE: 0x400,
  PORTS: 0x400,
  PORTS_SIZE: 0x20,
  DISPI: 0x500,
  DISPI_SIZE: 0x16,
  EXTENDED: 0x600,
  EXTENDED_SIZE: 8,
  LITTLE_ENDIAN: 0x1e1e_1e1e,
  BIG_ENDIAN: 0xbebe_bebe,
} as const;
