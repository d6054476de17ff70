/**
 * For fuzz.test.ts: a megabyte of random code and data, with descriptor tables, gates and page tables that are mostly right.
 */
import type { RamBlock } from '@pagurus/device-model';

export type PagingForm = 'legacy' | 'pae' | 'long';
/** Bytes of RAM. */
export const MEMORY = 0x100000;
/** Where things lie. Code and data are all below TABLES. */
export const CODE = 0x1000;
export const TABLES = 0x80000;
export const GDT = 0x90000;
export const IDT = 0x91000;
export const LDT = 0x92000;
export const TSS = 0x93000;
/** Handlers that return behind what faulted: for real mode, 32 and 64 bits, each without and with an error code. */
const HANDLERS = 0x98000;
const HANDLER_CODE: Readonly<Record<number, readonly number[]>> = {
  // push bp; mov bp,sp; inc word [bp+2]; pop bp; iret
  0: [0x55, 0x89, 0xe5, 0xff, 0x46, 0x02, 0x5d, 0xcf],
  // add esp,4; inc dword [esp]; iret
  32: [0xff, 0x04, 0x24, 0xcf],
  48: [0x83, 0xc4, 0x04, 0xff, 0x04, 0x24, 0xcf],
  // add rsp,8; inc qword [rsp]; iretq
  64: [0x48, 0xff, 0x04, 0x24, 0x48, 0xcf],
  80: [0x48, 0x83, 0xc4, 0x08, 0x48, 0xff, 0x04, 0x24, 0x48, 0xcf],
};
const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
/** Descriptors that are always there. */
export const SELECTORS = {
  code32: 0x08,
  data: 0x10,
  userCode32: 0x18,
  userData: 0x20,
  code64: 0x28,
  code16: 0x30,
  data16: 0x38,
  tss: 0x48,
  userCode64: 0x50,
};

/** Prefixes and escapes, so that the rarer maps are met often. */
const COMMON = [0x0f, 0x0f, 0x66, 0xf2, 0xf3, 0xc4, 0xc5, 0xd8, 0xd9, 0xdb, 0xdd, 0xdf, 0x48, 0x67, 0xf0, 0x64, 0x2e];
/** What changes the ways to be: far transfers, control registers, MSRs, descriptor tables, tasks, interrupts, strings. */
const SYSTEM = [
  [0xea], [0x9a], [0xcb], [0xcf], [0xcd], [0xcc], [0xf1], [0x0f, 0x20], [0x0f, 0x22], [0x0f, 0x23], [0x0f, 0x30], [0x0f, 0x32], [0x0f, 0x01], [0x0f, 0x00],
  [0x0f, 0x05], [0x0f, 0x07], [0x0f, 0x34], [0x0f, 0x35], [0x0f, 0xaa], [0x0f, 0xae], [0x0f, 0xc7], [0x8e], [0x9d], [0xf3, 0xa4], [0xf3, 0x6d], [0xf2, 0xae],
  [0xfb], [0x17], [0xc8], [0x0f, 0xb4], [0xff], [0xf4],
]; // biome-ignore format: a table

