/**
 * Arithmetic and logic on one operand size, with flags. Each operation of the integer instruction set is written here once; micro-operations
 * of all sizes and operand forms are made of these by assembly/generate.
 */
import { FLAG_AUX, FLAG_RESULT } from '../src/layout';
import { carry, condition, setAddition, setCarryOverflow, setLogic, setResult, setStep, setSubtraction, signExtend } from './flags';

@inline export function add<T>(a: T, b: T): T {
  const r = (a + b) as T;
  setAddition<T>(a, b, r);
  return r;
}
@inline export function adc<T>(a: T, b: T): T {
  const r = (a + b + (carry() as T)) as T;
  setAddition<T>(a, b, r);
  return r;
}
@inline export function sub<T>(a: T, b: T): T {
  const r = (a - b) as T;
  setSubtraction<T>(a, b, r);
  return r;
}
@inline export function sbb<T>(a: T, b: T): T {
  const r = (a - b - (carry() as T)) as T;
  setSubtraction<T>(a, b, r);
  return r;
}
@inline export function and<T>(a: T, b: T): T {
  const r = (a & b) as T;
  setLogic<T>(r);
  return r;
}
@inline export function or<T>(a: T, b: T): T {
  const r = (a | b) as T;
  setLogic<T>(r);
  return r;
}
@inline export function xor<T>(a: T, b: T): T {
  const r = (a ^ b) as T;
  setLogic<T>(r);
  return r;
}
@inline export function inc<T>(a: T): T {
  const r = (a + 1) as T;
  setStep<T>(r, (~a & r) as T, (a & ~r) as T);
  return r;
}
@inline export function dec<T>(a: T): T {
  const r = (a - 1) as T;
  setStep<T>(r, (a & ~r) as T, (~a & r) as T);
  return r;
}
@inline export function not<T>(a: T): T {
  return ~a as T;
}
@inline export function neg<T>(a: T): T {
  const r = (0 - a) as T;
  setSubtraction<T>(0 as T, a, r);
  return r;
}

// ---------------------------------------------------------------- shifts and rotates
// The count is cut to 5 (64-bit operands: 6) bits; a count of 0 changes no flag. OF beyond a count of 1 is undefined by the manuals; it
// is computed here as for a count of 1 on the last step, which is what processors do for most of them.

@inline function bits<T>(): u32 {
  return 8 * sizeof<T>() as u32;
}
@inline function countMask<T>(): u32 {
  return sizeof<T>() == 8 ? 63 : 31;
}
@inline function top<T>(a: T): u32 {
  return u32(u64(a) >> (bits<T>() - 1)) & 1;
}

