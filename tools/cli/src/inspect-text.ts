import {
  type Command,
  capabilitiesOf,
  filterNotes,
  hex,
  type InspectedEntry,
  type InspectedSection,
  type Inspection,
  type RamBlockSummary,
} from '@pagurus/migration';
import { hexOf, isStruct, type TreeValue } from '@pagurus/vmstate';

export interface TextOptions {
  /** Whole buffers instead of their first bytes. */
  readonly wholeBuffers: boolean;
  /** The table of RAM blocks with counts per kind of page. */
  readonly ram: boolean;
}

const OFFSET_WIDTH = 10;
const BUFFER_PREVIEW = 32;
const ARRAY_PREVIEW = 16;
const LINE_BYTES = 32;

/** The listing: head, RAM blocks, then each section with its fields. */
export function formatInspection(inspection: Inspection, options: TextOptions): string {
  const lines = [...head(inspection), ''];
  if (inspection.ram) lines.push(...(options.ram ? ramTable(inspection) : ramLines(inspection)), '');
  lines.push(
    `${'offset'.padStart(OFFSET_WIDTH)}  type   section                          instance  version    length  fields from`,
  );
  let indent = '';
  for (const entry of inspection.entries) {
    if (entry.kind === 'package-end') indent = '';
    else lines.push(...entryLines(entry, options).map((line) => indent + line));
    if (entry.kind === 'package') indent = '    ';
  }
  return lines.join('\n');
}

/** Only these sections, with all of every buffer. */
export function formatSections(sections: readonly InspectedSection[], options: TextOptions): string {
  return sections.flatMap((section) => entryLines(section, options)).join('\n');
}

function head(inspection: Inspection): string[] {
  const { configuration, sectionFooters } = inspection;
  const lines = [`QEMU migration stream, version ${inspection.version}`];
  if (configuration) lines.push(`machine         ${configuration.machine}`);
  else if (inspection.entries.length > 0) lines.push('machine         not in the stream (machine 2.3 or older)');
  if (configuration && capabilitiesOf(configuration).length > 0)
    lines.push(`capabilities    ${capabilitiesOf(configuration).join(', ')}`);
  for (const subsection of configuration?.subsections ?? []) {
    if (subsection.name === 'configuration/uuid') lines.push(`uuid            ${subsection.uuid}`);
    if (subsection.name === 'configuration/target-page-bits') lines.push(`page bits       ${subsection.pageBits}`);
  }
  if (sectionFooters !== undefined) lines.push(`section footers ${sectionFooters ? 'yes' : 'no'}`);
  for (const { filter, section, text } of filterNotes(inspection.vmdesc))
    lines.push(printable(`rewritten       ${filter}: ${section}: ${text}`));
  return lines;
}

function ramLines(inspection: Inspection): string[] {
  const ram = inspection.ram!;
  return [
    `RAM             ${bytes(ram.total)} in ${ram.blocks.length} blocks`,
    ...ram.blocks.map((block) => `  ${block.name.padEnd(32)} ${hex(block.usedLength).padStart(12)}  ${pageCounts(block)}`),
  ];
}

function pageCounts(block: RamBlockSummary): string {
  const counts = Object.entries(block.pages).filter(([, count]) => count > 0);
  return counts.length > 0 ? counts.map(([kind, count]) => `${count} ${kind}`).join(', ') : 'no pages in this stream';
}

function ramTable(inspection: Inspection): string[] {
  const ram = inspection.ram!;
  const row = (name: string, cells: readonly (string | number)[]) =>
    `  ${name.padEnd(32)}${cells.map((cell) => String(cell).padStart(13)).join('')}`;
  const lines = [
    `RAM             ${bytes(ram.total)} in ${ram.blocks.length} blocks; ${ram.parts} sections with pages, ${ram.multifdFlushes} multifd flushes`,
    row('block', ['used length', 'zero', 'normal', 'xbzrle', 'compressed', 'mapped', 'bytes sent']),
  ];
  for (const { name, usedLength, pages, bytes: sent, address, pageSize, mapped } of ram.blocks) {
    lines.push(row(name, [hex(usedLength), pages.zero, pages.normal, pages.xbzrle, pages.compressed, pages.mapped, sent]));
    if (address !== undefined) lines.push(`    mapped in the guest at ${hex(address)}`);
    if (pageSize !== undefined) lines.push(`    page size ${hex(pageSize)}`);
    if (mapped) lines.push(`    in the file: bitmap at ${hex(mapped.bitmapOffset)}, pages at ${hex(mapped.pagesOffset)}`);
  }
  return lines;
}

