/**
 * Lazy arithmetic flags. An operation leaves two words and nothing else (see src/layout.ts):
 *
 *     FLAG_RESULT  the result, sign-extended to 64 bits
 *     FLAG_AUX      31   30    29-16   15-8     7-4   3   2-1   0
 *                 +----+-----+-------+--------+-----+----+-----+----+
 *                 | CF |CF^OF|   0   | parity |  0  | AF |  0  | SF |    parity, SF: corrections, not 0 only after POPF and its like
 *                 +----+-----+-------+--------+-----+----+-----+----+
 *
 * For additions and subtractions bits 31, 30 and 3 are three bits of the vector of carries out of each position, so
 * one vector gives CF, OF and AF, and a condition is two or three operations without a look at what made it.
 */
import { EFLAGS, FLAG_AUX, FLAG_RESULT } from '../src/layout';
import { FLAGS_LAZY, FLAG_AF, FLAG_CF, FLAG_OF, FLAG_PF, FLAG_SF, FLAG_ZF } from './state';

const AUX_MASK: u32 = 0xc0000000;

@inline export function signExtend<T>(value: T): i64 {
  if (sizeof<T>() == 1) return i64(i8(value));
  if (sizeof<T>() == 2) return i64(i16(value));
  if (sizeof<T>() == 4) return i64(i32(value));
  return i64(value);
}

@inline function setCarries<T>(result: T, carries: T): void {
  store<i64>(FLAG_RESULT, signExtend<T>(result));
  if (sizeof<T>() == 8) store<u32>(FLAG_AUX, (u32(u64(carries) >> 32) & AUX_MASK) | (u32(carries) & 8));
  else store<u32>(FLAG_AUX, ((u32(carries) << (32 - 8 * sizeof<T>() as u32)) & AUX_MASK) | (u32(carries) & 8));
}
@inline export function setAddition<T>(a: T, b: T, result: T): void {
  setCarries<T>(result, ((a & b) | ((a | b) & ~result)) as T);
}
@inline export function setSubtraction<T>(a: T, b: T, result: T): void {
  setCarries<T>(result, ((~a & b) | (~(a ^ b) & result)) as T);
}
@inline export function setLogic<T>(result: T): void {
  store<i64>(FLAG_RESULT, signExtend<T>(result));
  store<u32>(FLAG_AUX, 0);
}
/** Result flags with explicit CF and OF (0 or 1) and AF 0. */
@inline export function setResult<T>(result: T, cf: u32, ov: u32): void {
  store<i64>(FLAG_RESULT, signExtend<T>(result));
  store<u32>(FLAG_AUX, (cf << 31) | ((cf ^ ov) << 30));
}
/** CF and OF only; the others stay. */
@inline export function setCarryOverflow(cf: u32, ov: u32): void {
  store<u32>(FLAG_AUX, (load<u32>(FLAG_AUX) & 0x3fffffff) | (cf << 31) | ((cf ^ ov) << 30));
}
/** INC and DEC: CF stays; the sign bit of `overflow` is OF, bit 3 of `adjust` is AF. */
@inline export function setStep<T>(result: T, overflow: T, adjust: T): void {
  store<i64>(FLAG_RESULT, signExtend<T>(result));
  const carry = load<u32>(FLAG_AUX) & 0x80000000;
  let over: u32;
  if (sizeof<T>() == 8) over = u32(u64(overflow) >> 33);
  else over = (u32(overflow) << (32 - 8 * sizeof<T>() as u32)) >> 1;
  store<u32>(FLAG_AUX, carry | (((carry >> 1) ^ over) & 0x40000000) | (u32(adjust) & 8));
}

@inline export function carry(): u32 { return load<u32>(FLAG_AUX) >> 31; }
@inline export function overflow(): bool { const aux = load<i32>(FLAG_AUX); return (aux ^ (aux << 1)) < 0; }
@inline export function below(): bool { return load<i32>(FLAG_AUX) < 0; }
@inline export function zero(): bool { return load<i64>(FLAG_RESULT) == 0; }
@inline export function belowEqual(): bool { return load<i32>(FLAG_AUX) < 0 || load<i64>(FLAG_RESULT) == 0; }
@inline export function sign(): bool { return ((u32(load<u64>(FLAG_RESULT) >> 63) ^ load<u32>(FLAG_AUX)) & 1) != 0; }
@inline export function parity(): bool {
  return (popcnt<u32>((load<u32>(FLAG_RESULT) ^ (load<u32>(FLAG_AUX) >> 8)) & 0xff) & 1) == 0;
}
@inline export function less(): bool {
  const aux = load<u32>(FLAG_AUX);
  return ((u32(load<u64>(FLAG_RESULT) >> 63) ^ aux ^ (aux >> 31) ^ (aux >> 30)) & 1) != 0;
}
// less = SF ^ OF; OF = bit 31 ^ bit 30
@inline export function lessEqual(): bool { return less() || zero(); }

/** Condition code 0…15 as in Jcc's opcode. */
export function condition(code: u32): bool {
  let answer: bool;
  switch (code >> 1) {
    case 0: answer = overflow(); break;
    case 1: answer = below(); break;
    case 2: answer = zero(); break;
    case 3: answer = belowEqual(); break;
    case 4: answer = sign(); break;
    case 5: answer = parity(); break;
    case 6: answer = less(); break;
    default: answer = lessEqual(); break;
  }
  return (code & 1) != 0 ? !answer : answer;
}

/** The six lazy flags as EFLAGS bits. */
export function lazyFlags(): u32 {
  const aux = load<u32>(FLAG_AUX);
  return (aux >> 31) | (u32(parity()) << 2) | ((aux & 8) << 1) | (u32(zero()) << 6) | (u32(sign()) << 7) | (u32(overflow()) << 11);
}

/** Sets the six lazy flags from EFLAGS bits, any combination. */
export function setLazyFlags(flags: u32): void {
  // ZF wants result 0, else 1; sign and parity of 0 or 1 are then corrected
  const result: u32 = flags & FLAG_ZF ? 0 : 1;
  const even: u32 = result ^ 1; // parity flag that the result's low byte would give
  const wanted: u32 = flags & FLAG_PF ? 1 : 0;
  const cf: u32 = flags & FLAG_CF ? 1 : 0;
  const ov: u32 = flags & FLAG_OF ? 1 : 0;
  store<i64>(FLAG_RESULT, i64(result));
  store<u32>(FLAG_AUX, (cf << 31) | ((cf ^ ov) << 30) | ((even ^ wanted) << 8) | (flags & FLAG_AF ? 8 : 0) | (flags & FLAG_SF ? 1 : 0));
}

export function getFlags(): u32 {
  return load<u32>(EFLAGS) | lazyFlags();
}

/** The whole register; derives nothing (see state.ts `updateMode`, `updateEvents`). */
export function setFlags(flags: u32): void {
  store<u64>(EFLAGS, (flags & ~FLAGS_LAZY) | 2);
  setLazyFlags(flags);
}
