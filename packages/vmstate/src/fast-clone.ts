/**
 * Backups of states for compiled plans: faster than {@link cloneState}, only good for being copied back. An object that is reachable
 * twice is copied twice.
 */
import { cloneState } from './clone.js';

interface Maker {
  readonly keys: readonly string[];
  make(value: object, depth: number): object;
}

const makers = new Map<object | null, Maker>();
const DEPTH_LIMIT = 32;

/** A copy to restore from with `copyState`. */
export function backupOf<T extends object>(state: T): T {
  try {
    return copyOf(state, 0) as T;
  } catch (error) {
    if (error !== TOO_DEEP && !(error instanceof EvalError)) throw error;
    return cloneState(state);
  }
}

const TOO_DEEP = new Error('nested too deep, perhaps a cycle');

function copyOf(value: object, depth: number): object {
  if (depth > DEPTH_LIMIT) throw TOO_DEEP;
  if (Array.isArray(value)) {
    const copy = value.slice() as unknown[];
    for (let i = 0; i < copy.length; i++) {
      const item = copy[i];
      if (typeof item === 'object' && item !== null) copy[i] = copyOf(item, depth + 1);
    }
    return copy;
  }
  if (ArrayBuffer.isView(value) || value instanceof Map || value instanceof Set) return cloneState(value);
  const keys = Object.keys(value);
  const prototype = Object.getPrototypeOf(value) as object | null;
  // Literals of all shapes share one prototype.
  if (prototype === null || prototype === Object.prototype) {
    const copy = { ...value } as Record<string, unknown>;
    for (const key of keys) copy[key] = copyMember(copy[key], depth);
    return copy;
  }
  let maker = makers.get(prototype);
  if (maker === undefined || !sameKeys(maker.keys, keys)) {
    maker = makeMaker(prototype, keys);
    makers.set(prototype, maker);
  }
  return maker.make(value, depth);
}

function copyMember(value: unknown, depth: number): unknown {
  return typeof value === 'object' && value !== null ? copyOf(value, depth + 1) : value;
}

/** Called by generated constructors, whose depth is that of the object they copy. */
function copyFrom(value: object | null, depth: number): object | null {
  return value === null ? null : copyOf(value, depth + 1);
}

function sameKeys(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function makeMaker(prototype: object, keys: readonly string[]): Maker {
  const assignments = keys.map((key) => {
    const name = JSON.stringify(key);
    return `x = value[${name}]; this[${name}] = typeof x === 'object' ? copyFrom(x, depth) : x;`;
  });
  const body = `'use strict';
function Copy(value, depth) { let x; ${assignments.join('\n')} }
Copy.prototype = prototype;
return (value, depth) => new Copy(value, depth);`;
  const make = new Function('copyFrom', 'prototype', body)(copyFrom, prototype) as Maker['make'];
  return { keys, make };
}
