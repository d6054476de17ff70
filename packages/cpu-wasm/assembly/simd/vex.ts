/** BMI1 and BMI2: the VEX-coded instructions on general registers. [SDM 2A, 2B] */
import { ud } from '../exceptions';
import { setResult } from '../flags';
import { loadAt } from '../memory';
import { get, put, RDX } from '../state';
import { multiplyWide, wideLow } from '../x87/arithmetic';
import { immediate, isMemory, key, memoryAddress, regNumber, rmNumber, thirdNumber, wide } from './operands';

function source(): u64 {
  if (wide) return isMemory ? loadAt<u64>(memoryAddress(8, false)) : get<u64>(rmNumber << 3);
  return isMemory ? u64(loadAt<u32>(memoryAddress(4, false))) : u64(get<u32>(rmNumber << 3));
}
function third(): u64 {
  return wide ? get<u64>(thirdNumber << 3) : u64(get<u32>(thirdNumber << 3));
}
function write(register: u32, value: u64): void {
  if (wide) put<u64>(register << 3, value);
  else put<u32>(register << 3, u32(value));
}
/** SF and ZF of the result, CF as given, OF 0. */
function flags(value: u64, carry: bool): void {
  if (wide) setResult<u64>(value, u32(carry), 0);
  else setResult<u32>(u32(value), u32(carry), 0);
}

/** Bits of `value` to the places that `mask` has, lowest first; and back. */
function deposit(value: u64, mask: u64): u64 {
  let result: u64 = 0;
  for (let rest = mask; rest; rest &= rest - 1) {
    if (value & 1) result |= rest & (0 - rest);
    value >>= 1;
  }
  return result;
}
function extract(value: u64, mask: u64): u64 {
  let result: u64 = 0;
  let place: u64 = 0;
  for (let rest = mask; rest; rest &= rest - 1) {
    if (value & rest & (0 - rest)) result |= <u64>1 << place;
    place++;
  }
  return result;
}

export function vex(): void {
  const prefix = (key >> 8) & 3;
  const width: u64 = wide ? 64 : 32;
  const all: u64 = wide ? u64.MAX_VALUE : 0xffffffff;
  if (key >> 10 == 5) {
    // RORX: the third operand is not used, and its field must say so
    if (thirdNumber) ud();
    const a = source();
    const count = u64(immediate) & (width - 1);
    write(regNumber, wide ? rotr<u64>(a, count) : u64(rotr<u32>(u32(a), u32(count))));
    return;
  }
  const a = source();
  switch (key & 0xff) {
    case 0xf2: { // ANDN
      const value = ~third() & a;
      write(regNumber, value);
      flags(value, false);
      return;
    }
    case 0xf3: { // BLSR, BLSMSK, BLSI
      const what = regNumber & 7;
      const value = (what == 1 ? a & (a - 1) : what == 2 ? a ^ (a - 1) : a & (0 - a)) & all;
      write(thirdNumber, value);
      flags(value, (a == 0) != (what == 3));
      return;
    }
    case 0xf5: {
      if (prefix == 3) write(regNumber, deposit(third(), a));
      else if (prefix == 2) write(regNumber, extract(third(), a));
      else { // BZHI
        const n = third() & 0xff;
        const value = n < width ? a & ((<u64>1 << n) - 1) : a;
        write(regNumber, value);
        flags(value, n > width - 1);
      }
      return;
    }
    case 0xf6: { // MULX: the high half wins if both destinations are one
      if (wide) {
        const high = multiplyWide(get<u64>(RDX), a);
        put<u64>(thirdNumber << 3, wideLow);
        put<u64>(regNumber << 3, high);
      } else {
        const product = u64(get<u32>(RDX)) * a;
        put<u32>(thirdNumber << 3, u32(product));
        put<u32>(regNumber << 3, u32(product >> 32));
      }
      return;
    }
    default: { // BEXTR, SHLX, SARX, SHRX
      const control = third();
      const count = control & (width - 1);
      if (prefix == 0) {
        const start = control & 0xff;
        const length = (control >> 8) & 0xff;
        let value: u64 = start < width ? a >> start : 0;
        if (length < 64) value &= (<u64>1 << length) - 1;
        write(regNumber, value);
        flags(value, false);
      } else if (prefix == 1) write(regNumber, a << count);
      else if (prefix == 2) write(regNumber, wide ? u64(i64(a) >> i64(count)) : u64(i32(a) >> i32(count)));
      else write(regNumber, a >> count);
    }
  }
}
