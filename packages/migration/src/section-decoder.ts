import type { MigrationTarget } from '@pagurus/device-model';
import {
  type Description,
  type DynamicSection,
  decode,
  decodeWithVmdesc,
  describe,
  descriptionFromVmdesc,
  StateError,
  type Vmdesc,
  type VmdescDevice,
  type VmdescMembers,
} from '@pagurus/vmstate';
import type { DecodedBy, SectionEvent, StateEvent } from './events.js';
import { globalStateSection } from './global-state.js';
import type { StreamReader } from './reader.js';
import { findFooter, findNextSection } from './resync.js';
import { endsWell } from './section-frame.js';
import { findSection } from './section-lookup.js';
import { stateErrorAt } from './state-error.js';
import { describedDevice, findVmdesc } from './vmdesc.js';

/** Our own descriptions of devices, looked up by section. */
export interface SectionCatalogue {
  /**
   * Describes what is in a section's data, as the sender's description JSON would.
   * @param bytes begin with the data; it ends somewhere in them.
   * @returns undefined for a section that is not known.
   * @throws {StateError} `truncated` if there must be more data; anything else if the data does not fit our description.
   */
  describe(
    idstr: string,
    instance: number,
    version: number,
    bytes: Uint8Array,
  ): { readonly end: number; readonly description: VmdescMembers } | undefined;
}

/** A catalogue of one description, for all sections that end in its name. */
export function catalogueEntry<S extends object>(description: Description<S>, create: () => S): SectionCatalogue {
  return {
    describe(idstr, _instance, version, bytes) {
      if (idstr.slice(idstr.lastIndexOf('/') + 1) !== description.name) return undefined;
      const state = create();
      const { end, commit } = decode(description, state, bytes, 0, version, { path: idstr });
      commit();
      return { end, description: asSent(describe(description, state), bytes) };
    },
  };
}

/** The sections of a machine as a catalogue. The machine is used up: its devices are left with what was decoded last. */
export function catalogueOf(target: Pick<MigrationTarget, 'sections'>): SectionCatalogue {
  return {
    describe(idstr, instance, version, bytes) {
      const section = findSection(target.sections, idstr, instance);
      if (!section || version > section.version) return undefined;
      const { end, commit } = section.decode(bytes, 0, version);
      commit();
      return { end, description: asSent(section.save().description as VmdescMembers, bytes) };
    },
  };
}

/** Our description without the subsections that this machine would send but the bytes do not have: an older one did not know them. */
function asSent(ours: VmdescMembers, bytes: Uint8Array): VmdescMembers {
  const { description, create } = descriptionFromVmdesc(ours);
  const state = create();
  decode(description, state, bytes).commit();
  return describe(description, state);
}

/** What this package sends itself. Behind the stream's own description, which knows the layout of its QEMU. */
const BUILT_IN = catalogueOf({ sections: [globalStateSection({ splitGlobalState: false }, 'running')] });

interface DecodedSection extends DynamicSection {
  readonly by: DecodedBy;
}

/** Finds out what is in a device's section, and thereby where it ends. */
export class SectionDecoder {
  private readonly usedIds = new Set<number>();
  /** How often each name and instance has been sent. */
  private readonly occurrences = new Map<string, number>();
  private vmdesc: Vmdesc | undefined;
  /** True once everything up to the end of the source is in memory. */
  private buffered = false;

  constructor(
    private readonly reader: StreamReader,
    private readonly catalogue: SectionCatalogue | undefined,
    private readonly limit: number,
  ) {}

  /** An id that no later section has. */
  use(sectionId: number): void {
    this.usedIds.add(sectionId);
  }

  /** Holds the rest of the stream, in order to look for the description at its end. */
  async bufferRest(): Promise<void> {
    if (this.buffered) return;
    await this.reader.fillAll(this.limit, 'the device part of the stream');
    this.buffered = true;
    this.vmdesc = findVmdesc(this.reader.window())?.vmdesc;
  }

