import type { Description, Field } from './description.js';
import { type Emit, GETTER, MISFIT, type Simple, TYPED, typeOf } from './plan-emit.js';
import { SCALAR_SIZE } from './walk.js';

/** The body of `(w: Writer, s: state, version)`. */
export function saveCode(emit: Emit): string {
  const { preSave, postSave, unmigratable, subsections } = emit.description;
  if (unmigratable !== undefined) emit.push('throw GIVE_UP;');
  if (preSave) emit.push(`${emit.self}.preSave(s);`);
  if (postSave) emit.push('try {');
  emit.push('let n = 0, x, t, p = 0;');
  emit.fields(
    (fields) => saveRun(emit, fields),
    (field) => saveOther(emit, field),
  );
  subsections.forEach((subsection, i) => {
    const nested = emit.nested(subsection as Description<object>);
    const test = subsection.needed === undefined ? 'true' : `${emit.self}.subsections[${i}].needed(s)`;
    emit.push(
      `if (${test}) { fallback.header(w, ${JSON.stringify(subsection.name)}, ${Number(subsection.version)}); scope.save[${nested}](w, s, ${Number(subsection.version)}); }`,
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
    case 'structArray': {
      const at = field.atVersion ?? field.description.version;
      emit.push(
        `t = ${key}; n = ${field.length === undefined ? 't.length' : field.start + field.length}; if (t.length < n) throw GIVE_UP; x = scope.save[${emit.nested(field.description)}];`,
        `for (let i = ${field.start}; i < n; i++) x(w, t[i], ${Number(at)});`,
      );
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
    case 'varStructArray': {
      const at = field.atVersion ?? field.description.version;
      emit.push(
        `${emit.count(field.count, 1, field.max)} t = ${key}; if (t.length < n) throw GIVE_UP; x = scope.save[${emit.nested(field.description)}];`,
        `for (let i = 0; i < n; i++) x(w, t[i], ${Number(at)});`,
      );
      return;
    }
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
