import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { abbreviate } from '@pagurus/vmstate';
import { ArrayMemory, type ByteSource, parseStream, type RamRecord, type StreamEvent } from '../src/index.js';

/** A file from `fixtures/`. */
export function fixture(name: string): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(new URL(`../fixtures/${name}.gz`, import.meta.url))));
}

export interface DecodedRow {
  section: unknown;
  instance: unknown;
  values: unknown;
  length?: number;
}

/** A stream as the recordings list it. */
export interface Listing {
  readonly rows: unknown[][];
  readonly decoded: DecodedRow[];
  readonly decodedBy: Set<string>;
}

/**
 * Rows like `['FULL', 'timer', 0, 2, 24]`: type, name, instance, version, length. Commands by name only.
 * @param onRecord sees RAM records.
 */
export async function list(source: ByteSource, onRecord: (record: RamRecord) => void = () => {}): Promise<Listing> {
  const rows: unknown[][] = [];
  const decoded: DecodedRow[] = [];
  const decodedBy = new Set<string>();
  let current = rows;
  await parseStream(source, (event: StreamEvent) => {
    switch (event.kind) {
      case 'header':
        break;
      case 'configuration':
        current.push(['CONFIG', configurationRow(event.configuration)]);
        break;
      case 'section': {
        const full = event.type === 'START' || event.type === 'FULL';
        current.push(full ? [event.type, event.idstr, event.instance, event.version] : [event.type, event.idstr]);
        break;
      }
      case 'state': {
        decodedBy.add(event.decodedBy);
        const [, section, instance] = current.at(-1)!;
        decoded.push({ section, instance, values: abbreviate(event.values) });
        break;
      }
      case 'section-end':
        current.at(-1)!.push(event.length);
        if (current.at(-1)![0] === 'FULL') decoded.at(-1)!.length = event.length;
        break;
      case 'command':
        current.push(['COMMAND', event.command.name]);
        break;
      case 'package':
        current = [];
        rows.at(-1)!.push(current);
        break;
      case 'package-end':
        current = rows;
        break;
      case 'eof':
        current.push(['EOF']);
        break;
      case 'vmdesc':
        current.push(['VMDESC', event.text.length]);
        break;
      case 'trailing':
        current.push(['TRAILING', event.bytes.length]);
        break;
      default:
        onRecord(event);
    }
  });
  return { rows, decoded, decodedBy };
}

function configurationRow(configuration: { machine: string; subsections: readonly object[] }): object {
  const row: Record<string, unknown> = { machine: configuration.machine, subs: [] as unknown[] };
  for (const subsection of configuration.subsections as readonly {
    name: string;
    version: number;
    capabilities?: string[];
    uuid?: string;
  }[]) {
    (row.subs as unknown[]).push([subsection.name, subsection.version]);
    if (subsection.capabilities) row.caps = subsection.capabilities;
    if (subsection.uuid) row.uuid = subsection.uuid.replaceAll('-', '');
  }
  return row;
}

/** JSON with integers above 2^53 as bigint. */
export function parseExactly(text: string): unknown {
  const marked = text.replace(/([:[,]\s*)(-?\d{16,})(?=\s*[,\]}])/g, '$1"#$2"');
  return JSON.parse(marked, (_, value: unknown) => {
    if (typeof value !== 'string' || !/^#-?\d+$/.test(value)) return value;
    const number = Number(value.slice(1));
    return Number.isSafeInteger(number) ? number : BigInt(value.slice(1));
  });
}

/** Adds blocks as they are announced, then pages. */
export function memoryOf(apply: (record: RamRecord, memory: ArrayMemory) => void): {
  memory: ArrayMemory;
  onRecord(record: RamRecord): void;
} {
  const memory = new ArrayMemory();
  return {
    memory,
    onRecord(record) {
      if (record.kind === 'ram-block') memory.add(record.block.name, record.block.usedLength);
      else apply(record, memory);
    },
  };
}
