/** Breakpoints on data and ports: traps behind the instruction that made the access. [SDM 3B:17.2] */
import { BREAKPOINTS, BREAK_DATA, BREAK_IO, DR, EVENT_PATCHED, STEPPING, STEP_DR6 } from '../src/layout';
import { breakBlock } from './code-pages';
import { CR4_DE, cr4, signal } from './state';

const WRITE_KIND: u32 = 1;
const IO_KIND: u32 = 2;

@inline export function watchingData(): bool { return (load<u32>(BREAKPOINTS) & BREAK_DATA) != 0; }

/** Bytes that breakpoint `i` covers, from an address aligned to them. */
@inline function lengthOf(control: u32, i: u32): u64 {
  const code = (control >> (18 + i * 4)) & 3;
  return code == 2 ? 8 : u64(code) + 1;
}
@inline function kindOf(control: u32, i: u32): u32 { return (control >> (16 + i * 4)) & 3; }
@inline function enabled(control: u32, i: u32): bool { return ((control >> (i * 2)) & 3) != 0; }

/** Has the page of a linear address a breakpoint on data? It then stays out of the TLB. */
export function watchedPage(linear: u64): bool {
  const control = load<u32>(DR + 56);
  for (let i: u32 = 0; i < 4; i++) {
    if (enabled(control, i) && kindOf(control, i) & WRITE_KIND && (load<u64>(DR + i * 8) ^ linear) >> 12 == 0) return true;
  }
  return false;
}

export function watch(linear: u64, n: u32, write: bool): void {
  const control = load<u32>(DR + 56);
  let hit: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    const kind = kindOf(control, i);
    if (!enabled(control, i) || !(kind & WRITE_KIND) || (kind == WRITE_KIND && !write)) continue;
    const length = lengthOf(control, i);
    const first = load<u64>(DR + i * 8) & ~(length - 1);
    if (linear < first + length && first < linear + n) hit |= 1 << i;
  }
  if (hit) trapBehind(hit);
}

/** Before a port is read or written. */
export function watchPort(port: u32, n: u32): void {
  if (!(load<u32>(BREAKPOINTS) & BREAK_IO) || !(cr4() & CR4_DE)) return;
  const control = load<u32>(DR + 56);
  let hit: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    if (!enabled(control, i) || kindOf(control, i) != IO_KIND) continue;
    const length = u32(lengthOf(control, i));
    const first = load<u32>(DR + i * 8) & ~(length - 1);
    if (port < first + length && first < port + n) hit |= 1 << i;
  }
  if (hit) trapBehind(hit);
}

function trapBehind(hit: u32): void {
  store<u32>(STEP_DR6, load<u32>(STEP_DR6) | hit);
  store<u32>(STEPPING, 1);
  breakBlock();
  signal(EVENT_PATCHED);
}
