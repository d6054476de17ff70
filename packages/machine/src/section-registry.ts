import type { Device, MigrationSection, Section } from '@pagurus/device-model';
import { decode, saveDescribed } from '@pagurus/vmstate';

/**
 * All sections of a machine by identity (path, name, instance), in order of creation; higher priorities first.
 */
export class SectionRegistry {
  private entries: { section: MigrationSection; priority: number; device: Device }[] = [];

  add(device: Device, path: string | undefined): void {
    for (const section of device.sections) this.addSection(section, section.plainName ? undefined : path, device);
  }

  remove(device: Device): void {
    this.entries = this.entries.filter((entry) => entry.device !== device);
  }

  /** Sorted as they are sent: descending priority, then creation. */
  list(): readonly MigrationSection[] {
    return this.entries
      .map((entry, order) => ({ ...entry, order }))
      .sort((a, b) => b.priority - a.priority || a.order - b.order)
      .map((entry) => entry.section);
  }

  /** One device's. */
  of(device: Device): readonly MigrationSection[] {
    return this.entries.filter((entry) => entry.device === device).map((entry) => entry.section);
  }

  private addSection({ description, state, instance, alias }: Section, path: string | undefined, device: Device): void {
    const idstr = path === undefined ? description.name : `${path}/${description.name}`;
    if (idstr.length > 255) throw new Error(`section name ${idstr} is longer than 255 bytes`);
    const number =
      instance ?? next(this.entries.filter(({ section }) => section.idstr === idstr).map(({ section }) => section.instance));
    let compat: { idstr: string; instance: number } | undefined;
    if (path !== undefined) {
      const known = this.entries.flatMap(({ section }) =>
        section.compat?.idstr === description.name ? [section.compat.instance] : [],
      );
      compat = { idstr: description.name, instance: next(known) };
    }
    this.entries.push({
      priority: description.priority,
      device,
      section: {
        idstr,
        instance: number,
        ...(alias === undefined ? {} : { alias }),
        ...(compat === undefined ? {} : { compat }),
        version: description.version,
        needed: () => description.needed?.(state) ?? true,
        save: () => {
          device.beforeSave?.();
          return saveDescribed(description, state, { path: idstr });
        },
        decode: (bytes, offset, version) => decode(description, state, bytes, offset, version, { path: idstr }),
      },
    });
  }
}

/** The number behind the highest. */
const next = (numbers: readonly number[]): number => Math.max(-1, ...numbers) + 1;
