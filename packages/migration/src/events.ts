import type { DynamicField, PlainValue, StructNode } from '@pagurus/vmstate';
import type { Command } from './command.js';
import type { Configuration } from './configuration.js';
import type { RamRecord } from './ram-records.js';

export type SectionType = 'START' | 'PART' | 'END' | 'FULL';

/**
 * How the end of a device's section was found; sections have no length.
 * - `catalogue`: our own description of the device, which agrees with the stream's if that carries one
 * - `vmdesc`: the description JSON that the stream carries
 * - `footer`: undescribed; the next footer with this section's id ends it
 * - `next-section`: undescribed and without footers; ends where a plausible chain of sections goes on
 */
export type DecodedBy = 'catalogue' | 'vmdesc' | 'footer' | 'next-section';

/** One piece of a stream, in order. Writing all events back gives the same bytes. */
export type StreamEvent =
  | { readonly kind: 'header'; readonly version: number }
  | { readonly kind: 'configuration'; readonly configuration: Configuration; readonly offset: number; readonly length: number }
  | { readonly kind: 'command'; readonly command: Command; readonly offset: number }
  /** The blob that a PACKAGED command announces; its parts follow up to `package-end`. */
  | { readonly kind: 'package'; readonly size: number; readonly offset: number }
  | { readonly kind: 'package-end' }
  | SectionEvent
  | RamRecord
  | StateEvent
  | SectionEndEvent
  | { readonly kind: 'eof'; readonly offset: number }
  /** `declaredLength` is larger than the text if the stream ends inside it. */
  | { readonly kind: 'vmdesc'; readonly text: string; readonly declaredLength: number; readonly offset: number }
  /** Bytes behind the end of the stream; ignored by every loader. */
  | { readonly kind: 'trailing'; readonly bytes: Uint8Array; readonly offset: number };

/** A section's header. PART and END carry only the id; name, instance and version are those of their START. */
export interface SectionEvent {
  readonly kind: 'section';
  readonly type: SectionType;
  readonly sectionId: number;
  readonly idstr: string;
  readonly instance: number;
  readonly version: number;
  readonly offset: number;
}

/** The data of a device's section. */
export interface StateEvent {
  readonly kind: 'state';
  readonly decodedBy: DecodedBy;
  /** Everything on the wire; an undescribed section is one field `data` of type `buffer`. */
  readonly node: StructNode;
  /** The same for people. */
  readonly values: { readonly [key: string]: PlainValue };
  /** Leaves with their offsets in the whole stream. */
  readonly fields: readonly DynamicField[];
}

export interface SectionEndEvent {
  readonly kind: 'section-end';
  /** Bytes between header and footer; -1 = not known, and not checked on writing. */
  readonly length: number;
  readonly footer: boolean;
  readonly sectionId: number;
}

/** Receives events; a returned promise is waited for before the next one. */
export type EventHandler = (event: StreamEvent) => void | Promise<void>;
