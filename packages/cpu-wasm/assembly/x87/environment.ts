/** The x87 environment and whole state in memory: FLDENV, FNSTENV, FRSTOR, FNSAVE, and initialization. [SDM 1:8.1.10, 2A] */
import { CS, FPU_CONTROL, FPU_CS, FPU_DP, FPU_DS, FPU_IP, FPU_OPCODE, FPU_REGISTERS, FPU_STATUS, MODE, MODE_PROTECTED } from '../../src/layout';
import { notify } from '../bus';
import { loadAt, operandAddress, probeWrite, storeAt, wraps } from '../memory';
import { aKind, FINITE, unpack80, ZERO } from './number';
import { BUSY, physical, setStatus, setTags, setTop, signExponent, significand, st, status, summarize, SUMMARY, tags, top } from './stack';

/** Told to the host when FERR# goes on (CR0.NE = 0): IRQ 13 on a PC. */
export const NOTIFY_FERR: u32 = 0x0d;

export function ferr(): void {
  notify(NOTIFY_FERR);
}

/** FNINIT, also RESET. The contents of the registers stay. */
export function initialize(): void {
  store<u16>(FPU_CONTROL, 0x37f);
  store<u16>(FPU_STATUS, 0);
  setTop(0);
  setTags(0);
  store<u64>(FPU_IP, 0);
  store<u64>(FPU_DP, 0);
  store<u16>(FPU_CS, 0);
  store<u16>(FPU_DS, 0);
  store<u32>(FPU_OPCODE, 0);
}

/** FNCLEX. */
export function clearExceptions(): void {
  setStatus(status() & 0x7f00);
}

/** Two bits per physical register: valid, zero, special, empty. */
export function fullTagWord(): u32 {
  let word: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    let tag: u32 = 3;
    if ((tags() >> i) & 1) {
      const at = FPU_REGISTERS + (i << 4);
      unpack80(significand(at), signExponent(at));
      // denormals count as special
      tag = aKind == ZERO ? 1 : aKind == FINITE && (signExponent(at) & 0x7fff) != 0 ? 0 : 2;
    }
    word |= tag << (i << 1);
  }
  return word;
}
function setFullTagWord(word: u32): void {
  let bits: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) if (((word >> (i << 1)) & 3) != 3) bits |= 1 << i;
  setTags(bits);
}

@inline function statusWord(): u32 {
  return (status() & ~0x3800) | (top() << 11);
}
function setStatusWord(value: u32): void {
  setTop((value >> 11) & 7);
  setStatus(summarize(value & ~0x3800));
}

/** Faults now if any of the bytes cannot be read: looks at the first element and the last byte, as hardware does. */
function probeRead(at: u64, length: u32, size: u32): void {
  if (size == 2) loadAt<u16>(at);
  else loadAt<u32>(at);
  loadAt<u8>(at + length - 1);
}

function environmentLength(size: u32): u32 {
  return size == 2 ? 14 : 28;
}

/** The area in use: its record and address, and whether its parts wrap one by one in a 16-bit segment. */
let record: u32 = 0;
let start: u64 = 0;
let wrapping: bool = false;
let writing: bool = false;
/** Address of the `n` bytes at `offset`. */
@inline function part(offset: u32, n: u32): u64 {
  return wrapping ? operandAddress(record, offset, n, writing) : start + offset;
}
/** Fails now if anything would: whole environments, then registers of 8 and 2 bytes. */
function beginArea(rec: u32, size: u32, write: bool, registers: bool): void {
  const length = environmentLength(size);
  const whole = length + (registers ? 80 : 0);
  record = rec;
  writing = write;
  wrapping = wraps(rec, whole);
  if (!wrapping) {
    start = operandAddress(rec, 0, whole, write);
    if (write) probeWrite(start, whole);
    else probeRead(start, whole, size);
    return;
  }
  for (let i: u32 = 0; i < length; i += size) probePart(i, size);
  if (registers) {
    for (let i: u32 = 0; i < 80; i += 10) {
      probePart(length + i, 8);
      probePart(length + i + 8, 2);
    }
  }
}
function probePart(offset: u32, n: u32): void {
  if (writing) probeWrite(part(offset, n), n);
  else loadAt<u8>(part(offset, n));
}

