/** ASN.1 modules generated from descriptions: a small model of types, and its text. */
import { type Description, type Shape, type StructShape, shapeOf } from '@pagurus/vmstate';

export type AsnType =
  | { readonly kind: 'integer'; readonly min: bigint; readonly max: bigint }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'null' }
  | { readonly kind: 'text' }
  | { readonly kind: 'octets'; readonly min: number; readonly max: number }
  | { readonly kind: 'list'; readonly of: AsnType; readonly min: number; readonly max: number }
  /** Alternatives of different tags: universal ones, or context-specific and explicit. */
  | {
      readonly kind: 'choice';
      readonly alternatives: readonly { readonly name: string; readonly tag?: number | undefined; readonly type: AsnType }[];
    }
  | { readonly kind: 'sequence'; readonly components: readonly AsnComponent[] }
  | { readonly kind: 'reference'; readonly to: string };

export interface AsnComponent {
  readonly name: string;
  /** Context-specific, explicit. Untagged components are mandatory and stand first. */
  readonly tag: number | undefined;
  readonly type: AsnType;
  readonly optional: boolean;
  /** QEMU's name, where ASN.1 does not allow it. */
  readonly comment: string;
}

export interface AsnModule {
  readonly name: string;
  /** The type of a whole archived section. */
  readonly root: string;
  readonly types: ReadonlyMap<string, AsnType>;
}

/** The tag of a struct's subsections: out of the way of its fields. */
export const SUBSECTIONS_TAG = 30_000;

/**
 * Generates the module for states like `sample` (whose fixed arrays have its lengths). Each description is a type of its own; field
 * number n of a description is component [n].
 */
export function asnModule<S extends object>(description: Description<S>, sample: S): AsnModule {
  const types = new Map<string, AsnType>();
  const root = 'Section';
  // Reserved, so that no description takes them.
  types.set(root, { kind: 'null' });
  types.set('Layout', LAYOUT);
  const state = addStruct(types, shapeOf(description, sample));
  types.set(root, {
    kind: 'sequence',
    components: [
      component('name', { kind: 'text' }),
      component('version', { kind: 'integer', min: 0n, max: 0xffff_ffffn }),
      component('layouts', { kind: 'list', of: { kind: 'reference', to: 'Layout' }, min: 1, max: 0xffff }),
      component('state', { kind: 'reference', to: state }),
    ],
  });
  return { name: `VmState-${identifier(description.name, true)}`, root, types };
}

/** Names of the fields of one kind of struct, by component number; in the archive, so that it outlives changes of the description. */
const LAYOUT: AsnType = {
  kind: 'sequence',
  components: [
    component('path', { kind: 'text' }),
    component('fields', { kind: 'list', of: { kind: 'text' }, min: 0, max: SUBSECTIONS_TAG }),
    component('subsections', { kind: 'list', of: { kind: 'text' }, min: 0, max: SUBSECTIONS_TAG }),
  ],
};

function component(name: string, type: AsnType): AsnComponent {
  return { name, tag: undefined, type, optional: false, comment: '' };
}

/** Adds the type of a struct and of all it nests; equal types are one. */
function addStruct(types: Map<string, AsnType>, shape: StructShape): string {
  const used = new Set<string>();
  const unique = (name: string): string => {
    let free = identifier(name, false);
    for (let n = 2; used.has(free); n++) free = `${identifier(name, false)}-${n}`;
    used.add(free);
    return free;
  };
  const components = shape.members.map((member, tag): AsnComponent => {
    const name = unique(member.name);
    return {
      name,
      tag,
      type: typeOf(types, member.shape),
      optional: member.optional,
      comment: name === member.name ? '' : member.name,
    };
  });
  if (shape.subsections.length > 0) components.push(subsectionsComponent(types, shape, unique('subsections')));
  return addType(types, identifier(shape.name, true), { kind: 'sequence', components });
}

function subsectionsComponent(types: Map<string, AsnType>, shape: StructShape, name: string): AsnComponent {
  const used = new Map<string, number>();
  const sent = shape.subsections.map(({ struct, optional }, tag): AsnComponent => {
    const base = identifier(struct.name, false);
    const seen = used.get(base) ?? 0;
    used.set(base, seen + 1);
    const inner: AsnType = {
      kind: 'sequence',
      components: [
        component('version', { kind: 'integer', min: 0n, max: 0xffff_ffffn }),
        component('state', { kind: 'reference', to: addStruct(types, struct) }),
      ],
    };
    return { name: seen === 0 ? base : `${base}-${seen + 1}`, tag, type: inner, optional, comment: struct.name };
  });
  return {
    name,
    tag: SUBSECTIONS_TAG,
    type: { kind: 'sequence', components: sent },
    optional: shape.subsections.every((one) => one.optional),
    comment: '',
  };
}

