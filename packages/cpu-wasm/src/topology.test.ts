import { describe, expect, it } from 'vitest';
import { cpuidLookup, cpuidTable } from './cpuid.js';
import { parseCpu } from './models.js';
import { apicIdOf, cpuidOfProcessor } from './topology.js';

/** The registers of a leaf as hexadecimal text. */
const leaf = (model: string, index: number, topology: [number, number, number], number: number, subleaf = 0): string => {
  const [sockets, cores, threads] = topology;
  const table = cpuidTable(parseCpu(model, 'x86_64', {}, () => true));
  const words = cpuidLookup(cpuidOfProcessor(table, index, { sockets, cores, threads }), number, subleaf);
  return words.map((word) => word.toString(16).padStart(8, '0')).join(' ');
};

describe('topology in CPUID', () => {
  it('gives every thread, core and socket its own bits', () => {
    const ids = (sockets: number, cores: number, threads: number) =>
      Array.from({ length: sockets * cores * threads }, (_, n) => apicIdOf(n, { sockets, cores, threads }));
    expect(ids(1, 4, 1)).toEqual([0, 1, 2, 3]);
    expect(ids(4, 1, 1)).toEqual([0, 1, 2, 3]);
    expect(ids(2, 3, 2)).toEqual([0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]);
  });

  // Read by a guest under QEMU 7.2, TCG, pc-i440fx-7.2 (the fourth column of leaf 1: without what the model has not here).
  it('is what a guest reads under QEMU', () => {
    expect(leaf('qemu64', 0, [1, 4, 1], 1).slice(9, 17)).toBe('00040800');
    expect(leaf('qemu64', 0, [1, 4, 1], 0xb, 1)).toBe('00000002 00000004 00000201 00000000');
    expect(leaf('qemu64', 0, [1, 4, 1], 0x80000008)).toBe('00003028 00000000 00002003 00000000');
    expect(leaf('qemu64', 0, [1, 4, 1], 0x80000001).slice(18, 26)).toBe('00000007');
    expect(leaf('qemu64', 0, [4, 1, 1], 0x80000001).slice(18, 26)).toBe('00000005');
    expect(leaf('qemu64', 0, [4, 1, 1], 0x80000008)).toBe('00003028 00000000 00000000 00000000');
    expect(leaf('qemu64', 0, [2, 2, 2], 0xb, 0)).toBe('00000001 00000002 00000100 00000000');
    expect(leaf('Nehalem', 0, [1, 3, 2], 0x80000008)).toBe('00003028 00000000 00003005 00000000');
    expect(leaf('Nehalem', 0, [1, 3, 2], 4, 0)).toBe('08000121 01c0003f 0000003f 00000001');
    expect(leaf('Nehalem', 0, [1, 3, 2], 4, 2)).toBe('08004143 03c0003f 00000fff 00000001');
    expect(leaf('Nehalem', 0, [1, 3, 2], 4, 3)).toBe('0801c163 03c0003f 00003fff 00000006');
    expect(leaf('Nehalem', 0, [1, 3, 2], 0xb, 1)).toBe('00000003 00000006 00000201 00000000');
  });

  it('names the processor, and says that there are several', () => {
    const [, ebx, , edx] = leaf('qemu64', 3, [1, 4, 1], 1).split(' ');
    expect(ebx).toBe('03040800');
    expect(Number.parseInt(edx!, 16) & (1 << 28)).toBe(1 << 28);
    expect(leaf('qemu64', 3, [1, 4, 1], 0xb, 2)).toBe('00000000 00000000 00000002 00000003');
    expect(leaf('qemu64', 0, [1, 1, 1], 1).slice(9, 17)).toBe('00000800');
  });
});
