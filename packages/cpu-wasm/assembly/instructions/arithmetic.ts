/** Multiplication and division on the accumulator, BCD, CMPXCHG8B/16B. */
import { mulHigh, mulHighSigned } from '../alu';
import { DE, fault, gp } from '../exceptions';
import { carry, lazyFlags, setLazyFlags, setLogic, setResult, signExtend } from '../flags';
import { loadAt, operandAddress, probeWrite, storeAt } from '../memory';
import { AH, FLAG_AF, FLAG_CF, FLAG_ZF, RAX, RBX, RCX, RDX, get, put } from '../state';

export function mul<T>(rec: u32): void {
  const b = get<T>(load<u8>(rec, 2));
  if (sizeof<T>() == 1) {
    const r = u16(get<u8>(RAX)) * u16(b);
    put<u16>(RAX, r);
    const over = u32(r >> 8 != 0);
    setResult<u8>(u8(r), over, over);
  } else if (sizeof<T>() == 8) {
    const a = get<u64>(RAX);
    const high = mulHigh(a, u64(b));
    put<u64>(RAX, a * u64(b));
    put<u64>(RDX, high);
    setResult<u64>(a * u64(b), u32(high != 0), u32(high != 0));
  } else {
    const r = u64(get<T>(RAX)) * u64(b);
    const high = (r >> (8 * sizeof<T>())) as T;
    put<T>(RAX, r as T);
    put<T>(RDX, high);
    setResult<T>(r as T, u32(high != 0), u32(high != 0));
  }
}
export function imul1<T>(rec: u32): void {
  const b = get<T>(load<u8>(rec, 2));
  if (sizeof<T>() == 1) {
    const r = i16(get<i8>(RAX)) * i16(i8(b));
    put<u16>(RAX, u16(r));
    const over = u32(i16(i8(r)) != r);
    setResult<u8>(u8(r), over, over);
  } else if (sizeof<T>() == 8) {
    const a = get<i64>(RAX);
    const low = a * i64(b);
    const high = mulHighSigned(a, i64(b));
    put<u64>(RAX, u64(low));
    put<u64>(RDX, u64(high));
    const over = u32(high != low >> 63);
    setResult<u64>(u64(low), over, over);
  } else {
    const r = signExtend<T>(get<T>(RAX)) * signExtend<T>(b);
    put<T>(RAX, r as T);
    put<T>(RDX, (r >> (8 * sizeof<T>())) as T);
    const over = u32(signExtend<T>(r as T) != r);
    setResult<T>(r as T, over, over);
  }
}

/** Quotient and remainder of a 128-bit number by a 64-bit one; the caller has made sure that the quotient fits. */
let remainder: u64 = 0;
function divide128(high: u64, low: u64, divisor: u64): u64 {
  if (high == 0) {
    remainder = low % divisor;
    return low / divisor;
  }
  let quotient: u64 = 0;
  let rest = high;
  for (let i = 63; i >= 0; i--) {
    const out = rest >> 63;
    rest = (rest << 1) | ((low >> i) & 1);
    quotient <<= 1;
    if (out || rest >= divisor) {
      rest -= divisor;
      quotient |= 1;
    }
  }
  remainder = rest;
  return quotient;
}

export function div<T>(rec: u32): void {
  const b = get<T>(load<u8>(rec, 2));
  if (b == 0) fault(DE);
  if (sizeof<T>() == 1) {
    const a = u32(get<u16>(RAX));
    const q = a / u32(b);
    if (q > 0xff) fault(DE);
    put<u8>(RAX, u8(q));
    put<u8>(AH, u8(a % u32(b)));
  } else if (sizeof<T>() == 8) {
    const high = get<u64>(RDX);
    if (high >= u64(b)) fault(DE);
    const q = divide128(high, get<u64>(RAX), u64(b));
    put<u64>(RAX, q);
    put<u64>(RDX, remainder);
  } else {
    const a = (u64(get<T>(RDX)) << (8 * sizeof<T>())) | u64(get<T>(RAX));
    const q = a / u64(b);
    if (q >> (8 * sizeof<T>())) fault(DE);
    put<T>(RAX, q as T);
    put<T>(RDX, (a % u64(b)) as T);
  }
}
export function idiv<T>(rec: u32): void {
  const b = signExtend<T>(get<T>(load<u8>(rec, 2)));
  if (b == 0) fault(DE);
  if (sizeof<T>() == 1) {
    const a = i32(get<i16>(RAX));
    const q = a / i32(b);
    if (q != i32(i8(q))) fault(DE);
    put<u8>(RAX, u8(q));
    put<u8>(AH, u8(a % i32(b)));
  } else if (sizeof<T>() == 8) {
    let high = get<u64>(RDX);
    let low = get<u64>(RAX);
    const negative = i64(high) < 0;
    if (negative) {
      low = 0 - low;
      high = ~high + u64(low == 0);
    }
    const divisor = b < 0 ? 0 - u64(b) : u64(b);
    if (high >= divisor) fault(DE);
    let q = divide128(high, low, divisor);
    const negativeQuotient = negative != b < 0;
    if (negativeQuotient ? q > 0x8000000000000000 : q > 0x7fffffffffffffff) fault(DE);
    if (negativeQuotient) q = 0 - q;
    put<u64>(RAX, q);
    put<u64>(RDX, negative ? 0 - remainder : remainder);
  } else {
    const a = sizeof<T>() == 2 ? i64(i32((u32(get<u16>(RDX)) << 16) | u32(get<u16>(RAX)))) : i64((u64(get<u32>(RDX)) << 32) | u64(get<u32>(RAX)));
    if (a == i64.MIN_VALUE && b == -1) fault(DE);
    const q = a / b;
    if (q != signExtend<T>(q as T)) fault(DE);
    put<T>(RAX, q as T);
    put<T>(RDX, (a % b) as T);
  }
}