export type Random = (below: number) => number;
export function generator(seed: number): Random {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** What CR3 holds. */
export const ROOTS = { legacy: TABLES + 0x2000, pae: TABLES + 0x1000, long: TABLES } as const;

/** Code that begins anywhere, data, and tables that are sometimes right. */
export function fill(random: Random, long: boolean): Uint8Array {
  const bytes = new Uint8Array(MEMORY);
  for (let i = 0; i < TABLES; i++) bytes[i] = random(256);
  for (let i = 0; i < TABLES / 24; i++) bytes[random(TABLES)] = COMMON[random(COMMON.length)]!;
  for (let i = 0; i < TABLES / 60; i++) bytes.set(SYSTEM[random(SYSTEM.length)]!, random(TABLES - 2));
  const view = new DataView(bytes.buffer);
  // real mode's vectors
  const kind = random(10);
  for (let i = 0; i < 256; i++)
    view.setUint32(4 * i, kind < 7 ? (HANDLERS >> 4) << 16 : ((random(0x700) + 0x100) << 16) | random(0x1000), true);
  descriptors(random, view);
  if (kind < 7) handlers(view, long);
  return bytes;
}

function descriptors(random: Random, view: DataView): void {
  const descriptor = (at: number, base: number, limit: number, access: number, flags: number): void => {
    view.setUint32(at, ((base & 0xffff) << 16) | (limit & 0xffff), true);
    view.setUint32(
      at + 4,
      (base & 0xff000000) | (flags << 20) | (limit & 0xf0000) | (access << 8) | ((base >>> 16) & 0xff),
      true,
    );
  };
  for (const table of [GDT, LDT]) {
    for (let i = 0; i < 32; i++) {
      const at = table + 8 * i;
      const user = random(2) ? 0x60 : 0;
      const kind = random(8);
      if (kind < 3) descriptor(at, 0, 0xfffff, 0x9a | user | random(6), [0xc, 0xa, 0x8, 0x0][random(4)]!);
      else if (kind < 5) descriptor(at, 0, 0xfffff, 0x92 | user | random(6), [0xc, 0x8, 0x0][random(3)]!);
      else if (kind === 5)
        descriptor(at, TSS + 0x100 * random(8), 0x67 + random(3) * 0x40, [0x89, 0x81, 0x82, 0xe9][random(4)]!, 0);
      else if (kind === 6) {
        view.setUint32(at, ((8 * random(32)) << 16) | random(0x8000), true);
        view.setUint32(at + 4, (random(8) << 16) | ([0x84, 0x8c, 0xec, 0x85][random(4)]! << 8) | random(32), true);
      } else for (let k = 0; k < 8; k++) view.setUint8(at + k, random(256));
    }
  }
  const always: readonly (readonly [number, number, number])[] = [
    [SELECTORS.code32, 0x9b, 0xc],
    [SELECTORS.data, 0x93, 0xc],
    [SELECTORS.userCode32, 0xfb, 0xc],
    [SELECTORS.userData, 0xf3, 0xc],
    [SELECTORS.code64, 0x9b, 0xa],
    [SELECTORS.code16, 0x9b, 0x0],
    [SELECTORS.data16, 0x93, 0x0],
    [SELECTORS.userCode64, 0xfb, 0xa],
  ];
  for (const [selector, access, flags] of always) descriptor(GDT + selector, 0, 0xfffff, access, flags);
  for (let i = 0; i < 256; i++) {
    const at = IDT + 8 * i;
    view.setUint32(at, ((8 * random(32)) << 16) | random(0x10000), true);
    view.setUint32(at + 4, (random(8) << 16) | ([0x8e, 0xee, 0x8f, 0xef, 0x86, 0x85, 0xe5, random(256)][random(8)]! << 8), true);
  }
  for (let at = TSS; at < TSS + 0x1000; at += 4)
    view.setUint32(at, [random(TABLES), 8 * random(64), TABLES, 0][random(4)]!, true);
}

/** Gates to handlers that return. */
function handlers(view: DataView, long: boolean): void {
  const stack = 0x9f000;
  for (const [offset, code] of Object.entries(HANDLER_CODE))
    code.forEach((byte, i) => {
      view.setUint8(HANDLERS + Number(offset) + i, byte);
    });
  for (let i = 0; i < (long ? 128 : 256); i++) {
    const to = HANDLERS + (long ? 64 : 32) + (WITH_CODE.has(i) ? 16 : 0);
    const at = IDT + i * (long ? 16 : 8);
    view.setUint32(at, ((long ? SELECTORS.code64 : SELECTORS.code32) << 16) | (to & 0xffff), true);
    view.setUint32(at + 4, (to & 0xffff0000) | 0xee00, true);
    if (long) view.setUint32(at + 8, 0, true);
  }
  view.setUint32(TSS + 4, stack, true);
  view.setUint32(TSS + 8, long ? 0 : SELECTORS.data, true);
}

/** Page tables of a form that lead mostly to the same address; some entries lead elsewhere, or are wrong. */
export function pageTables(random: Random, form: PagingForm, ram: RamBlock): void {
  const flags = (): number => [0x07, 0x07, 0x07, 0x67, 0x03, 0x05, 0x01, 0x00, 0x1e7][random(9)]!;
  const page = (wide: boolean, entry: (i: number) => [number, number]): Uint8Array => {
    const bytes = new Uint8Array(4096);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < (wide ? 512 : 1024); i++) {
      const [low, high] = entry(i);
      view.setUint32(i * (wide ? 8 : 4), low, true);
      if (wide) view.setUint32(i * 8 + 4, high, true);
    }
    return bytes;
  };
  const high = (): number => (random(30) === 0 ? random(2 ** 32) : random(20) === 0 ? 0x80000000 : 0);
  const leaf = (i: number): [number, number] => [((random(20) ? i : random(512)) << 12) | flags(), high()];
  const node =
    (next: number) =>
    (i: number): [number, number] =>
      random(12) === 0 ? [(random(4) << 21) | 0x80 | flags(), high()] : [next | (i === 0 ? 0x07 : flags()), high()];
  ram.write(TABLES + 0x3000, page(form !== 'legacy', leaf));
  ram.write(TABLES + 0x2000, page(form !== 'legacy', node(TABLES + 0x3000)));
  ram.write(
    TABLES + 0x1000,
    page(true, (i) => (i < 4 ? [(TABLES + 0x2000) | (form === 'pae' ? 1 : 7), 0] : node(TABLES + 0x2000)(i))),
  );
  ram.write(
    TABLES,
    page(true, (i) => (i === 0 ? [(TABLES + 0x1000) | 7, 0] : node(TABLES + 0x1000)(i))),
  );
}
