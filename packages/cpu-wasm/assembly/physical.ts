/**
 * The physical address space: the flat map that the machine pushes, RAM in this memory, dirty bitmaps, and the note of which
 * pages hold decoded code.
 */
import { A20_MASK, CODE_PAGES, DIRTY_DISPLAY, DIRTY_MIGRATION, INSTRUCTIONS, MAP, MAP_COUNT, MAP_IO, MAP_RAM, MAP_STRIDE, STOP } from '../src/layout';
import { mmioRead, mmioWrite } from './bus';
import { breakBlock, codeWritten } from './code-pages';
import { anyWithheld, demand, remember } from './withheld';

/** The range that answered last, to begin with: address of its MAP entry. */
const LAST: u32 = memory.data<u32>([MAP]) as u32;

/** MAP entry that covers a physical address, or 0. Forget the last one when the map changes. */
function rangeOf(address: u64): u32 {
  const last = load<u32>(LAST);
  if (address >= load<u64>(last) && address < load<u64>(last, 8)) return last;
  let low: u32 = 0;
  let high = load<u32>(MAP_COUNT);
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = MAP + middle * MAP_STRIDE;
    if (address < load<u64>(at)) high = middle;
    else if (address >= load<u64>(at, 8)) low = middle + 1;
    else {
      store<u32>(LAST, at);
      return at;
    }
  }
  return 0;
}
export function forgetRange(): void {
  store<u32>(LAST, MAP);
}

/** Address in this memory of a physical address in RAM or ROM, or 0. `address` is after the A20 gate. */
export function hostOf(address: u64): u32 {
  const range = rangeOf(address);
  if (!range || load<u32>(range, 20) == MAP_IO) return 0;
  const host = load<u32>(range, 16) + u32(address - load<u64>(range));
  if (anyWithheld()) demand(host);
  return host;
}
/** The same, for writing: RAM only. */
export function writableHostOf(address: u64): u32 {
  const range = rangeOf(address);
  if (!range || load<u32>(range, 20) != MAP_RAM) return 0;
  const host = load<u32>(range, 16) + u32(address - load<u64>(range));
  if (anyWithheld()) demand(host);
  return host;
}
/** Is there anything but a ROM's silence to write to? */
export function isRom(address: u64): bool {
  const range = rangeOf(address);
  return range != 0 && load<u32>(range, 20) != MAP_RAM && load<u32>(range, 20) != MAP_IO;
}

@inline export function gate(address: u64): u64 {
  return address & (u64(load<u32>(A20_MASK)) | 0xffffffff00000000);
}

@inline export function markDirty(host: u32): void {
  const page = host >> 12;
  const at = page >> 3;
  const bit: u32 = 1 << (page & 7);
  store<u8>(at, load<u8>(at, DIRTY_MIGRATION) | bit, DIRTY_MIGRATION);
  store<u8>(at, load<u8>(at, DIRTY_DISPLAY) | bit, DIRTY_DISPLAY);
}

/** A write of up to 16 bytes inside one page is about to reach RAM: dirty bits, decoded code. */
@inline export function touch(host: u32, n: u32): void {
  markDirty(host);
  if (load<u32>((host >> 12) << 2, CODE_PAGES)) codeWritten(host, n);
}

/** After a call into the machine, in the middle of a block: whatever it wants attention for is looked at behind this instruction. */
export function afterCallback(): void {
  if (load<i64>(INSTRUCTIONS) > load<i64>(STOP)) breakBlock();
}

/** Reads 1, 2, 4 or 8 bytes inside one page; `address` is after the A20 gate. */
export function readPhysical(address: u64, n: u32): u64 {
  const host = hostOf(address);
  if (host) {
    switch (n) {
      case 1: return load<u8>(host);
      case 2: return load<u16>(host);
      case 4: return load<u32>(host);
      default: return load<u64>(host);
    }
  }
  let value: u64;
  if (n == 8) {
    const low = mmioRead(f64(address), 4);
    value = u64(low) | (u64(mmioRead(f64(address + 4), 4)) << 32);
  } else {
    value = u64(mmioRead(f64(address), n));
    if (n == 1) value &= 0xff;
    else if (n == 2) value &= 0xffff;
  }
  afterCallback();
  return value;
}

export function writePhysical(address: u64, n: u32, value: u64): void {
  const host = writableHostOf(address);
  if (host) {
    if (anyWithheld()) remember(host, n);
    touch(host, n);
    switch (n) {
      case 1: store<u8>(host, u8(value)); return;
      case 2: store<u16>(host, u16(value)); return;
      case 4: store<u32>(host, u32(value)); return;
      default: store<u64>(host, value); return;
    }
  }
  if (isRom(address)) return;
  if (n == 8) {
    mmioWrite(f64(address), u32(value), 4);
    mmioWrite(f64(address + 4), u32(value >> 32), 4);
  } else {
    mmioWrite(f64(address), n == 1 ? u32(value) & 0xff : n == 2 ? u32(value) & 0xffff : u32(value), n);
  }
  afterCallback();
}
