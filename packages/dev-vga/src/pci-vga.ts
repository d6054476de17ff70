import { addRom, PciFunction, type PciProperties, pciProperties } from '@pagurus/dev-pci';
import { type Device, type DeviceContext, defineDevice, PropertyError, type PropertyTable, section } from '@pagurus/device-model';
import { EDID_LARGEST, edid } from './edid.js';
import { memorySize } from './memory-size.js';
import { MmioRegisters } from './mmio.js';
import { PciVgaState, pciVgaVmState } from './pci-vga.state.js';
import { PCI_VGA } from './spec.js';
import { vgaVmState } from './vga.state.js';
import { VgaCore } from './vga-core.js';

export interface PciVgaProperties extends PciProperties {
  memoryMiB: number;
  mmio: boolean;
  extendedRegisters: boolean;
  edid: boolean;
  width: number;
  height: number;
  globalName: boolean;
  bigEndian: boolean;
}

const VGA_BIOS = 'vgabios-stdvga.bin';

const properties: PropertyTable<PciVgaProperties> = {
  ...pciProperties,
  romFile: { ...pciProperties.romFile, default: VGA_BIOS },
  memoryMiB: {
    name: 'vgamem_mb',
    type: 'uint32',
    default: 16,
    doc: 'video memory in MiB, rounded up to a power of two, 1 to 256',
  },
  mmio: { name: 'mmio', type: 'bool', default: true, doc: 'registers in memory, too (BAR 2)' },
  extendedRegisters: { name: 'qemu-extended-regs', type: 'bool', default: true, doc: 'byte order register in BAR 2' },
  edid: { name: 'edid', type: 'bool', default: true, doc: 'monitor data in BAR 2' },
  width: { name: 'xres', type: 'uint32', default: 1280, doc: 'width that the monitor prefers' },
  height: { name: 'yres', type: 'uint32', default: 800, doc: 'height that the monitor prefers' },
  globalName: { name: 'global-vmstate', type: 'bool', default: false, doc: 'the memory block has no bus path in its name' },
  bigEndian: { name: 'big-endian-framebuffer', type: 'bool', default: false, doc: 'byte order of the frame buffer after reset' },
};

/** QEMU's standard VGA: Bochs display interface, frame buffer in BAR 0, registers in BAR 2. Backend `romfile`: bytes of the VGA BIOS. */
export const vga = defineDevice<PciVgaProperties>({
  type: 'VGA',
  doc: 'VGA with Bochs display interface, PCI',
  bus: 'pci',
  parents: ['pci-device'],
  properties,
  create: (context, props) => createPciVga(context, props),
});

function createPciVga(context: DeviceContext, props: PciVgaProperties): Device {
  const size = memorySize('VGA', props.memoryMiB);
  const state = new PciVgaState(size);
  const pci = new PciFunction(context, state, {
    type: 'VGA',
    vendorId: PCI_VGA.VENDOR,
    deviceId: PCI_VGA.DEVICE,
    revision: PCI_VGA.REVISION,
    classCode: PCI_VGA.CLASS,
  });
  const prefix = props.globalName ? '' : `${pci.slot.path}/`;
  const memory = context.mmio.allocate(`${prefix}vga.vram`, size);
  const core = new VgaCore(context, memory, props.bigEndian, state.vga);
  pci.ramBar(0, memory, 'ram', { prefetchable: true });
  if (props.mmio) {
    const monitor = props.edid ? edid(preferred('xres', props.width, 1280), preferred('yres', props.height, 800)) : undefined;
    pci.memoryBar(2, PCI_VGA.MMIO_SIZE, new MmioRegisters(core, monitor, props.extendedRegisters), 'vga.mmio');
  }
  addRom(context, pci, {
    file: props.romFile,
    enabled: props.romBar !== 0,
    optional: [VGA_BIOS],
    block: `${pci.slot.path}/vga.rom`,
  });
  return {
    sections: [section(pciVgaVmState(pci.description, vgaVmState(props.bigEndian)), state)],
    services: core.screen,
    reset() {
      pci.reset();
      core.reset();
    },
    resume() {
      pci.resume();
      core.resume();
    },
    unrealize() {
      core.unrealize();
      pci.unrealize();
    },
  };
}

/** 0 means the default, as machines before 4.1 have it. */
function preferred(property: string, value: number, fallback: number): number {
  if (value > EDID_LARGEST)
    throw new PropertyError('VGA', property, `${value} does not fit into the monitor's timing (at most ${EDID_LARGEST})`);
  return value === 0 ? fallback : value;
}
