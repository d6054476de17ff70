import {
  capabilitiesOf,
  filterNotes,
  type InspectedEntry,
  type InspectedSection,
  type Inspection,
  type StreamError,
} from '@pagurus/migration';

/**
 * The inspection as JSON text. Integers are written in full, also above 2^53, as QEMU's own tools do: read them with a parser that
 * keeps them. Buffers are hexadecimal.
 */
export function inspectionJson(inspection: Inspection, sections?: readonly InspectedSection[]): string {
  const { configuration, ram } = inspection;
  const notes = filterNotes(inspection.vmdesc);
  const uuid = configuration?.subsections.find((subsection) => subsection.name === 'configuration/uuid');
  return exactJson({
    version: inspection.version,
    configuration: configuration && {
      machine: configuration.machine,
      capabilities: capabilitiesOf(configuration),
      ...(uuid ? { uuid: uuid.uuid } : {}),
    },
    section_footers: inspection.sectionFooters,
    ram: ram && {
      total: ram.total,
      parts: ram.parts,
      multifd_flushes: ram.multifdFlushes,
      blocks: ram.blocks.map(({ name, usedLength, address, pageSize, mapped, pages, bytes }) => ({
        name,
        used_length: usedLength,
        address,
        page_size: pageSize,
        mapped: mapped && { version: mapped.version, bitmap_offset: mapped.bitmapOffset, pages_offset: mapped.pagesOffset },
        pages,
        bytes,
      })),
    },
    sections: (sections ?? inspection.entries).map(entryJson),
    filters: notes.length > 0 ? notes : undefined,
    warnings: inspection.warnings,
    problems: inspection.problems.length > 0 ? inspection.problems.map(errorJson) : undefined,
    error: inspection.error && errorJson(inspection.error),
  });
}

/** A stream error's members. */
export function errorJson(error: StreamError): object {
  const { code, message, section, instance, path, offset, expected, got } = error;
  return { code, message, section, instance, path, offset, expected, got };
}

function entryJson(entry: InspectedEntry): object {
  switch (entry.kind) {
    case 'section': {
      const { type, name, instance, version, sectionId, offset, length, decodedBy, values } = entry;
      return { type, name, instance, version, section_id: sectionId, offset, length, decoded_by: decodedBy, values };
    }
    case 'command':
      return { type: 'COMMAND', offset: entry.offset, command: entry.command };
    case 'package':
    case 'package-end':
    case 'configuration':
    case 'eof':
    case 'vmdesc':
    case 'trailing': {
      const { kind, ...members } = entry;
      return { type: kind.toUpperCase(), ...members };
    }
  }
}

/** JSON.stringify that knows bigint; members that are undefined are left out. */
function exactJson(value: unknown, indent = ''): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== 'object' || item === null))
      return `[${value.map((item) => exactJson(item)).join(', ')}]`;
    return `[\n${value.map((item) => inner + exactJson(item, inner)).join(',\n')}\n${indent}]`;
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  if (members.length === 0) return '{}';
  return `{\n${members.map(([key, member]) => `${inner}${JSON.stringify(key)}: ${exactJson(member, inner)}`).join(',\n')}\n${indent}}`;
}
