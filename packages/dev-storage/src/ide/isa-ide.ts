import { type Device, defineDevice, section } from '@pagurus/device-model';
import { COMMAND_BLOCK_LENGTH } from './ata.spec.js';
import { channelSlot } from './channel-slot.js';
import { IdeChannel } from './ide-channel.js';
import { IsaIdeState, isaIdeVmState } from './isa-ide.state.js';
import type { IdeControllerService } from './piix3-ide.js';

export interface IsaIdeProperties {
  iobase: number;
  iobase2: number;
  irq: number;
}

/**
 * One IDE channel on the ISA bus, programmed input and output only. Output pin `irqN` of its request. Drives are devices of their own, as with
 * the PCI controller; there is channel 0 only.
 */
export const isaIde = defineDevice<IsaIdeProperties>({
  type: 'isa-ide',
  doc: 'IDE channel on the ISA bus',
  bus: 'isa',
  properties: {
    iobase: { name: 'iobase', type: 'uint32', default: 0x1f0, doc: 'port of the command block' },
    iobase2: { name: 'iobase2', type: 'uint32', default: 0x3f6, doc: 'port of the control block' },
    irq: { name: 'irq', type: 'uint32', default: 14, doc: 'interrupt request' },
  },
  create(ctx, { iobase, iobase2, irq }): Device {
    const state = new IsaIdeState();
    const channel = new IdeChannel(
      { bus: state.bus, master: state.busMaster, drives: state.drives },
      ctx.memory,
      ctx.line(`irq${irq}`),
      ctx.log,
    );
    const regions = [
      ctx.ports.add(iobase, COMMAND_BLOCK_LENGTH, channel.commandBlock, { name: 'ide-command' }),
      ctx.ports.add(iobase2, 1, channel.controlBlock, { name: 'ide-control' }),
    ];
    return {
      sections: [section(isaIdeVmState, state)],
      services: { slot: (_, unit) => channelSlot(channel, 0, unit) } satisfies IdeControllerService,
      reset: () => channel.reset(),
      resume: () => channel.resume(),
      unrealize() {
        channel.unrealize();
        for (const region of regions) region.remove();
      },
    };
  },
});
