/**
 * States out of entropy, for property tests and fuzzers: `fc.uint8Array({ maxLength: 300 }).map(drawState(description, create))` is a
 * fast-check arbitrary that shrinks towards zeros, and a plain random generator does as well. No dependency on either.
 */
import { Path, Writer } from './bytes.js';
import { capture } from './capture.js';
import { type Description, type Field, type ScalarType, StateError } from './description.js';
import { bytesToFill, extent, fixedLength, type Items, itemsToFill, type Keyed, structTarget } from './walk.js';

/** Elements that a variable array or list gets at most. */
const FEW = 5;

/**
 * Makes a function from entropy to states that can be saved, and loaded into what `create` returns: counts fit their arrays, keys that must
 * equal the local value keep it, nulls stay nulls. State that travels through `tmp` fields or codecs without `examples` keeps its default.
 * The same entropy gives the same state; no entropy gives zeros.
 *
 * A state that a `validate` or a hook refuses is replaced by `create()`.
 */
export function drawState<S extends object>(description: Description<S>, create: () => S): (entropy: Uint8Array) => S {
  return (entropy) => {
    const state = create();
    fillStruct(new Draw(entropy), description, state);
    try {
      capture(description, state);
      return state;
    } catch (error) {
      if (error instanceof StateError) return create();
      throw error;
    }
  };
}

/** Reads choices off the entropy; zeros when it is used up. */
class Draw {
  private at = 0;

  constructor(private readonly entropy: Uint8Array) {}

  byte(): number {
    return this.entropy[this.at++] ?? 0;
  }

  /** From 0 to `most`. */
  upTo(most: number): number {
    return most <= 0 ? 0 : (this.byte() * 0x100 + this.byte()) % (most + 1);
  }

  word(): bigint {
    let value = 0n;
    for (let i = 0; i < 8; i++) value = (value << 8n) | BigInt(this.byte());
    return value;
  }

  /** Often a limit, sometimes small, otherwise anything. */
  scalar(type: ScalarType): number | bigint {
    const width = Number(type.slice(1));
    const signed = type.startsWith('i');
    const wrap = (value: bigint) => (signed ? BigInt.asIntN(width, value) : BigInt.asUintN(width, value));
    const choice = this.byte();
    const limits = [0n, 1n, -1n, 1n << BigInt(width - 1), (1n << BigInt(width - 1)) - 1n];
    const value = choice < 128 ? BigInt(choice % 16) : choice < 192 ? limits[choice % limits.length]! : this.word();
    return width === 64 ? wrap(value) : Number(wrap(value));
  }

  /** A byte that says how and a byte to start with stand for the whole buffer. */
  fill(target: Uint8Array, start: number, length: number): void {
    const mode = this.byte();
    let value = mode === 0 ? 0 : this.byte();
    for (let i = start; i < start + length; i++) {
      target[i] = value;
      if (mode > 64) value = (Math.imul(value, 167) + mode) & 0xff;
    }
  }
}

function fillStruct<S extends object>(draw: Draw, description: Description<S>, state: S): void {
  const keyed = state as Keyed;
  const sent = new Set(description.fields.filter(({ kind }) => kind === 'scalar').map(({ key }) => key));
  const counts = new Map<string, number>();
  for (const field of description.fields) {
    const bound = countBound(field);
    if (bound && sent.has(bound.key)) counts.set(bound.key, Math.min(counts.get(bound.key) ?? FEW, bound.most));
  }
  for (const [key, most] of counts) keyed[key] = draw.upTo(most);
  for (const field of description.fields) if (!(field.kind === 'scalar' && counts.has(field.key))) fillField(draw, field, keyed);
  for (const subsection of description.subsections) fillStruct(draw, subsection, state);
}

/** The key that says how much of this field there is, and how large it may become. */
function countBound(field: Field): { key: string; most: number } | undefined {
  switch (field.kind) {
    case 'sizedBytes':
      return { key: field.size, most: Math.floor(field.max / field.multiply) };
    case 'varArray':
      return { key: field.count, most: Math.floor(field.max / field.multiply) };
    case 'varStructArray':
      return { key: field.count, most: field.max };
    case 'bitmap':
      return typeof field.bits === 'string' ? { key: field.bits, most: field.max } : undefined;
    case 'unused':
      return field.count === undefined ? undefined : { key: field.count, most: field.max! };
    default:
      return undefined;
  }
}

