/**
 * Packed integer operations by opcode: the two-operand forms that MMX (64 bits in the low half) and SSE2 share, and those of SSSE3 and SSE4.1.
 * [SDM 2B: P*]
 */

/** 48 bytes for operations that are clearest byte by byte. */
const SCRATCH: u32 = memory.data(48, 16) as u32;

@inline function unpackLow8(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
@inline function unpackLow16(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}
@inline function unpackLow32(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
}
@inline function upper(a: v128): v128 {
  return i8x16.shuffle(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
}
/** Low 64 bits of a below those of b. */
@inline function joinLow(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}

/** Shift counts above the width: logical shifts clear, arithmetic ones keep the sign. */
function shift(opcode: u32, a: v128, count: u64): v128 {
  switch (opcode) {
    case 0xd1: return count > 15 ? i64x2.splat(0) : i16x8.shr_u(a, i32(count));
    case 0xd2: return count > 31 ? i64x2.splat(0) : i32x4.shr_u(a, i32(count));
    case 0xd3: return count > 63 ? i64x2.splat(0) : i64x2.shr_u(a, i32(count));
    case 0xe1: return i16x8.shr_s(a, i32(min(count, 15)));
    case 0xe2: return i32x4.shr_s(a, i32(min(count, 31)));
    case 0xf1: return count > 15 ? i64x2.splat(0) : i16x8.shl(a, i32(count));
    case 0xf2: return count > 31 ? i64x2.splat(0) : i32x4.shl(a, i32(count));
    default: return count > 63 ? i64x2.splat(0) : i64x2.shl(a, i32(count));
  }
}
/** 0F 71, 72, 73: by an immediate. `group` = opcode, `digit` = the modrm byte's reg field. */
export function shiftImmediate(group: u32, digit: u32, a: v128, count: u32): v128 {
  const width = group - 0x71;
  if (digit == 3 || digit == 7) return shiftBytes(a, digit == 7, count);
  return shift((digit == 2 ? 0xd1 : digit == 4 ? 0xe1 : 0xf1) + width, a, u64(count));
}
function shiftBytes(a: v128, left: bool, count: u32): v128 {
  const zero = i64x2.splat(0);
  if (count > 15) return zero;
  v128.store(SCRATCH, zero);
  v128.store(SCRATCH + 16, a);
  v128.store(SCRATCH + 32, zero);
  return v128.load(left ? SCRATCH + 16 - count : SCRATCH + 16 + count);
}

function multiplyHigh(a: v128, b: v128, signed: bool): v128 {
  const low = signed ? i32x4.extmul_low_i16x8_s(a, b) : i32x4.extmul_low_i16x8_u(a, b);
  const high = signed ? i32x4.extmul_high_i16x8_s(a, b) : i32x4.extmul_high_i16x8_u(a, b);
  return i8x16.shuffle(low, high, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
}
function sumOfDifferences(a: v128, b: v128): v128 {
  const d = v128.sub<u8>(v128.max<u8>(a, b), v128.min<u8>(a, b));
  const sums = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(d));
  // two dwords to each quad
  return v128.and(v128.add<i64>(sums, i64x2.shr_u(sums, 32)), i64x2.splat(0xffffffff));
}
function evenDwords(a: v128): v128 {
  return i8x16.shuffle(a, a, 0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11);
}

/** Map 0F, opcodes 60 to FE: `a` is the destination. In MMX form only the low halves count. */
export function packed(opcode: u32, a: v128, b: v128, mmx: bool): v128 {
  switch (opcode) {
    case 0x60: return unpackLow8(a, b);
    case 0x61: return unpackLow16(a, b);
    case 0x62: return unpackLow32(a, b);
    case 0x63: return mmx ? i8x16.narrow_i16x8_s(joinLow(a, b), a) : i8x16.narrow_i16x8_s(a, b);
    case 0x64: return v128.gt<i8>(a, b);
    case 0x65: return v128.gt<i16>(a, b);
    case 0x66: return v128.gt<i32>(a, b);
    case 0x67: return mmx ? i8x16.narrow_i16x8_u(joinLow(a, b), a) : i8x16.narrow_i16x8_u(a, b);
    case 0x68: return mmx ? upper(unpackLow8(a, b)) : unpackLow8(upper(a), upper(b));
    case 0x69: return mmx ? upper(unpackLow16(a, b)) : unpackLow16(upper(a), upper(b));
    case 0x6a: return mmx ? upper(unpackLow32(a, b)) : unpackLow32(upper(a), upper(b));
    case 0x6b: return mmx ? i16x8.narrow_i32x4_s(joinLow(a, b), a) : i16x8.narrow_i32x4_s(a, b);
    case 0x6c: return joinLow(a, b);
    case 0x6d: return joinLow(upper(a), upper(b));
    case 0x74: return v128.eq<i8>(a, b);
    case 0x75: return v128.eq<i16>(a, b);
    case 0x76: return v128.eq<i32>(a, b);
    case 0xd4: return v128.add<i64>(a, b);
    case 0xd5: return v128.mul<i16>(a, b);
    case 0xd8: return v128.sub_sat<u8>(a, b);
    case 0xd9: return v128.sub_sat<u16>(a, b);
    case 0xda: return v128.min<u8>(a, b);
    case 0xdb: return v128.and(a, b);
    case 0xdc: return v128.add_sat<u8>(a, b);
    case 0xdd: return v128.add_sat<u16>(a, b);
    case 0xde: return v128.max<u8>(a, b);
    case 0xdf: return v128.andnot(b, a);
    case 0xe0: return v128.avgr<u8>(a, b);
    case 0xe3: return v128.avgr<u16>(a, b);
    case 0xe4: return multiplyHigh(a, b, false);
    case 0xe5: return multiplyHigh(a, b, true);
    case 0xe8: return v128.sub_sat<i8>(a, b);
    case 0xe9: return v128.sub_sat<i16>(a, b);
    case 0xea: return v128.min<i16>(a, b);
    case 0xeb: return v128.or(a, b);
    case 0xec: return v128.add_sat<i8>(a, b);
    case 0xed: return v128.add_sat<i16>(a, b);
    case 0xee: return v128.max<i16>(a, b);
    case 0xef: return v128.xor(a, b);
    case 0xf4: return i64x2.extmul_low_i32x4_u(evenDwords(a), evenDwords(b));
    case 0xf5: return i32x4.dot_i16x8_s(a, b);
    case 0xf6: return sumOfDifferences(a, b);
    case 0xf8: return v128.sub<i8>(a, b);
    case 0xf9: return v128.sub<i16>(a, b);
    case 0xfa: return v128.sub<i32>(a, b);
    case 0xfb: return v128.sub<i64>(a, b);
    case 0xfc: return v128.add<i8>(a, b);
    case 0xfd: return v128.add<i16>(a, b);
    case 0xfe: return v128.add<i32>(a, b);
    default: return shift(opcode, a, i64x2.extract_lane(b, 0));
  }
}

// ---------------------------------------------------------------- SSSE3

/** Words or dwords at even and odd places of a, then of b. */
function evenWords(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29);
}
function oddWords(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
}
function evens(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
}
function odds(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}
/** a where b > 0, −a where b < 0, else 0. */
function signOf(a: v128, negated: v128, negative: v128, zero: v128): v128 {
  return v128.andnot(v128.bitselect(negated, a, negative), zero);
}

/** Map 0F 38, opcodes 00 to 1E. In MMX form only the low halves count. */
export function packed38(opcode: u32, a: v128, b: v128, mmx: bool): v128 {
  const nothing = i64x2.splat(0);
  // horizontal operations of 64 bits: a's pairs and b's pairs must lie side by side
  const x = mmx ? joinLow(a, b) : a;
  const y = mmx ? x : b;
  switch (opcode) {
    case 0x00: return i8x16.swizzle(a, v128.and(b, i8x16.splat(i8(mmx ? 0x87 : 0x8f))));
    case 0x01: return v128.add<i16>(evenWords(x, y), oddWords(x, y));
    case 0x02: return v128.add<i32>(evens(x, y), odds(x, y));
    case 0x03: return v128.add_sat<i16>(evenWords(x, y), oddWords(x, y));
    case 0x04: return multiplyAddBytes(a, b);
    case 0x05: return v128.sub<i16>(evenWords(x, y), oddWords(x, y));
    case 0x06: return v128.sub<i32>(evens(x, y), odds(x, y));
    case 0x07: return v128.sub_sat<i16>(evenWords(x, y), oddWords(x, y));
    case 0x08: return signOf(a, v128.neg<i8>(a), v128.lt<i8>(b, nothing), v128.eq<i8>(b, nothing));
    case 0x09: return signOf(a, v128.neg<i16>(a), v128.lt<i16>(b, nothing), v128.eq<i16>(b, nothing));
    case 0x0a: return signOf(a, v128.neg<i32>(a), v128.lt<i32>(b, nothing), v128.eq<i32>(b, nothing));
    case 0x0b: {
      // only −1 × −1 saturates here and wraps there
      const least = i16x8.splat(-32768);
      return v128.xor(i16x8.q15mulr_sat_s(a, b), v128.and(v128.eq<i16>(a, least), v128.eq<i16>(b, least)));
    }
    case 0x1c: return v128.abs<i8>(b);
    case 0x1d: return v128.abs<i16>(b);
    default: return v128.abs<i32>(b);
  }
}
/** Unsigned bytes of a times signed bytes of b, neighbours added with saturation. */
function multiplyAddBytes(a: v128, b: v128): v128 {
  const low = v128.mul<i16>(i16x8.extend_low_i8x16_u(a), i16x8.extend_low_i8x16_s(b));
  const high = v128.mul<i16>(i16x8.extend_high_i8x16_u(a), i16x8.extend_high_i8x16_s(b));
  return v128.add_sat<i16>(evenWords(low, high), oddWords(low, high));
}

/** PALIGNR: bytes from `count` on of b below a. */
export function align(a: v128, b: v128, count: u32): v128 {
  const zero = i64x2.splat(0);
  if (count > 31) return zero;
  v128.store(SCRATCH, b);
  v128.store(SCRATCH + 16, a);
  v128.store(SCRATCH + 32, zero);
  return v128.load(SCRATCH + count);
}
export function alignMm(a: u64, b: u64, count: u32): u64 {
  if (count > 15) return 0;
  store<u64>(SCRATCH, b);
  store<u64>(SCRATCH + 8, a);
  store<u64>(SCRATCH + 16, 0);
  return load<u64>(SCRATCH + count);
}

// ---------------------------------------------------------------- SSE4

/** PMOVSX, PMOVZX: `opcode` & 0xf; the source is in the low part. */
export function widen(opcode: u32, b: v128): v128 {
  switch (opcode) {
    case 0x20: return i16x8.extend_low_i8x16_s(b);
    case 0x21: return i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(b));
    case 0x22: return i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(b)));
    case 0x23: return i32x4.extend_low_i16x8_s(b);
    case 0x24: return i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(b));
    case 0x25: return i64x2.extend_low_i32x4_s(b);
    case 0x30: return i16x8.extend_low_i8x16_u(b);
    case 0x31: return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(b));
    case 0x32: return i64x2.extend_low_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(b)));
    case 0x33: return i32x4.extend_low_i16x8_u(b);
    case 0x34: return i64x2.extend_low_i32x4_u(i32x4.extend_low_i16x8_u(b));
    default: return i64x2.extend_low_i32x4_u(b);
  }
}
/** Map 0F 38, 28 to 41. */
export function packed41(opcode: u32, a: v128, b: v128): v128 {
  switch (opcode) {
    case 0x28: return i64x2.extmul_low_i32x4_s(evenDwords(a), evenDwords(b));
    case 0x29: return v128.eq<i64>(a, b);
    case 0x2b: return i16x8.narrow_i32x4_u(a, b);
    case 0x37: return v128.gt<i64>(a, b);
    case 0x38: return v128.min<i8>(a, b);
    case 0x39: return v128.min<i32>(a, b);
    case 0x3a: return v128.min<u16>(a, b);
    case 0x3b: return v128.min<u32>(a, b);
    case 0x3c: return v128.max<i8>(a, b);
    case 0x3d: return v128.max<i32>(a, b);
    case 0x3e: return v128.max<u16>(a, b);
    case 0x3f: return v128.max<u32>(a, b);
    case 0x40: return v128.mul<i32>(a, b);
    default: return leastWord(b);
  }
}
/** PHMINPOSUW: the least word and its place. */
function leastWord(b: v128): v128 {
  v128.store(SCRATCH, b);
  let place: u32 = 0;
  for (let i: u32 = 1; i < 8; i++) if (load<u16>(SCRATCH + 2 * i) < load<u16>(SCRATCH + 2 * place)) place = i;
  return i64x2.replace_lane(i64x2.splat(0), 0, u64(load<u16>(SCRATCH + 2 * place)) | (u64(place) << 16));
}
/** MPSADBW: eight sums of four absolute differences. */
export function sumsOfFour(a: v128, b: v128, imm: u32): v128 {
  v128.store(SCRATCH, a);
  v128.store(SCRATCH + 16, b);
  const from = SCRATCH + (imm & 4);
  const with_ = SCRATCH + 16 + ((imm & 3) << 2);
  for (let i: u32 = 0; i < 8; i++) {
    let sum: i32 = 0;
    for (let k: u32 = 0; k < 4; k++) sum += abs(i32(load<u8>(from + i + k)) - i32(load<u8>(with_ + k)));
    store<u16>(SCRATCH + 32 + 2 * i, u16(sum));
  }
  return v128.load(SCRATCH + 32);
}
/** Shuffles of 2-bit fields: dwords, and words of one half. */
export function shuffleDwords(b: v128, imm: u32): v128 {
  v128.store(SCRATCH, b);
  for (let i: u32 = 0; i < 4; i++) store<u32>(SCRATCH + 16 + 4 * i, load<u32>(SCRATCH + (((imm >> (2 * i)) & 3) << 2)));
  return v128.load(SCRATCH + 16);
}
export function shuffleWords(b: u64, imm: u32): u64 {
  let result: u64 = 0;
  for (let i: u32 = 0; i < 4; i++) result |= ((b >> (((imm >> (2 * i)) & 3) << 4)) & 0xffff) << (16 * i);
  return result;
}
/** Selects by bits of `imm`, one for each element of 1 << size bytes. */
export function blend(a: v128, b: v128, imm: u32, size: u32): v128 {
  v128.store(SCRATCH, a);
  v128.store(SCRATCH + 16, b);
  for (let i: u32 = 0; i < 16; i++) if ((imm >> (i >> size)) & 1) store<u8>(SCRATCH + i, load<u8>(SCRATCH + 16 + i));
  return v128.load(SCRATCH);
}
/** Selects by the top bit of each element of `mask`. */
export function blendByMask(opcode: u32, a: v128, b: v128, mask: v128): v128 {
  const select = opcode == 0x10 ? i8x16.shr_s(mask, 7) : opcode == 0x14 ? i32x4.shr_s(mask, 31) : i64x2.shr_s(mask, 63);
  return v128.bitselect(b, a, select);
}
