/** Comparison results: C3 C2 C0 as bits 2 1 0, and into EFLAGS for FCOMI, COMISS and theirs. [SDM 1:8.3.6] */
import { setLazyFlags } from '../flags';
import { compare } from './arithmetic';
import { aDenormal, aKind, bDenormal, bKind, DENORMAL, flag, INVALID, isNaN80, SIGNALING, UNSUPPORTED } from './number';

/** 7 unordered, 4 equal, 1 less, 0 greater. Raises invalid for NaNs (with `quiet` only for signaling ones), else denormal. */
export function compareFlags(quiet: bool, empty: bool): u32 {
  if (empty) return 7;
  if (aKind == UNSUPPORTED || bKind == UNSUPPORTED) {
    flag(INVALID);
    return 7;
  }
  if (isNaN80(aKind) || isNaN80(bKind)) {
    if (!quiet || aKind == SIGNALING || bKind == SIGNALING) flag(INVALID);
    return 7;
  }
  if (aDenormal || bDenormal) flag(DENORMAL);
  const order = compare();
  return order == 0 ? 4 : order < 0 ? 1 : 0;
}

/** ZF PF CF from C3 C2 C0; OF SF AF become 0. */
export function setComparison(conditions: u32): void {
  let value: u32 = 0;
  if (conditions & 1) value |= 1;
  if (conditions & 2) value |= 4;
  if (conditions & 4) value |= 0x40;
  setLazyFlags(value);
}
