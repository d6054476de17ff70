import { bytesFromText, MAX_NAME, SECTION, textFromBytes } from './format.js';
import type { StreamReader } from './reader.js';
import type { StreamWriter } from './writer.js';

/** Section 0x07: what the source is. Its subsections are kept in the order in which they came. */
export interface Configuration {
  /** Machine type without `-machine`. */
  readonly machine: string;
  readonly subsections: readonly ConfigurationSubsection[];
}

export type ConfigurationSubsection =
  | { readonly name: 'configuration/target-page-bits'; readonly version: number; readonly pageBits: number }
  | { readonly name: 'configuration/capabilities'; readonly version: number; readonly capabilities: readonly string[] }
  | { readonly name: 'configuration/uuid'; readonly version: number; readonly uuid: string };

/** Longest machine name that is read; QEMU's longest has 20 characters. */
const MAX_MACHINE_NAME = 4096;
const MAX_CAPABILITIES = 256;
const PREFIX = 'configuration/';

/** Capabilities that the stream announces, and that both ends must therefore agree on. */
export function capabilitiesOf(configuration: Configuration | undefined): readonly string[] {
  for (const subsection of configuration?.subsections ?? []) {
    if (subsection.name === 'configuration/capabilities') return subsection.capabilities;
  }
  return [];
}

/** Reads the section behind its type byte. */
export async function readConfiguration(reader: StreamReader): Promise<Configuration> {
  const place = reader.place;
  place.section = 'configuration';
  place.path = 'len';
  await reader.need(4, 'the length of the machine name');
  const length = reader.u32();
  if (length > MAX_MACHINE_NAME) {
    reader.fail('limit', 'the machine name is too long', { expected: `at most ${MAX_MACHINE_NAME} bytes`, got: `${length}` });
  }
  place.path = 'name';
  await reader.need(length, 'the machine name');
  const machine = textFromBytes(reader.take(length));
  const subsections: ConfigurationSubsection[] = [];
  for (;;) {
    const subsection = await readSubsection(reader);
    if (!subsection) break;
    subsections.push(subsection);
  }
  place.section = '';
  place.path = '';
  return { machine, subsections };
}

/** A subsection, or undefined (with nothing consumed) if something else follows. */
async function readSubsection(reader: StreamReader): Promise<ConfigurationSubsection | undefined> {
  if ((await reader.fill(1)) < 1 || reader.peek() !== SECTION.SUBSECTION) return undefined;
  // No section has this type: what is cut here is a subsection.
  await reader.need(2, 'the name of a configuration subsection');
  const length = reader.peek(1)!;
  if (length < PREFIX.length) return undefined;
  await reader.need(2 + length, 'the name of a configuration subsection');
  const name = textFromBytes(reader.window().subarray(2, 2 + length));
  if (!name.startsWith(PREFIX)) return undefined;
  reader.place.path = name;
  const offset = reader.offset;
  reader.skip(2 + length);
  await reader.need(4, 'the version of the subsection');
  const version = reader.u32();
  switch (name) {
    case 'configuration/target-page-bits':
      await reader.need(4, 'page_bits');
      return { name, version, pageBits: reader.u32() };
    case 'configuration/capabilities':
      return { name, version, capabilities: await readCapabilities(reader) };
    case 'configuration/uuid':
      await reader.need(16, 'uuid');
      return { name, version, uuid: uuidFromBytes(reader.take(16)) };
    default:
      return reader.fail('unknown-configuration-subsection', `there is no configuration subsection '${name}'`, {
        offset,
        got: name,
      });
  }
}

async function readCapabilities(reader: StreamReader): Promise<string[]> {
  await reader.need(4, 'caps_count');
  const count = reader.u32();
  if (count > MAX_CAPABILITIES) {
    reader.fail('limit', 'too many capabilities', { expected: `at most ${MAX_CAPABILITIES}`, got: `${count}` });
  }
  const names: string[] = [];
  for (let i = 0; i < count; i++) names.push(await reader.string8(`capability ${i}`));
  return names;
}

/** Writes the section with its type byte. */
export function writeConfiguration(writer: StreamWriter, configuration: Configuration): void {
  const machine = bytesFromText(configuration.machine);
  writer.u8(SECTION.CONFIGURATION);
  writer.u32(machine.length);
  writer.bytes(machine);
  for (const subsection of configuration.subsections) {
    writer.u8(SECTION.SUBSECTION);
    writer.string8(subsection.name);
    writer.u32(subsection.version);
    if (subsection.name === 'configuration/target-page-bits') writer.u32(subsection.pageBits);
    else if (subsection.name === 'configuration/uuid') writer.bytes(bytesFromUuid(subsection.uuid));
    else {
      writer.u32(subsection.capabilities.length);
      for (const name of subsection.capabilities) writer.string8(name.slice(0, MAX_NAME));
    }
  }
}

/** 16 bytes to `12345678-9abc-…`. */
export function uuidFromBytes(bytes: Uint8Array): string {
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [8, 12, 16, 20, 32].map((end, i, ends) => digits.slice(i === 0 ? 0 : ends[i - 1], end)).join('-');
}

export function bytesFromUuid(uuid: string): Uint8Array {
  const digits = uuid.replaceAll('-', '');
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}
