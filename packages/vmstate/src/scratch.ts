/**
 * Scratch copies of states for compiled plans. A copy is made once and brought up to date for every load, by code generated for its
 * classes, so that a load allocates next to nothing; large arrays are only copied when the load or one of its hooks touches them.
 */
import { cloneState, copyState } from './clone.js';

type Keyed = Record<PropertyKey, unknown>;

/** Copies the members of one object into another of the same class. */
interface Copier {
  /** A copy of a live object. */
  make(source: object): object;
  /** From the live object into its copy. */
  pull(copy: object, live: object): void;
  /** Back again. */
  push(live: object, copy: object): void;
}

/** Typed arrays of so many bytes are shared until somebody looks at them. */
const LAZY_BYTES = 16_384;
/** Arrays up to this length are copied by a loop, which is faster than a call. */
const SHORT = 32;

/** Copies for the states of one description, kept for the next load. */
export class Scratch<S extends object> {
  /** As many as were in use at once. */
  private readonly spares: S[] = [];

  /** A state equal to `state` that can be changed or thrown away. */
  take(state: S): S {
    try {
      return merge(this.spares.pop(), state, 'pull') as S;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // Nested without end (a cycle), or of another shape.
      return cloneState(state);
    }
  }

  /** Makes `state` equal to what {@link take} gave for it; objects that still fit keep their identity. */
  commit(state: S, copy: S): void {
    try {
      merge(state, copy, 'push');
      this.spares.push(copy);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      copyState(state, copy);
    }
  }
}

type Direction = 'pull' | 'push';
type View = Uint8Array;

const copiers = new Map<object, Copier>();

/** `target` made equal to `source` where it fits, else a copy of `source`. */
function merge(target: unknown, source: unknown, direction: Direction): unknown {
  if (typeof source !== 'object' || source === null) return source;
  if (ArrayBuffer.isView(source)) return mergeView(target, source as View);
  if (Array.isArray(source)) return mergeArray(target, source, direction);
  if (source instanceof Map || source instanceof Set) {
    const bothEmpty = source.size === 0 && target instanceof (source.constructor as typeof Map) && target.size === 0;
    return bothEmpty ? target : cloneState(source);
  }
  const prototype = Object.getPrototypeOf(source) as object | null;
  const fits = typeof target === 'object' && target !== null && Object.getPrototypeOf(target) === prototype;
  // Literals of all shapes share one prototype.
  if (prototype === null || prototype === Object.prototype) {
    return mergeMembers(fits ? target : (Object.create(prototype) as object), source, direction);
  }
  const copier = copierOf(source, prototype);
  if (fits) copier[direction](target, source);
  // What goes into live state must not share anything with the copy.
  else return direction === 'pull' ? copier.make(source) : cloneState(source);
  return target;
}

function mergeView(target: unknown, source: View): unknown {
  if (source instanceof DataView) return cloneState(source);
  const old = target as View | null | undefined;
  if (typeof old !== 'object' || old === null || old.constructor !== source.constructor || old.length !== source.length) {
    return source.slice();
  }
  if (source.length > SHORT) old.set(source);
  else for (let i = 0; i < source.length; i++) old[i] = source[i]!;
  return old;
}

function mergeArray(target: unknown, source: readonly unknown[], direction: Direction): unknown[] {
  const items = Array.isArray(target) ? (target as unknown[]) : [];
  if (items.length > source.length) items.length = source.length;
  for (let i = 0; i < source.length; i++) {
    const item = source[i];
    items[i] = typeof item === 'object' ? merge(items[i], item, direction) : item;
  }
  return items;
}

/** For objects whose keys are not those of their class. */
function mergeMembers(target: object, source: object, direction: Direction): object {
  for (const key of Object.keys(source)) {
    (target as Keyed)[key] = merge((target as Keyed)[key], (source as Keyed)[key], direction);
  }
  for (const key of Object.keys(target)) if (!Object.hasOwn(source, key)) delete (target as Keyed)[key];
  return target;
}

/** What a copy shares with its original so far, by key. */
const SHARED = Symbol('arrays not copied yet');
type Shares = { [key: string]: View | undefined };
type Copy = Keyed & { readonly [SHARED]: Shares };

/** One accessor for all copies of a class, so that they keep one shape. */
function sharedProperty(key: string): PropertyDescriptor {
  const put = (copy: Copy, value: unknown) => {
    copy[SHARED][key] = undefined;
    Object.defineProperty(copy, key, { value, writable: true, enumerable: true, configurable: true });
  };
  return {
    enumerable: true,
    configurable: true,
    get(this: Copy) {
      const value = this[SHARED][key]!.slice();
      put(this, value);
      return value;
    },
    set(this: Copy, value: unknown) {
      put(this, value);
    },
  };
}

/** Makes `copy[key]` a copy of `view` as soon as somebody asks for it. */
function share(copy: Copy, key: string, view: unknown, property: PropertyDescriptor): void {
  const shares = copy[SHARED];
  if (!isLarge(view)) {
    copy[key] = cloneState(view);
    return;
  }
  if (shares[key] === undefined) Object.defineProperty(copy, key, property);
  shares[key] = view as View;
}

/** True while `copy[key]` is the live object's own array; false for an object that is no copy of ours. */
function isShared(copy: Keyed | Copy, key: string): boolean {
  return (copy as Partial<Copy>)[SHARED]?.[key] !== undefined;
}

