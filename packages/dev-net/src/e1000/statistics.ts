import { isBroadcast, isGroup } from '../ethernet.js';
import { REG } from './spec.js';

const CHECKSUM = 4;

function increment(mac: Uint32Array, register: number): void {
  if (mac[register / 4]! !== 0xffff_ffff) mac[register / 4]!++;
}

/** 64-bit counter in two registers; it stops at its end. */
function add(mac: Uint32Array, low: number, count: number): void {
  const sum = mac[low / 4]! + mac[low / 4 + 1]! * 2 ** 32 + count;
  const high = Math.floor(sum / 2 ** 32);
  mac[low / 4] = high > 0xffff_ffff ? 0xffff_ffff : sum % 2 ** 32;
  mac[low / 4 + 1] = Math.min(high, 0xffff_ffff);
}

/** Six counters by length: 64, 65 to 127, … 1024 and more. */
function countLength(mac: Uint32Array, first: number, length: number): void {
  if (length < 64) return;
  const class_ = length === 64 ? 0 : length < 128 ? 1 : length < 256 ? 2 : length < 512 ? 3 : length < 1024 ? 4 : 5;
  increment(mac, first + 4 * class_);
}

/** @param frame as sent, without check sum. @param untagged its length without a VLAN tag. */
export function countSent(mac: Uint32Array, frame: Uint8Array, untagged: number): void {
  if (isBroadcast(frame)) increment(mac, REG.BPTC);
  else if (isGroup(frame)) increment(mac, REG.MPTC);
  countLength(mac, REG.PTC64, frame.length + CHECKSUM);
  increment(mac, REG.TPT);
  add(mac, REG.TOTL, untagged + CHECKSUM);
  increment(mac, REG.GPTC);
  add(mac, REG.GOTCL, untagged + CHECKSUM);
}

/** @param stored bytes written to memory, with check sum if that is kept. */
export function countReceived(mac: Uint32Array, length: number, stored: number): void {
  countLength(mac, REG.PRC64, stored);
  increment(mac, REG.TPR);
  increment(mac, REG.GPRC);
  add(mac, REG.TORL, length + CHECKSUM);
  add(mac, REG.GORCL, length + CHECKSUM);
}

export function countBroadcast(mac: Uint32Array): void {
  increment(mac, REG.BPRC);
}

export function countMulticast(mac: Uint32Array): void {
  increment(mac, REG.MPRC);
}

export function countOverrun(mac: Uint32Array): void {
  increment(mac, REG.RNBC);
  increment(mac, REG.MPC);
}

export function countOversized(mac: Uint32Array): void {
  increment(mac, REG.ROC);
}

export function countSegmented(mac: Uint32Array): void {
  increment(mac, REG.TSCTC);
}
