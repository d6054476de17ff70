/**
 * Copies of plain state. A state class holds numbers, bigints, booleans, strings, typed arrays, arrays, maps, sets and nested objects
 * of the same kind; prototypes are kept, functions and other host values are shared, never copied.
 */

type Keyed = Record<string, unknown>;

/** A deep copy with the same classes. Values that appear twice are shared in the copy as they were in the original. */
export function cloneState<T>(value: T, seen = new Map<object, unknown>()): T {
  if (typeof value !== 'object' || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known as T;
  const copy = emptyLike(value);
  seen.set(value, copy);
  if (Array.isArray(value)) {
    for (const item of value) (copy as unknown[]).push(cloneState(item, seen));
  } else if (value instanceof Map) {
    for (const [key, item] of value) (copy as Map<unknown, unknown>).set(cloneState(key, seen), cloneState(item, seen));
  } else if (value instanceof Set) {
    for (const item of value) (copy as Set<unknown>).add(cloneState(item, seen));
  } else if (!ArrayBuffer.isView(value)) {
    for (const key of Object.keys(value)) (copy as Keyed)[key] = cloneState((value as Keyed)[key], seen);
  }
  return copy as T;
}

function emptyLike(value: object): object {
  if (Array.isArray(value)) return [];
  if (value instanceof Map) return new Map();
  if (value instanceof Set) return new Set();
  if (value instanceof DataView) return new DataView(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength));
  if (ArrayBuffer.isView(value)) return (value as Uint8Array).slice();
  return Object.create(Object.getPrototypeOf(value) as object | null) as object;
}

/**
 * Makes `target` equal to `source`, keeping the identity of every object and typed array of `target` that still fits, because
 * behaviour may hold on to them.
 */
export function copyState(target: object, source: object, seen = new Set<object>()): void {
  if (seen.has(source)) return;
  seen.add(source);
  for (const key of Object.keys(source)) {
    (target as Keyed)[key] = merged((target as Keyed)[key], (source as Keyed)[key], seen);
  }
  for (const key of Object.keys(target)) if (!Object.hasOwn(source, key)) delete (target as Keyed)[key];
}

function merged(old: unknown, now: unknown, seen: Set<object>): unknown {
  if (typeof old !== 'object' || old === null || typeof now !== 'object' || now === null || old === now) return now;
  if (Object.getPrototypeOf(old) !== Object.getPrototypeOf(now)) return now;
  if (Array.isArray(old) && Array.isArray(now)) {
    old.length = Math.min(old.length, now.length);
    for (let i = 0; i < now.length; i++) old[i] = merged(old[i], now[i], seen);
    return old;
  }
  if (ArrayBuffer.isView(old) && ArrayBuffer.isView(now)) {
    if (old instanceof DataView || (old as Uint8Array).length !== (now as Uint8Array).length) return now;
    (old as Uint8Array).set(now as Uint8Array);
    return old;
  }
  if (old instanceof Map || old instanceof Set) return now;
  copyState(old, now, seen);
  return old;
}
