import { type Device, defineDevice, type PropertyTable, section } from '@pagurus/device-model';
import { memorySize } from './memory-size.js';
import { VgaState, vgaVmState } from './vga.state.js';
import { VgaCore } from './vga-core.js';

export interface IsaVgaProperties {
  memoryMiB: number;
}

const properties: PropertyTable<IsaVgaProperties> = {
  memoryMiB: {
    name: 'vgamem_mb',
    type: 'uint32',
    default: 8,
    doc: 'video memory in MiB, rounded up to a power of two, 1 to 256',
  },
};

/** VGA on the ISA bus. Its BIOS is an option ROM of the machine (fw_cfg file `vgaroms/vgabios.bin`). */
export const isaVga = defineDevice<IsaVgaProperties>({
  type: 'isa-vga',
  doc: 'VGA with Bochs display interface, ISA',
  bus: 'isa',
  properties,
  create(context, props): Device {
    const memory = context.mmio.allocate('vga.vram', memorySize('isa-vga', props.memoryMiB));
    const core = new VgaCore(context, memory, false, new VgaState(memory.length));
    return {
      sections: [section(vgaVmState(false), core.state)],
      services: core.screen,
      reset: () => core.reset(),
      resume: () => core.resume(),
      unrealize: () => core.unrealize(),
    };
  },
});
