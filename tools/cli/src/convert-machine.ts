/** What has to change in a stream for another version of its machine: our machines' compat tables, evaluated, say it. */
import type { Machine } from '@pagurus/machine';
import { type Configuration, hex, type Inspection, type RewriteOptions } from '@pagurus/migration';
import {
  capture,
  type EffectiveDescription,
  type EffectiveField,
  effectiveSchema,
  type FieldNode,
  type FieldPath,
  type FilterStep,
  isCustom,
  isStruct,
  type StructNode,
  type TreeValue,
} from '@pagurus/vmstate';
import { examinedMachine, guessMachine } from './doctor-machine.js';
import { type MachineSection, machineSections } from './schema-machine.js';
import { parseMachineArguments } from './schema-options.js';
import { UsageError } from './usage-error.js';

/** A section of the stream, decoded. */
export interface StreamSection {
  readonly idstr: string;
  readonly instance: number;
  readonly node: StructNode;
}

export interface MachineRewrite {
  readonly options: RewriteOptions;
  /** What no stream carries and the guest may notice, and what was left as it is. */
  readonly notes: readonly string[];
}

export interface MachineRewriteInput {
  readonly inspection: Inspection;
  readonly sections: readonly StreamSection[];
  /** Machine type of the stream, where it does not say. */
  readonly from?: string | undefined;
  readonly to: string;
}

/** The state has something that the other machine version cannot hold. */
export class MachineRewriteError extends Error {
  override readonly name = 'MachineRewriteError';
  constructor(
    from: string,
    to: string,
    /** All of it. */
    readonly objections: readonly string[],
  ) {
    super(
      `${from} cannot be rewritten for ${to}; what may be lost can be dropped with --filter:\n${objections
        .map((one) => `  ${one}`)
        .join('\n')}`,
    );
  }
}

/**
 * Compares the machine that a stream comes from with another version of it, both with the devices that the stream shows.
 * @throws {MachineRewriteError} with everything that cannot be rewritten; {UsageError} for an unknown machine.
 */
export async function machineRewrite({ inspection, sections, from, to }: MachineRewriteInput): Promise<MachineRewrite> {
  const source = from ?? inspection.configuration?.machine;
  if (source === undefined)
    throw new UsageError(
      '--machine: the stream does not say which machine it comes from (before 2.4 none does); expected --from',
    );
  const comparison = new Comparison(await machineOf(source, inspection), await machineOf(to, inspection));
  comparison.ram(inspection);
  for (const section of sections) comparison.section(section);
  const { objections, steps, notes } = comparison;
  const { settings, machineName } = comparison.to;
  if (objections.length > 0) throw new MachineRewriteError(comparison.from.machineName, machineName, objections);
  comparison.firmware(inspection);
  comparison.properties();
  return {
    notes,
    options: {
      filters: [{ name: `${comparison.from.machineName} to ${machineName}`, steps }],
      configuration: (old): Configuration | undefined =>
        settings.sendConfiguration ? { subsections: [], ...old, machine: machineName } : undefined,
      footers: settings.sendSectionFooter,
      description: !settings.suppressVmdesc,
      dropBlocks: comparison.dropBlocks,
    },
  };
}

/** A machine of this type with the devices that a stream shows. @throws {UsageError} */
export async function machineOf(name: string, inspection: Inspection): Promise<Machine> {
  const { options } = guessMachine(parseMachineArguments('pagurus convert', ['-M', name], { flags: [], values: [] }), inspection);
  return examinedMachine(options, inspection);
}

/** Sent by the migration itself, whatever the machine. */
const GLOBAL_STATE = 'globalstate';
/** RAM blocks that hold files and option ROMs for firmware. */
const FIRMWARE_FILES = '/rom@';
/** Says whether such files have been read since power-on; older machine types have none to read. */
const OF_THE_FIRMWARE = ['acpi_build'];

