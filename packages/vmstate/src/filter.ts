/**
 * Rewriting of visited states between versions of a device model: 2011's third proposal. A filter is data (and, where data does not do,
 * a small function), runs on the sending or the receiving side, and touches no device.
 */
import { StateError } from './description.js';
import { type FieldNode, isStruct, type StructNode, type TreeValue } from './tree.js';

/** A section of a stream as a tree. */
export interface SectionTree {
  /** idstr, e.g. `0000:00:01.3/piix4_pm`. */
  readonly name: string;
  readonly instance: number;
  readonly version: number;
  readonly node: StructNode;
}

/**
 * Where a field is, by wire names: `['queue', 'queue.rptr']`. A number or '*' picks elements of an array, `/name` a subsection. Steps that
 * add a field name its place with `path` and say which field it stands before.
 */
export type FieldPath = readonly (string | number)[];

interface OnField {
  /** idstr, or only its last part (`piix4_pm`): all sections whose idstr ends so. */
  readonly section: string;
  readonly path: FieldPath;
  /** No error where there is no such field. */
  readonly optional?: boolean;
}

export type FilterStep =
  | (OnField & { readonly do: 'rename'; readonly to: string })
  /** Another type: values are converted by `with`, by default numbers are widened or must fit. */
  | (OnField & { readonly do: 'retype'; readonly type: string; readonly with?: (value: TreeValue) => TreeValue })
  /** A field that this side lacks. `before`: the field it stands before, by default the end. */
  | (OnField & { readonly do: 'default'; readonly type: string; readonly value: TreeValue; readonly before?: string })
  | (OnField & { readonly do: 'drop' })
  /** Takes a value from one place to another, in the same section or another one. */
  | (OnField & {
      readonly do: 'move';
      readonly to: { readonly section?: string; readonly path: FieldPath; readonly before?: string };
    })
  | (OnField & { readonly do: 'change'; readonly with: (value: TreeValue) => TreeValue })
  | { readonly do: 'version'; readonly section: string; readonly version: number }
  | { readonly do: 'renameSection'; readonly section: string; readonly to: string; readonly instance?: number }
  | { readonly do: 'dropSection'; readonly section: string; readonly optional?: boolean }
  | { readonly do: 'addSection'; readonly add: SectionTree; readonly before?: string }
  | { readonly do: 'dropSubsection'; readonly section: string; readonly path: FieldPath; readonly optional?: boolean }
  | { readonly do: 'addSubsection'; readonly section: string; readonly path: FieldPath; readonly add: StructNode };

export interface Filter {
  /** For provenance, e.g. `pc-i440fx-2.4 to 1.7`. */
  readonly name: string;
  readonly steps: readonly FilterStep[];
}

/** What was done to which section; to be kept with the output. */
export interface Provenance {
  readonly filter: string;
  readonly step: number;
  readonly section: string;
  readonly text: string;
}

export interface Filtered {
  readonly sections: SectionTree[];
  readonly provenance: Provenance[];
}

/**
 * Applies filters in order. The input stays as it is.
 * @throws {StateError} `invalid` where a step finds nothing to work on; the path names filter, step and field.
 */
export function applyFilters(filters: Filter | readonly Filter[], sections: readonly SectionTree[]): Filtered {
  const run = new FilterRun([...sections]);
  for (const filter of Array.isArray(filters) ? (filters as readonly Filter[]) : [filters as Filter]) {
    for (const [index, step] of filter.steps.entries()) run.apply(filter.name, index, step);
  }
  return { sections: run.sections, provenance: run.provenance };
}

class FilterRun {
  readonly provenance: Provenance[] = [];
  private filter = '';
  private index = 0;

  constructor(readonly sections: SectionTree[]) {}