@inline export function shl<T>(a: T, count: u32): T {
  const n = count & countMask<T>();
  if (n == 0) return a;
  let r: T;
  let cf: u32;
  if (sizeof<T>() >= 4) {
    r = (a << (n as T)) as T;
    cf = u32(u64(a) >> (bits<T>() - n)) & 1;
  } else {
    const wide = u64(a) << n;
    r = wide as T;
    cf = u32(wide >> bits<T>()) & 1;
  }
  setResult<T>(r, cf, top<T>(r) ^ cf);
  return r;
}
/** Shifts by a constant from 1 to the operand's bits - 1; 32 and 64 bits only. */
@inline export function shlBy<T>(a: T, n: u32): T {
  const r = (a << (n as T)) as T;
  const cf = u32(a >> ((bits<T>() - n) as T)) & 1;
  setResult<T>(r, cf, top<T>(r) ^ cf);
  return r;
}
@inline export function shrBy<T>(a: T, n: u32): T {
  const r = (a >> (n as T)) as T;
  setResult<T>(r, u32(a >> ((n - 1) as T)) & 1, top<T>(a));
  return r;
}
@inline export function sarBy<T>(a: T, n: u32): T {
  if (sizeof<T>() == 4) {
    const r = (i32(a) >> (n as i32)) as T;
    setResult<T>(r, u32(i32(a) >> i32(n - 1)) & 1, 0);
    return r;
  }
  const r = (i64(a) >> i64(n)) as T;
  setResult<T>(r, u32(i64(a) >> i64(n - 1)) & 1, 0);
  return r;
}
@inline export function shr<T>(a: T, count: u32): T {
  const n = count & countMask<T>();
  if (n == 0) return a;
  const r = (u64(a) >> n) as T;
  setResult<T>(r, u32(u64(a) >> (n - 1)) & 1, top<T>(a));
  return r;
}
@inline export function sar<T>(a: T, count: u32): T {
  const n = count & countMask<T>();
  if (n == 0) return a;
  const wide = signExtend<T>(a);
  const r = (wide >> n) as T;
  setResult<T>(r, u32(wide >> (n - 1)) & 1, 0);
  return r;
}
@inline export function rol<T>(a: T, count: u32): T {
  const n = count & countMask<T>();
  if (n == 0) return a;
  const m = n & (bits<T>() - 1);
  const r = (sizeof<T>() == 8 ? rotl<u64>(u64(a), m) : (u64(a) << m) | (u64(a) >> (bits<T>() - m))) as T;
  const cf = u32(r) & 1;
  setCarryOverflow(cf, cf ^ top<T>(r));
  return r;
}
@inline export function ror<T>(a: T, count: u32): T {
  const n = count & countMask<T>();
  if (n == 0) return a;
  const m = n & (bits<T>() - 1);
  const r = (sizeof<T>() == 8 ? rotr<u64>(u64(a), m) : (u64(a) >> m) | (u64(a) << (bits<T>() - m))) as T;
  const cf = top<T>(r);
  setCarryOverflow(cf, cf ^ (u32(u64(r) >> (bits<T>() - 2)) & 1));
  return r;
}
export function rcl<T>(a: T, count: u32): T {
  const n = (count & countMask<T>()) % (bits<T>() + 1);
  if (n == 0) return a;
  const value = u64(a);
  const c = u64(carry());
  let r: u64 = n < 64 ? value << n : 0;
  r |= c << (n - 1);
  if (n > 1) r |= value >> (bits<T>() + 1 - n);
  const cf = u32(value >> (bits<T>() - n)) & 1;
  setCarryOverflow(cf, cf ^ top<T>(r as T));
  return r as T;
}
export function rcr<T>(a: T, count: u32): T {
  const n = (count & countMask<T>()) % (bits<T>() + 1);
  if (n == 0) return a;
  const value = u64(a);
  const c = u64(carry());
  let r: u64 = n < 64 ? value >> n : 0;
  r |= c << (bits<T>() - n);
  if (n > 1) r |= value << (bits<T>() + 1 - n);
  const cf = u32(value >> (n - 1)) & 1;
  setCarryOverflow(cf, top<T>(r as T) ^ (u32(r >> (bits<T>() - 2)) & 1));
  return r as T;
}
/** Count from CL or an immediate; a 16-bit operand with a count above 16 takes its bits from both (as processors do; undefined by the manuals). */
export function shld<T>(a: T, b: T, count: u32): T {
  const n = count & countMask<T>();
  if (n == 0) return a;
  let r: T;
  let cf: u32;
  if (sizeof<T>() == 2) {
    const wide = (u64(a) << 32) | (u64(b) << 16) | u64(a);
    r = (wide >> (32 - n)) as T;
    cf = u32(wide >> (48 - n)) & 1;
  } else {
    r = ((a << (n as T)) | (b >> ((bits<T>() - n) as T))) as T;
    cf = u32(u64(a) >> (bits<T>() - n)) & 1;
  }
  setResult<T>(r, cf, top<T>(a) ^ top<T>(r));
  return r;
}
export function shrd<T>(a: T, b: T, count: u32): T {
  const n = count & countMask<T>();
  if (n == 0) return a;
  let r: T;
  let cf: u32;
  if (sizeof<T>() == 2) {
    const wide = (u64(a) << 32) | (u64(b) << 16) | u64(a);
    r = (wide >> n) as T;
    cf = u32(wide >> (n - 1)) & 1;
  } else {
    r = ((a >> (n as T)) | (b << ((bits<T>() - n) as T))) as T;
    cf = u32(u64(a) >> (n - 1)) & 1;
  }
  setResult<T>(r, cf, top<T>(a) ^ top<T>(r));
  return r;
}