class Comparison {
  readonly steps: FilterStep[] = [];
  readonly notes: string[] = [];
  readonly objections: string[] = [];
  readonly dropBlocks: string[] = [];
  private readonly own: readonly MachineSection[];
  private readonly others: readonly MachineSection[];

  constructor(
    readonly from: Machine,
    readonly to: Machine,
  ) {
    this.own = machineSections(from);
    this.others = machineSections(to);
  }

  ram({ ram }: Inspection): void {
    for (const { name, usedLength } of ram?.blocks ?? []) {
      const other = this.to.ramBlocks.find((block) => block.name === name);
      if (!other && name.startsWith(FIRMWARE_FILES)) {
        // Read by firmware at power-on, from a device; the destination has its own.
        this.dropBlocks.push(name);
        this.notes.push(`RAM block '${name}' is left out: ${this.to.machineName} has no such block for its firmware`);
      } else if (!other) this.objections.push(`RAM block '${name}': ${this.to.machineName} has none of this name`);
      else if (other.usedLength !== usedLength && (other.maxLength <= other.usedLength || usedLength > other.maxLength))
        this.objections.push(
          `RAM block '${name}': ${hex(usedLength)} bytes, ${this.to.machineName} has ${hex(other.usedLength)}`,
        );
    }
  }

  section({ idstr, instance, node }: StreamSection): void {
    if (idstr === GLOBAL_STATE) {
      this.globalState(node);
      return;
    }
    const own = find(this.own, idstr, instance);
    const other = find(this.others, idstr, instance);
    const name = instance === 0 ? idstr : `${idstr} ${instance}`;
    if (!own) {
      this.notes.push(`section '${name}': nothing is known of this device here, it stays as it is`);
      return;
    }
    if (!other && OF_THE_FIRMWARE.includes(idstr)) {
      this.steps.push({ do: 'dropSection', section: idstr });
      return;
    }
    if (!other) {
      this.objections.push(`section '${name}': ${this.to.machineName} has none of this name`);
      return;
    }
    // Steps find sections by name alone.
    const same = this.own.filter((one) => one.idstr === idstr).length;
    const count = this.steps.length;
    this.struct(
      name,
      idstr,
      [],
      node,
      effectiveSchema(own.description, own.state),
      effectiveSchema(other.description, other.state),
      capture(own.description, own.state),
      capture(other.description, other.state),
    );
    if (same > 1 && this.steps.length > count)
      this.objections.push(`section '${name}': there are several of this name, and they differ between the machine versions`);
  }

  /** Fields and subsections of one structure; `reset` and `otherReset` are what the machines have after power-on. */
  private struct(
    name: string,
    section: string,
    path: FieldPath,
    node: StructNode,
    own: EffectiveDescription,
    other: EffectiveDescription,
    reset: StructNode | undefined,
    otherReset: StructNode | undefined,
  ): void {
    const place = (field: string): string => `${name}.${[...path, field].join('.')}`.replaceAll('./', '/');
    for (const field of node.fields) {
      const mine = other.Fields.find((one) => one.field === field.name);
      const before = own.Fields.find((one) => one.field === field.name);
      if (mine?.present === 'no' && before?.present !== 'no') {
        const initial = reset?.fields.find((one) => one.name === field.name)?.value;
        if (this.kept(place(field.name), field.value, initial))
          this.steps.push({ do: 'drop', section, path: [...path, field.name] });
      } else if (mine?.equals !== undefined && before?.equals !== undefined && mine.equals !== before.equals)
        this.objections.push(`${place(field.name)}: is ${before.equals}, must be ${mine.equals} on ${this.to.machineName}`);
      else this.nested(name, section, path, field, before, mine, reset, otherReset);
    }
    this.added(section, path, node, own, other, otherReset);
    this.addedSubsections(section, path, node, own, other, otherReset);
    for (const subsection of node.subsections) {
      const at = [...path, `/${subsection.name}`];
      const mine = other.Subsections.find((one) => one.name === subsection.name);
      const before = own.Subsections.find((one) => one.name === subsection.name);
      const initial = reset?.subsections.find((one) => one.name === subsection.name);
      if (!mine || !before) this.objections.push(`${place(`/${subsection.name}`)}: the subsection is not known`);
      else if (mine.present === 'no' && before.present !== 'no') {
        if (this.kept(place(`/${subsection.name}`), subsection, initial))
          this.steps.push({ do: 'dropSubsection', section, path: at });
      } else {
        const otherInitial = otherReset?.subsections.find((one) => one.name === subsection.name);
        this.struct(name, section, at, subsection, before, mine, initial, otherInitial);
      }
    }
  }