  apply(filter: string, index: number, step: FilterStep): void {
    this.filter = filter;
    this.index = index;
    switch (step.do) {
      case 'addSection': {
        const at = step.before === undefined ? -1 : this.sections.findIndex((section) => matches(section, step.before!));
        this.sections.splice(at < 0 ? this.sections.length : at, 0, step.add);
        this.note(step.add.name, 'section added');
        return;
      }
      case 'dropSection':
        for (const section of this.find(step)) {
          this.sections.splice(this.sections.indexOf(section), 1);
          this.note(section.name, 'section dropped');
        }
        return;
      case 'move':
        this.move(step);
        return;
      default:
        for (const section of this.find(step)) this.replace(section, this.rewrite(section, step));
    }
  }

  private rewrite(section: SectionTree, step: Exclude<FilterStep, { do: 'addSection' | 'dropSection' | 'move' }>): SectionTree {
    switch (step.do) {
      case 'version':
        this.note(section.name, `version ${section.version} is now ${step.version}`);
        return { ...section, version: step.version, node: { ...section.node, version: step.version } };
      case 'renameSection':
        this.note(section.name, `section is now ${step.to}`);
        return { ...section, name: step.to, instance: step.instance ?? section.instance };
      case 'dropSubsection':
      case 'addSubsection':
        return { ...section, node: this.subsection(section, step) };
      case 'default':
        return {
          ...section,
          node: this.insert(section, step.path, { name: last(step.path), type: step.type, value: step.value }, step.before),
        };
      default:
        return {
          ...section,
          node: this.edit(section, step.path, step.optional === true, (field) => this.editField(section, step, field)),
        };
    }
  }

  private editField(
    section: SectionTree,
    step: Extract<FilterStep, { do: 'rename' | 'retype' | 'drop' | 'change' }>,
    field: FieldNode,
  ): FieldNode | undefined {
    const at = step.path.join('.');
    switch (step.do) {
      case 'drop':
        this.note(section.name, `${at} dropped`);
        return undefined;
      case 'rename':
        this.note(section.name, `${at} is now ${step.to}`);
        return { ...field, name: step.to };
      case 'retype':
        this.note(section.name, `${at}: ${field.type} is now ${step.type}`);
        return { ...field, type: step.type, value: (step.with ?? retypeTo(step.type))(field.value) };
      case 'change':
        this.note(section.name, `${at} changed`);
        return { ...field, value: step.with(field.value) };
    }
  }

  private move(step: Extract<FilterStep, { do: 'move' }>): void {
    for (const source of this.find(step)) {
      let moved: FieldNode | undefined;
      const node = this.edit(source, step.path, step.optional === true, (field) => {
        moved = field;
        return undefined;
      });
      if (moved === undefined) return;
      this.replace(source, { ...source, node });
      const [target] = this.find({ section: step.to.section ?? source.name });
      const field = { ...(moved as FieldNode), name: last(step.to.path) };
      this.replace(target!, { ...target!, node: this.insert(target!, step.to.path, field, step.to.before) });
      this.note(source.name, `${step.path.join('.')} moved to ${target!.name} ${step.to.path.join('.')}`);
    }
  }

