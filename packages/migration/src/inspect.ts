import type { DynamicField, PlainValue, Vmdesc } from '@pagurus/vmstate';
import type { ByteSource } from './channel.js';
import type { Command } from './command.js';
import type { Configuration } from './configuration.js';
import { Contradictions } from './contradictions.js';
import { StreamError } from './errors.js';
import type { DecodedBy, SectionType, StreamEvent } from './events.js';
import { type ParseOptions, parseStream } from './parse.js';
import type { MappedRamHeader, RamBlockInfo, RamRecord } from './ram-records.js';
import { parseVmdesc } from './vmdesc.js';

/** How many pages of each kind a block was sent; a page may be sent several times. */
export interface PageCounts {
  zero: number;
  normal: number;
  xbzrle: number;
  compressed: number;
  /** In a mapped-ram file. */
  mapped: number;
}

export interface RamBlockSummary {
  readonly name: string;
  readonly usedLength: number;
  readonly address?: bigint;
  readonly pageSize?: bigint;
  readonly mapped?: Pick<MappedRamHeader, 'version' | 'bitmapOffset' | 'pagesOffset'>;
  readonly pages: PageCounts;
  /** Bytes of page data and record headers. */
  bytes: number;
}

export interface RamSummary {
  readonly total: number;
  readonly blocks: RamBlockSummary[];
  /** PART and END sections that hold at least one page: what the destination saw of the rounds. */
  parts: number;
  multifdFlushes: number;
}

/** A row of the listing, in stream order. Offsets count from the stream's first byte; lengths leave out headers and footers. */
export type InspectedEntry =
  | { readonly kind: 'configuration'; readonly offset: number; readonly length: number }
  | {
      readonly kind: 'section';
      readonly type: SectionType;
      readonly sectionId: number;
      readonly name: string;
      readonly instance: number;
      readonly version: number;
      readonly offset: number;
      length: number;
      decodedBy?: DecodedBy;
      values?: { readonly [key: string]: PlainValue };
      fields?: readonly DynamicField[];
    }
  | { readonly kind: 'command'; readonly offset: number; readonly command: Command }
  | { readonly kind: 'package'; readonly offset: number; readonly length: number }
  | { readonly kind: 'package-end' }
  | { readonly kind: 'eof'; readonly offset: number }
  | { readonly kind: 'vmdesc'; readonly offset: number; readonly length: number; readonly declaredLength: number }
  | { readonly kind: 'trailing'; readonly offset: number; readonly length: number };

export type InspectedSection = Extract<InspectedEntry, { kind: 'section' }>;

/** All that is to be known about a stream without a machine. */
export interface Inspection {
  version: number;
  configuration: Configuration | undefined;
  /** Undefined if the stream ends before its first section does. */
  sectionFooters: boolean | undefined;
  ram: RamSummary | undefined;
  readonly entries: InspectedEntry[];
  /** The description that the stream carries, if it is whole. */
  vmdesc: Vmdesc | undefined;
  /** Oddities that a loader accepts. */
  readonly warnings: string[];
  /** What did not end the walk, but is in no stream that QEMU wrote: contradictions between the stream and its description. */
  readonly problems: StreamError[];
  /** What ended the walk early. */
  error: StreamError | undefined;
}

export interface InspectOptions extends ParseOptions {
  /** Sees every event, e.g. to write pages to files. */
  readonly observe?: (event: StreamEvent, inspection: Inspection) => void | Promise<void>;
}

/**
 * Reads a stream to its end or first error and lists what is in it. RAM contents are counted, not kept.
 * Does not throw for anything wrong with the stream: see `error`.
 */
export async function inspectStream(source: ByteSource, options: InspectOptions = {}): Promise<Inspection> {
  const inspection: Inspection = {
    version: 0,
    configuration: undefined,
    sectionFooters: undefined,
    ram: undefined,
    entries: [],
    vmdesc: undefined,
    warnings: [],
    problems: [],
    error: undefined,
  };
  const collector = new Collector(inspection);
  try {
    await parseStream(
      source,
      (event) => {
        collector.add(event);
        return options.observe?.(event, inspection);
      },
      options,
    );
  } catch (error) {
    if (!(error instanceof StreamError)) throw error;
    inspection.error = error;
  }
  collector.finish();
  return inspection;
}

class Collector {
  private readonly blocks = new Map<string, RamBlockSummary>();
  private current: InspectedSection | undefined;
  private pagesInSection = 0;
  private eof = false;
  private readonly contradictions = new Contradictions();

  constructor(private readonly inspection: Inspection) {}

