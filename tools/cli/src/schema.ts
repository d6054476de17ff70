import type { Machine } from '@pagurus/machine';
import {
  type EffectiveSchema,
  effectiveSchema,
  jsonSchema,
  type MachineSchema,
  machineSchema,
  type SchemaSection,
  sectionSchema,
} from '@pagurus/vmstate';
import { asnModule, moduleText } from '@pagurus/vmstate-ber';
import { STREAM_MODULE } from './convert-ber-module.js';
import { EXIT_CODES } from './exit-codes.js';
import type { CommandHost } from './run.js';
import { machineSections, sectionKey, stillMachine } from './schema-machine.js';
import { parseMachineArguments } from './schema-options.js';
import { nearest, UsageError } from './usage-error.js';

export const SCHEMA_USAGE = '-M MACHINE [-device D]... [--format vmstate|effective|json-schema|asn1]';
const FORMATS = ['vmstate', 'effective', 'json-schema', 'asn1'] as const;

/** An effective schema as JSON: everything evaluated for one machine. */
export interface EffectiveDocument {
  readonly machine: string;
  readonly effective: EffectiveSchema;
}

/** `pagurus schema`: what a machine would send. @throws {UsageError} and what a machine that cannot be throws. */
export async function runSchema(args: readonly string[], host: CommandHost): Promise<number> {
  const { values, operands, machine: options } = parseMachineArguments('pagurus schema', args, { flags: [], values: ['format'] });
  if (operands.length > 0) throw new UsageError(`pagurus schema: unexpected '${operands[0]}'; expected ${SCHEMA_USAGE}`);
  const format = values.get('format') ?? 'vmstate';
  const machine = () => stillMachine(options);
  switch (format) {
    case 'vmstate':
      host.out(jsonLine(vmstateSchema(await machine())));
      break;
    case 'effective':
      host.out(jsonLine(effectiveDocument(await machine())));
      break;
    case 'json-schema':
      host.out(jsonLine(machineJsonSchema(await machine())));
      break;
    case 'asn1':
      host.out(machineModules(await machine()));
      break;
    default: {
      const guess = nearest(format, FORMATS);
      throw new UsageError(`--format ${format}: expected ${FORMATS.join(', ')}${guess ? `; did you mean '${guess}'?` : ''}`);
    }
  }
  return EXIT_CODES.OK;
}

/** Sections that QEMU registers outside of device classes: its dumps do not have them. */
const WITHOUT_CLASS: ReadonlySet<string> = new Set([
  'timer',
  'cpu_common',
  'cpu',
  'apic',
  'PCIBUS',
  'i2c_bus',
  'ide',
  'isa-ide',
  'acpi_build',
]);
/** QEMU has classes of their own for what is a part of one device here. */
const CLASS_OF_PART: Readonly<Record<string, string>> = { ps2kbd: 'ps2-kbd', ps2mouse: 'ps2-mouse' };

/** QEMU's device class of a section; undefined for those that its dumps do not have. */
export function classOf(type: string, section: string): string | undefined {
  if (WITHOUT_CLASS.has(section)) return undefined;
  // The section of a virtio device belongs to the device behind the transport.
  return CLASS_OF_PART[section] ?? type.replace(/^(virtio-.*)-pci(-non-transitional|-transitional)?$/, '$1-device');
}

/**
 * The machine's device classes in the shape of `-dump-vmstate`.
 * @param all with the sections that QEMU registers outside of classes, under their own names.
 */
export function vmstateSchema(machine: Machine, all = false): MachineSchema {
  const sections = new Map<string, SchemaSection>();
  for (const { type, description, state } of machineSections(machine)) {
    let name = classOf(type, description.name) ?? (all ? description.name : undefined);
    if (name === undefined) continue;
    const taken = sections.get(name);
    if (taken && taken.Description?.name !== description.name) name = `${type}/${description.name}`;
    if (!sections.has(name)) sections.set(name, sectionSchema(name, description, state));
  }
  return machineSchema(
    machine.machineName,
    [...sections.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1)),
  );
}

/** All sections of the machine with properties and machine version evaluated. */
export function effectiveDocument(machine: Machine): EffectiveDocument {
  const sections = machineSections(machine).map((section) => [
    sectionKey(section),
    effectiveSchema(section.description, section.state),
  ]);
  return { machine: machine.machineName, effective: Object.fromEntries(sections) };
}

/** JSON Schema (2020-12) of an object with the machine's sections in JSON form, by idstr. */
export function machineJsonSchema(machine: Machine): object {
  const properties = machineSections(machine).map((section) => {
    const { $schema: _, ...schema } = jsonSchema(section.description, section.state) as Record<string, unknown>;
    return [sectionKey(section), schema];
  });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: machine.machineName,
    type: 'object',
    properties: Object.fromEntries(properties),
    additionalProperties: false,
  };
}

/**
 * ASN.1 modules as text: of archives of whole streams (`pagurus convert --to ber`), and one for each description of the machine, of sections
 * that are archived by themselves (`toBer`).
 */
export function machineModules(machine: Machine): string {
  const modules = new Map([[STREAM_MODULE.name, moduleText(STREAM_MODULE)]]);
  for (const { description, state } of machineSections(machine)) {
    const module = asnModule(description, state);
    const text = moduleText(module);
    // Sections of one description may differ, e.g. in the length of an array.
    let name = module.name;
    for (let n = 2; (modules.get(name) ?? text) !== text; n++) name = `${module.name}-${n}`;
    modules.set(name, text.replace(module.name, name));
  }
  return [...modules.values()].join('\n');
}

function jsonLine(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
