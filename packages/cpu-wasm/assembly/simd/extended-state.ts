/** XSAVE, XRSTOR, XSAVEOPT with the components x87 and SSE; XGETBV, XSETBV. [SDM 1:13] */
import { FPU_REGISTERS, MXCSR, XCR0, XMM } from '../../src/layout';
import { faultCode, fault, GP, NM, ud } from '../exceptions';
import { loadAt, probeWrite, storeAt } from '../memory';
import { cpl, cr0, CR0_TS, cr4, CR4_OSXSAVE, get, put, RAX, RCX, RDX } from '../state';
import { initialize } from '../x87/environment';
import { checkAlignment, memoryAddress, mxcsrBits } from './operands';
import { restoreX87, restoreXmm, saveX87, saveXmm } from './state-image';

const X87: u64 = 1;
const SSE: u64 = 2;
const SUPPORTED: u64 = X87 | SSE;
const AREA: u32 = 576;

function available(): void {
  if (!(cr4() & CR4_OSXSAVE)) ud();
}
@inline function edxEax(): u64 {
  return (u64(get<u32>(RDX)) << 32) | u64(get<u32>(RAX));
}

export function xgetbv(): void {
  available();
  const index = get<u32>(RCX);
  // XCR1 (XGETBV1): what is in use; all that is enabled
  if (index > 1) faultCode(GP, 0);
  put<u32>(RAX, load<u32>(XCR0));
  put<u32>(RDX, load<u32>(XCR0, 4));
}
export function xsetbv(): void {
  available();
  const value = edxEax();
  if (cpl() || get<u32>(RCX) != 0 || !(value & X87) || value & ~SUPPORTED) faultCode(GP, 0);
  store<u64>(XCR0, value);
}

function area(write: bool): u64 {
  available();
  if (cr0() & CR0_TS) fault(NM);
  checkAlignment(63);
  return memoryAddress(AREA, write);
}
export function xsave(): void {
  const at = area(true);
  const wanted = load<u64>(XCR0) & edxEax();
  probeWrite(at, AREA);
  if (wanted & X87) saveX87(at);
  if (wanted & SSE) {
    saveXmm(at);
    storeAt<u32>(at + 24, load<u32>(MXCSR));
    storeAt<u32>(at + 28, mxcsrBits());
  }
  storeAt<u64>(at + 512, (loadAt<u64>(at + 512) & ~wanted) | wanted);
}
export function xrstor(): void {
  const at = area(false);
  const wanted = load<u64>(XCR0) & edxEax();
  loadAt<u8>(at);
  const present = loadAt<u64>(at + 512);
  if (present & ~load<u64>(XCR0)) faultCode(GP, 0);
  for (let i: u32 = 8; i < 24; i += 8) if (loadAt<u64>(at + 512 + i)) faultCode(GP, 0);
  const mxcsr = loadAt<u32>(at + 24);
  if (wanted & SSE && mxcsr & ~mxcsrBits()) faultCode(GP, 0);
  if (wanted & X87) {
    if (present & X87) restoreX87(at);
    else {
      initialize();
      for (let i: u32 = 0; i < 128; i += 8) store<u64>(FPU_REGISTERS + i, 0);
    }
  }
  if (wanted & SSE) {
    store<u32>(MXCSR, mxcsr);
    if (present & SSE) restoreXmm(at);
    else for (let i: u32 = 0; i < 256; i += 8) store<u64>(XMM + i, 0);
  }
}
