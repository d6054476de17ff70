/** Schemas of descriptions in the shape of QEMU's `-dump-vmstate`. */
import type { Description, Field } from './description.js';
import type { Vmdesc, VmdescField, VmdescMembers } from './vmdesc.js';
import { fixedLength, type Items, type Keyed, SCALAR_SIZE, structTarget } from './walk.js';

/** A field as the dump shows it. */
export interface SchemaField {
  readonly field: string;
  readonly version_id: number;
  /** Present only if a test says so. */
  readonly field_exists: boolean;
  /** Bytes of one element; 0 where it varies. Of nested structs QEMU shows the size in memory, which nobody can compare. */
  readonly size: number;
  readonly Description?: SchemaDescription;
}

/** A description as the dump shows it. Key order is QEMU's. */
export interface SchemaDescription {
  readonly name: string;
  readonly version_id: number;
  readonly minimum_version_id: number;
  readonly Fields?: readonly SchemaField[];
  readonly Subsections?: readonly SchemaDescription[];
}

/** A section's entry, under the name of its device class. */
export interface SchemaSection {
  readonly Name: string;
  readonly version_id: number;
  readonly minimum_version_id: number;
  readonly Description?: SchemaDescription;
}

/** A whole dump: `vmschkmachine` and one entry for each device class with a description. */
export type MachineSchema = { readonly vmschkmachine?: { readonly Name: string } } & {
  readonly [type: string]: SchemaSection | { readonly Name: string } | undefined;
};

/** The entry of one device class. `sample` gives the lengths of fixed buffers; a fresh state will do. */
export function sectionSchema<S extends object>(type: string, description: Description<S>, sample: S): SchemaSection {
  const { version, minVersion } = description;
  return {
    Name: type,
    version_id: version,
    minimum_version_id: minVersion,
    Description: descriptionSchema(description, sample as Keyed),
  };
}

/** A dump of a machine: its name and the sections of its device classes. */
export function machineSchema(machine: string, sections: readonly SchemaSection[]): MachineSchema {
  return { vmschkmachine: { Name: machine }, ...Object.fromEntries(sections.map((section) => [section.Name, section])) };
}

function descriptionSchema(description: Description<never>, sample: Keyed): SchemaDescription {
  const { name, version, minVersion, fields, subsections } = description;
  const shown = fields.filter(({ kind }) => kind !== 'validate').map((field) => fieldSchema(field, sample));
  return {
    name,
    version_id: version,
    minimum_version_id: minVersion,
    Fields: shown,
    ...(subsections.length > 0 ? { Subsections: subsections.map((one) => descriptionSchema(one, sample)) } : {}),
  };
}

function fieldSchema(field: Field, sample: Keyed): SchemaField {
  const nested = nestedSample(field, sample);
  return {
    field: field.wire,
    version_id: field.since,
    field_exists: field.when !== undefined,
    size: elementSize(field, sample),
    ...(nested ? { Description: descriptionSchema(nested.description, nested.sample as Keyed) } : {}),
  };
}

function nestedSample(field: Field, sample: Keyed): { description: Description<object>; sample: object } | undefined {
  switch (field.kind) {
    case 'struct': {
      const { description } = field;
      return { description, sample: structTarget(field, sample) ?? {} };
    }
    case 'structArray': {
      const [first = {}] = sample[field.key] as object[];
      return { description: field.description, sample: first };
    }
    case 'varStructArray':
    case 'list':
    case 'tree':
      return { description: field.description, sample: field.create() };
    case 'pointerArray':
      return field.item.kind === 'struct' ? { description: field.item.description, sample: field.item.create() } : undefined;
    case 'tmp':
      return { description: field.description, sample: field.create(sample) };
    default:
      return undefined;
  }
}

function elementSize(field: Field, sample: Keyed): number {
  switch (field.kind) {
    case 'scalar':
    case 'equal':
    case 'varArray':
      return SCALAR_SIZE[field.type];
    case 'array':
      return field.type === 'bool' ? 1 : SCALAR_SIZE[field.type];
    case 'bool':
      return 1;
    case 'lessOrEqual':
      return 4;
    case 'timer':
      return 8;
    case 'bytes':
      return fixedLength(field, sample[field.key] as Items);
    case 'unused':
      return field.length;
    case 'pointerArray':
      return field.item.kind === 'scalar' ? SCALAR_SIZE[field.item.type] : 0;
    case 'custom':
      return field.codec.hostSize ?? (field.codec.minSize === field.codec.maxSize ? field.codec.maxSize : 0);
    default:
      return 0;
  }
}

/**
 * What a stream's description JSON says about its sections, as a schema: only what was sent is in it. Entries are named by section, with
 * `#instance` from the second on.
 */
export function schemaFromVmdesc(vmdesc: Vmdesc, machine = 'stream'): MachineSchema {
  const sections = vmdesc.devices.flatMap((device): SchemaSection[] => {
    if (device.vmsd_name === undefined) return [];
    const members = device as VmdescMembers;
    const name = device.instance_id === 0 ? device.name : `${device.name}#${device.instance_id}`;
    return [
      { Name: name, version_id: members.version, minimum_version_id: members.version, Description: membersSchema(members) },
    ];
  });
  return machineSchema(machine, sections);
}

function membersSchema({ vmsd_name, version, fields, subsections = [] }: VmdescMembers): SchemaDescription {
  const shown: SchemaField[] = [];
  for (const field of fields) {
    const last = shown.at(-1);
    const now = membersField(field);
    // The elements of an array that was not compressed are one field of the description.
    if (last?.field === field.name) shown[shown.length - 1] = { ...last, ...mergedDescription(last, now) };
    else shown.push(now);
  }
  return {
    name: vmsd_name,
    version_id: version,
    minimum_version_id: version,
    Fields: shown,
    ...(subsections.length > 0 ? { Subsections: subsections.map(membersSchema) } : {}),
  };
}

function membersField(field: VmdescField): SchemaField {
  const nested = field.struct ?? (field.vmsd_name === undefined ? undefined : (field as VmdescMembers));
  return {
    field: field.name,
    version_id: 0,
    field_exists: false,
    size: field.size,
    ...(nested ? { Description: membersSchema(nested) } : {}),
  };
}

/** Elements may have sent different subsections. */
function mergedDescription(a: SchemaField, b: SchemaField): { Description?: SchemaDescription } {
  if (!a.Description || !b.Description) return {};
  const known = a.Description.Subsections ?? [];
  const more = (b.Description.Subsections ?? []).filter((one) => !known.some(({ name }) => name === one.name));
  if (more.length === 0) return {};
  return { Description: { ...a.Description, Subsections: [...known, ...more] } };
}
