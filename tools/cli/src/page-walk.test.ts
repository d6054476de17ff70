import { describe, expect, it } from 'vitest';
import { type PagingState, translate } from './page-walk.js';

const PG = 1n << 31n;

/** Physical memory as words written so far. */
function memory(words: Record<number, bigint>) {
  const reads: bigint[] = [];
  return {
    reads,
    read: (address: bigint, size: 4 | 8): bigint => {
      reads.push(address);
      return (words[Number(address)] ?? 0n) & (size === 4 ? 0xffff_ffffn : (1n << 64n) - 1n);
    },
  };
}

const state = (change: Partial<PagingState>): PagingState => ({ cr0: PG | 1n, cr3: 0x1000n, cr4: 0n, efer: 0n, ...change });

describe('translate', () => {
  it('without paging is the address itself', () => {
    const { read, reads } = memory({});
    expect(translate(state({ cr0: 1n }), 0xb8000n, read)).toBe(0xb8000n);
    expect(reads).toEqual([]);
  });

  it('walks two levels, and knows 4 MiB pages', () => {
    const { read } = memory({ 4100: 0x2001n, 8200: 0x5a000n | 1n, 4104: 0xc00000n | 0x81n });
    expect(translate(state({}), 0x0040_2123n, read)).toBe(0x5a123n);
    expect(translate(state({ cr4: 1n << 4n }), 0x0081_2345n, read)).toBe(0xc12345n);
    expect(translate(state({}), 0x0040_3000n, read)).toBeUndefined();
    expect(translate(state({}), 0xffff_f000n, read)).toBeUndefined();
  });

  it('without PSE bit 7 of a directory entry means nothing', () => {
    const { read } = memory({ 4104: 0x3000n | 0x81n, 12288: 0x7001n });
    expect(translate(state({}), 0x0080_0010n, read)).toBe(0x7010n);
  });

  it('walks PAE: four pointers, 2 MiB pages, addresses above 4 GiB', () => {
    const { read } = memory({ 4120: 0x2001n, 8192: 0x1_4000_0000n | 0x81n, 8200: 0x4001n, 20472: 0x8000_0000_0000_9001n });
    const pae = state({ cr4: 1n << 5n });
    expect(translate(pae, 0xc010_0000n, read)).toBe(0x1_4010_0000n);
    expect(translate(pae, 0xc03f_f004n, read)).toBe(0x9004n);
    expect(translate(pae, 0x0000_0000n, read)).toBeUndefined();
  });

  it('walks four levels with 1 GiB and 4 KiB pages', () => {
    const { read } = memory({
      8184: 0x2001n,
      12272: 0x4000_0000n | 0x81n,
      12280: 0x3001n,
      16368: 0x6001n,
      24592: 0xabc001n,
    });
    const long = state({ cr4: 1n << 5n, efer: 1n << 10n });
    expect(translate(long, 0xffff_ffff_8123_4567n, read)).toBe(0x4123_4567n);
    expect(translate(long, 0xffff_ffff_ffc0_2defn, read)).toBe(0xabcdefn);
    expect(translate(long, 0x1000n, read)).toBeUndefined();
  });
});
