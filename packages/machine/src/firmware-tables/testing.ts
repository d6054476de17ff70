import type { FirmwareTableInput } from './input.js';

/** What QEMU's `pc-i440fx-7.2 -m 128 -nodefaults` is. For tests. */
export const sample: FirmwareTableInput = {
  processors: [{ apicId: 0, present: true }],
  memory: { below4g: 128 * 2 ** 20, above4g: 0 },
  pciFunctions: [0x00, 0x08, 0x09, 0x0b].map((devfn) => ({ devfn, hotpluggable: false })),
  isa: { keyboard: true, mouse: true, floppy: true, serial: [], parallel: [] },
  hpetTimers: 3,
  irq0Override: true,
  suspend: true,
  hibernate: 2,
  pciHotplug: true,
  rootHotplugNumber: 0,
  cpuHotplug: true,
  fwCfg: { base: 0x510, length: 12 },
};

/** All of the optional parts. */
export const full: FirmwareTableInput = {
  ...sample,
  processors: [0, 1, 2, 3].map((apicId) => ({ apicId, present: apicId < 2 })),
  memory: { below4g: 0xc000_0000, above4g: 0x4000_0000 },
  window64: { first: 0x1_4000_0000, last: 0x1_bfff_ffff },
  isa: {
    ...sample.isa,
    serial: [
      { base: 0x3f8, irq: 4 },
      { base: 0x2f8, irq: 3 },
    ],
    parallel: [{ base: 0x378, irq: 7 }],
  },
};
