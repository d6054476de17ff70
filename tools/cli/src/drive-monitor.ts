import { type BlockImage, IMAGE_FORMATS } from '@pagurus/block';
import type { DriveControl, FloppyControl } from '@pagurus/dev-storage';
import type { PropertyValue } from '@pagurus/device-model';
import { HostError, type MonitorDrive, type MonitorDrives, type MonitorMedium, type ReadOnlyMode } from '@pagurus/host-node';
import type { ComposedDevice, Machine } from '@pagurus/machine';
import { type DriveSpec, plainDrive } from './drive-spec.js';
import type { Drives, OpenDrive } from './drives.js';

/** `info block`, `change` and `eject` over a machine and its images. */
export class DriveMonitor implements MonitorDrives {
  constructor(
    private readonly machine: Machine,
    private readonly drives: Drives,
  ) {}

  list(): readonly MonitorDrive[] {
    const attached = this.machine.devices.flatMap((device) => {
      const id = this.driveOf(device);
      return id === undefined ? [] : [{ id, device }];
    });
    const all = attached.map(({ id, device }) => this.describe(id, device));
    const free = [...this.drives.open.keys()].filter((id) => !attached.some((entry) => entry.id === id));
    return [...all, ...free.map((id) => this.describe(id, undefined))];
  }

  async change(id: string, file: string, format: string | undefined, mode: ReadOnlyMode, force: boolean): Promise<void> {
    const { control, spec } = this.removable('change', id);
    const known = IMAGE_FORMATS.find((candidate) => candidate === format);
    if (format !== undefined && !known)
      throw new HostError('syntax', `change: format '${format}': expected ${IMAGE_FORMATS.join(', ')}`);
    this.unlock('change', id, control, force);
    const readOnly = mode === 'retain' ? spec.readOnly : mode === 'read-only';
    const drive = await this.drives.load(id, spec, file, known, readOnly);
    await this.put(id, spec, control, drive);
  }

  async eject(id: string, force: boolean): Promise<void> {
    const { control, spec } = this.removable('eject', id);
    this.unlock('eject', id, control, force);
    await this.put(id, spec, control, undefined);
  }

  /** The new one first, so that nobody asks an image that is closed. */
  private async put(
    id: string,
    spec: DriveSpec,
    control: DriveControl | FloppyControl,
    drive: OpenDrive['drive'],
  ): Promise<void> {
    const before = this.drives.open.get(id)?.drive;
    if ('changeMedium' in control) control.changeMedium(drive);
    else control.changeDisk(drive);
    this.drives.open.set(id, { id, spec, drive });
    await before?.close();
  }

  private removable(command: string, id: string): { control: DriveControl | FloppyControl; spec: DriveSpec } {
    const device = this.machine.devices.find((candidate) => this.driveOf(candidate) === id);
    if (!device && !this.drives.open.has(id)) throw new HostError('not-found', `${command}: no drive '${id}'`);
    const control = device && removableControl(device);
    if (!control) throw new HostError('unsupported', `${command}: drive '${id}' is not removable`);
    const cdrom = 'changeMedium' in control;
    return {
      control,
      spec:
        this.drives.open.get(id)?.spec ??
        plainDrive(command, '', { interface: cdrom ? 'ide' : 'floppy', readOnly: cdrom, media: cdrom ? 'cdrom' : 'disk' }),
    };
  }

  private unlock(command: string, id: string, control: DriveControl | FloppyControl, force: boolean): void {
    if (!('changeMedium' in control) || !control.trayLocked) return;
    control.requestEject(force);
    if (!force)
      throw new HostError(
        'unsupported',
        `${command}: the guest has locked drive '${id}'; it was asked to open the tray, try again then or use -f`,
      );
  }

  /** The drive of a storage device, by the name it was given. */
  private driveOf(device: ComposedDevice): string | undefined {
    const { drive } = device.properties.values as { readonly drive?: PropertyValue };
    if (typeof drive !== 'string') return undefined;
    return drive === '' ? device.id : drive;
  }

  private describe(id: string, device: ComposedDevice | undefined): MonitorDrive {
    const image = this.drives.open.get(id)?.drive?.image;
    const control = device && removableControl(device);
    return {
      id,
      medium: image && medium(image),
      device: device && `${device.id} (${device.type})`,
      tray:
        control &&
        ('changeMedium' in control ? { locked: control.trayLocked, open: control.trayOpen } : { locked: false, open: false }),
    };
  }
}

function removableControl({ type, device }: ComposedDevice): DriveControl | FloppyControl | undefined {
  if (type !== 'ide-cd' && type !== 'floppy') return undefined;
  return (device.services as { readonly control: DriveControl | FloppyControl } | undefined)?.control;
}

function medium(image: BlockImage): MonitorMedium {
  const backing: string[] = [];
  for (let below = image.details.backing; below; below = below.details.backing) backing.push(below.name);
  return { file: image.name, format: image.format, readOnly: image.readOnly, backing, snapshots: image.details.snapshots ?? [] };
}
