import type { Description, Field } from './description.js';
import { type Emit, GETTER, MISFIT, type Simple, TYPED, typeOf } from './plan-emit.js';
import { isCompressible } from './save-field.js';
import { infoName, SCALAR_SIZE } from './walk.js';

/** The body of `(w: Writer, s: state, version)` or, `described`, of `(w, s, version, m: VmdescMembers)`, which also fills `m`. */
export function saveCode(emit: Emit, described: boolean): string {
  const { preSave, postSave, unmigratable, subsections } = emit.description;
  if (unmigratable !== undefined) emit.push('throw GIVE_UP;');
  if (preSave) emit.push(`${emit.self}.preSave(s);`);
  if (postSave) emit.push('try {');
  emit.push('let n = 0, x, t, p = 0;');
  emit.fields(
    (fields) => {
      saveRun(emit, fields);
      if (described)
        emit.push(`m.fields.push(${fields.map((field) => entry(emit, field, SCALAR_SIZE[typeOf(field)])).join(', ')});`);
    },
    (field) => (described ? describeOther(emit, field) : saveOther(emit, field)),
  );
  subsections.forEach((subsection, i) => {
    const nested = emit.nested(subsection as Description<object>);
    const test = subsection.needed === undefined ? 'true' : `${emit.self}.subsections[${i}].needed(s)`;
    const version = Number(subsection.version);
    emit.push(
      `if (${test}) { fallback.header(w, ${JSON.stringify(subsection.name)}, ${version});`,
      described
        ? `x = fallback.members(scope.descriptions[${nested}], ${version}); scope.describe[${nested}](w, s, ${version}, x); (m.subsections ??= []).push(x); }`
        : `scope.save[${nested}](w, s, ${version}); }`,
    );
  });
  if (postSave) emit.push(`} finally { ${emit.self}.postSave(s); }`);
  return emit.lines.join('\n');
}

function saveRun(emit: Emit, fields: readonly Simple[]): void {
  const total = fields.reduce((sum, field) => sum + SCALAR_SIZE[typeOf(field)], 0);
  emit.push(`w.reserve(${total}); p = w.used; { const v = w.view;`);
  let at = 0;
  for (const field of fields) {
    const type = typeOf(field);
    const key = emit.key(field);
    const setter = GETTER[type].replace('get', 'set');
    if (field.kind === 'bool') emit.push(`v.setUint8(p + ${at}, ${key} ? 1 : 0);`);
    else if (field.kind === 'scalar' && field.bool) {
      const wide = SCALAR_SIZE[type] === 8;
      emit.push(
        `x = ${key}; if (typeof x !== 'boolean') throw GIVE_UP; v.${setter}(p + ${at}, x ? ${wide ? '1n' : '1'} : ${wide ? '0n' : '0'});`,
      );
    } else emit.push(`x = ${key}; if (${MISFIT[type]}) throw GIVE_UP; v.${setter}(p + ${at}, x);`);
    at += SCALAR_SIZE[type];
  }
  emit.push(`w.used = p + ${total}; }`);
}

/** An object literal for the description JSON. */
function entry(emit: Emit, field: Field, size: number | string, members = ''): string {
  return `{ name: ${JSON.stringify(emit.wireName(field))}, type: ${JSON.stringify(infoName(field))}, ${members}size: ${size} }`;
}

/** Saves a field that is no simple one and describes it; what is rare is left to the interpreter. */
function describeOther(emit: Emit, field: Field): void {
  switch (field.kind) {
    case 'bytes':
    case 'sizedBytes':
    case 'unused':
    case 'custom':
      emit.push('{ const from = w.used;');
      saveOther(emit, field);
      emit.push(`m.fields.push(${entry(emit, field, 'w.used - from')}); }`);
      return;
    case 'struct': {
      const at = Number(field.atVersion ?? field.description.version);
      const nested = emit.nested(field.description);
      const members = infoName(field) === 'struct' ? 'struct: x, ' : '...x, ';
      emit.push(
        `{ const from = w.used, x = fallback.members(scope.descriptions[${nested}], ${at}); scope.describe[${nested}](w, ${emit.key(field)}, ${at}, x);`,
        `m.fields.push(${entry(emit, field, 'w.used - from', members)}); }`,
      );
      return;
    }
    case 'array':
    case 'varArray': {
      const size = field.type === 'bool' ? 1 : SCALAR_SIZE[field.type];
      saveOther(emit, field);
      emit.push(describeRun(emit, field, 'n', `{ type: ${JSON.stringify(infoName(field))}, size: ${size} }`));
      return;
    }
    case 'structArray':
    case 'varStructArray': {
      const { atVersion, description } = field;
      const [at, nested] = [Number(atVersion ?? description.version), emit.nested(description)];
      const start = field.kind === 'structArray' ? field.start : 0;
      const described = `{ const from = w.used, e = fallback.members(scope.descriptions[${nested}], ${at}); scope.describe[${nested}](w, t[i], ${at}, e); entries.push(fallback.structEntry(${atVersion}, e, w.used - from)); }`;
      emit.push(
        structsToSave(emit, field),
        `{ const entries = []; for (let i = ${start}; i < n; i++) ${isCompressible(field) ? `if (i > ${start}) x(w, t[i], ${at}); else ` : ''}${described}`,
        `${describeRun(emit, field, `n - ${start}`, 'entries[i]')} }`,
      );
      return;
    }
    case 'validate':
      saveOther(emit, field);
      return;
    default:
      emit.push(
        `fallback.saveField(w, ${emit.fieldName(field)}, s, version, { name: ${JSON.stringify(emit.wireName(field))}, into: m.fields });`,
      );
  }
}