// ---------------------------------------------------------------- BCD (SDM volume 2, DAA …)

/** SF, ZF, PF of AL with the given CF and AF; OF 0. */
function bcdFlags(al: u8, cf: bool, af: bool): void {
  setResult<u8>(al, u32(cf), 0);
  setLazyFlags((lazyFlags() & ~FLAG_AF) | (af ? FLAG_AF : 0));
}
export function daa(rec: u32): void {
  const old = get<u8>(RAX);
  const flags = lazyFlags();
  let al = old;
  let cf = false;
  const af = (old & 15) > 9 || (flags & FLAG_AF) != 0;
  if (af) al += 6;
  if (old > 0x99 || flags & FLAG_CF) {
    al += 0x60;
    cf = true;
  }
  put<u8>(RAX, al);
  bcdFlags(al, cf, af);
}
export function das(rec: u32): void {
  const old = get<u8>(RAX);
  const flags = lazyFlags();
  let al = old;
  let cf = false;
  const af = (old & 15) > 9 || (flags & FLAG_AF) != 0;
  if (af) {
    cf = (flags & FLAG_CF) != 0 || old < 6;
    al -= 6;
  }
  if (old > 0x99 || flags & FLAG_CF) {
    al -= 0x60;
    cf = true;
  }
  put<u8>(RAX, al);
  bcdFlags(al, cf, af);
}
export function aaa(rec: u32): void {
  const flags = lazyFlags();
  const adjust = (get<u8>(RAX) & 15) > 9 || (flags & FLAG_AF) != 0;
  if (adjust) put<u16>(RAX, get<u16>(RAX) + 0x106);
  put<u8>(RAX, get<u8>(RAX) & 15);
  bcdFlags(get<u8>(RAX), adjust, adjust);
}
export function aas(rec: u32): void {
  const flags = lazyFlags();
  const adjust = (get<u8>(RAX) & 15) > 9 || (flags & FLAG_AF) != 0;
  if (adjust) {
    put<u16>(RAX, get<u16>(RAX) - 6);
    put<u8>(AH, get<u8>(AH) - 1);
  }
  put<u8>(RAX, get<u8>(RAX) & 15);
  bcdFlags(get<u8>(RAX), adjust, adjust);
}
export function aam(rec: u32): void {
  const base = load<u8>(rec, 12);
  if (base == 0) fault(DE);
  const al = get<u8>(RAX);
  put<u8>(AH, al / base);
  put<u8>(RAX, al % base);
  setLogic<u8>(get<u8>(RAX));
}
export function aad(rec: u32): void {
  const base = load<u8>(rec, 12);
  const al = u8(get<u8>(RAX) + get<u8>(AH) * base);
  put<u16>(RAX, u16(al));
  setLogic<u8>(al);
}
export function salc(rec: u32): void {
  put<u8>(RAX, carry() ? 0xff : 0);
}

// ---------------------------------------------------------------- CMPXCHG8B, CMPXCHG16B

function setZero(zero: bool): void {
  setLazyFlags((lazyFlags() & ~FLAG_ZF) | (zero ? FLAG_ZF : 0));
}
export function cmpxchg8b<T>(rec: u32): void {
  if (sizeof<T>() == 8) {
    const a = operandAddress(rec, 0, 16, true);
    if (a & 15) gp(0);
    probeWrite(a, 8);
    probeWrite(a + 8, 8);
    const low = loadAt<u64>(a);
    const high = loadAt<u64>(a + 8);
    const equal = low == get<u64>(RAX) && high == get<u64>(RDX);
    storeAt<u64>(a, equal ? get<u64>(RBX) : low);
    storeAt<u64>(a + 8, equal ? get<u64>(RCX) : high);
    if (!equal) {
      put<u64>(RAX, low);
      put<u64>(RDX, high);
    }
    setZero(equal);
    return;
  }
  const a = operandAddress(rec, 0, 8, true);
  probeWrite(a, 8);
  const value = loadAt<u64>(a);
  const wanted = (u64(get<u32>(RDX)) << 32) | u64(get<u32>(RAX));
  const equal = value == wanted;
  storeAt<u64>(a, equal ? (u64(get<u32>(RCX)) << 32) | u64(get<u32>(RBX)) : value);
  if (!equal) {
    put<u32>(RAX, u32(value));
    put<u32>(RDX, u32(value >> 32));
  }
  setZero(equal);
}
