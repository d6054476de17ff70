/** What the generated code of both directions has in common: names, conditions, runs of scalars. */
import type { Description, Field, ScalarType } from './description.js';
import { wireNames } from './walk.js';

export const GETTER: Record<ScalarType, string> = {
  u8: 'getUint8',
  u16: 'getUint16',
  u32: 'getUint32',
  u64: 'getBigUint64',
  i8: 'getInt8',
  i16: 'getInt16',
  i32: 'getInt32',
  i64: 'getBigInt64',
};

export const TYPED: Record<ScalarType, string> = {
  u8: 'Uint8Array',
  u16: 'Uint16Array',
  u32: 'Uint32Array',
  u64: 'BigUint64Array',
  i8: 'Int8Array',
  i16: 'Int16Array',
  i32: 'Int32Array',
  i64: 'BigInt64Array',
};

/** Expressions that are true where `x` is not a value of the type. */
export const MISFIT: Record<ScalarType, string> = {
  u8: '(x & 255) !== x',
  u16: '(x & 65535) !== x',
  u32: '(x >>> 0) !== x',
  i8: '(x << 24 >> 24) !== x',
  i16: '(x << 16 >> 16) !== x',
  i32: '(x | 0) !== x',
  u64: "typeof x !== 'bigint' || BigInt.asUintN(64, x) !== x",
  i64: "typeof x !== 'bigint' || BigInt.asIntN(64, x) !== x",
};

/** Fields that are one scalar. */
export type Simple = Extract<Field, { kind: 'scalar' | 'bool' | 'equal' | 'lessOrEqual' | 'timer' }>;

function isSimple(field: Field): field is Simple {
  return ['scalar', 'bool', 'equal', 'lessOrEqual', 'timer'].includes(field.kind);
}

/** The scalar that a simple field is on the wire. */
export function typeOf(field: Simple): ScalarType {
  if (field.kind === 'bool') return 'u8';
  if (field.kind === 'lessOrEqual') return 'i32';
  return field.kind === 'timer' ? 'i64' : field.type;
}

/** Lines of one generated function. */
export class Emit {
  readonly lines: string[] = [];

  constructor(
    readonly description: Description<object>,
    /** An expression for the description. */
    readonly self: string,
    /** The number of a nested description's functions, generated if need be. */
    readonly nested: (description: Description<object>) => number,
    /** An expression for a field. */
    readonly fieldName: (field: Field) => string,
  ) {}

  push(...lines: string[]): void {
    this.lines.push(...lines);
  }

  /** Scalars that follow each other under the same condition are one run with one check of the bounds. */
  fields(run: (fields: readonly Simple[]) => void, other: (field: Field) => void): void {
    const { fields } = this.description;
    for (let i = 0; i < fields.length; ) {
      const first = fields[i]!;
      const condition = this.condition(first);
      if (condition) this.push(`if (${condition}) {`);
      let end = i + 1;
      if (isSimple(first)) {
        while (first.when === undefined && end < fields.length && this.joins(fields[end]!, condition)) end++;
        run(fields.slice(i, end) as readonly Simple[]);
      } else other(first);
      i = end;
      if (condition) this.push('}');
    }
  }

  /** Puts a count that stands in the state into `n`: none where it is negative, an end where it is too large. */
  count(key: string, multiply: number, max: number): string {
    const times = multiply === 1 ? '' : ` * ${Number(multiply)}`;
    return `n = Math.max(s[${JSON.stringify(key)}], 0)${times}; if (!(n <= ${Number(max)})) throw GIVE_UP;`;
  }

  /** The field's name in the description JSON. */
  wireName(field: Field): string {
    return wireNames(this.description)[this.description.fields.indexOf(field)]!;
  }

  key(field: Field): string {
    return field.key === '' ? 's' : `s[${JSON.stringify(field.key)}]`;
  }

  private joins(field: Field, condition: string): boolean {
    return isSimple(field) && field.when === undefined && this.condition(field) === condition;
  }

  private condition(field: Field): string {
    if (field.when !== undefined) return `${this.fieldName(field)}.when(s, version)`;
    return field.since > 0 ? `version >= ${Number(field.since)}` : '';
  }
}