const isLarge = (value: unknown): boolean =>
  ArrayBuffer.isView(value) && !(value instanceof DataView) && value.byteLength >= LAZY_BYTES;

/** Code for objects of one class, after the first one seen; an object of that class with other members is a RangeError. */
function makeCopier(prototype: object, sample: Keyed): Copier {
  const keys = Object.keys(sample);
  const classes: unknown[] = [];
  const members = (direction: Direction) => keys.map((key) => memberCode(key, sample[key], direction, classes)).join('\n');
  const large = keys.filter((key) => isLarge(sample[key]));
  const properties = Object.fromEntries(large.map((key) => [key, sharedProperty(key)]));
  // A copy cannot be given more members, so that only the live object's may have changed.
  const code = [members('pull'), members('push')];
  const body = `'use strict';
const [${classes.map((_, at) => `c${at}`).join(', ')}] = classes;
function Copy() {
  ${keys.map((key) => `this[${JSON.stringify(key)}] = ${initial(sample[key])};`).join(' ')}
  ${large.length > 0 ? 'Object.defineProperty(this, SHARED, { value: {} });' : ''}
  Object.preventExtensions(this);
}
Copy.prototype = prototype;
function pull(target, source) {
  let i = 0, x, y;
  for (const key in source) if (key !== keys[i++]) { i = -1; break; }
  if (i !== ${keys.length}) throw new RangeError('members that the first object of the class did not have');
  ${code[0]}
}
function push(target, source) {
  let i = 0, x, y;
  // Made by the description, not by us.
  if (Object.isExtensible(source)) {
    for (const key in source) if (key !== keys[i++]) { i = -1; break; }
    if (i !== ${keys.length}) throw new RangeError('members that the first object of the class did not have');
  }
  ${code[1]}
}
return { pull, push, make(source) { const copy = new Copy(); pull(copy, source); return copy; } };`;
  const make = new Function('prototype', 'keys', 'classes', 'properties', 'SHARED', 'merge', 'share', 'isShared', body);
  return make(prototype, keys, classes, properties, SHARED, merge, share, isShared) as Copier;
}

/** So that the engine gives copies the same representation as originals. */
function initial(value: unknown): string {
  if (typeof value === 'number') return '0';
  if (typeof value === 'bigint') return '0n';
  return typeof value === 'boolean' ? 'false' : 'null';
}

function memberCode(key: string, value: unknown, direction: Direction, classes: unknown[]): string {
  const name = JSON.stringify(key);
  const [to, from] = [`target[${name}]`, `source[${name}]`];
  if (isLarge(value)) {
    return direction === 'pull'
      ? `share(target, ${name}, ${from}, properties[${name}]);`
      : `if (!isShared(source, ${name})) ${to} = merge(${to}, ${from}, 'push');`;
  }
  const slow = `${to} = merge(y, x, '${direction}');`;
  const plain = `x = ${from}; if (typeof x !== 'object') ${to} = x; else { y = ${to};`;
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const at = classes.push(value.constructor) - 1;
    const same = `x !== null && typeof y === 'object' && y !== null && x.constructor === c${at} && y.constructor === c${at} && x.length === y.length`;
    const short = `if (x.length > ${SHORT}) y.set(x); else for (let j = 0; j < x.length; j++) y[j] = x[j];`;
    return `${plain} if (${same}) { ${short} } else ${slow} }`;
  }
  if (Array.isArray(value)) {
    const element = value.find((item) => isInstance(item)) as object | undefined;
    const one = element === undefined ? '' : nestedCode(element, direction, classes);
    const loop = `for (let j = 0; j < n; j++) { x = a[j]; y = b[j]; if (typeof x !== 'object') b[j] = x; else ${
      one === '' ? '' : `if (${one}; else `
    } b[j] = merge(y, x, '${direction}'); }`;
    return `${plain} if (Array.isArray(x) && Array.isArray(y) && x.length === y.length) { const a = x, b = y, n = x.length; ${loop} } else ${slow} }`;
  }
  if (isInstance(value)) return `${plain} if (${nestedCode(value, direction, classes)}; else ${slow} }`;
  return `${plain} ${slow} }`;
}

function isInstance(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return false;
  if (value instanceof Map || value instanceof Set) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype !== null && prototype !== Object.prototype && Object.hasOwn(prototype, 'constructor');
}

/** `condition) call`: both are of the sample's class, whose copier is made with the enclosing one. */
function nestedCode(value: object, direction: Direction, classes: unknown[]): string {
  const at = classes.push((value as { constructor: unknown }).constructor, copierOf(value)) - 2;
  return `x !== null && typeof y === 'object' && y !== null && x.constructor === c${at} && y.constructor === c${at}) c${at + 1}.${direction}(y, x)`;
}

function copierOf(sample: object, prototype = Object.getPrototypeOf(sample) as object): Copier {
  const known = copiers.get(prototype);
  if (known !== undefined) return known;
  // Stands in while the copier is being made: classes may contain themselves.
  copiers.set(prototype, {
    make: (source) => copier.make(source),
    pull: (copy, live) => copier.pull(copy, live),
    push: (live, copy) => copier.push(live, copy),
  });
  const copier = makeCopier(prototype, sample as Keyed);
  copiers.set(prototype, copier);
  return copier;
}
