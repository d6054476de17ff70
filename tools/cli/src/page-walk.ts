/**
 * Linear to physical, as the processor's tables say now. For the monitor's `x`: touches no accessed or dirty bit, raises nothing.
 * [SDM] volume 3, chapter 4: 32-bit, PAE and 4-level paging.
 */
export interface PagingState {
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
}

const CR0_PG = 1n << 31n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const EFER_LMA = 1n << 10n;
const PRESENT = 1n;
const LARGE = 1n << 7n;
const ADDRESS_MASK = 0x000f_ffff_ffff_f000n;

/**
 * @param read little-endian physical read of 4 or 8 bytes.
 * @returns undefined where nothing is mapped.
 */
export function translate(
  state: PagingState,
  linear: bigint,
  read: (address: bigint, size: 4 | 8) => bigint,
): bigint | undefined {
  if ((state.cr0 & CR0_PG) === 0n) return linear & 0xffff_ffffn;
  if ((state.cr4 & CR4_PAE) === 0n) return twoLevels(state, linear & 0xffff_ffffn, read);
  const long = (state.efer & EFER_LMA) !== 0n;
  let table = long ? state.cr3 & ADDRESS_MASK : state.cr3 & 0xffff_ffe0n;
  const address = long ? linear : linear & 0xffff_ffffn;
  for (let level = long ? 4 : 3; level >= 1; level--) {
    const shift = BigInt(12 + 9 * (level - 1));
    const index = (address >> shift) & (level === 3 && !long ? 3n : 0x1ffn);
    const entry = read(table + index * 8n, 8);
    if ((entry & PRESENT) === 0n) return undefined;
    const pageOffset = (1n << shift) - 1n;
    if (level === 1 || ((entry & LARGE) !== 0n && (level === 2 || (level === 3 && long))))
      return (entry & ADDRESS_MASK & ~pageOffset) | (address & pageOffset);
    table = entry & ADDRESS_MASK;
  }
  return undefined;
}

function twoLevels(state: PagingState, linear: bigint, read: (address: bigint, size: 4 | 8) => bigint): bigint | undefined {
  const directory = read((state.cr3 & 0xffff_f000n) + ((linear >> 22n) << 2n), 4);
  if ((directory & PRESENT) === 0n) return undefined;
  if ((directory & LARGE) !== 0n && (state.cr4 & CR4_PSE) !== 0n) {
    const high = ((directory >> 13n) & 0xffn) << 32n; // PSE-36
    return high | (directory & 0xffc0_0000n) | (linear & 0x3f_ffffn);
  }
  const entry = read((directory & 0xffff_f000n) + (((linear >> 12n) & 0x3ffn) << 2n), 4);
  return (entry & PRESENT) === 0n ? undefined : (entry & 0xffff_f000n) | (linear & 0xfffn);
}