  add(event: StreamEvent): void {
    const { inspection } = this;
    const { entries } = inspection;
    this.contradictions.see(event);
    switch (event.kind) {
      case 'header':
        inspection.version = event.version;
        break;
      case 'configuration':
        inspection.configuration = event.configuration;
        entries.push({ kind: 'configuration', offset: event.offset, length: event.length });
        break;
      case 'section': {
        const { kind, type, sectionId, idstr, instance, version, offset } = event;
        this.current = { kind, type, sectionId, name: idstr, instance, version, offset, length: 0 };
        this.pagesInSection = 0;
        entries.push(this.current);
        break;
      }
      case 'state':
        Object.assign(this.current!, { decodedBy: event.decodedBy, values: event.values, fields: event.fields });
        break;
      case 'section-end':
        this.current!.length = event.length;
        inspection.sectionFooters = event.footer;
        if (inspection.ram && this.pagesInSection > 0) inspection.ram.parts++;
        break;
      case 'command':
        entries.push({ kind: 'command', offset: event.offset, command: event.command });
        break;
      case 'package':
        entries.push({ kind: 'package', offset: event.offset, length: event.size });
        break;
      case 'package-end':
        entries.push({ kind: 'package-end' });
        break;
      case 'eof':
        this.eof = true;
        entries.push({ kind: 'eof', offset: event.offset });
        break;
      case 'vmdesc':
        inspection.vmdesc = parseVmdesc(event.text);
        entries.push({ kind: 'vmdesc', offset: event.offset, length: event.text.length, declaredLength: event.declaredLength });
        break;
      case 'trailing':
        entries.push({ kind: 'trailing', offset: event.offset, length: event.bytes.length });
        break;
      default:
        this.ram(event);
    }
  }

  finish(): void {
    const { inspection } = this;
    const { warnings, entries } = inspection;
    for (const entry of entries) {
      if (entry.kind === 'vmdesc' && entry.length < entry.declaredLength) {
        warnings.push(`the description is cut: ${entry.length} of ${entry.declaredLength} bytes`);
      } else if (entry.kind === 'vmdesc' && !inspection.vmdesc) warnings.push('the description is not valid JSON');
      else if (entry.kind === 'trailing') warnings.push(`${entry.length} bytes behind the end of the stream`);
      else if (
        entry.kind === 'section' &&
        !inspection.vmdesc &&
        (entry.decodedBy === 'footer' || entry.decodedBy === 'next-section')
      ) {
        const how = entry.decodedBy === 'footer' ? 'the next footer' : 'the next plausible section';
        warnings.push(`section '${entry.name}' ${entry.instance} is not described; its end was found by ${how}`);
      }
    }
    if (this.eof && !inspection.error && !entries.some((entry) => entry.kind === 'vmdesc'))
      warnings.push('the stream carries no description');
    inspection.problems.push(...this.contradictions.list(inspection.vmdesc));
  }

  private ram(record: RamRecord): void {
    const { inspection } = this;
    switch (record.kind) {
      case 'ram-total':
        inspection.ram ??= { total: record.total, blocks: [], parts: 0, multifdFlushes: 0 };
        break;
      case 'ram-block':
        this.block(record.block);
        break;
      case 'ram-multifd-flush':
        if (inspection.ram) inspection.ram.multifdFlushes++;
        break;
      case 'ram-zero':
        this.page(record, 'zero', 1);
        break;
      case 'ram-page':
        this.page(record, 'normal', record.bytes.length);
        break;
      case 'ram-xbzrle':
        this.page(record, 'xbzrle', 3 + record.delta.length);
        break;
      case 'ram-compressed':
        this.page(record, 'compressed', 4 + record.data.length);
        break;
      case 'ram-mapped':
        if (record.stored) this.page({ block: record.block, continued: true }, 'mapped', record.bytes.length - 8);
        break;
      default:
    }
  }

  private block(block: RamBlockInfo): void {
    const { mapped } = block;
    const summary: RamBlockSummary = {
      name: block.name,
      usedLength: block.usedLength,
      ...(block.address === undefined ? {} : { address: block.address }),
      ...(block.pageSize === undefined ? {} : { pageSize: block.pageSize }),
      ...(mapped
        ? { mapped: { version: mapped.version, bitmapOffset: mapped.bitmapOffset, pagesOffset: mapped.pagesOffset } }
        : {}),
      pages: { zero: 0, normal: 0, xbzrle: 0, compressed: 0, mapped: 0 },
      bytes: 0,
    };
    this.blocks.set(block.name, summary);
    this.inspection.ram?.blocks.push(summary);
  }

  private page(record: { block: RamBlockInfo; continued: boolean }, kind: keyof PageCounts, bytes: number): void {
    const block = this.blocks.get(record.block.name);
    if (!block) return;
    block.pages[kind]++;
    block.bytes += 8 + (record.continued ? 0 : 1 + record.block.name.length) + bytes;
    this.pagesInSection++;
  }
}