  /** Consumes the section's data. @throws {StreamError} */
  async read(section: SectionEvent, footers: boolean): Promise<StateEvent> {
    const device = this.describedIn(section);
    const decoded =
      (await this.byCatalogue(this.catalogue, section, footers, device)) ??
      (device && this.byVmdesc(device)) ??
      (await this.byCatalogue(BUILT_IN, section, footers)) ??
      (await this.byResync(section, footers));
    this.reader.skip(decoded.end);
    const { by, node, values, fields } = decoded;
    return { kind: 'state', decodedBy: by, node, values, fields };
  }

  private async byCatalogue(
    catalogue: SectionCatalogue | undefined,
    section: SectionEvent,
    footers: boolean,
    device?: VmdescDevice,
  ): Promise<DecodedSection | undefined> {
    const { reader } = this;
    if (!catalogue) return undefined;
    for (;;) {
      const bytes = reader.window();
      try {
        const described = catalogue.describe(section.idstr, section.instance, section.version, bytes);
        if (!described || (device && !sameDescription(described.description, device))) return undefined;
        const decoded = decodeWithVmdesc({ name: section.idstr, instance_id: section.instance, ...described.description }, bytes);
        // Another version's layout may decode by chance: the end tells.
        const fits = decoded.end === described.end && endsWell(bytes, decoded.end, section, footers);
        return fits ? this.rebase('catalogue', decoded) : undefined;
      } catch (error) {
        if (!(error instanceof StateError)) throw error;
        if (error.code !== 'truncated' || this.buffered || reader.available > this.limit || !(await reader.fillMore()))
          return undefined;
      }
    }
  }

  /** The section's entry in the stream's own description. */
  private describedIn(section: SectionEvent): VmdescDevice | undefined {
    const identity = `${section.instance}/${section.idstr}`;
    const occurrence = this.occurrences.get(identity) ?? 0;
    this.occurrences.set(identity, occurrence + 1);
    return describedDevice(this.vmdesc, section.idstr, section.instance, occurrence);
  }

  private byVmdesc(device: VmdescDevice): DecodedSection {
    try {
      return this.rebase('vmdesc', decodeWithVmdesc(device, this.reader.window()));
    } catch (error) {
      throw error instanceof StateError ? stateErrorAt(error, this.reader.place, this.reader.offset) : error;
    }
  }

  private async byResync(section: SectionEvent, footers: boolean): Promise<DecodedSection> {
    const { reader } = this;
    for (;;) {
      const bytes = reader.window();
      const end = !footers ? findNextSection(bytes, 0, this.usedIds) : findFooter(bytes, 0, section.sectionId);
      if (end !== undefined) {
        const value = bytes.slice(0, end);
        const path = `${section.idstr}.data`;
        return {
          by: !footers ? 'next-section' : 'footer',
          node: {
            name: section.idstr,
            version: section.version,
            fields: [{ name: 'data', type: 'buffer', value }],
            subsections: [],
          },
          values: { data: [...value].map((byte) => byte.toString(16).padStart(2, '0')).join('') },
          fields: [{ path, type: 'buffer', size: end, offset: reader.offset, value }],
          end,
        };
      }
      if (this.buffered || reader.available > this.limit || !(await reader.fillMore())) break;
    }
    return reader.fail('truncated', 'the section is not described and its end cannot be found', { offset: section.offset });
  }

  /** Offsets of fields become offsets in the whole stream. */
  private rebase(by: DecodedBy, decoded: DynamicSection): DecodedSection {
    const start = this.reader.offset;
    return { ...decoded, by, fields: decoded.fields.map((field) => ({ ...field, offset: field.offset + start })) };
  }
}

/** Where the stream's QEMU names or orders fields otherwise than ours, the stream is right about itself. */
function sameDescription(own: VmdescMembers, { name: _name, instance_id: _instance, ...sent }: VmdescDevice): boolean {
  return JSON.stringify(own) === JSON.stringify(sent);
}
