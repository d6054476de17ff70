import {
  type BlockBackend,
  type Device,
  type DeviceContext,
  defineDevice,
  PropertyError,
  type PropertyTable,
} from '@pagurus/device-model';
import { SECTOR } from './ata.spec.js';
import { type Geometry, guessGeometry, guessTranslation, partitioned, partitionedTranslation, TRANSLATION } from './identify.js';
import type { DriveControl, IdeSlot } from './piix3-ide.js';

/** A disc has none. */
const NO_GEOMETRY: Geometry = { cylinders: 0, heads: 0, sectors: 0 };

export interface IdeDriveProperties {
  drive: string;
  unit: number;
  serial: string;
  version: string;
  model: string;
  wwn: number;
}

export interface IdeDiskProperties extends IdeDriveProperties {
  cylinders: number;
  heads: number;
  sectors: number;
  rotationRate: number;
}

const common: PropertyTable<IdeDriveProperties> = {
  drive: { name: 'drive', type: 'str', default: '', doc: 'id of the image' },
  unit: { name: 'unit', type: 'uint32', default: 0xffff_ffff, doc: '0 = master, 1 = slave; default: the first free' },
  serial: { name: 'serial', type: 'str', default: '', doc: 'serial number; default: QM0000 and the place on the controller' },
  version: { name: 'ver', type: 'str', default: '2.5+', doc: 'firmware revision; up to machine 2.4 its version' },
  model: { name: 'model', type: 'str', default: '', doc: 'model name' },
  wwn: { name: 'wwn', type: 'uint64', default: 0, doc: 'world wide name; 0 = none' },
};

function slotOf(ctx: DeviceContext, type: string): IdeSlot {
  const slot = ctx.slot as IdeSlot | undefined;
  if (!slot || typeof slot.plug !== 'function') throw new PropertyError(type, 'bus', 'needs a place on an IDE channel');
  return slot;
}

function identity(props: IdeDriveProperties, slot: IdeSlot, model: string, rotationRate: number) {
  const serial = props.serial || `QM${String(slot.channel * 2 + slot.unit + 1).padStart(5, '0')}`;
  return { serial, version: props.version, model: props.model || model, wwn: BigInt(props.wwn), rotationRate };
}

/** What the machine gets from a drive. */
export interface IdeDriveService {
  readonly control: DriveControl;
  /** Of a hard disk: where it is, and what firmware is told of it. `translation`: a value of CMOS byte 0x39. */
  readonly disk?: { readonly channel: number; readonly unit: number; readonly geometry: Geometry; readonly translation: number };
}

/** A hard disk. Backend `drive`: its image. It has no section: the controller's holds what it remembers. */
export const ideHd = defineDevice<IdeDiskProperties>({
  type: 'ide-hd',
  doc: 'IDE hard disk',
  bus: 'ide',
  parents: ['ide-device'],
  properties: {
    ...common,
    cylinders: { name: 'cyls', type: 'uint32', default: 0, doc: 'cylinders; 0 = from the partition table or the size' },
    heads: { name: 'heads', type: 'uint32', default: 0, doc: 'heads, 1 to 16' },
    sectors: { name: 'secs', type: 'uint32', default: 0, doc: 'sectors per track, 1 to 255' },
    rotationRate: {
      name: 'rotation_rate',
      type: 'uint16',
      default: 0,
      doc: 'rotations per minute; 1 = solid state, 0 = not told',
    },
  },
  create(ctx, props): Device {
    const slot = slotOf(ctx, 'ide-hd');
    const backend = ctx.backend<BlockBackend>('drive');
    if (!backend) throw new PropertyError('ide-hd', 'drive', 'needs an image');
    if (backend.readOnly) throw new PropertyError('ide-hd', 'drive', 'the image is read-only');
    if (backend.sectors === 0) throw new PropertyError('ide-hd', 'drive', 'the image is empty');
    const drive = identity(props, slot, 'QEMU HARDDISK', props.rotationRate);
    const { geometry, translation } = geometryOf(props, backend);
    const control = slot.plug('ide-hd', { kind: 'disk', backend, identity: drive, geometry });
    const place = { channel: slot.channel, unit: slot.unit };
    return {
      sections: [],
      services: { control, disk: { ...place, geometry, translation } } satisfies IdeDriveService,
      reset() {},
    };
  },
});

/** A CD and DVD drive. Backend `drive`: the disc in it at power-on, if any. */
export const ideCd = defineDevice<IdeDriveProperties>({
  type: 'ide-cd',
  doc: 'IDE CD-ROM drive',
  bus: 'ide',
  parents: ['ide-device'],
  properties: common,
  create(ctx, props): Device {
    const slot = slotOf(ctx, 'ide-cd');
    const backend = ctx.backend<BlockBackend>('drive');
    const drive = identity(props, slot, 'QEMU DVD-ROM', 0);
    const control = slot.plug('ide-cd', { kind: 'packet', backend, identity: drive, geometry: NO_GEOMETRY });
    return { sections: [], services: { control } satisfies IdeDriveService, reset() {} };
  },
});

/** The user's geometry, or that of the partition table where the first sector is known, or one for the size. */
function geometryOf(props: IdeDiskProperties, backend: BlockBackend): { geometry: Geometry; translation: number } {
  const { cylinders, heads, sectors } = props;
  if (cylinders !== 0 || heads !== 0 || sectors !== 0) {
    const inRange = (name: string, value: number, most: number): void => {
      if (value < 1 || value > most) throw new PropertyError('ide-hd', name, `must be between 1 and ${most}`);
    };
    inRange('cyls', cylinders, 65535);
    inRange('heads', heads, 16);
    inRange('secs', sectors, 255);
    const geometry = { cylinders, heads, sectors };
    return { geometry, translation: guessTranslation(geometry) };
  }
  const first = new Uint8Array(SECTOR);
  if (!backend.readNow?.(0, first) && backend.firstSector) first.set(backend.firstSector);
  const told = partitioned(first, backend.sectors);
  if (told && told.heads <= 16) return { geometry: told, translation: TRANSLATION.NONE };
  const geometry = guessGeometry(backend.sectors);
  return { geometry, translation: told ? partitionedTranslation(geometry) : guessTranslation(geometry) };
}
