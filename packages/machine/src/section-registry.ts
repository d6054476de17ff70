import type { Device, MigrationSection, Section } from '@pagurus/device-model';
import { compile } from '@pagurus/vmstate';

/** Where a section stands among the others; equal ones stay in order of creation. */
export type SectionRank = (section: Pick<MigrationSection, 'idstr' | 'instance'>, plugged: boolean) => number;

/**
 * All sections of a machine by identity (path, name, instance), in order of creation; higher priorities first.
 */
export class SectionRegistry {
  private entries: { section: MigrationSection; priority: number; device: Device; plugged: boolean }[] = [];
  private plugged = false;

  add(device: Device, path: string | undefined): void {
    for (const section of device.sections) this.addSection(section, section.plainName ? undefined : path, device);
  }

  remove(device: Device): void {
    this.entries = this.entries.filter((entry) => entry.device !== device);
  }

  /** What is added from now on was plugged in. */
  boardIsComplete(): void {
    this.plugged = true;
  }

  /** Sorted as they are sent: descending priority, then by rank, then creation. */
  list(rank: SectionRank = () => 0): readonly MigrationSection[] {
    return this.entries
      .map(({ priority, section, plugged }) => ({ priority, section, rank: rank(section, plugged) }))
      .sort((a, b) => b.priority - a.priority || a.rank - b.rank)
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
      plugged: this.plugged,
      section: {
        idstr,
        instance: number,
        ...(alias === undefined ? {} : { alias }),
        ...(compat === undefined ? {} : { compat }),
        version: description.version,
        needed: () => description.needed?.(state) ?? true,
        save: () => {
          device.beforeSave?.();
          return compile(description).saveDescribed(state, { path: idstr });
        },
        decode: (bytes, offset, version) => compile(description).decode(state, bytes, offset, version, { path: idstr }),
      },
    });
  }
}

/** The number behind the highest. */
const next = (numbers: readonly number[]): number => Math.max(-1, ...numbers) + 1;
