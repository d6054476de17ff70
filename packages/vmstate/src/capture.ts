/** State to tree. */
import { Path, Writer } from './bytes.js';
import type { Description, Field } from './description.js';
import { reverseWords } from './load-field.js';
import type { CustomValue, FieldNode, StructNode, TreeValue } from './tree.js';
import {
  checkLength,
  extent,
  fixedLength,
  guarded,
  type Items,
  infoName,
  isPresent,
  type Keyed,
  pathPart,
  structTarget,
  subsectionPart,
  wireNames,
} from './walk.js';

/**
 * What a save would send, as a tree. Runs the hooks and predicates of a save, in its order.
 * @throws {StateError} as `save` does, but for values that do not fit their width, which an encoder finds.
 */
export function capture<S extends object>(
  description: Description<S>,
  state: S,
  options: { readonly path?: string } = {},
): StructNode {
  return captureStruct(new Writer(new Path(options.path ?? description.name), 16), description, state, description.version);
}

/** `where` only knows the path and makes errors. */
function captureStruct<S extends object>(where: Writer, description: Description<S>, state: S, version: number): StructNode {
  if (description.unmigratable !== undefined) where.fail('unmigratable', description.unmigratable);
  const at = { path: where.path, offset: -1 };
  guarded(at, 'preSave', () => description.preSave?.(state));
  try {
    const names = wireNames(description);
    const fields: FieldNode[] = [];
    description.fields.forEach((field, index) => {
      where.path.push(pathPart(field));
      if (guarded(at, 'field test', () => isPresent(field, state, version))) {
        const value = captureField(where, field, state as Keyed, version);
        const marks = field.kind === 'pointerArray' && field.marks === 'each' ? { marks: field.marks } : {};
        if (value !== undefined) fields.push({ name: names[index]!, type: infoName(field), value, ...marks });
      }
      where.path.pop();
    });
    const subsections: StructNode[] = [];
    for (const subsection of description.subsections) {
      where.path.push(subsectionPart(description, subsection.name));
      if (guarded(at, 'needed', () => subsection.needed?.(state) ?? true)) {
        subsections.push(captureStruct(where, subsection, state, subsection.version));
      }
      where.path.pop();
    }
    return { name: description.name, version, fields, subsections };
  } finally {
    guarded(at, 'postSave', () => description.postSave?.(state));
  }
}

/** Undefined for what is not on the wire. */
function captureField(where: Writer, field: Field, state: Keyed, version: number): TreeValue | undefined {
  const { key } = field;
  const struct = (description: Description<object>, value: object, at = description.version) =>
    captureStruct(where, description, value, at);
  switch (field.kind) {
    case 'scalar':
      return field.bool ? Boolean(state[key]) : (state[key] as number | bigint);
    case 'bool':
      return Boolean(state[key]);
    case 'equal':
    case 'lessOrEqual':
    case 'timer':
      return state[key] as number | bigint;
    case 'bytes': {
      const source = state[key] as Uint8Array;
      const end = field.start + fixedLength(field, source);
      checkLength(where, source, end);
      return source.slice(field.start, end);
    }
    case 'byteArray':
      return (state[key] as Uint8Array).slice();
    case 'sizedBytes':
    case 'bitmap': {
      const length = extent(where, field, state);
      checkLength(where, state[key] as Uint8Array, length);
      const bytes = (state[key] as Uint8Array).slice(0, length);
      if (field.kind === 'bitmap') reverseWords(bytes, length);
      return bytes;
    }
    case 'array': {
      const items = state[key] as Items;
      return scalars(where, items, field.start, fixedLength(field, items), field.bool || field.type === 'bool');
    }
    case 'varArray':
      return scalars(where, state[key] as Items, 0, extent(where, field, state), false);
    case 'struct': {
      const target = structTarget(field, state) as object | null;
      if (target === null)
        where.fail('invalid', 'there is no object here to save', { expected: field.description.name, got: 'null' });
      return struct(field.description, target, field.atVersion);
    }
    case 'structArray':
    case 'varStructArray': {
      const items = state[key] as object[];
      const start = field.kind === 'structArray' ? field.start : 0;
      const count = field.kind === 'structArray' ? fixedLength(field, items) : extent(where, field, state);
      checkLength(where, items, start + count);
      return each(where, items.slice(start, start + count), (item) => struct(field.description, item, field.atVersion));
    }
    case 'pointerArray': {
      const { item } = field;
      return each(where, state[key] as unknown[], (value) =>
        value === null || item.kind === 'scalar' ? (value as number | bigint | null) : struct(item.description, value as object),
      );
    }
    case 'list':
      return each(where, state[key] as object[], (item) => struct(field.description, item));
    case 'tree':
      return each(where, state[key] as { key: bigint | object; value: object }[], (node) => ({
        key: typeof node.key === 'bigint' ? node.key : struct(field.keyDescription as Description<object>, node.key),
        value: struct(field.description, node.value),
      }));
    case 'tmp': {
      const scratch = guarded({ path: where.path, offset: -1 }, 'create', () => field.create(state));
      return struct(field.description, scratch);
    }
    case 'unused':
      return new Uint8Array(extent(where, field, state));
    case 'validate':
      if (!guarded({ path: where.path, offset: -1 }, 'validation', () => field.test(state, version))) {
        where.fail('invalid', `the state is not valid: ${field.wire}`);
      }
      return undefined;
    case 'custom':
      return guarded({ path: where.path, offset: -1 }, field.codec.type, (): CustomValue => {
        const writer = new Writer(where.path);
        field.codec.put(writer, state[key]);
        return { bytes: writer.finish(), json: field.codec.toJson(state[key]) };
      });
  }
}

function scalars(where: Writer, items: Items, start: number, count: number, bool: boolean): TreeValue[] {
  checkLength(where, items, start + count);
  return Array.from({ length: count }, (_, i) => (bool ? Boolean(items[start + i]) : (items[start + i] as number | bigint)));
}

function each<T>(where: Writer, items: readonly T[], one: (item: T) => TreeValue): TreeValue[] {
  return items.map((item, index) => {
    where.path.push(`[${index}]`);
    const value = one(item);
    where.path.pop();
    return value;
  });
}