function fillField(draw: Draw, field: Field, state: Keyed): void {
  const { key } = field;
  const where = new Writer(new Path(key));
  switch (field.kind) {
    case 'scalar':
      state[key] = field.bool ? draw.byte() % 2 === 1 : draw.scalar(field.type);
      return;
    case 'bool':
      state[key] = draw.byte() % 2 === 1;
      return;
    case 'lessOrEqual':
      state[key] = draw.upTo(state[key] as number);
      return;
    case 'timer':
      state[key] = draw.byte() % 2 === 0 ? -1n : BigInt.asUintN(62, draw.word());
      return;
    case 'bytes': {
      const target = state[key] as Uint8Array;
      draw.fill(target, field.start, fixedLength(field, target));
      return;
    }
    case 'byteArray': {
      const bytes = new Uint8Array(draw.upTo(Math.min(field.max, FEW)));
      draw.fill(bytes, 0, bytes.length);
      state[key] = bytes;
      return;
    }
    case 'sizedBytes':
    case 'bitmap': {
      const length = extent(where, field, state);
      draw.fill(bytesToFill(state, key, length), 0, length);
      return;
    }
    case 'array': {
      const items = state[key] as Items;
      fillScalars(draw, items, field.start, fixedLength(field, items), field.bool ? 'bool' : field.type);
      return;
    }
    case 'varArray': {
      const count = extent(where, field, state);
      fillScalars(draw, itemsToFill(state, key, count), 0, count, field.type);
      return;
    }
    case 'struct': {
      const target = structTarget(field, state) as object | null;
      if (target !== null) fillStruct(draw, field.description, target);
      return;
    }
    case 'structArray':
      for (const item of state[key] as object[]) fillStruct(draw, field.description, item);
      return;
    case 'varStructArray':
      state[key] = makeStructs(draw, extent(where, field, state), field);
      return;
    case 'pointerArray':
      fillPointers(draw, field, state[key] as unknown[]);
      return;
    case 'list':
      state[key] = makeStructs(draw, draw.upTo(Math.min(field.max, FEW)), field);
      return;
    case 'tree':
      state[key] = makeStructs(draw, draw.upTo(Math.min(field.max, FEW)), field).map((value, index) => {
        if (field.createKey === undefined) return { key: BigInt(index), value };
        const node = { key: field.createKey(), value };
        fillStruct(draw, field.keyDescription!, node.key);
        return node;
      });
      return;
    case 'custom': {
      const { examples } = field.codec;
      if (examples !== undefined && examples.length > 0) state[key] = structuredCloneOf(examples[draw.upTo(examples.length - 1)]);
      return;
    }
    default:
      return;
  }
}

function structuredCloneOf(value: unknown): unknown {
  return value instanceof Uint8Array ? value.slice() : value;
}

function fillScalars(draw: Draw, items: Items, start: number, count: number, type: ScalarType | 'bool'): void {
  for (let i = start; i < start + count; i++) items[i] = type === 'bool' ? draw.byte() % 2 === 1 : draw.scalar(type);
}

function makeStructs(
  draw: Draw,
  count: number,
  { description, create }: { description: Description<object>; create: () => object },
): object[] {
  return Array.from({ length: count }, () => {
    const item = create();
    fillStruct(draw, description, item);
    return item;
  });
}

function fillPointers(draw: Draw, { item, marks }: Extract<Field, { kind: 'pointerArray' }>, items: unknown[]): void {
  for (let i = 0; i < items.length; i++) {
    if (marks === 'each') items[i] = draw.byte() % 2 === 0 ? null : item.kind === 'scalar' ? 0 : item.create();
    if (items[i] === null) continue;
    if (item.kind === 'scalar') items[i] = draw.scalar(item.type);
    else fillStruct(draw, item.description, items[i] as object);
  }
}
