import type { DmaService } from '@pagurus/dev-chipset';
import {
  type FloppyControllerService,
  floppy,
  type IdeControllerService,
  type IdeSlot,
  ideCd,
  ideHd,
  isaFdc,
  isaIde,
  piix3Ide,
} from '@pagurus/dev-storage';
import { type InputPin, PropertyError } from '@pagurus/device-model';
import type { Composer } from '../composer.js';
import type { DriveArguments, MachineConfig } from '../config.js';
import { MachineError, type PlugPlace, type PlugRequest } from '../machine-type.js';
import type { IsaParts } from './pc-parts.js';

const IDE_REQUESTS = [14, 15] as const;
const DRIVES_PER_CHANNEL = 2;
const IDE_DRIVES = IDE_REQUESTS.length * DRIVES_PER_CHANNEL;
/** Master of the second channel. */
const DEFAULT_CDROM = 2;

/** The property's default: any. */
const NO_UNIT = 0xffff_ffff;

const FLOPPY_IRQ = 6;
const FLOPPY_DRIVES = 2;

/** Drivers whose presence among `-device` keeps a machine from making the drive of that kind by itself. */
const NO_DEFAULT_CDROM = ['ide-cd', 'ide-hd', 'ide-cf', 'scsi-cd', 'scsi-hd'];
const NO_DEFAULT_FLOPPY = ['isa-fdc', 'floppy'];

/** `-drive if=ide` and what a machine with its default devices has besides: an empty CD drive. */
function ideDrives(config: MachineConfig): readonly (DriveArguments | undefined)[] {
  const drives = [...(config.ide ?? [])];
  if (drives.length > IDE_DRIVES)
    throw new MachineError(`a PC has ${IDE_DRIVES} IDE drives; drive ${drives.length - 1} was given`);
  if (!config.noDefaults && !uses(config, NO_DEFAULT_CDROM)) drives[DEFAULT_CDROM] ??= { media: 'cdrom' };
  return drives;
}

/** `-drive if=floppy` and the drive A of a machine with its default devices. */
function floppyDrives(config: MachineConfig): NonNullable<MachineConfig['floppy']> {
  const drives = [...(config.floppy ?? [])];
  if (drives.length > FLOPPY_DRIVES)
    throw new MachineError(`a PC has ${FLOPPY_DRIVES} floppy drives; drive ${drives.length - 1} was given`);
  if (!config.noDefaults && !uses(config, NO_DEFAULT_FLOPPY)) drives[0] ??= {};
  return drives;
}

function uses(config: MachineConfig, drivers: readonly string[]): boolean {
  return (config.devices ?? []).some(({ driver }) => drivers.includes(driver));
}

/** The floppy controller with the drives that the configuration names. */
export function addFloppies(composer: Composer, irq: (n: number) => InputPin, dma: DmaService): FloppyControllerService {
  const controller = composer.add(isaFdc, { backends: { dma } });
  composer.connect(controller, 'irq', irq(FLOPPY_IRQ));
  const service = controller.device.services as FloppyControllerService;
  const used = new Set<number>();
  floppyDrives(composer.config).forEach((drive, unit) => {
    if (!drive) return;
    used.add(unit);
    composer.add(floppy, { id: drive.id ?? `floppy${unit}`, slot: service.slot(unit), backends: { drive: drive.image } });
  });
  composer.offerBus({
    kind: 'floppy',
    name: 'floppy-bus.0',
    full: () => used.size === FLOPPY_DRIVES,
    plug: (request): PlugPlace => {
      const unit = freeUnit(request, used);
      return { slot: service.slot(unit), path: undefined, created: () => void used.add(unit) };
    },
  });
  return service;
}

const ISA_CHANNELS = [
  { iobase: 0x1f0, iobase2: 0x3f6 },
  { iobase: 0x170, iobase2: 0x376 },
] as const;

/** The IDE function of the PIIX3 with the drives that the configuration names. */
export function addIde(composer: Composer, place: { slot: unknown; path: string }, parts: IsaParts): void {
  const controller = composer.add(piix3Ide, place);
  for (const request of IDE_REQUESTS) composer.connect(controller, `irq${request}`, parts.irq(request));
  const channels = controller.device.services as IdeControllerService;
  offerDrives(composer, (channel, unit) => channels.slot(channel, unit));
}

/** Two channels of their own, on a machine without PCI. */
export function addIsaIde(composer: Composer, parts: IsaParts): void {
  const channels = ISA_CHANNELS.map((place, n) => {
    const irq = IDE_REQUESTS[n]!;
    const channel = composer.add(isaIde, { properties: { ...place, irq } });
    composer.connect(channel, `irq${irq}`, parts.irq(irq));
    return channel.device.services as IdeControllerService;
  });
  offerDrives(composer, (channel, unit) => channels[channel]!.slot(0, unit));
}

/** The drives that the configuration names, and buses for more. */
function offerDrives(composer: Composer, slot: (channel: number, unit: number) => IdeSlot): void {
  const used = IDE_REQUESTS.map(() => new Set<number>());
  ideDrives(composer.config).forEach((drive, index) => {
    if (!drive) return;
    const channel = Math.floor(index / DRIVES_PER_CHANNEL);
    const unit = index % DRIVES_PER_CHANNEL;
    used[channel]!.add(unit);
    composer.add(drive.media === 'disk' ? ideHd : ideCd, {
      id: drive.id ?? `ide${channel}-${drive.media === 'disk' ? 'hd' : 'cd'}${unit}`,
      slot: slot(channel, unit),
      backends: { drive: drive.image },
    });
  });
  used.forEach((units, channel) => {
    composer.offerBus({
      kind: 'ide',
      name: `ide.${channel}`,
      full: () => units.size === DRIVES_PER_CHANNEL,
      plug: (request): PlugPlace => {
        const unit = freeUnit(request, units);
        return { slot: slot(channel, unit), path: undefined, created: () => void units.add(unit) };
      },
    });
  });
}

/** The unit that a drive asks for, or the first that is free, of two. */
function freeUnit({ driver, properties }: PlugRequest, used: ReadonlySet<number>): number {
  const wanted = properties.unit === NO_UNIT ? undefined : Number(properties.unit);
  if (wanted !== undefined && wanted > 1) throw new PropertyError(driver, 'unit', `${wanted} is not 0 or 1`);
  const unit = wanted ?? [0, 1].find((candidate) => !used.has(candidate));
  if (unit === undefined || used.has(unit)) throw new PropertyError(driver, 'unit', `${wanted ?? 'both'}: in use`);
  return unit;
}