/** Writes the 14 or 28 bytes; they must have been probed. */
function putEnvironment(size: u32): void {
  const real = (load<u32>(MODE) & MODE_PROTECTED) == 0;
  let ip = u32(load<u64>(FPU_IP));
  let dp = u32(load<u64>(FPU_DP));
  const opcode = load<u32>(FPU_OPCODE) & 0x7ff;
  if (real) {
    ip += u32(load<u16>(FPU_CS)) << 4;
    dp += u32(load<u16>(FPU_DS)) << 4;
  }
  if (size == 2) {
    storeAt<u16>(part(0, 2), load<u16>(FPU_CONTROL));
    storeAt<u16>(part(2, 2), u16(statusWord()));
    storeAt<u16>(part(4, 2), u16(fullTagWord()));
    storeAt<u16>(part(6, 2), u16(ip));
    storeAt<u16>(part(8, 2), u16(real ? ((ip >> 4) & 0xf000) | opcode : load<u16>(FPU_CS)));
    storeAt<u16>(part(10, 2), u16(dp));
    storeAt<u16>(part(12, 2), u16(real ? (dp >> 4) & 0xf000 : load<u16>(FPU_DS)));
    return;
  }
  storeAt<u32>(part(0, 4), 0xffff0000 | load<u16>(FPU_CONTROL));
  storeAt<u32>(part(4, 4), 0xffff0000 | statusWord());
  storeAt<u32>(part(8, 4), 0xffff0000 | fullTagWord());
  storeAt<u32>(part(12, 4), real ? 0xffff0000 | (ip & 0xffff) : ip);
  storeAt<u32>(part(16, 4), real ? ((ip >> 4) & 0x0ffff000) | opcode : (opcode << 16) | load<u16>(FPU_CS));
  storeAt<u32>(part(20, 4), real ? 0xffff0000 | (dp & 0xffff) : dp);
  storeAt<u32>(part(24, 4), real ? (dp >> 4) & 0x0ffff000 : 0xffff0000 | load<u16>(FPU_DS));
}

/** Reads everything first, so that a fault changes nothing. */
function getEnvironment(size: u32): void {
  const real = (load<u32>(MODE) & MODE_PROTECTED) == 0;
  const step: u32 = size == 2 ? 2 : 4;
  const control: u32 = loadAt<u16>(part(0, 2));
  const statusBits: u32 = loadAt<u16>(part(step, 2));
  const tagWord: u32 = loadAt<u16>(part(2 * step, 2));
  let ip: u32;
  let ipHigh: u32;
  let dp: u32;
  let dpHigh: u32;
  if (size == 2) {
    ip = loadAt<u16>(part(6, 2));
    ipHigh = loadAt<u16>(part(8, 2));
    dp = loadAt<u16>(part(10, 2));
    dpHigh = loadAt<u16>(part(12, 2));
    if (real) {
      ip |= (ipHigh & 0xf000) << 4;
      dp |= (dpHigh & 0xf000) << 4;
    }
    store<u32>(FPU_OPCODE, real ? ipHigh & 0x7ff : 0);
  } else {
    ip = loadAt<u32>(part(12, 4));
    ipHigh = loadAt<u32>(part(16, 4));
    dp = loadAt<u32>(part(20, 4));
    dpHigh = loadAt<u32>(part(24, 4));
    if (real) {
      ip = (ip & 0xffff) | ((ipHigh & 0x0ffff000) << 4);
      dp = (dp & 0xffff) | ((dpHigh & 0x0ffff000) << 4);
    }
    store<u32>(FPU_OPCODE, real ? ipHigh & 0x7ff : (ipHigh >> 16) & 0x7ff);
  }
  store<u64>(FPU_IP, ip);
  store<u64>(FPU_DP, dp);
  store<u16>(FPU_CS, real ? 0 : u16(ipHigh));
  store<u16>(FPU_DS, real ? 0 : u16(dpHigh));
  store<u16>(FPU_CONTROL, u16((control & 0x1f3f) | 0x40));
  setStatusWord(statusBits);
  setFullTagWord(tagWord);
}

export function storeEnvironment(rec: u32, size: u32): void {
  beginArea(rec, size, true, false);
  putEnvironment(size);
  store<u16>(FPU_CONTROL, load<u16>(FPU_CONTROL) | 0x3f);
  setStatus(status() & ~(SUMMARY | BUSY));
}

export function loadEnvironment(rec: u32, size: u32): void {
  beginArea(rec, size, false, false);
  getEnvironment(size);
}

export function saveState(rec: u32, size: u32): void {
  const length = environmentLength(size);
  beginArea(rec, size, true, true);
  putEnvironment(size);
  for (let i: u32 = 0; i < 8; i++) {
    storeAt<u64>(part(length + i * 10, 8), significand(st(i)));
    storeAt<u16>(part(length + i * 10 + 8, 2), u16(signExponent(st(i))));
  }
  initialize();
}

export function restoreState(rec: u32, size: u32): void {
  const length = environmentLength(size);
  beginArea(rec, size, false, true);
  getEnvironment(size);
  for (let i: u32 = 0; i < 8; i++) {
    store<u64>(st(i), loadAt<u64>(part(length + i * 10, 8)));
    store<u16>(st(i), loadAt<u16>(part(length + i * 10 + 8, 2)), 8);
  }
}