function entryLines(entry: InspectedEntry, options: TextOptions): string[] {
  if (entry.kind === 'package-end') return [];
  const at = hex(entry.offset).padStart(OFFSET_WIDTH);
  const row = (type: string, text: string, length?: number) => [
    `${at}  ${type.padEnd(7)}${text}${length === undefined ? '' : String(length).padStart(Math.max(1, 62 - text.length))}`.trimEnd(),
  ];
  switch (entry.kind) {
    case 'section':
      return [sectionLine(at, entry), ...fieldLines(entry, options)];
    case 'configuration':
      return row('CONFIG', 'configuration', entry.length);
    case 'command':
      return row('COMMAND', ` ${commandText(entry.command)}`);
    case 'package':
      return row('PACKAGE', ' sections of the postcopy package', entry.length);
    case 'eof':
      return row('EOF', 'end of the state');
    case 'vmdesc':
      return row(
        'VMDESC',
        `description JSON${entry.length < entry.declaredLength ? ` (cut, ${entry.declaredLength} announced)` : ''}`,
        entry.length,
      );
    case 'trailing':
      return row('', 'bytes behind the end', entry.length);
  }
}

function sectionLine(at: string, section: InspectedSection): string {
  const name = section.name.padEnd(32);
  const numbers = `${String(section.instance).padStart(9)}${String(section.version).padStart(9)}${String(section.length).padStart(10)}`;
  return `${at}  ${section.type.padEnd(7)}${name}${numbers}  ${section.decodedBy ?? ''}`.trimEnd();
}

function fieldLines(section: InspectedSection, options: TextOptions): string[] {
  const fields = section.fields ?? [];
  const names = fields.map((field) => withoutPrefix(field.path, section.name));
  const width = Math.min(48, Math.max(0, ...names.map((name) => name.length)));
  const types = Math.max(0, ...fields.map((field) => field.type.length));
  const indent = ' '.repeat(OFFSET_WIDTH + 4);
  return fields.flatMap((field, i) => {
    const label = `${indent}${names[i]!.padEnd(width)}  ${field.type.padEnd(types)}  `;
    const [first = '', ...rest] = valueLines(field.value, options);
    return [label + first, ...rest.map((line) => ' '.repeat(label.length) + line)].map((line) => line.trimEnd());
  });
}

function withoutPrefix(path: string, section: string): string {
  if (!path.startsWith(section)) return path;
  const rest = path.slice(section.length);
  return rest.startsWith('.') ? rest.slice(1) : rest;
}

function valueLines(value: TreeValue, options: TextOptions): string[] {
  if (value instanceof Uint8Array) return bufferLines(value, options);
  if (!Array.isArray(value)) return [scalar(value)];
  const items = value as readonly TreeValue[];
  const shown = options.wholeBuffers ? items : items.slice(0, ARRAY_PREVIEW);
  const texts = shown.map((item) => (item instanceof Uint8Array ? hexOf(item) : element(item)));
  const lines: string[] = [];
  for (let i = 0; i < texts.length; i += 8) lines.push(texts.slice(i, i + 8).join(' '));
  if (shown.length < items.length) lines.push(`… ${items.length} in all`);
  return lines;
}

function bufferLines(value: Uint8Array, options: TextOptions): string[] {
  if (!options.wholeBuffers) {
    const rest = value.length > BUFFER_PREVIEW ? ` … (${value.length} bytes)` : '';
    return [hexOf(value.subarray(0, BUFFER_PREVIEW)) + rest];
  }
  const lines: string[] = [];
  for (let i = 0; i < value.length; i += LINE_BYTES) lines.push(hexOf(value.subarray(i, i + LINE_BYTES)));
  return lines;
}

function element(value: TreeValue): string {
  const large = (typeof value === 'number' || typeof value === 'bigint') && value > 9;
  return large ? hex(value) : scalar(value);
}

/** Small numbers in decimal, others in both. */
function scalar(value: TreeValue): string {
  if (value === null) return 'NULL';
  if (typeof value === 'number' || typeof value === 'bigint')
    return value >= -9 && value <= 9 ? `${value}` : `${value} (${hex(value)})`;
  return typeof value === 'object' && isStruct(value) ? value.name : String(value);
}

function commandText(command: Command): string {
  switch (command.name) {
    case 'PING':
      return `PING ${hex(command.value)}`;
    case 'PACKAGED':
      return `PACKAGED ${command.size} bytes`;
    case 'RECV_BITMAP':
      return `RECV_BITMAP ${command.block}`;
    case 'POSTCOPY_RAM_DISCARD':
      return `POSTCOPY_RAM_DISCARD ${command.block} ${command.ranges.map(({ start, length }) => `${hex(start)}+${hex(length)}`).join(' ')}`;
    case 'POSTCOPY_ADVISE':
      return command.pageSizes
        ? `POSTCOPY_ADVISE page sizes ${hex(command.pageSizes.ofBlocks)}, target ${hex(command.pageSizes.ofTarget)}`
        : command.name;
    default:
      return command.name;
  }
}

function bytes(count: number): string {
  return `${hex(count)} bytes (${(count / 2 ** 20).toFixed(1)} MiB)`;
}

/** Names come from the stream; nothing of them may move a terminal's cursor. */
function printable(text: string): string {
  return text.replace(/[^ -~]/g, '?');
}