  private nested(
    name: string,
    section: string,
    path: FieldPath,
    field: FieldNode,
    own: EffectiveField | undefined,
    other: EffectiveField | undefined,
    reset: StructNode | undefined,
    otherReset: StructNode | undefined,
  ): void {
    if (!own?.Description || !other?.Description) return;
    const at = [...path, field.name];
    const structIn = (node: StructNode | undefined, index?: number): StructNode | undefined => {
      const value = node?.fields.find((one) => one.name === field.name)?.value;
      const item = index === undefined ? value : (value as readonly TreeValue[] | undefined)?.[index];
      return item !== undefined && item !== null && typeof item === 'object' && isStruct(item as TreeValue)
        ? (item as StructNode)
        : undefined;
    };
    const each = (value: TreeValue, where: FieldPath, index?: number): void => {
      if (typeof value !== 'object' || value === null || !isStruct(value)) return;
      const { Description: before } = own;
      this.struct(name, section, where, value, before!, other.Description!, structIn(reset, index), structIn(otherReset, index));
    };
    if (Array.isArray(field.value))
      (field.value as readonly TreeValue[]).forEach((item, index) => {
        each(item, [...at, index], index);
      });
    else each(field.value, at);
  }

  /** Fields that only the other version has get the value that they have there after power-on. */
  private added(
    section: string,
    path: FieldPath,
    node: StructNode,
    own: EffectiveDescription,
    other: EffectiveDescription,
    otherReset: StructNode | undefined,
  ): void {
    other.Fields.forEach((field, index) => {
      if (field.present !== 'yes' || node.fields.some(({ name }) => name === field.field)) return;
      if (own.Fields.find((one) => one.field === field.field)?.present !== 'no') return;
      const initial = otherReset?.fields.find(({ name }) => name === field.field);
      if (!initial) return;
      const before = other.Fields.slice(index + 1).find(
        (next) => next.present !== 'no' && node.fields.some(({ name }) => name === next.field),
      )?.field;
      const { type, value } = initial;
      const step = { do: 'default', section, path: [...path, field.field], type, value } as const;
      this.steps.push(before === undefined ? step : { ...step, before });
    });
  }

  private addedSubsections(
    section: string,
    path: FieldPath,
    node: StructNode,
    own: EffectiveDescription,
    other: EffectiveDescription,
    otherReset: StructNode | undefined,
  ): void {
    for (const { name, present } of other.Subsections) {
      if (present === 'no' || node.subsections.some((one) => one.name === name)) continue;
      if (own.Subsections.find((one) => one.name === name)?.present !== 'no') continue;
      const initial = otherReset?.subsections.find((one) => one.name === name);
      if (initial) this.steps.push({ do: 'addSubsection', section, path, add: initial });
    }
  }

  /** Whether nothing is lost with a value: it is as after power-on. What is not becomes an objection. */
  private kept(place: string, value: TreeValue, initial: TreeValue | undefined): boolean {
    const found = differences(value, initial, place);
    this.objections.push(...found.map((one) => `${one}, ${this.to.machineName} has no such state`));
    return found.length === 0;
  }

  private globalState(node: StructNode): void {
    if (this.to.settings.storeGlobalState) return;
    const bytes = node.fields.find((field) => field.name === 'runstate')?.value;
    const state = bytes instanceof Uint8Array ? Buffer.from(bytes).toString('latin1').replace(/\0.*/s, '') : '';
    // Such machines leave it out for these two, and send it for every other.
    if (state === 'running' || state === 'paused') this.steps.push({ do: 'dropSection', section: GLOBAL_STATE });
  }

