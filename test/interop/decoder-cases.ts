/** Instructions to compare decoders with: every opcode with every modrm byte, then with the prefixes that select, sib forms, and random bytes. */
import type { CodeBits } from '@pagurus/cpu-wasm';
import { CASE } from './objdump.js';

/** Displacements and immediates, with both signs. */
const TAIL = [0x12, 0x34, 0x56, 0x97, 0x9a, 0xbc, 0xde, 0xf1, 0x23, 0x45, 0x67];
const MAPS = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const SEGMENTS = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** All maps, opcodes and modrm bytes; behind a prefix only one memory form of each. */
export function* opcodeCases(bits: CodeBits): Generator<number[]> {
  const prefixes = [[0x66], [0xf3], [0xf2], [0xf0], [0x67], ...(bits === 64 ? [[0x48], [0x66, 0x41], [0x44], [0xf3, 0x48]] : [])];
  for (const map of MAPS) {
    for (const opcode of range(256)) {
      for (const modrm of range(256)) yield [...map, opcode, modrm, ...TAIL];
      for (const prefix of prefixes) {
        for (const reg of range(8)) yield [...prefix, ...map, opcode, (reg << 3) | 1, ...TAIL];
        for (const modrm of range(64)) yield [...prefix, ...map, opcode, 0xc0 | modrm, ...TAIL];
      }
    }
  }
}

/** The map's opcodes behind VEX prefixes of all fields. */
export function* vexCases(): Generator<number[]> {
  for (const opcode of range(256)) {
    for (const second of [0x70, 0xf9, 0xc2, 0xfb, 0x45]) {
      yield [0xc5, second | 0x80, opcode, 0xc1, ...TAIL];
      for (const map of [1, 2, 3])
        for (const modrm of [0xc1, 0xd9, 0x01, 0x19]) yield [0xc4, 0xe0 | map, second, opcode, modrm, ...TAIL];
    }
  }
}

/** Every sib byte in every memory form and address size. */
export function* sibCases(bits: CodeBits): Generator<number[]> {
  for (const prefix of [[], [0x67], ...(bits === 64 ? [[0x43], [0x41], [0x42]] : []), ...SEGMENTS.map((segment) => [segment])])
    for (const mod of [0x04, 0x44, 0x84]) for (const sib of range(256)) yield [...prefix, 0x8b, mod, sib, ...TAIL];
}

/** Random bytes, many of them behind prefixes and escapes. */
export function* randomCases(bits: CodeBits, count: number): Generator<number[]> {
  let state = bits;
  const random = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const prefixes = [0x66, 0x67, 0xf0, 0xf2, 0xf3, ...SEGMENTS];
  for (let i = 0; i < count; i++) {
    const bytes: number[] = [];
    for (let n = random(4); n > 0; n--) bytes.push(prefixes[random(prefixes.length)]!);
    if (bits === 64 && random(2)) bytes.push(0x40 | random(16));
    bytes.push(...MAPS[random(MAPS.length)]!);
    while (bytes.length < CASE) bytes.push(random(256));
    yield bytes;
  }
}