function addType(types: Map<string, AsnType>, name: string, type: AsnType): string {
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? name : `${name}-${n}`;
    const known = types.get(candidate);
    if (known === undefined) {
      types.set(candidate, type);
      return candidate;
    }
    if (sameType(known, type)) return candidate;
  }
}

function sameType(a: AsnType, b: AsnType): boolean {
  const text = (type: AsnType) =>
    JSON.stringify(type, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
  return text(a) === text(b);
}

function typeOf(types: Map<string, AsnType>, shape: Shape): AsnType {
  switch (shape.kind) {
    case 'integer': {
      const width = BigInt(shape.type.slice(1));
      const signed = shape.type.startsWith('i');
      const [min, max] = signed ? [-(1n << (width - 1n)), (1n << (width - 1n)) - 1n] : [0n, (1n << width) - 1n];
      return { kind: 'integer', min: shape.least === undefined ? min : BigInt(shape.least), max };
    }
    case 'boolean':
      return { kind: 'boolean' };
    case 'bytes':
      return { kind: 'octets', min: shape.min, max: shape.max };
    case 'custom':
      return { kind: 'octets', min: shape.min, max: shape.max };
    case 'list':
      return { kind: 'list', of: typeOf(types, shape.items), min: shape.min, max: shape.max };
    case 'nullable':
      return {
        kind: 'choice',
        alternatives: [
          { name: 'absent', type: { kind: 'null' } },
          { name: 'present', type: typeOf(types, shape.value) },
        ],
      };
    case 'node':
      return {
        kind: 'sequence',
        components: [component('key', typeOf(types, shape.key)), component('value', typeOf(types, shape.value))],
      };
    case 'struct':
      return { kind: 'reference', to: addStruct(types, shape) };
  }
}

/** Letters, digits and single hyphens; types begin with a capital, components with a small letter. */
function identifier(name: string, capital: boolean): string {
  const words = name
    .replaceAll(/[^A-Za-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .replace(/^(?=\d|$)/, 'x-')
    .replace(/-$/, '');
  return (capital ? words[0]!.toUpperCase() : words[0]!.toLowerCase()) + words.slice(1);
}

/** The text of a module, in the notation of X.680. */
export function moduleText(module: AsnModule): string {
  const types = [...module.types].map(([name, type]) => `${name} ::= ${typeText(type, '')}`);
  return `${module.name} DEFINITIONS EXPLICIT TAGS ::=\nBEGIN\n\n${types.join('\n\n')}\n\nEND\n`;
}

function typeText(type: AsnType, indent: string): string {
  switch (type.kind) {
    case 'integer':
      return `INTEGER (${type.min}..${type.max})`;
    case 'boolean':
      return 'BOOLEAN';
    case 'null':
      return 'NULL';
    case 'text':
      return 'UTF8String';
    case 'octets':
      return `OCTET STRING ${sizeText(type)}`;
    case 'list':
      return `SEQUENCE ${sizeText(type)} OF ${typeText(type.of, indent)}`;
    case 'reference':
      return type.to;
    case 'choice': {
      const inner = `${indent}  `;
      const alternatives = type.alternatives.map(
        ({ name, tag, type: of }) => `${name} ${tag === undefined ? '' : `[${tag}] `}${typeText(of, inner)}`,
      );
      const line = `CHOICE { ${alternatives.join(', ')} }`;
      return line.length < 100 ? line : `CHOICE {\n${inner}${alternatives.join(`,\n${inner}`)}\n${indent}}`;
    }
    case 'sequence': {
      if (type.components.length === 0) return 'SEQUENCE { }';
      const inner = `${indent}  `;
      const lines = type.components.map(({ name, tag, type: of, optional, comment }, index) => {
        const comma = index + 1 < type.components.length ? ',' : '';
        const label = tag === undefined ? name : `${name} [${tag}]`;
        const note = comment === '' ? '' : ` -- ${comment.replaceAll('--', '- -').replaceAll(/[\r\n]/g, ' ')}`;
        return `${inner}${label} ${typeText(of, inner)}${optional ? ' OPTIONAL' : ''}${comma}${note}`;
      });
      return `SEQUENCE {\n${lines.join('\n')}\n${indent}}`;
    }
  }
}

function sizeText({ min, max }: { readonly min: number; readonly max: number }): string {
  return min === max ? `(SIZE(${min}))` : `(SIZE(${min}..${max}))`;
}
