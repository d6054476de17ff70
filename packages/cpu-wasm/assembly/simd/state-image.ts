/** FXSAVE, FXRSTOR, LDMXCSR, STMXCSR, and the images they share with XSAVE. [SDM 1:10.5] */
import { FPU_CONTROL, FPU_CS, FPU_DP, FPU_DS, FPU_IP, FPU_OPCODE, MODE, MODE_64, MODE_SIZE_MASK, MXCSR } from '../../src/layout';
import { fault, faultCode, GP, NM } from '../exceptions';
import { loadAt, probeWrite, storeAt } from '../memory';
import { cr0, CR0_EM, CR0_TS, cr4, CR4_OSFXSR } from '../state';
import { setStatus, setTags, setTop, signExponent, significand, st, status, summarize, tags, top } from '../x87/stack';
import { xrstor, xsave } from './extended-state';
import { getXmm, highOf, join, lowOf, memoryAddress, mxcsrBits, regNumber, setXmm, sseAvailable, wide } from './operands';

export function stateInstruction(rec: u32): void {
  const which = regNumber & 7;
  if (which >= 4) {
    if (which == 5) xrstor();
    else xsave();
    return;
  }
  if (which >= 2) {
    sseAvailable();
    if (which == 2) {
      const value = loadAt<u32>(memoryAddress(4, false));
      if (value & ~mxcsrBits()) faultCode(GP, 0);
      store<u32>(MXCSR, value);
    } else storeAt<u32>(memoryAddress(4, true), load<u32>(MXCSR));
    return;
  }
  if (cr0() & (CR0_EM | CR0_TS)) fault(NM);
  const at = memoryAddress(512, which == 0);
  if (u32(at) & 15) faultCode(GP, 0);
  if (which == 0) saveImage(at);
  else restoreImage(at);
}
function vectorRegisters(): u32 {
  return (load<u32>(MODE) & MODE_SIZE_MASK) == MODE_64 ? 16 : 8;
}
function saveImage(at: u64): void {
  probeWrite(at + 511, 1); // the far end first, as recorded
  probeWrite(at, 512);
  saveX87(at);
  storeAt<u32>(at + 24, load<u32>(MXCSR));
  storeAt<u32>(at + 28, mxcsrBits());
  if (cr4() & CR4_OSFXSR) saveXmm(at);
}
function restoreImage(at: u64): void {
  loadAt<u8>(at + 511);
  const mxcsr = loadAt<u32>(at + 24);
  if (cr4() & CR4_OSFXSR && mxcsr & ~mxcsrBits()) faultCode(GP, 0);
  restoreX87(at);
  if (!(cr4() & CR4_OSFXSR)) return;
  store<u32>(MXCSR, mxcsr);
  restoreXmm(at);
}

/** The x87 part of an FXSAVE image. */
export function saveX87(at: u64): void {
  storeAt<u16>(at, load<u16>(FPU_CONTROL));
  storeAt<u16>(at + 2, u16((status() & ~0x3800) | (top() << 11)));
  storeAt<u16>(at + 4, u16(tags()));
  storeAt<u16>(at + 6, u16(load<u32>(FPU_OPCODE)));
  if (wide) {
    storeAt<u64>(at + 8, load<u64>(FPU_IP));
    storeAt<u64>(at + 16, load<u64>(FPU_DP));
  } else {
    storeAt<u32>(at + 8, load<u32>(FPU_IP));
    storeAt<u32>(at + 12, u32(load<u16>(FPU_CS)));
    storeAt<u32>(at + 16, load<u32>(FPU_DP));
    storeAt<u32>(at + 20, u32(load<u16>(FPU_DS)));
  }
  for (let i: u32 = 0; i < 8; i++) {
    storeAt<u64>(at + 32 + 16 * i, significand(st(i)));
    storeAt<u64>(at + 40 + 16 * i, u64(signExponent(st(i))));
  }
}
export function restoreX87(at: u64): void {
  const statusWord: u32 = loadAt<u16>(at + 2);
  store<u16>(FPU_CONTROL, u16((u32(loadAt<u16>(at)) & 0x1f3f) | 0x40));
  setTop((statusWord >> 11) & 7);
  setTags(loadAt<u8>(at + 4));
  store<u32>(FPU_OPCODE, u32(loadAt<u16>(at + 6)) & 0x7ff);
  setStatus(summarize(statusWord & ~0x3800));
  if (wide) {
    store<u64>(FPU_IP, loadAt<u64>(at + 8));
    store<u64>(FPU_DP, loadAt<u64>(at + 16));
  } else {
    store<u64>(FPU_IP, u64(loadAt<u32>(at + 8)));
    store<u16>(FPU_CS, loadAt<u16>(at + 12));
    store<u64>(FPU_DP, u64(loadAt<u32>(at + 16)));
    store<u16>(FPU_DS, loadAt<u16>(at + 20));
  }
  for (let i: u32 = 0; i < 8; i++) {
    store<u64>(st(i), loadAt<u64>(at + 32 + 16 * i));
    store<u16>(st(i), loadAt<u16>(at + 40 + 16 * i), 8);
  }
}
/** The XMM registers of the mode. */
export function saveXmm(at: u64): void {
  for (let i: u32 = 0; i < vectorRegisters(); i++) {
    const value = getXmm(i);
    storeAt<u64>(at + 160 + 16 * i, lowOf(value));
    storeAt<u64>(at + 168 + 16 * i, highOf(value));
  }
}
export function restoreXmm(at: u64): void {
  for (let i: u32 = 0; i < vectorRegisters(); i++) setXmm(i, join(loadAt<u64>(at + 160 + 16 * i), loadAt<u64>(at + 168 + 16 * i)));
}
