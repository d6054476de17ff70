import { MDIC, PHY, PHY_CONTROL, PHY_PARTNER_ACK, PHY_STATUS, REG, STATUS } from './spec.js';
import type { E1000State } from './state.js';

/** Registers after power-on: an M88E1000 with a link. [8254x] 13.3 */
const RESET: readonly (readonly [register: number, value: number])[] = [
  [0, 0x1140],
  [1, 0x794d],
  [2, 0x0141],
  [3, 0x0c20],
  [4, 0x0de1],
  [5, 0x01e0],
  [9, 0x0e00],
  [10, 0x3c00],
  [16, 0x0360],
  [17, 0xac00],
  [20, 0x0d60],
];
const READABLE: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 9, 10, 16, 17, 20, 21];
const WRITABLE: readonly number[] = [0, 4, 9, 16, 20];

export function resetPhy(phy: Uint16Array): void {
  phy.fill(0);
  for (const [register, value] of RESET) phy[register] = value;
}

/** The guest's link is up in the registers. */
export function linkUp(s: E1000State): void {
  s.mac[REG.STATUS / 4]! |= STATUS.LINK_UP;
  s.phy[PHY.STATUS]! |= PHY_STATUS.LINK;
}

/** Negotiation has begun: no link until it is over. */
export function linkDown(s: E1000State): void {
  s.mac[REG.STATUS / 4]! &= ~STATUS.LINK_UP;
  s.phy[PHY.STATUS]! &= ~(PHY_STATUS.LINK | PHY_STATUS.AUTONEG_DONE);
  s.phy[PHY.PARTNER]! &= ~PHY_PARTNER_ACK;
}

export function negotiated(s: E1000State): void {
  linkUp(s);
  s.phy[PHY.PARTNER]! |= PHY_PARTNER_ACK;
  s.phy[PHY.STATUS]! |= PHY_STATUS.AUTONEG_DONE;
}

/**
 * One access through MDIC. [8254x] 13.4.8
 * @param writeControl what a write of the control register does.
 * @returns the register's new value.
 */
export function accessPhy(s: E1000State, value: number, writeControl: (data: number) => void): number {
  const register = (value >>> 16) & 0x1f;
  const data = value & 0xffff;
  if (((value >>> 21) & 0x1f) !== MDIC.PHY_ADDRESS) return (s.mac[REG.MDIC / 4]! | MDIC.ERROR | MDIC.READY) >>> 0;
  if ((value & MDIC.READ) !== 0) {
    if (!READABLE.includes(register)) return (value | MDIC.ERROR | MDIC.READY) >>> 0;
    return ((value ^ data) | s.phy[register]! | MDIC.READY) >>> 0;
  }
  if ((value & MDIC.WRITE) !== 0) {
    if (!WRITABLE.includes(register)) return (value | MDIC.ERROR | MDIC.READY) >>> 0;
    if (register === PHY.CONTROL) writeControl(data);
    else s.phy[register] = data;
  }
  return (value | MDIC.READY) >>> 0;
}

/** Bits of the control register that clear themselves or do not exist. */
export function keptControl(data: number): number {
  return data & ~(PHY_CONTROL.RESET | PHY_CONTROL.RESTART | PHY_CONTROL.RESERVED);
}
