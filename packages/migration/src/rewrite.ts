import {
  applyFilters,
  encodeTree,
  type FieldNode,
  type Filter,
  isStruct,
  type Provenance,
  type SectionTree,
  type StructNode,
  type TreeValue,
  type VmdescDevice,
  type VmdescField,
  type VmdescMembers,
} from '@pagurus/vmstate';
import type { Configuration } from './configuration.js';
import { StreamError } from './errors.js';
import type { EventHandler, SectionEvent, StateEvent, StreamEvent } from './events.js';
import { PAGE_SIZE } from './format.js';
import type { RamRecord } from './ram-records.js';
import { formatJson, parseVmdesc } from './vmdesc.js';

/** What becomes of a stream besides what the filters do. All default to what it is. */
export interface RewriteOptions {
  readonly filters: readonly Filter[];
  /** The configuration section; undefined leaves it out. */
  readonly configuration?: (old: Configuration | undefined) => Configuration | undefined;
  readonly footers?: boolean;
  /** Whether the stream carries its description. One without cannot get one if it has sections that nobody describes. */
  readonly description?: boolean;
  /** RAM blocks that are left out, with their pages. */
  readonly dropBlocks?: readonly string[];
}

/** A length that an encoder finds. */
const UNKNOWN = -1;

/** A section of the device part. */
interface Held {
  readonly event: SectionEvent;
  readonly state: StateEvent;
  readonly end: Extract<StreamEvent, { kind: 'section-end' }>;
}

/**
 * Sends a stream's events on, with its device sections rewritten by filters. RAM passes through; the device part behind it is held and
 * rewritten as a whole, because a filter may move fields between sections. The stream's description is made anew for what has changed
 * and says under `filters` what was done.
 */
export class Rewriter {
  private readonly held: Held[] = [];
  private holding = false;
  private section: SectionEvent | undefined;
  private state: StateEvent | undefined;
  private configured = false;
  private nextId = 0;
  private readonly changed = new Set<string>();
  private nodes: readonly SectionTree[] = [];
  private done: Provenance[] = [];
  private pendingDescription = false;
  /** Announced in the section that is being read, and not yet sent on. */
  private blocks: RamRecord[] | undefined;
  /** The section that is being read has lost something: its length is another. */
  private shortened = false;

  constructor(
    private readonly options: RewriteOptions,
    private readonly handle: EventHandler,
  ) {}

  /** What the filters did; complete when the stream's end has been written. */
  get provenance(): readonly Provenance[] {
    return this.done;
  }

  /** @throws {StreamError} `unsupported` for what cannot be rewritten, and what {@link applyFilters} throws. */
  async write(event: StreamEvent): Promise<void> {
    if (event.kind === 'header') {
      await this.handle(event);
      return;
    }
    if (event.kind === 'configuration') {
      await this.configure(event.configuration);
      return;
    }
    await this.configure(undefined);
    switch (event.kind) {
      case 'package':
        throw new StreamError('unsupported', 'a postcopy package cannot be rewritten: its pages follow while the guest runs');
      case 'section':
        this.nextId = Math.max(this.nextId, event.sectionId + 1);
        this.section = event;
        if (event.type === 'FULL') this.holding = true;
        else if (this.holding)
          throw new StreamError('unsupported', 'RAM behind a device section cannot be rewritten', {
            section: event.idstr,
            offset: event.offset,
          });
        else await this.handle(event);
        return;
      case 'state':
        this.state = event;
        return;
      case 'section-end':
        if (this.section?.type === 'FULL') this.held.push({ event: this.section, state: this.state!, end: event });
        else {
          await this.handle({ ...this.footed(event), ...(this.shortened ? { length: UNKNOWN } : {}) });
          this.shortened = false;
        }
        return;
      case 'eof':
        await this.devices();
        await this.handle(event);
        if (this.options.description === true && !this.nodesUndescribed()) this.pendingDescription = true;
        return;
      case 'vmdesc':
        this.pendingDescription = false;
        if (this.options.description === false) return;
        await this.handle({ ...event, ...this.described(event.text, event.declaredLength) });
        return;
      case 'trailing':
        await this.end();
        await this.handle(event);
        return;
      case 'command':
      case 'package-end':
        await this.handle(event);
        return;
      default:
        await this.ram(event);
    }
  }

  /** The total stands before the blocks that it is the sum of. */
  private async ram(record: RamRecord): Promise<void> {
    const { dropBlocks = [] } = this.options;
    if (dropBlocks.length === 0) await this.handle(record);
    else if (record.kind === 'ram-total') this.blocks = [record];
    else if (this.blocks && record.kind === 'ram-block') this.blocks.push(record);
    else {
      await this.announce(dropBlocks);
      if (!('block' in record) || !dropBlocks.includes(record.block.name)) await this.handle(record);
      else this.shortened = true;
    }
  }

  private async announce(dropped: readonly string[]): Promise<void> {
    const [total, ...blocks] = this.blocks ?? [];
    this.blocks = undefined;
    if (total?.kind !== 'ram-total') return;
    const gone = blocks.filter((record) => record.kind === 'ram-block' && dropped.includes(record.block.name));
    const bytes = gone.reduce((sum, record) => sum + (record.kind === 'ram-block' ? record.block.usedLength : 0), 0);
    this.shortened = gone.length > 0;
    await this.handle({ ...total, total: total.total - bytes });
    for (const record of blocks) if (!gone.includes(record)) await this.handle(record);
  }

  /** To be called behind the last event. */
  async end(): Promise<void> {
    if (!this.pendingDescription) return;
    this.pendingDescription = false;
    const text = formatJson({ ...noteOf(this.done), page_size: PAGE_SIZE, devices: this.nodes.map(deviceOf) });
    await this.handle({ kind: 'vmdesc', text, declaredLength: text.length, offset: -1 });
  }