// ---------------------------------------------------------------- bits

/** BT and its kin set CF; ZF stays, the others are undefined and stay too. */
@inline function testBit<T>(a: T, index: u32): void {
  const cf = u32(u64(a) >> (index & (bits<T>() - 1))) & 1;
  const aux = load<u32>(FLAG_AUX);
  const ov = (aux ^ (aux << 1)) >> 31;
  setCarryOverflow(cf, ov);
}
@inline export function bt<T>(a: T, index: u32): T {
  testBit<T>(a, index);
  return a;
}
@inline export function bts<T>(a: T, index: u32): T {
  testBit<T>(a, index);
  return (u64(a) | ((1 as u64) << (index & (bits<T>() - 1)))) as T;
}
@inline export function btr<T>(a: T, index: u32): T {
  testBit<T>(a, index);
  return (u64(a) & ~((1 as u64) << (index & (bits<T>() - 1)))) as T;
}
@inline export function btc<T>(a: T, index: u32): T {
  testBit<T>(a, index);
  return (u64(a) ^ ((1 as u64) << (index & (bits<T>() - 1)))) as T;
}
/** `a` = destination, kept when the source is 0 (as AMD documents and Intel does). */
@inline export function bsf<T>(a: T, b: T): T {
  setLogic<T>(b);
  return b == 0 ? a : (ctz<u64>(u64(b)) as T);
}
@inline export function bsr<T>(a: T, b: T): T {
  setLogic<T>(b);
  return b == 0 ? a : ((63 - clz<u64>(u64(b))) as T);
}
@inline export function tzcnt<T>(a: T, b: T): T {
  const r = (b == 0 ? bits<T>() : u32(ctz<u64>(u64(b)))) as T;
  setResult<T>(r, u32(b == 0), 0);
  return r;
}
@inline export function lzcnt<T>(a: T, b: T): T {
  const r = (u32(clz<u64>(u64(b))) - (64 - bits<T>())) as T;
  setResult<T>(r, u32(b == 0), 0);
  return r;
}
@inline export function popcount<T>(a: T, b: T): T {
  const r = u32(popcnt<u64>(u64(b)));
  // all flags but ZF are cleared: a result of 0 or 0x7f…, parity corrected
  store<i64>(FLAG_RESULT, r == 0 ? 0 : 1);
  store<u32>(FLAG_AUX, r == 0 ? 0x100 : 0);
  return r as T;
}

// ---------------------------------------------------------------- multiplication (two operands)

@inline export function imul<T>(a: T, b: T): T {
  if (sizeof<T>() == 8) {
    const r = (a * b) as T;
    const high = mulHighSigned(i64(a), i64(b));
    const over = u32(high != i64(r) >> 63);
    setResult<T>(r, over, over);
    return r;
  }
  const wide = signExtend<T>(a) * signExtend<T>(b);
  const r = wide as T;
  const over = u32(signExtend<T>(r) != wide);
  setResult<T>(r, over, over);
  return r;
}
export function mulHigh(a: u64, b: u64): u64 {
  const a0 = a & 0xffffffff;
  const a1 = a >> 32;
  const b0 = b & 0xffffffff;
  const b1 = b >> 32;
  const low = a0 * b0;
  const middle = a1 * b0 + (low >> 32);
  const other = a0 * b1 + (middle & 0xffffffff);
  return a1 * b1 + (middle >> 32) + (other >> 32);
}
export function mulHighSigned(a: i64, b: i64): i64 {
  let high = i64(mulHigh(u64(a), u64(b)));
  if (a < 0) high -= b;
  if (b < 0) high -= a;
  return high;
}

/** CMOVcc: `a` stays or becomes `b`. */
@inline export function choose<T>(a: T, b: T, code: u32): T {
  return condition(code) ? b : a;
}