  private subsection(section: SectionTree, step: Extract<FilterStep, { do: 'addSubsection' | 'dropSubsection' }>): StructNode {
    const parent = step.do === 'addSubsection' ? step.path : step.path.slice(0, -1);
    return this.within(section.node, parent, (node) => {
      if (step.do === 'addSubsection') {
        this.note(section.name, `subsection ${step.add.name} added`);
        return { ...node, subsections: [...node.subsections, step.add] };
      }
      const name = last(step.path).replace(/^\//, '');
      const subsections = node.subsections.filter((one) => one.name !== name);
      if (subsections.length < node.subsections.length) this.note(section.name, `subsection ${name} dropped`);
      else if (!step.optional) this.fail(section.name, `there is no subsection '${name}'`);
      return { ...node, subsections };
    });
  }

  private insert(section: SectionTree, path: FieldPath, field: FieldNode, before: string | undefined): StructNode {
    return this.within(section.node, path.slice(0, -1), (node) => {
      if (node.fields.some(({ name }) => name === field.name))
        this.fail(`${section.name}.${path.join('.')}`, 'there is such a field already');
      const at = before === undefined ? node.fields.length : node.fields.findIndex(({ name }) => name === before);
      if (at < 0) this.fail(`${section.name}.${path.join('.')}`, `there is no field '${before}' to stand before`);
      this.note(section.name, `${path.join('.')} added`);
      return { ...node, fields: [...node.fields.slice(0, at), field, ...node.fields.slice(at)] };
    });
  }

  /** Replaces the fields that a path leads to; undefined removes one. */
  private edit(
    section: SectionTree,
    path: FieldPath,
    optional: boolean,
    change: (field: FieldNode) => FieldNode | undefined,
  ): StructNode {
    const name = last(path);
    let found = false;
    const node = this.within(
      section.node,
      path.slice(0, -1),
      (parent) => ({
        ...parent,
        fields: parent.fields.flatMap((field) => {
          if (field.name !== name) return [field];
          found = true;
          return change(field) ?? [];
        }),
      }),
      optional,
    );
    if (!found && !optional) this.fail(`${section.name}.${path.join('.')}`, 'there is no such field');
    return node;
  }

  /** Applies a change to every struct that a path leads to. */
  private within(node: StructNode, path: FieldPath, change: (node: StructNode) => StructNode, optional = false): StructNode {
    const [first, ...rest] = path;
    if (first === undefined) return change(node);
    if (typeof first === 'string' && first.startsWith('/')) {
      const name = first.slice(1);
      if (!optional && !node.subsections.some((one) => one.name === name))
        this.fail(node.name, `there is no subsection '${name}'`);
      return {
        ...node,
        subsections: node.subsections.map((one) => (one.name === name ? this.within(one, rest, change, optional) : one)),
      };
    }
    if (!optional && !node.fields.some(({ name }) => name === first)) this.fail(node.name, `there is no field '${first}'`);
    return {
      ...node,
      fields: node.fields.map((field) =>
        field.name === first ? { ...field, value: this.withinValue(field.value, rest, change, optional) } : field,
      ),
    };
  }

  private withinValue(value: TreeValue, path: FieldPath, change: (node: StructNode) => StructNode, optional: boolean): TreeValue {
    if (Array.isArray(value)) {
      const [pick, ...rest] = path;
      const items = value as readonly TreeValue[];
      if (typeof pick === 'number' && pick >= items.length && !optional) this.fail('', `there is no element ${pick}`);
      return items.map((item, i) => (pick === '*' || pick === i ? this.withinValue(item, rest, change, optional) : item));
    }
    if (typeof value === 'object' && value !== null && isStruct(value)) return this.within(value, path, change, optional);
    return this.fail('', 'a path leads through a value that is no structure');
  }

  private find({ section, optional }: { readonly section: string; readonly optional?: boolean }): SectionTree[] {
    const found = this.sections.filter((one) => matches(one, section));
    if (found.length === 0 && !optional) this.fail(section, 'there is no such section');
    return found;
  }

  private replace(old: SectionTree, now: SectionTree): void {
    this.sections[this.sections.indexOf(old)] = now;
  }

  private note(section: string, text: string): void {
    this.provenance.push({ filter: this.filter, step: this.index, section, text });
  }

  private fail(path: string, message: string): never {
    throw new StateError('invalid', `${this.filter}[${this.index}] ${path}`.trim(), -1, message);
  }
}

function matches(section: SectionTree, name: string): boolean {
  return section.name === name || section.name.endsWith(`/${name}`);
}

function last(path: FieldPath): string {
  return String(path.at(-1));
}

/** Numbers between widths; 64-bit types are bigints. */
function retypeTo(type: string): (value: TreeValue) => TreeValue {
  const wide = type.includes('64') || type === 'timer';
  const one = (value: TreeValue): TreeValue => {
    if (Array.isArray(value)) return (value as readonly TreeValue[]).map(one);
    if (type === 'bool') return Boolean(value);
    if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
      return wide ? BigInt(value) : Number(value);
    return value;
  };
  return one;
}
