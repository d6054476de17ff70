import type { Reader, Writer } from './bytes.js';
import type { Description, Field, ScalarType } from './description.js';
import { loadDescription, peekSubsection } from './load.js';
import { loadField } from './load-field.js';
import { saveField } from './save-field.js';
import { bytesToFill, itemsToFill, type Keyed, SCALAR_SIZE, structsToFill } from './walk.js';

export type LoadFunction = (reader: Reader, state: object, version: number) => void;
export type SaveFunction = (writer: Writer, state: object, version: number) => void;

/** Thrown by generated code that gives up. Never leaves the plan. */
const GIVE_UP = new Error('the interpreter takes over');

/** What generated code can reach besides its arguments. */
interface Scope {
  readonly load: LoadFunction[];
  readonly save: SaveFunction[];
  readonly descriptions: Description<object>[];
  readonly fields: Field[];
}

/**
 * Generates load and save functions for a description and all it nests.
 * @returns undefined where code generation is forbidden.
 */
export function planCode(description: Description<never>): { loadFrom: LoadFunction; saveInto: SaveFunction } | undefined {
  const scope: Scope = { load: [], save: [], descriptions: [], fields: [] };
  try {
    const index = addDescription(scope, description as unknown as Description<object>);
    return { loadFrom: scope.load[index]!, saveInto: scope.save[index]! };
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

function addDescription(scope: Scope, description: Description<object>): number {
  const known = scope.descriptions.indexOf(description);
  if (known >= 0) return known;
  const index = scope.descriptions.push(description) - 1;
  const generate = (parameters: string[], body: string) =>
    new Function('scope', 'fallback', 'GIVE_UP', `'use strict';\nreturn function (${parameters.join(', ')}) {\n${body}\n};`)(
      scope,
      fallback,
      GIVE_UP,
    ) as (...values: unknown[]) => void;
  scope.load[index] = generate(['r', 's', 'version'], new LoadCode(scope, description, index).text()) as LoadFunction;
  scope.save[index] = generate(['w', 's', 'version'], new SaveCode(scope, description, index).text()) as SaveFunction;
  return index;
}

/** What generated code leaves to the interpreter's own functions. */
const fallback = {
  loadField: (reader: Reader, field: Field, state: object, version: number) => loadField(reader, field, state as Keyed, version),
  saveField: (writer: Writer, field: Field, state: object, version: number) =>
    saveField(writer, field, state as Keyed, version, undefined),
  items: itemsToFill,
  bytes: bytesToFill,
  structs: structsToFill,
  /** Consumes one subsection if there is one; an unknown one is for the interpreter to complain about. */
  subsection(scope: Scope, reader: Reader, parent: Description<object>, state: object): boolean {
    const name = peekSubsection(reader, parent.name);
    if (name === undefined) return false;
    const subsection = parent.subsections.find((candidate) => candidate.name === name);
    if (subsection === undefined) throw GIVE_UP;
    reader.skip(2 + name.length);
    const version = reader.u32() & 0xff;
    const index = scope.descriptions.indexOf(subsection);
    if (index >= 0) scope.load[index]!(reader, state, version);
    else loadDescription(reader, subsection, state, version);
    return true;
  },
  header(writer: Writer, name: string, version: number): void {
    writer.u8(5);
    writer.u8(name.length);
    for (let i = 0; i < name.length; i++) writer.u8(name.charCodeAt(i));
    writer.u32(version);
  },
};

const GETTER: Record<ScalarType, string> = {
  u8: 'getUint8',
  u16: 'getUint16',
  u32: 'getUint32',
  u64: 'getBigUint64',
  i8: 'getInt8',
  i16: 'getInt16',
  i32: 'getInt32',
  i64: 'getBigInt64',
};

const TYPED: Record<ScalarType, string> = {
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
const MISFIT: Record<ScalarType, string> = {
  u8: '(x & 255) !== x',
  u16: '(x & 65535) !== x',
  u32: '(x >>> 0) !== x',
  i8: '(x << 24 >> 24) !== x',
  i16: '(x << 16 >> 16) !== x',
  i32: '(x | 0) !== x',
  u64: "typeof x !== 'bigint' || BigInt.asUintN(64, x) !== x",
  i64: "typeof x !== 'bigint' || BigInt.asIntN(64, x) !== x",
};

type Simple = Extract<Field, { kind: 'scalar' | 'bool' | 'equal' | 'lessOrEqual' | 'timer' }>;

function isSimple(field: Field): field is Simple {
  return ['scalar', 'bool', 'equal', 'lessOrEqual', 'timer'].includes(field.kind);
}

function typeOf(field: Simple): ScalarType {
  if (field.kind === 'bool') return 'u8';
  if (field.kind === 'lessOrEqual') return 'i32';
  return field.kind === 'timer' ? 'i64' : field.type;
}

/** Common to both directions: tests, runs of scalars, names. */
abstract class Code {
  protected readonly lines: string[] = [];

  constructor(
    protected readonly scope: Scope,
    protected readonly description: Description<object>,
    protected readonly index: number,
  ) {}

  protected abstract run(fields: readonly Simple[]): void;
  protected abstract field(field: Field): void;

  /** Scalars that follow each other under the same condition are one run with one check of the bounds. */
  protected allFields(): void {
    const { fields } = this.description;
    for (let i = 0; i < fields.length; ) {
      const condition = this.condition(fields[i]!);
      if (condition) this.lines.push(`if (${condition}) {`);
      const run: Simple[] = [];
      let j = i;
      while (
        j < fields.length &&
        isSimple(fields[j]!) &&
        fields[j]!.when === undefined &&
        this.condition(fields[j]!) === condition
      ) {
        run.push(fields[j++] as Simple);
      }
      if (run.length > 0 && fields[i]!.when === undefined) {
        this.run(run);
        i = j;
      } else {
        if (isSimple(fields[i]!)) this.run([fields[i] as Simple]);
        else this.field(fields[i]!);
        i++;
      }
      if (condition) this.lines.push('}');
    }
  }

  private condition(field: Field): string {
    if (field.when !== undefined) return `${this.fieldName(field)}.when(s, version)`;
    return field.since > 0 ? `version >= ${Number(field.since)}` : '';
  }

  /** An expression for the field itself. */
  protected fieldName(field: Field): string {
    let at = this.scope.fields.indexOf(field);
    if (at < 0) at = this.scope.fields.push(field) - 1;
    return `scope.fields[${at}]`;
  }

  protected nested(description: Description<object>): number {
    return addDescription(this.scope, description);
  }

  protected get self(): string {
    return `scope.descriptions[${this.index}]`;
  }

  /** Puts a count that stands in the state into `n`: none where it is negative, an end where it is too large. */
  protected count(key: string, multiply: number, max: number): string {
    const times = multiply === 1 ? '' : ` * ${Number(multiply)}`;
    return `n = Math.max(s[${JSON.stringify(key)}], 0)${times}; if (!(n <= ${Number(max)})) throw GIVE_UP;`;
  }

  protected key(field: Field): string {
    return field.key === '' ? 's' : `s[${JSON.stringify(field.key)}]`;
  }
}

class LoadCode extends Code {
  text(): string {
    const { version, minVersion, preLoad, postLoad } = this.description;
    this.lines.push(`if (version > ${Number(version)} || version < ${Number(minVersion)}) throw GIVE_UP;`);
    if (preLoad) this.lines.push(`${this.self}.preLoad(s);`);
    this.lines.push('let p = r.position, n = 0, x, t; const v = r.view, d = r.data, e = r.end;');
    this.allFields();
    this.lines.push('r.position = p;');
    this.lines.push(`if (p < e && d[p] === 5) while (fallback.subsection(scope, r, ${this.self}, s));`);
    if (postLoad) this.lines.push(`${this.self}.postLoad(s, version);`);
    for (const subsection of this.description.subsections) this.nested(subsection as Description<object>);
    return this.lines.join('\n');
  }

  protected run(fields: readonly Simple[]): void {
    const total = fields.reduce((sum, field) => sum + SCALAR_SIZE[typeOf(field)], 0);
    this.lines.push(`if (e - p < ${total}) throw GIVE_UP;`);
    let at = 0;
    for (const field of fields) {
      const value = `v.${GETTER[typeOf(field)]}(p + ${at})`;
      const key = this.key(field);
      at += SCALAR_SIZE[typeOf(field)];
      if (field.kind === 'equal') this.lines.push(`if (${value} !== ${key}) throw GIVE_UP;`);
      else if (field.kind === 'lessOrEqual') this.lines.push(`x = ${value}; if (x < 0 || x > ${key}) throw GIVE_UP; ${key} = x;`);
      else if (field.kind === 'bool' || (field.kind === 'scalar' && field.bool)) this.lines.push(`${key} = Boolean(${value});`);
      else this.lines.push(`${key} = ${value};`);
    }
    this.lines.push(`p += ${total};`);
  }

  protected field(field: Field): void {
    const key = this.key(field);
    switch (field.kind) {
      case 'bytes':
        this.lines.push(
          `t = ${key}; n = ${field.length ?? `t.length - ${field.start}`}; if (n < 0 || e - p < n) throw GIVE_UP;`,
          `if (n < 48) for (let i = 0; i < n; i++) t[${field.start} + i] = d[p + i];`,
          `else t.set(d.subarray(p, p + n), ${field.start}); p += n;`,
        );
        return;
      case 'unused':
        if (field.count !== undefined) break;
        this.lines.push(`if (e - p < ${field.length}) throw GIVE_UP; p += ${field.length};`);
        return;
      case 'array': {
        const size = field.type === 'bool' ? 1 : SCALAR_SIZE[field.type];
        const value = `v.${GETTER[field.type === 'bool' ? 'u8' : field.type]}(p)`;
        this.lines.push(
          `t = ${key}; n = ${field.length ?? `t.length - ${field.start}`}; if (n < 0 || e - p < n * ${size}) throw GIVE_UP;`,
          field.type === 'u8' && !field.bool
            ? `if (n >= 48 && t instanceof Uint8Array) { t.set(d.subarray(p, p + n), ${field.start}); p += n; } else`
            : '',
          `for (let i = ${field.start}; i < ${field.start} + n; i++, p += ${size}) t[i] = ${
            field.bool || field.type === 'bool' ? `Boolean(${value})` : value
          };`,
        );
        return;
      }
      case 'struct': {
        const at = field.atVersion ?? field.description.version;
        this.lines.push(
          `r.position = p; scope.load[${this.nested(field.description)}](r, ${key}, ${Number(at)}); p = r.position;`,
        );
        return;
      }
      case 'structArray': {
        const at = field.atVersion ?? field.description.version;
        this.lines.push(
          `t = ${key}; n = ${field.length === undefined ? 't.length' : field.start + field.length}; r.position = p; x = scope.load[${this.nested(field.description)}];`,
          `for (let i = ${field.start}; i < n; i++) x(r, t[i], ${Number(at)});`,
          'p = r.position;',
        );
        return;
      }
      case 'tmp': {
        const nested = this.nested(field.description);
        this.lines.push(
          `r.position = p; scope.load[${nested}](r, ${this.fieldName(field)}.create(s), ${Number(field.since)}); p = r.position;`,
        );
        return;
      }
      case 'varArray': {
        const size = SCALAR_SIZE[field.type];
        this.lines.push(
          `${this.count(field.count, field.multiply, field.max)} if (e - p < n * ${size}) throw GIVE_UP;`,
          `t = fallback.items(s, ${JSON.stringify(field.key)}, n);`,
          `for (let i = 0; i < n; i++, p += ${size}) t[i] = v.${GETTER[field.type]}(p);`,
        );
        return;
      }
      case 'sizedBytes':
        this.lines.push(
          `${this.count(field.size, field.multiply, field.max)} if (e - p < n) throw GIVE_UP;`,
          `fallback.bytes(s, ${JSON.stringify(field.key)}, n).set(d.subarray(p, p + n)); p += n;`,
        );
        return;
      case 'varStructArray': {
        const at = field.atVersion ?? field.description.version;
        this.lines.push(
          this.count(field.count, 1, field.max),
          `t = fallback.structs(${key}, n, ${this.fieldName(field)}.create); r.position = p; x = scope.load[${this.nested(field.description)}];`,
          `for (let i = 0; i < n; i++) x(r, t[i], ${Number(at)});`,
          'p = r.position;',
        );
        return;
      }
      case 'validate':
        this.lines.push(`if (!${this.fieldName(field)}.test(s, version)) throw GIVE_UP;`);
        return;
      case 'custom':
        this.lines.push(`r.position = p; ${key} = ${this.fieldName(field)}.codec.get(r, ${key}); p = r.position;`);
        return;
      default:
        break;
    }
    this.lines.push(`r.position = p; fallback.loadField(r, ${this.fieldName(field)}, s, version); p = r.position;`);
  }
}

class SaveCode extends Code {
  text(): string {
    const { preSave, postSave, unmigratable, subsections } = this.description;
    if (unmigratable !== undefined) this.lines.push('throw GIVE_UP;');
    if (preSave) this.lines.push(`${this.self}.preSave(s);`);
    if (postSave) this.lines.push('try {');
    this.lines.push('let n = 0, x, t, p = 0;');
    this.allFields();
    subsections.forEach((subsection, i) => {
      const nested = this.nested(subsection as Description<object>);
      const test = subsection.needed === undefined ? 'true' : `${this.self}.subsections[${i}].needed(s)`;
      this.lines.push(
        `if (${test}) { fallback.header(w, ${JSON.stringify(subsection.name)}, ${Number(subsection.version)}); scope.save[${nested}](w, s, ${Number(subsection.version)}); }`,
      );
    });
    if (postSave) this.lines.push(`} finally { ${this.self}.postSave(s); }`);
    return this.lines.join('\n');
  }

  protected run(fields: readonly Simple[]): void {
    const total = fields.reduce((sum, field) => sum + SCALAR_SIZE[typeOf(field)], 0);
    this.lines.push(`w.reserve(${total}); p = w.used; { const v = w.view;`);
    let at = 0;
    for (const field of fields) {
      const type = typeOf(field);
      const key = this.key(field);
      const setter = GETTER[type].replace('get', 'set');
      if (field.kind === 'bool') this.lines.push(`v.setUint8(p + ${at}, ${key} ? 1 : 0);`);
      else if (field.kind === 'scalar' && field.bool) {
        const wide = SCALAR_SIZE[type] === 8;
        this.lines.push(
          `x = ${key}; if (typeof x !== 'boolean') throw GIVE_UP; v.${setter}(p + ${at}, x ? ${wide ? '1n' : '1'} : ${wide ? '0n' : '0'});`,
        );
      } else this.lines.push(`x = ${key}; if (${MISFIT[type]}) throw GIVE_UP; v.${setter}(p + ${at}, x);`);
      at += SCALAR_SIZE[type];
    }
    this.lines.push(`w.used = p + ${total}; }`);
  }

  protected field(field: Field): void {
    const key = this.key(field);
    switch (field.kind) {
      case 'bytes':
        this.lines.push(
          `t = ${key}; n = ${field.length ?? `t.length - ${field.start}`}; if (n < 0 || t.length < ${field.start} + n) throw GIVE_UP;`,
          'w.reserve(n); p = w.used;',
          `{ const d = w.data; if (n < 48) for (let i = 0; i < n; i++) d[p + i] = t[${field.start} + i];`,
          `else d.set(${field.start === 0 && field.length === undefined ? 't' : `t.subarray(${field.start}, ${field.start} + n)`}, p); }`,
          'w.used = p + n;',
        );
        return;
      case 'array': {
        const type = field.type === 'bool' ? 'u8' : field.type;
        const size = SCALAR_SIZE[type];
        const set = `v.${GETTER[type].replace('get', 'set')}`;
        const loop = `for (let i = ${field.start}; i < ${field.start} + n; i++, p += ${size})`;
        const boolean = field.bool || field.type === 'bool';
        this.lines.push(
          `t = ${key}; n = ${field.length ?? `t.length - ${field.start}`}; if (n < 0 || t.length < ${field.start} + n) throw GIVE_UP;`,
          `w.reserve(n * ${size}); p = w.used; { const v = w.view;`,
        );
        if (boolean) {
          this.lines.push(
            `${loop} { x = t[i]; if (typeof x !== 'boolean') throw GIVE_UP; ${set}(p, ${size === 8 ? 'BigInt(x)' : 'x ? 1 : 0'}); }`,
          );
        } else {
          // The elements of a typed array of the same type fit without a look.
          const bulk =
            type === 'u8' ? `w.data.set(n === t.length ? t : t.subarray(${field.start}, ${field.start} + n), p), p += n` : '';
          this.lines.push(
            `if (t instanceof ${TYPED[type]}) ${bulk || `${loop} ${set}(p, t[i])`};`,
            `else ${loop} { x = t[i]; if (${MISFIT[type]}) throw GIVE_UP; ${set}(p, x); }`,
          );
        }
        this.lines.push('}', 'w.used = p;');
        return;
      }
      case 'struct': {
        const at = field.atVersion ?? field.description.version;
        this.lines.push(`scope.save[${this.nested(field.description)}](w, ${key}, ${Number(at)});`);
        return;
      }
      case 'structArray': {
        const at = field.atVersion ?? field.description.version;
        this.lines.push(
          `t = ${key}; n = ${field.length === undefined ? 't.length' : field.start + field.length}; if (t.length < n) throw GIVE_UP; x = scope.save[${this.nested(field.description)}];`,
          `for (let i = ${field.start}; i < n; i++) x(w, t[i], ${Number(at)});`,
        );
        return;
      }
      case 'tmp': {
        const { description } = field;
        this.lines.push(
          `scope.save[${this.nested(description)}](w, ${this.fieldName(field)}.create(s), ${Number(description.version)});`,
        );
        return;
      }
      case 'varArray': {
        const size = SCALAR_SIZE[field.type];
        this.lines.push(
          `${this.count(field.count, field.multiply, field.max)} t = ${key}; if (t.length < n) throw GIVE_UP;`,
          `w.reserve(n * ${size}); p = w.used; { const v = w.view; for (let i = 0; i < n; i++, p += ${size}) {`,
          `x = t[i]; if (${MISFIT[field.type]}) throw GIVE_UP; v.${GETTER[field.type].replace('get', 'set')}(p, x); } }`,
          'w.used = p;',
        );
        return;
      }
      case 'sizedBytes':
        this.lines.push(
          `${this.count(field.size, field.multiply, field.max)} t = ${key}; if (t.length < n) throw GIVE_UP;`,
          'w.reserve(n); w.data.set(n === t.length ? t : t.subarray(0, n), w.used); w.used += n;',
        );
        return;
      case 'varStructArray': {
        const at = field.atVersion ?? field.description.version;
        this.lines.push(
          `${this.count(field.count, 1, field.max)} t = ${key}; if (t.length < n) throw GIVE_UP; x = scope.save[${this.nested(field.description)}];`,
          `for (let i = 0; i < n; i++) x(w, t[i], ${Number(at)});`,
        );
        return;
      }
      case 'validate':
        this.lines.push(`if (!${this.fieldName(field)}.test(s, version)) throw GIVE_UP;`);
        return;
      case 'custom':
        this.lines.push(`${this.fieldName(field)}.codec.put(w, ${key});`);
        return;
      default:
        break;
    }
    this.lines.push(`fallback.saveField(w, ${this.fieldName(field)}, s, version);`);
  }
}
