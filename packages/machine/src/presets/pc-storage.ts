import type { DmaService } from '@pagurus/dev-chipset';
import {
  type FloppyControllerService,
  floppy,
  type IdeControllerService,
  ideCd,
  ideHd,
  isaFdc,
  piix3Ide,
} from '@pagurus/dev-storage';
import type { InputPin } from '@pagurus/device-model';
import type { Composer } from '../composer.js';
import { MachineError } from '../machine-type.js';
import type { IsaParts } from './pc-parts.js';

const IDE_REQUESTS = [14, 15] as const;
const DRIVES_PER_CHANNEL = 2;

const FLOPPY_IRQ = 6;
const FLOPPY_DRIVES = 2;

/** The floppy controller with the drives that the configuration names. */
export function addFloppies(composer: Composer, irq: (n: number) => InputPin, dma: DmaService): FloppyControllerService {
  const controller = composer.add(isaFdc, { backends: { dma } });
  composer.connect(controller, 'irq', irq(FLOPPY_IRQ));
  const service = controller.device.services as FloppyControllerService;
  (composer.config.floppy ?? []).forEach((drive, unit) => {
    if (!drive) return;
    if (unit >= FLOPPY_DRIVES) throw new MachineError(`a PC has ${FLOPPY_DRIVES} floppy drives; drive ${unit} was given`);
    composer.add(floppy, { id: `floppy${unit}`, slot: service.slot(unit), backends: { drive: drive.image } });
  });
  return service;
}

/** The IDE function of the PIIX3 with the drives that the configuration names. */
export function addIde(composer: Composer, place: { slot: unknown; path: string }, parts: IsaParts): void {
  const controller = composer.add(piix3Ide, place);
  for (const request of IDE_REQUESTS) composer.connect(controller, `irq${request}`, parts.irq(request));
  const channels = controller.device.services as IdeControllerService;
  (composer.config.ide ?? []).forEach((drive, index) => {
    if (!drive) return;
    const channel = Math.floor(index / DRIVES_PER_CHANNEL);
    const unit = index % DRIVES_PER_CHANNEL;
    if (channel >= IDE_REQUESTS.length) throw new MachineError(`a PC has 4 IDE drives; drive ${index} was given`);
    const id = `ide${channel}-${drive.media === 'disk' ? 'hd' : 'cd'}${unit}`;
    composer.add(drive.media === 'disk' ? ideHd : ideCd, {
      id,
      slot: channels.slot(channel, unit),
      backends: { drive: drive.image },
    });
  });
}
