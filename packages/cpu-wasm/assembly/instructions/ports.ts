/** IN and OUT. */
import { TR } from '../../src/layout';
import { portRead, portWrite } from '../bus';
import { gp } from '../exceptions';
import { systemLoad } from '../memory';
import { afterCallback } from '../physical';
import { watchPort } from '../watchpoints';
import { RAX, cpl, get, iopl, protectedMode, put, segmentBase, segmentFlags, segmentLimit, vm86 } from '../state';

/** #GP(0) unless IOPL or the TSS's I/O map allows the access. */
export function checkPort(port: u32, n: u32): void {
  if (!vm86() && (!protectedMode() || cpl() <= iopl())) return;
  const limit = segmentLimit(TR);
  if ((segmentFlags(TR) & 0x900) != 0x900 || limit < 103) gp(0);
  const map = u32(systemLoad<u16>(segmentBase(TR) + 0x66)) + (port >> 3);
  if (map + 1 > limit) gp(0);
  if ((u32(systemLoad<u16>(segmentBase(TR) + map)) >> (port & 7)) & ((<u32>1 << n) - 1)) gp(0);
}

export function readPort(port: u32, n: u32): u32 {
  watchPort(port, n);
  const value = portRead(port, n);
  afterCallback();
  return value;
}
export function writePort(port: u32, value: u32, n: u32): void {
  watchPort(port, n);
  portWrite(port, value, n);
  afterCallback();
}

@inline function portOf(rec: u32): u32 {
  return (u32(get<u16>(load<u8>(rec, 3))) + load<u32>(rec, 12)) & 0xffff;
}
export function portIn<T>(rec: u32): void {
  const port = portOf(rec);
  checkPort(port, sizeof<T>() as u32);
  put<T>(RAX, readPort(port, sizeof<T>() as u32) as T);
}
export function portOut<T>(rec: u32): void {
  const port = portOf(rec);
  checkPort(port, sizeof<T>() as u32);
  writePort(port, u32(get<T>(RAX)), sizeof<T>() as u32);
}
