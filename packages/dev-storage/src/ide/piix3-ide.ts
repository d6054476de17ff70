import { PciFunction, type PciProperties, PORT_PRIORITY, pciProperties } from '@pagurus/dev-pci';
import { type BlockBackend, type Device, defineDevice, section } from '@pagurus/device-model';
import { BUS_MASTER, CHANNEL_PORTS, COMMAND_BLOCK_LENGTH } from './ata.spec.js';
import { channelSlot } from './channel-slot.js';
import { IdeChannel } from './ide-channel.js';
import type { DriveOptions } from './ide-drive.js';
import { drivesOf, Piix3IdeState, piix3IdeVmState } from './piix3-ide.state.js';

/** A place for a drive; what `ctx.slot` of `ide-hd` and `ide-cd` is. */
export interface IdeSlot {
  /** 0 or 1. */
  readonly channel: number;
  /** 0 = master, 1 = slave. */
  readonly unit: number;
  /** @throws {PropertyError} if there is a drive already. */
  plug(type: string, options: DriveOptions): DriveControl;
}

/** What the host does with a removable medium. */
export interface DriveControl {
  /** Another disc, or none. */
  changeMedium(backend: BlockBackend | undefined): void;
  requestEject(force: boolean): void;
  readonly trayOpen: boolean;
  readonly trayLocked: boolean;
}

/** What the machine gets from the controller. */
export interface IdeControllerService {
  slot(channel: number, unit: number): IdeSlot;
}

/** 82371SB, function 1. [82371SB] 2.3 */
const IDENTITY = {
  type: 'piix3-ide',
  vendorId: 0x8086,
  deviceId: 0x7010,
  classCode: 0x0101,
  /** Bus mastering, both channels at their legacy ports. */
  programmingInterface: 0x80,
  status: 0x0280,
  hotpluggable: false,
} as const;

/** Two channels' bus masters. */
const BUS_MASTER_BAR = 4;

/**
 * PIIX3 IDE controller, function 00:01.1. Output pins `irq14` and `irq15`, edge triggered. Drives are devices of their own
 * (`ide-hd`, `ide-cd`), created after it with a slot of its service.
 */
export const piix3Ide = defineDevice<PciProperties>({
  type: 'piix3-ide',
  doc: 'Intel 82371SB IDE controller with bus mastering',
  bus: 'pci',
  parents: ['pci-device', 'pci-ide'],
  properties: pciProperties,
  create(ctx): Device {
    // state
    const state = new Piix3IdeState();
    const pci = new PciFunction(ctx, state, IDENTITY);

    // wiring
    const channels = CHANNEL_PORTS.map(({ irq }, index) => {
      const parts = { bus: state.buses[index]!, master: state.busMasters[index]!, drives: drivesOf(state, index) };
      return new IdeChannel(parts, pci.dma, ctx.line(`irq${irq}`), ctx.log);
    });
    const regions = CHANNEL_PORTS.flatMap(({ command, control }, index) => [
      ctx.ports.add(command, COMMAND_BLOCK_LENGTH, channels[index]!.commandBlock, { name: 'ide-command' }),
      ctx.ports.add(control, 1, channels[index]!.controlBlock, { name: 'ide-control' }),
    ]);
    const master = channels.map((channel, index) => ({
      region: ctx.ports.add(0, BUS_MASTER.LENGTH, channel.master.registers, {
        name: 'piix-bmdma',
        enabled: false,
        priority: PORT_PRIORITY.BAR,
      }),
      offset: index * BUS_MASTER.LENGTH,
    }));
    pci.addBar(BUS_MASTER_BAR, { space: 'io', size: 2 * BUS_MASTER.LENGTH }, master);
    ctx.onMemoryArrived(() => {
      for (const channel of channels) channel.memoryArrived();
    });

    return {
      sections: [section(piix3IdeVmState(pci.description), state)],
      services: { slot: (channel, unit) => channelSlot(channels[channel]!, channel, unit) } satisfies IdeControllerService,
      reset() {
        pci.reset();
        for (const channel of channels) channel.reset();
      },
      resume() {
        pci.resume();
        for (const channel of channels) channel.resume();
      },
      unrealize() {
        pci.unrealize();
        for (const channel of channels) channel.unrealize();
        for (const region of regions) region.remove();
      },
    };
  },
});
