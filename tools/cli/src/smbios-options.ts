import { NamedOptions, splitCommas } from '@pagurus/host-node';
import type { SmbiosOptions } from '@pagurus/machine';
import { readOptionFile } from './run-files.js';
import { UsageError } from './usage-error.js';

type Draft = { -readonly [K in keyof SmbiosOptions]: SmbiosOptions[K] };

const HEADER_LENGTH = 4;

/** Text fields of each type, by QEMU's names. */
const TEXTS = {
  bios: ['vendor', 'version', 'date'],
  system: ['manufacturer', 'product', 'version', 'serial', 'sku', 'family'],
  baseboard: ['manufacturer', 'product', 'version', 'serial', 'asset', 'location'],
  chassis: ['manufacturer', 'version', 'serial', 'asset', 'sku'],
  processor: ['sock_pfx', 'manufacturer', 'version', 'serial', 'asset', 'part'],
  memory: ['loc_pfx', 'bank', 'manufacturer', 'serial', 'asset', 'part'],
} as const;

const SECTION: Readonly<Record<string, keyof typeof TEXTS>> = {
  0: 'bios',
  1: 'system',
  2: 'baseboard',
  3: 'chassis',
  4: 'processor',
  17: 'memory',
};
const KNOWN = '0, 1, 2, 3, 4, 11 or 17';

/**
 * `-smbios type=N,field=value...` or `-smbios file=FILE`; several add up.
 * @throws {UsageError} {@link HostError}
 */
export function addSmbios(options: Draft, value: string): void {
  const parts = splitCommas(value);
  const named = new NamedOptions(`-smbios ${value}`, parts);
  const file = named.text('file');
  if (file !== undefined) {
    named.done('file');
    addFile(options, file);
    return;
  }
  const type = named.text('type');
  if (type === '11') {
    addStrings(options, value, parts);
    return;
  }
  const section = SECTION[type ?? ''];
  if (!section) throw new UsageError(`-smbios ${value}: expected type=${KNOWN}, or file=FILE`);
  const fields: Record<string, unknown> = { ...options[section] };
  for (const name of TEXTS[section]) {
    const text = named.text(name);
    if (text !== undefined) fields[name] = ascii(value, name, text);
  }
  const speed = (name: string, key: string): void => {
    const number = named.integer(name, -1);
    if (number < 0) return;
    if (number > 0xffff) throw new UsageError(`-smbios ${value}: ${name}=${number}: expected at most 65535`);
    fields[key] = number;
  };
  if (section === 'bios') {
    const release = named.text('release');
    if (release !== undefined) fields.release = releaseOf(value, release);
    fields.uefi = named.flag('uefi', fields.uefi === true);
  } else if (section === 'system') {
    const uuid = named.text('uuid');
    if (uuid !== undefined) fields.uuid = uuidOf(value, uuid);
  } else if (section === 'processor') {
    speed('max-speed', 'maxSpeed');
    speed('current-speed', 'currentSpeed');
  } else if (section === 'memory') speed('speed', 'speed');
  named.done(`${TEXTS[section].join(', ')} and what the type has besides`);
  (options as Record<string, unknown>)[section] = fields;
}

function addStrings(options: Draft, value: string, parts: readonly string[]): void {
  const strings = [...(options.strings ?? [])];
  for (const part of parts) {
    if (part === 'type=11') continue;
    const [name = '', ...rest] = part.split('=');
    const text = rest.join('=');
    if (name === 'value') strings.push(ascii(value, name, text));
    else if (name === 'path') strings.push(ascii(value, name, new TextDecoder('latin1').decode(readOptionFile('smbios', text))));
    else throw new UsageError(`-smbios ${value}: unknown option '${name}'; expected value, path`);
  }
  if (strings.length > 255) throw new UsageError(`-smbios ${value}: more than 255 strings`);
  options.strings = strings;
}

function addFile(options: Draft, file: string): void {
  const bytes = readOptionFile('smbios', file);
  const formatted = bytes[1] ?? 0;
  if (bytes.length > 0xffff) throw new UsageError(`-smbios file=${file}: ${bytes.length} bytes are too many`);
  if (bytes.length < HEADER_LENGTH || formatted < HEADER_LENGTH || formatted > bytes.length)
    throw new UsageError(`-smbios file=${file}: not a structure: its length byte says ${formatted} of ${bytes.length} bytes`);
  options.structures = [...(options.structures ?? []), bytes];
}

function ascii(value: string, name: string, text: string): string {
  if (!/^[ -~]*$/.test(text)) throw new UsageError(`-smbios ${value}: ${name}: expected printable ASCII`);
  return text;
}

function releaseOf(value: string, text: string): readonly [number, number] {
  const match = /^(\d{1,3})\.(\d{1,3})$/.exec(text);
  const [major, minor] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || major > 255 || minor > 255)
    throw new UsageError(`-smbios ${value}: release=${text}: expected MAJOR.MINOR, up to 255`);
  return [major, minor];
}

function uuidOf(value: string, text: string): Uint8Array {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text))
    throw new UsageError(`-smbios ${value}: uuid=${text}: expected xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`);
  return Buffer.from(text.replaceAll('-', ''), 'hex');
}