  private async configure(old: Configuration | undefined): Promise<void> {
    if (this.configured) return;
    this.configured = true;
    const configuration = this.options.configuration ? this.options.configuration(old) : old;
    if (configuration) await this.handle({ kind: 'configuration', configuration, offset: -1, length: -1 });
  }

  private footed<E extends Extract<StreamEvent, { kind: 'section-end' }>>(event: E): E {
    return { ...event, footer: this.options.footers ?? event.footer };
  }

  private async devices(): Promise<void> {
    const trees = this.held.map(
      ({ event, state }): SectionTree => ({
        name: event.idstr,
        instance: event.instance,
        version: event.version,
        node: state.node,
      }),
    );
    // Old machines send two sections of one name and instance (`isa-ide`).
    const left = new Map(trees.map((tree, i) => [tree, this.held[i]!]));
    const take = (section: SectionTree): Held | undefined => {
      const tree = left.has(section) ? section : [...left.keys()].find((one) => keyOf(one) === keyOf(section));
      const held = tree && left.get(tree);
      if (tree) left.delete(tree);
      return held;
    };
    const { sections, provenance } = applyFilters(this.options.filters, trees);
    this.done = provenance;
    this.nodes = sections;
    const footer = this.options.footers ?? this.held[0]?.end.footer ?? true;
    for (const section of sections) {
      const old = take(section);
      const same = old !== undefined && old.state.node === section.node;
      if (!same || old.event.version !== section.version) this.changed.add(keyOf(section));
      const { name: idstr, instance, version, node } = section;
      const sectionId = old?.event.sectionId ?? this.nextId++;
      await this.handle({ kind: 'section', type: 'FULL', sectionId, idstr, instance, version, offset: -1 });
      await this.handle({ kind: 'state', decodedBy: old?.state.decodedBy ?? 'vmdesc', node, values: {}, fields: [] });
      const length = same && old ? old.end.length : encodeTree(node, idstr).length;
      await this.handle({ kind: 'section-end', length, footer, sectionId });
    }
  }

  private nodesUndescribed(): boolean {
    return this.held.some(({ state }) => state.decodedBy === 'footer' || state.decodedBy === 'next-section');
  }

  /** The description with the entries of sections that changed made anew, in the order of the sections. */
  private described(text: string, declaredLength: number): { text: string; declaredLength: number } {
    const old = parseVmdesc(text);
    // Cut or damaged: nothing to rewrite.
    if (old === undefined || text.length < declaredLength) return { text, declaredLength };
    const left = [...old.devices];
    const devices = this.nodes.map((section): VmdescDevice => {
      const at = left.findIndex((device) => device.name === section.name && device.instance_id === section.instance);
      const [entry] = at < 0 ? [] : left.splice(at, 1);
      return entry === undefined || this.changed.has(keyOf(section)) ? deviceOf(section) : entry;
    });
    const now = formatJson({ ...old, ...noteOf(this.done, old), devices });
    return { text: now, declaredLength: now.length };
  }
}

/** Loaders ignore members that they do not know. What earlier filters did stays. */
function noteOf(provenance: readonly Provenance[], old: object = {}): object {
  const before = (old as { filters?: unknown }).filters;
  const all = [...(Array.isArray(before) ? before : []), ...provenance];
  return all.length > 0 ? { filters: all } : {};
}

function keyOf({ name, instance }: { readonly name: string; readonly instance: number }): string {
  return `${name}#${instance}`;
}

function deviceOf({ name, instance, node }: SectionTree): VmdescDevice {
  return { name, instance_id: instance, ...rewrittenVmdesc(node) };
}

/** A description of a tree as a stream carries it. @throws {StreamError} `unsupported` */
export function rewrittenVmdesc(node: StructNode): VmdescMembers {
  return {
    vmsd_name: node.name,
    version: node.version,
    fields: node.fields.flatMap(fieldsOf),
    ...(node.subsections.length > 0 ? { subsections: node.subsections.map(rewrittenVmdesc) } : {}),
  };
}

const LISTS = ['qtailq', 'qlist', 'gtree'];

function fieldsOf(field: FieldNode): VmdescField[] {
  const { name, type, value, marks } = field;
  if (marks !== undefined)
    throw new StreamError('unsupported', `an array with marks before its elements cannot be described: '${name}'`);
  if (!Array.isArray(value) || LISTS.includes(type)) return [one(field)];
  const items = value as readonly TreeValue[];
  const scalar = items.every((item) => typeof item !== 'object');
  const [first] = items;
  if (scalar && first !== undefined) return [{ name, array_len: items.length, type, size: sizeOf({ name, type, value: first }) }];
  const entries = items.map((item) => one({ name, type, value: item }));
  const [same] = entries;
  // Elements that are alike have one entry, the others one each.
  if (same && entries.every((entry) => JSON.stringify(entry) === JSON.stringify(same))) {
    const { name: _, ...rest } = same;
    return [{ name, array_len: items.length, ...rest }];
  }
  return entries.map(withIndex);
}

/** Key order is QEMU's. */
function withIndex({ name, ...rest }: VmdescField, index: number): VmdescField {
  return { name, index, ...rest };
}

function one(field: FieldNode): VmdescField {
  const { name, type, value } = field;
  const size = sizeOf(field);
  if (value === null) return { name, type: 'nullptr', size };
  if (typeof value !== 'object' || Array.isArray(value) || !isStruct(value)) return { name, type, size };
  const members = rewrittenVmdesc(value);
  return type === 'struct' ? { name, type, struct: members, size } : { name, type, ...members, size };
}

function sizeOf(field: FieldNode): number {
  return encodeTree({ name: '', version: 0, fields: [field], subsections: [] }).length;
}
