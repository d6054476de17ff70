import { isBroadcast, isGroup } from '../ethernet.js';
import { CTRL, RCTL, REG } from './spec.js';
import { countBroadcast, countMulticast } from './statistics.js';

const ADDRESS_VALID = 0x8000_0000;
/** Which bits of a group address select the filter bit. [8254x] 13.4.22, multicast offset. */
const GROUP_SHIFT = [4, 3, 2, 0] as const;

export function hasVlanTag(mac: Uint32Array, frame: Uint8Array): boolean {
  return frame.length >= 14 && ((frame[12]! << 8) | frame[13]!) === (mac[REG.VET / 4]! & 0xffff);
}

export function vlanMode(mac: Uint32Array): boolean {
  return (mac[REG.CTRL / 4]! & CTRL.VLAN_MODE) !== 0;
}

/** Whether the card takes a frame; counts group and broadcast frames that it does. [8254x] 3.2.1 */
export function accepts(mac: Uint32Array, frame: Uint8Array): boolean {
  const rctl = mac[REG.RCTL / 4]!;
  if (hasVlanTag(mac, frame) && (rctl & RCTL.VLAN_FILTER) !== 0 && !knowsVlan(mac, frame)) return false;
  const broadcast = isBroadcast(frame);
  const group = isGroup(frame); // a broadcast, too
  if (!group && (rctl & RCTL.UNICAST_PROMISCUOUS) !== 0) return true;
  if (group && (rctl & RCTL.MULTICAST_PROMISCUOUS) !== 0) {
    countMulticast(mac);
    return true;
  }
  if (broadcast && (rctl & RCTL.BROADCAST) !== 0) {
    countBroadcast(mac);
    return true;
  }
  if (knowsAddress(mac, frame)) return true;
  if (!inGroup(mac, frame, rctl)) return false;
  countMulticast(mac);
  return true;
}

function knowsVlan(mac: Uint32Array, frame: Uint8Array): boolean {
  const id = ((frame[14] ?? 0) << 8) | (frame[15] ?? 0);
  return ((mac[REG.VFTA / 4 + ((id >> 5) & 0x7f)]! >>> (id & 0x1f)) & 1) !== 0;
}

/** The sixteen receive addresses. */
function knowsAddress(mac: Uint32Array, frame: Uint8Array): boolean {
  const low = (frame[0]! | (frame[1]! << 8) | (frame[2]! << 16) | (frame[3]! << 24)) >>> 0;
  const high = frame[4]! | (frame[5]! << 8);
  for (let at: number = REG.RA / 4; at < REG.RA_END / 4; at += 2) {
    if ((mac[at + 1]! & ADDRESS_VALID) !== 0 && mac[at] === low && (mac[at + 1]! & 0xffff) === high) return true;
  }
  return false;
}

/** The table of 4096 bits; it also matches single addresses, as the hardware does not look. */
function inGroup(mac: Uint32Array, frame: Uint8Array, rctl: number): boolean {
  const hash = (((frame[5]! << 8) | frame[4]!) >> GROUP_SHIFT[(rctl >> 12) & 3]!) & 0xfff;
  return ((mac[REG.MTA / 4 + (hash >> 5)]! >>> (hash & 0x1f)) & 1) !== 0;
}
