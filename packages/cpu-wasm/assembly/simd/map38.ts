/** Opcode map 0F 38. */
import { setLazyFlags } from '../flags';
import { aes } from './crypto';
import { NP } from './forms';
import { blendByMask, packed38, packed41, widen } from './integer';
import {
  ARITHMETIC, enterMmx, fromLow, getMm, getXmm, lowOf, regNumber, setMm, setXmm, source128, source16, source32, source64, sourceMm,
} from './operands';

export function map0f38(opcode: u32, prefix: u32): void {
  if (opcode < 0x10 || (opcode >= 0x1c && opcode < 0x20)) {
    if (prefix == NP) {
      const b = fromLow(sourceMm());
      enterMmx();
      setMm(regNumber, lowOf(packed38(opcode, fromLow(getMm(regNumber)), b, true)));
    } else {
      const b = source128(ARITHMETIC);
      setXmm(regNumber, packed38(opcode, getXmm(regNumber), b, false));
    }
    return;
  }
  if ((opcode & 0xef) >= 0x20 && (opcode & 0xef) <= 0x25) {
    const part = opcode & 7;
    const b = part == 0 || part == 3 || part == 5 ? fromLow(source64()) : part == 2 ? fromLow(source16()) : fromLow(source32());
    setXmm(regNumber, widen(opcode, b));
    return;
  }
  const b = source128(ARITHMETIC);
  const a = getXmm(regNumber);
  switch (opcode) {
    case 0x10:
    case 0x14:
    case 0x15: setXmm(regNumber, blendByMask(opcode, a, b, getXmm(0))); break;
    case 0x17:
      setLazyFlags((v128.any_true(v128.and(a, b)) ? 0 : 0x40) | (v128.any_true(v128.andnot(b, a)) ? 0 : 1));
      break;
    case 0x2a: setXmm(regNumber, b); break;
    case 0xdb:
    case 0xdc:
    case 0xdd:
    case 0xde:
    case 0xdf: setXmm(regNumber, aes(opcode, a, b)); break;
    default: setXmm(regNumber, packed41(opcode, a, b)); break;
  }
}
