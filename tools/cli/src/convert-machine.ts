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
  isStruct,
  type StructNode,
  type TreeValue,
  treeToJson,
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
    super(`${from} cannot be rewritten for ${to}:\n${objections.map((one) => `  ${one}`).join('\n')}`);
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
  const make = async (name: string): Promise<Machine> => {
    const { options } = guessMachine(
      parseMachineArguments('pagurus convert', ['-M', name], { flags: [], values: [] }),
      inspection,
    );
    return examinedMachine(options, inspection);
  };
  const comparison = new Comparison(await make(source), await make(to));
  comparison.ram(inspection);
  for (const section of sections) comparison.section(section);
  const { objections, steps, notes } = comparison;
  const { settings, machineName } = comparison.to;
  if (objections.length > 0) throw new MachineRewriteError(comparison.from.machineName, machineName, objections);
  comparison.properties();
  return {
    notes,
    options: {
      filters: [{ name: `${comparison.from.machineName} to ${machineName}`, steps }],
      configuration: (old): Configuration | undefined =>
        settings.sendConfiguration ? { subsections: [], ...old, machine: machineName } : undefined,
      footers: settings.sendSectionFooter,
      description: !settings.suppressVmdesc,
    },
  };
}

/** Sent by the migration itself, whatever the machine. */
const GLOBAL_STATE = 'globalstate';

class Comparison {
  readonly steps: FilterStep[] = [];
  readonly notes: string[] = [];
  readonly objections: string[] = [];
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
      if (!other) this.objections.push(`RAM block '${name}': ${this.to.machineName} has none of this name`);
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
    const place = (field: string): string => `${name}.${[...path, field].join('.')}`;
    for (const field of node.fields) {
      const mine = other.Fields.find((one) => one.field === field.name);
      const before = own.Fields.find((one) => one.field === field.name);
      if (mine?.present === 'no' && before?.present !== 'no') {
        if (this.lost(field.value, reset?.fields.find((one) => one.name === field.name)?.value)) {
          const why = `holds ${show(field.value)}, ${this.to.machineName} does not send it`;
          this.objections.push(`${place(field.name)}: ${why}`);
        } else this.steps.push({ do: 'drop', section, path: [...path, field.name] });
      } else if (mine?.equals !== undefined && before?.equals !== undefined && mine.equals !== before.equals)
        this.objections.push(`${place(field.name)}: is ${before.equals}, must be ${mine.equals} on ${this.to.machineName}`);
      else this.nested(name, section, path, field, before, mine, reset, otherReset);
    }
    this.added(section, path, node, own, other, otherReset);
    for (const subsection of node.subsections) {
      const at = [...path, `/${subsection.name}`];
      const mine = other.Subsections.find((one) => one.name === subsection.name);
      const before = own.Subsections.find((one) => one.name === subsection.name);
      const initial = reset?.subsections.find((one) => one.name === subsection.name);
      if (!mine || !before) this.objections.push(`${name}/${subsection.name}: the subsection is not known`);
      else if (mine.present === 'no' && before.present !== 'no') {
        if (this.lost(subsection, initial)) this.objections.push(...this.differences(name, subsection, initial));
        else this.steps.push({ do: 'dropSubsection', section, path: at });
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
      const before = other.Fields.slice(index + 1).find((next) => node.fields.some(({ name }) => name === next.field))?.field;
      const { type, value } = initial;
      const step = { do: 'default', section, path: [...path, field.field], type, value } as const;
      this.steps.push(before === undefined ? step : { ...step, before });
    });
  }

  private lost(value: TreeValue, initial: TreeValue | undefined): boolean {
    return initial === undefined || text(value) !== text(initial);
  }

  private differences(name: string, node: StructNode, initial: StructNode | undefined): string[] {
    const what = `${name}/${node.name}`;
    const why = `${this.to.machineName} has no such state`;
    if (!initial) return [`${what}: ${why}`];
    const fields = node.fields.filter((field) =>
      this.lost(field.value, initial.fields.find(({ name: n }) => n === field.name)?.value),
    );
    if (fields.length === 0) return [`${what}: its subsections hold what ${why}`];
    return fields.map((field) => {
      const was = initial.fields.find((one) => one.name === field.name)?.value;
      return `${what}.${field.name}: holds ${show(field.value)}${was === undefined ? '' : ` (after power-on ${show(was)})`}, ${why}`;
    });
  }

  private globalState(node: StructNode): void {
    if (this.to.settings.storeGlobalState) return;
    const bytes = node.fields.find((field) => field.name === 'runstate')?.value;
    const state = bytes instanceof Uint8Array ? Buffer.from(bytes).toString('latin1').replace(/\0.*/s, '') : '';
    // Such machines leave it out for these two, and send it for every other.
    if (state === 'running' || state === 'paused') this.steps.push({ do: 'dropSection', section: GLOBAL_STATE });
  }

  /** Properties that differ. State follows from some of them; all may show to the guest. */
  properties(): void {
    for (const { type, path, properties } of this.from.devices) {
      const other = this.to.devices.find((one) => one.type === type && one.path === path);
      for (const [key, value] of Object.entries(properties.values)) {
        const now = other?.properties.values[key];
        if (now === undefined || now === value) continue;
        this.notes.push(`property ${type}.${key}: ${show(value as TreeValue)} is now ${show(now as TreeValue)}`);
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

function text(value: TreeValue): string {
  const node: StructNode = { name: '', version: 0, fields: [{ name: 'value', type: '', value }], subsections: [] };
  return JSON.stringify(treeToJson(node));
}

function show(value: TreeValue): string {
  if (value instanceof Uint8Array) return `${value.length} bytes ${Buffer.from(value.subarray(0, 16)).toString('hex')}`;
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? `${value.length} elements` : 'a structure';
  return String(value);
}