  /** From 1.8 on PCs come with a firmware of 256 KiB, before with one of 128 KiB. */
  firmware({ ram }: Inspection): void {
    const old = (name: string): boolean => /^pc-(i440fx-)?(0\.\d+|1\.[0-7])$/.test(name);
    const length = ram?.blocks.find(({ name }) => name === 'pc.bios')?.usedLength;
    if (length === undefined || old(this.to.machineName) === old(this.from.machineName)) return;
    const file = length === 0x40000 ? 'bios-256k.bin' : 'bios.bin';
    this.notes.push(`the firmware has ${length / 1024} KiB: start ${this.to.machineName} with -bios ${file}`);
  }

  /** Properties that differ. State follows from some of them; all may show to the guest. */
  properties(): void {
    const seen = new Map<string, number>();
    const compat = (machine: Machine, type: string, key: string): boolean =>
      machine.devices.some((one) => one.type === type && one.properties.sources[key] !== undefined);
    for (const { type, properties } of this.from.devices) {
      const index = seen.get(type) ?? 0;
      seen.set(type, index + 1);
      const other = this.to.devices.filter((one) => one.type === type)[index];
      for (const [key, value] of Object.entries(properties.values)) {
        const now = other?.properties.values[key];
        if (now === undefined || now === value || !(compat(this.from, type, key) || compat(this.to, type, key))) continue;
        this.notes.push(`property ${type}.${key}: ${String(value)} is now ${String(now)}`);
      }
    }
  }
}

function find(sections: readonly MachineSection[], idstr: string, instance: number): MachineSection | undefined {
  return (
    sections.find((one) => one.idstr === idstr && (one.instance === instance || one.alias === instance)) ??
    sections.find((one) => one.compat?.idstr === idstr && (one.compat.instance === instance || one.alias === instance))
  );
}

/** What a value has that the state after power-on has not. Fields that were not sent are no difference. */
function differences(value: TreeValue, initial: TreeValue | undefined, place: string): string[] {
  const differs = (): string[] => [
    `${place}: holds ${show(value)}${initial === undefined ? '' : ` (after power-on ${show(initial)})`}`,
  ];
  if (initial === undefined) return differs();
  if (typeof value !== 'object' || value === null || typeof initial !== 'object' || initial === null) {
    const scalars = typeof value !== 'object' && typeof initial !== 'object';
    // A flag is a number where QEMU's type is not bool.
    return value === initial || (scalars && BigInt(value) === BigInt(initial)) ? [] : differs();
  }
  if (Array.isArray(value)) {
    if (!Array.isArray(initial)) return differs();
    const items = initial as readonly TreeValue[];
    return (value as readonly TreeValue[]).flatMap((item, i) => differences(item, items[i], `${place}[${i}]`));
  }
  if (isStruct(value)) {
    if (!isStruct(initial as TreeValue)) return differs();
    const { fields, subsections } = initial as StructNode;
    return [
      ...value.fields.flatMap((field) =>
        differences(field.value, fields.find(({ name }) => name === field.name)?.value, `${place}.${field.name}`),
      ),
      ...value.subsections.flatMap((one) =>
        differences(
          one,
          subsections.find(({ name }) => name === one.name),
          `${place}/${one.name}`,
        ),
      ),
    ];
  }
  const bytes = bytesOf(value);
  const others = bytesOf(initial as TreeValue);
  return bytes && others && Buffer.from(bytes).equals(others) ? [] : differs();
}

function bytesOf(value: TreeValue): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  return typeof value === 'object' && value !== null && isCustom(value) ? value.bytes : undefined;
}

function show(value: TreeValue): string {
  if (value instanceof Uint8Array) return `${value.length} bytes ${Buffer.from(value.subarray(0, 16)).toString('hex')}`;
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? `${value.length} elements` : 'a structure';
  return String(value);
}
