/** Sets of 256 interrupt vectors, as the APIC keeps them: eight words. */

export function setVector(set: Uint32Array, vector: number): void {
  set[vector >> 5]! |= 1 << (vector & 31);
}

export function clearVector(set: Uint32Array, vector: number): void {
  set[vector >> 5]! &= ~(1 << (vector & 31));
}

export function hasVector(set: Uint32Array, vector: number): boolean {
  return (set[vector >> 5]! & (1 << (vector & 31))) !== 0;
}

/** The most important vector of a set, or undefined. */
export function highestVector(set: Uint32Array): number | undefined {
  for (let word = set.length - 1; word >= 0; word--) if (set[word]) return word * 32 + 31 - Math.clz32(set[word]!);
  return undefined;
}