/** Entries for the elements of an array; `one` is an expression for that of element `i`. */
function describeRun(emit: Emit, field: Field, count: string, one: string): string {
  const described = `{ name: ${JSON.stringify(emit.wireName(field))}, into: m.fields }`;
  return `fallback.describeRun(${described}, 0, ${count}, ${isCompressible(field)}, (i) => (${one}));`;
}

/** Puts the elements into `t`, the end into `n` and what saves one into `x`. */
function structsToSave(emit: Emit, field: Extract<Field, { kind: 'structArray' | 'varStructArray' }>): string {
  const key = emit.key(field);
  const most =
    field.kind === 'varStructArray'
      ? `${emit.count(field.count, 1, field.max)} t = ${key};`
      : `t = ${key}; n = ${field.length === undefined ? 't.length' : field.start + field.length};`;
  return `${most} if (t.length < n) throw GIVE_UP; x = scope.save[${emit.nested(field.description)}];`;
}

function saveOther(emit: Emit, field: Field): void {
  const key = emit.key(field);
  switch (field.kind) {
    case 'bytes':
      emit.push(
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
      emit.push(
        `t = ${key}; n = ${field.length ?? `t.length - ${field.start}`}; if (n < 0 || t.length < ${field.start} + n) throw GIVE_UP;`,
        `w.reserve(n * ${size}); p = w.used; { const v = w.view;`,
      );
      if (boolean) {
        emit.push(
          `${loop} { x = t[i]; if (typeof x !== 'boolean') throw GIVE_UP; ${set}(p, ${size === 8 ? 'BigInt(x)' : 'x ? 1 : 0'}); }`,
        );
      } else {
        // The elements of a typed array of the same type fit without a look.
        const bulk =
          type === 'u8' ? `w.data.set(n === t.length ? t : t.subarray(${field.start}, ${field.start} + n), p), p += n` : '';
        emit.push(
          `if (t instanceof ${TYPED[type]}) ${bulk || `${loop} ${set}(p, t[i])`};`,
          `else ${loop} { x = t[i]; if (${MISFIT[type]}) throw GIVE_UP; ${set}(p, x); }`,
        );
      }
      emit.push('}', 'w.used = p;');
      return;
    }
    case 'struct': {
      const at = field.atVersion ?? field.description.version;
      emit.push(`scope.save[${emit.nested(field.description)}](w, ${key}, ${Number(at)});`);
      return;
    }
    case 'structArray':
    case 'varStructArray': {
      const at = Number(field.atVersion ?? field.description.version);
      const start = field.kind === 'structArray' ? field.start : 0;
      emit.push(structsToSave(emit, field), `for (let i = ${start}; i < n; i++) x(w, t[i], ${at});`);
      return;
    }
    case 'tmp': {
      const { description } = field;
      emit.push(
        `scope.save[${emit.nested(description)}](w, ${emit.fieldName(field)}.create(s), ${Number(description.version)});`,
      );
      return;
    }
    case 'varArray': {
      const size = SCALAR_SIZE[field.type];
      emit.push(
        `${emit.count(field.count, field.multiply, field.max)} t = ${key}; if (t.length < n) throw GIVE_UP;`,
        `w.reserve(n * ${size}); p = w.used; { const v = w.view; for (let i = 0; i < n; i++, p += ${size}) {`,
        `x = t[i]; if (${MISFIT[field.type]}) throw GIVE_UP; v.${GETTER[field.type].replace('get', 'set')}(p, x); } }`,
        'w.used = p;',
      );
      return;
    }
    case 'sizedBytes':
      emit.push(
        `${emit.count(field.size, field.multiply, field.max)} t = ${key}; if (t.length < n) throw GIVE_UP;`,
        'w.reserve(n); w.data.set(n === t.length ? t : t.subarray(0, n), w.used); w.used += n;',
      );
      return;
    case 'validate':
      emit.push(`if (!${emit.fieldName(field)}.test(s, version)) throw GIVE_UP;`);
      return;
    case 'custom':
      emit.push(`${emit.fieldName(field)}.codec.put(w, ${key});`);
      return;
    default:
      break;
  }
  emit.push(`fallback.saveField(w, ${emit.fieldName(field)}, s, version);`);
}
