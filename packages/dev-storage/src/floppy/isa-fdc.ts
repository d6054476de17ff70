import { type BlockBackend, type Device, defineDevice, PropertyError, section } from '@pagurus/device-model';
import { Fdc, type FloppyDma } from './fdc.js';
import { CONFIG_DEFAULT, DEFAULT_BASE, DEFAULT_DMA, DEFAULT_IRQ, REGISTER } from './fdc.spec.js';
import { FdcState, fdcVmState } from './fdc.state.js';
import type { DriveType } from './floppy-formats.js';

export interface IsaFdcProperties {
  iobase: number;
  irq: number;
  dma: number;
  typeA: string;
  typeB: string;
  fallback: string;
  checkMediaRate: boolean;
}

/** A place for a floppy drive; what `ctx.slot` of `floppy` is. */
export interface FloppySlot {
  readonly unit: number;
  /** @throws {PropertyError} if there is a drive already. */
  plug(type: DriveType | 'auto', backend: BlockBackend | undefined): FloppyControl;
}

/** What the host does with a drive. */
export interface FloppyControl {
  changeDisk(backend: BlockBackend | undefined): void;
}

/** What the machine gets from the controller. */
export interface FloppyControllerService {
  slot(unit: number): FloppySlot;
  /** Type of a drive for CMOS byte 0x10: 0 = none, 2 = 1.2 MB, 4 = 1.44 MB, 5 = 2.88 MB. */
  cmosType(unit: number): number;
}

/**
 * The floppy disk controller of a PC. Output pin `irq`. Backend `dma`: the service of the first ISA DMA controller; without one all data
 * goes through the port. Drives (`floppy`) are created after it.
 */
export const isaFdc = defineDevice<IsaFdcProperties>({
  type: 'isa-fdc',
  doc: 'Intel 82077AA floppy disk controller',
  bus: 'isa',
  properties: {
    iobase: { name: 'iobase', type: 'uint32', default: DEFAULT_BASE, doc: 'first port' },
    irq: { name: 'irq', type: 'uint32', default: DEFAULT_IRQ, doc: 'interrupt request' },
    dma: { name: 'dma', type: 'uint32', default: DEFAULT_DMA, doc: 'DMA channel' },
    typeA: { name: 'fdtypeA', type: 'str', default: 'auto', doc: 'type of the first drive: auto, 120, 144, 288' },
    typeB: { name: 'fdtypeB', type: 'str', default: 'auto', doc: 'type of the second drive' },
    fallback: {
      name: 'fallback',
      type: 'str',
      default: '288',
      doc: 'what an auto drive without a disk is; 144 up to machine 2.5',
    },
    checkMediaRate: {
      name: 'check_media_rate',
      type: 'bool',
      default: true,
      doc: "refuse a data rate that is not the disk's; off up to machine 1.0",
    },
  },
  create(ctx, props): Device {
    // wiring
    const fallback = driveType('fallback', props.fallback);
    if (fallback === 'auto') throw new PropertyError('isa-fdc', 'fallback', 'must be 120, 144 or 288');
    const types = [driveType('fdtypeA', props.typeA), driveType('fdtypeB', props.typeB)];
    const irq = ctx.line('irq');
    const dma = ctx.backend<FloppyDma>('dma');

    // state
    const state = new FdcState();
    const fdc = new Fdc(state, { clock: ctx.clock, log: ctx.log, irq, dma, channel: props.dma, checkRate: props.checkMediaRate });
    const io = { ...fdc.registers };
    const shifted = (start: number) => ({
      read: (offset: number) => io.read(offset + start, 1),
      write: (offset: number, value: number) => io.write(offset + start, value, 1),
    });
    const regions = [
      ctx.ports.add(props.iobase + REGISTER.STATUS_B, 5, shifted(REGISTER.STATUS_B), { name: 'fdc' }),
      ctx.ports.add(props.iobase + REGISTER.DIGITAL_INPUT, 1, shifted(REGISTER.DIGITAL_INPUT), { name: 'fdc' }),
    ];

    // behaviour
    function slot(unit: number): FloppySlot {
      const drive = fdc.drives[unit];
      if (!drive) throw new PropertyError('floppy', 'unit', `${unit} is not 0 or 1`);
      return {
        unit,
        plug(type, backend) {
          if (drive.present) throw new PropertyError('floppy', 'unit', `drive ${unit} is in use`);
          drive.connect(type === 'auto' ? types[unit]! : type, fallback as DriveType, backend);
          return {
            changeDisk(next) {
              drive.insert(next);
              drive.state.mediaChanged = 1;
            },
          };
        },
      };
    }

    return {
      sections: [section(fdcVmState(props.checkMediaRate), state, { alias: props.iobase })],
      services: { slot, cmosType: (unit) => fdc.drives[unit]?.cmosType ?? 0 } satisfies FloppyControllerService,
      reset() {
        fdc.resetController(false);
        state.config = CONFIG_DEFAULT;
      },
      resume: () => fdc.resume(),
      unrealize() {
        fdc.unrealize();
        for (const region of regions) region.remove();
      },
    };
  },
});

export interface FloppyProperties {
  drive: string;
  unit: number;
  type: string;
}

/** A floppy drive. Backend `drive`: the disk in it at power-on, if any. */
export const floppy = defineDevice<FloppyProperties>({
  type: 'floppy',
  doc: 'floppy disk drive',
  bus: 'floppy',
  properties: {
    drive: { name: 'drive', type: 'str', default: '', doc: 'id of the image' },
    unit: { name: 'unit', type: 'uint32', default: 0xffff_ffff, doc: '0 or 1; default: the first free' },
    type: { name: 'drive-type', type: 'str', default: 'auto', doc: 'auto, 120, 144, 288' },
  },
  create(ctx, props): Device {
    const slot = ctx.slot as FloppySlot | undefined;
    if (!slot || typeof slot.plug !== 'function')
      throw new PropertyError('floppy', 'bus', 'needs a place on a floppy controller');
    const control = slot.plug(driveType('drive-type', props.type), ctx.backend<BlockBackend>('drive'));
    return { sections: [], services: { control }, reset() {} };
  },
});

function driveType(property: string, text: string): DriveType | 'auto' {
  if (text === 'auto' || text === '120' || text === '144' || text === '288') return text;
  throw new PropertyError('floppy', property, `'${text}' is not auto, 120, 144 or 288`);
}
