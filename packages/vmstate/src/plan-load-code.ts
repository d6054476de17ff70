import type { Description, Field } from './description.js';
import { type Emit, GETTER, type Simple, typeOf } from './plan-emit.js';
import { SCALAR_SIZE } from './walk.js';

/** The body of `(r: Reader, s: state, version)`. */
export function loadCode(emit: Emit): string {
  const { version, minVersion, preLoad, postLoad } = emit.description;
  emit.push(`if (version > ${Number(version)} || version < ${Number(minVersion)}) throw GIVE_UP;`);
  if (preLoad) emit.push(`${emit.self}.preLoad(s);`);
  emit.push('let p = r.position, n = 0, x, t; const v = r.view, d = r.data, e = r.end;');
  emit.fields(
    (fields) => loadRun(emit, fields),
    (field) => loadOther(emit, field),
  );
  emit.push('r.position = p;');
  emit.push(`if (p < e && d[p] === 5) while (fallback.subsection(scope, r, ${emit.self}, s));`);
  if (postLoad) emit.push(`${emit.self}.postLoad(s, version);`);
  for (const subsection of emit.description.subsections) emit.nested(subsection as Description<object>);
  return emit.lines.join('\n');
}

function loadRun(emit: Emit, fields: readonly Simple[]): void {
  const total = fields.reduce((sum, field) => sum + SCALAR_SIZE[typeOf(field)], 0);
  emit.push(`if (e - p < ${total}) throw GIVE_UP;`);
  let at = 0;
  for (const field of fields) {
    const value = `v.${GETTER[typeOf(field)]}(p + ${at})`;
    const key = emit.key(field);
    at += SCALAR_SIZE[typeOf(field)];
    if (field.kind === 'equal') emit.push(`if (${value} !== ${key}) throw GIVE_UP;`);
    else if (field.kind === 'lessOrEqual') emit.push(`x = ${value}; if (x < 0 || x > ${key}) throw GIVE_UP; ${key} = x;`);
    else if (field.kind === 'bool' || (field.kind === 'scalar' && field.bool)) emit.push(`${key} = Boolean(${value});`);
    else emit.push(`${key} = ${value};`);
  }
  emit.push(`p += ${total};`);
}

function loadOther(emit: Emit, field: Field): void {
  const key = emit.key(field);
  switch (field.kind) {
    case 'bytes':
      emit.push(
        `t = ${key}; n = ${field.length ?? `t.length - ${field.start}`}; if (n < 0 || e - p < n) throw GIVE_UP;`,
        `if (n < 48) for (let i = 0; i < n; i++) t[${field.start} + i] = d[p + i];`,
        `else t.set(d.subarray(p, p + n), ${field.start}); p += n;`,
      );
      return;
    case 'unused':
      if (field.count !== undefined) break;
      emit.push(`if (e - p < ${field.length}) throw GIVE_UP; p += ${field.length};`);
      return;
    case 'array': {
      const size = field.type === 'bool' ? 1 : SCALAR_SIZE[field.type];
      const value = `v.${GETTER[field.type === 'bool' ? 'u8' : field.type]}(p)`;
      emit.push(
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
      emit.push(`r.position = p; scope.load[${emit.nested(field.description)}](r, ${key}, ${Number(at)}); p = r.position;`);
      return;
    }
    case 'structArray': {
      const at = field.atVersion ?? field.description.version;
      emit.push(
        `t = ${key}; n = ${field.length === undefined ? 't.length' : field.start + field.length}; r.position = p; x = scope.load[${emit.nested(field.description)}];`,
        `for (let i = ${field.start}; i < n; i++) x(r, t[i], ${Number(at)});`,
        'p = r.position;',
      );
      return;
    }
    case 'tmp': {
      const nested = emit.nested(field.description);
      emit.push(
        `r.position = p; scope.load[${nested}](r, ${emit.fieldName(field)}.create(s), ${Number(field.since)}); p = r.position;`,
      );
      return;
    }
    case 'varArray': {
      const size = SCALAR_SIZE[field.type];
      emit.push(
        `${emit.count(field.count, field.multiply, field.max)} if (e - p < n * ${size}) throw GIVE_UP;`,
        `t = fallback.items(s, ${JSON.stringify(field.key)}, n);`,
        `for (let i = 0; i < n; i++, p += ${size}) t[i] = v.${GETTER[field.type]}(p);`,
      );
      return;
    }
    case 'sizedBytes':
      emit.push(
        `${emit.count(field.size, field.multiply, field.max)} if (e - p < n) throw GIVE_UP;`,
        `fallback.bytes(s, ${JSON.stringify(field.key)}, n).set(d.subarray(p, p + n)); p += n;`,
      );
      return;
    case 'varStructArray': {
      const at = field.atVersion ?? field.description.version;
      emit.push(
        emit.count(field.count, 1, field.max),
        `t = fallback.structs(${key}, n, ${emit.fieldName(field)}.create); r.position = p; x = scope.load[${emit.nested(field.description)}];`,
        `for (let i = 0; i < n; i++) x(r, t[i], ${Number(at)});`,
        'p = r.position;',
      );
      return;
    }
    case 'validate':
      emit.push(`if (!${emit.fieldName(field)}.test(s, version)) throw GIVE_UP;`);
      return;
    case 'custom':
      emit.push(`r.position = p; ${key} = ${emit.fieldName(field)}.codec.get(r, ${key}); p = r.position;`);
      return;
    default:
      break;
  }
  emit.push(`r.position = p; fallback.loadField(r, ${emit.fieldName(field)}, s, version); p = r.position;`);
}
