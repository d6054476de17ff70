/** Comparison of states through their description: what would be sent, no more and no less. */
import { capture } from './capture.js';
import type { Description } from './description.js';
import { hexOf } from './dynamic.js';
import { isCustom, isStruct, type StructNode, type TreeEntry, type TreeValue } from './tree.js';

export interface Difference {
  /** e.g. `ps2kbd.queue.rptr`, of wire names. */
  readonly path: string;
  readonly kind: 'changed' | 'only-left' | 'only-right';
  readonly left: TreeValue | undefined;
  readonly right: TreeValue | undefined;
  /** `left → right`, for people. */
  readonly text: string;
}

/** All places where two states of one description differ. */
export function diff<S extends object>(description: Description<S>, left: S, right: S): Difference[] {
  return diffTrees(capture(description, left), capture(description, right));
}

/** True if both would send the same. */
export function equals<S extends object>(description: Description<S>, left: S, right: S): boolean {
  return diff(description, left, right).length === 0;
}

/** Differences of two trees, e.g. of sections of two streams. Fields are paired by name, elements by position. */
export function diffTrees(left: StructNode, right: StructNode, path = left.name): Difference[] {
  const found: Difference[] = [];
  diffStructs(found, path, left, right);
  return found;
}

function diffStructs(found: Difference[], path: string, left: StructNode, right: StructNode): void {
  if (left.version !== right.version) report(found, `${path}@version`, left.version, right.version);
  pair(left.fields, right.fields, (a, b) => diffValues(found, `${path}.${(a ?? b)!.name}`, a?.value, b?.value));
  pair(left.subsections, right.subsections, (a, b) => {
    const name = (a ?? b)!.name;
    const at = `${path}/${name.startsWith(`${left.name}/`) ? name.slice(left.name.length + 1) : name}`;
    diffValues(found, at, a, b);
  });
}

function pair<T extends { readonly name: string }>(
  left: readonly T[],
  right: readonly T[],
  visit: (a: T | undefined, b: T | undefined) => void,
): void {
  const others = new Map(right.map((item) => [item.name, item]));
  for (const item of left) {
    visit(item, others.get(item.name));
    others.delete(item.name);
  }
  for (const item of others.values()) visit(undefined, item);
}

function diffValues(found: Difference[], path: string, left: TreeValue | undefined, right: TreeValue | undefined): void {
  if (left === undefined || right === undefined) report(found, path, left, right);
  else if (Array.isArray(left) && Array.isArray(right)) {
    const [a, b] = [left as readonly TreeValue[], right as readonly TreeValue[]];
    for (let i = 0; i < Math.max(a.length, b.length); i++) diffValues(found, `${path}[${i}]`, a[i], b[i]);
  } else if (isObject(left) && isObject(right) && isStruct(left) && isStruct(right)) diffStructs(found, path, left, right);
  else if (isEntry(left) && isEntry(right)) {
    diffValues(found, `${path}.key`, left.key, right.key);
    diffValues(found, `${path}.value`, left.value, right.value);
  } else if (!sameLeaf(left, right)) report(found, path, left, right);
}

function isObject(value: TreeValue): boolean {
  return typeof value === 'object' && value !== null;
}

function isEntry(value: TreeValue): value is TreeEntry {
  return typeof value === 'object' && value !== null && 'key' in value;
}

function sameLeaf(left: TreeValue, right: TreeValue): boolean {
  const [a, b] = [bytesOf(left), bytesOf(right)];
  if (a && b) return a.length === b.length && a.every((byte, i) => byte === b[i]);
  return left === right;
}

function bytesOf(value: TreeValue): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  return typeof value === 'object' && value !== null && isCustom(value) ? value.bytes : undefined;
}

function report(found: Difference[], path: string, left: TreeValue | undefined, right: TreeValue | undefined): void {
  const kind = left === undefined ? 'only-right' : right === undefined ? 'only-left' : 'changed';
  found.push({ path, kind, left, right, text: `${textOf(left)} → ${textOf(right)}` });
}

function textOf(value: TreeValue | undefined): string {
  if (value === undefined) return 'absent';
  const bytes = bytesOf(value);
  if (bytes) return bytes.length > 16 ? `${bytes.length} bytes ${hexOf(bytes.subarray(0, 16))}..` : hexOf(bytes);
  if (Array.isArray(value)) return `${value.length} elements`;
  return typeof value === 'object' && value !== null ? '{…}' : String(value);
}
