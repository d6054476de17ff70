/**
 * PCMPESTRM, PCMPESTRI, PCMPISTRM, PCMPISTRI. [SDM 2B:4.1]
 *
 * The immediate:
 *
 *     6            5..4      3..2         1..0
 *     last / mask  polarity  aggregation  0 unsigned bytes, 1 unsigned words, 2 signed bytes, 3 signed words
 */
import { setLazyFlags } from '../flags';

/** First operand, second operand. */
const A: u32 = memory.data(32, 16) as u32;
const B: u32 = A + 16;

function elementAt(base: u32, i: u32, words: bool, signed: bool): i32 {
  if (words) return signed ? i32(load<i16>(base + 2 * i)) : i32(load<u16>(base + 2 * i));
  return signed ? i32(load<i8>(base + i)) : i32(load<u8>(base + i));
}
/** Elements before the first zero. */
function implicitLength(base: u32, words: bool): u32 {
  const count: u32 = words ? 8 : 16;
  for (let i: u32 = 0; i < count; i++) if (elementAt(base, i, words, false) == 0) return i;
  return count;
}
/** Length from a register: its magnitude, at most the number of elements. */
function explicitLength(value: i64, count: u32): u32 {
  const magnitude = value < 0 ? -value : value;
  return magnitude < 0 || magnitude > i64(count) ? count : u32(magnitude);
}

/** The bits of IntRes2; sets the flags. `explicit_` = lengths from the given registers. */
export function compareStrings(a: v128, b: v128, imm: u32, explicit_: bool, lengthA: i64, lengthB: i64): u32 {
  v128.store(A, a);
  v128.store(B, b);
  const words = (imm & 1) != 0;
  const signed = (imm & 2) != 0;
  const count: u32 = words ? 8 : 16;
  const la = explicit_ ? explicitLength(lengthA, count) : implicitLength(A, words);
  const lb = explicit_ ? explicitLength(lengthB, count) : implicitLength(B, words);
  let bits: u32 = 0;
  const aggregation = (imm >> 2) & 3;
  for (let j: u32 = 0; j < count; j++) {
    let hit = false;
    if (aggregation == 0) {
      // equal any: is b's element one of a's?
      if (j < lb) {
        const wanted = elementAt(B, j, words, signed);
        for (let i: u32 = 0; i < la; i++) hit = hit || elementAt(A, i, words, signed) == wanted;
      }
    } else if (aggregation == 1) {
      // ranges: pairs of a
      if (j < lb) {
        const wanted = elementAt(B, j, words, signed);
        for (let i: u32 = 0; i + 1 < la; i += 2) {
          hit = hit || (elementAt(A, i, words, signed) <= wanted && wanted <= elementAt(A, i + 1, words, signed));
        }
      }
    } else if (aggregation == 2) {
      // equal each: both ended counts as equal
      if (j < la && j < lb) hit = elementAt(A, j, words, signed) == elementAt(B, j, words, signed);
      else hit = j >= la && j >= lb;
    } else {
      // equal ordered: a as a substring of b from j on
      hit = true;
      for (let i: u32 = 0; i < la && i + j < count; i++) {
        if (i + j >= lb || elementAt(A, i, words, signed) != elementAt(B, i + j, words, signed)) hit = false;
      }
    }
    if (hit) bits |= 1 << j;
  }
  const all: u32 = words ? 0xff : 0xffff;
  if (imm & 0x10) bits ^= imm & 0x20 ? all & ((<u32>1 << lb) - 1) : all;
  setLazyFlags((bits ? 1 : 0) | (lb < count ? 0x40 : 0) | (la < count ? 0x80 : 0) | (bits & 1 ? 0x800 : 0));
  return bits;
}

export function indexOf(bits: u32, imm: u32): u32 {
  const count: u32 = imm & 1 ? 8 : 16;
  if (bits == 0) return count;
  return imm & 0x40 ? 31 - u32(clz(bits)) : u32(ctz(bits));
}
export function maskOf(bits: u32, imm: u32): v128 {
  if (!(imm & 0x40)) return i64x2.replace_lane(i64x2.splat(0), 0, u64(bits));
  const words = (imm & 1) != 0;
  for (let i: u32 = 0; i < 16; i++) store<u8>(A + i, (bits >> (words ? i >> 1 : i)) & 1 ? 0xff : 0);
  return v128.load(A);
}
