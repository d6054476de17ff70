import { REG } from './spec.js';

/** What a register does when it is read or written, beyond being there. */
export interface RegisterRule {
  /** Bits that can be written; 0 = read only. */
  readonly writable: number;
  /** Bits that are seen; the others are kept, and sent, all the same. [QEMU] */
  readonly visible: number;
  readonly clearOnRead: boolean;
  /** Exists only with property `extra_mac_registers`. */
  readonly extra: boolean;
}

const ALL = 0xffff_ffff;

interface Range {
  readonly from: number;
  readonly count?: number;
  readonly writable?: number;
  readonly visible?: number;
  readonly extra?: boolean;
}

/**
 * Registers that are simply there; the others have code of their own. Of ranges only the first register depends on the property, as
 * on QEMU.
 */
const PLAIN: readonly Range[] = [
  { from: REG.STATUS },
  { from: REG.VET, writable: ALL },
  { from: REG.ITR, writable: 0xffff },
  { from: REG.TCTL, writable: ALL },
  { from: REG.AIT, writable: ALL, visible: 0xffff, extra: true },
  { from: REG.LEDCTL, writable: ALL },
  { from: REG.PBA, writable: ALL },
  ...[0, 8, 16, 24, 32].map((offset) => ({ from: REG.RDFH + offset, writable: ALL, visible: 0x1fff, extra: true })),
  { from: REG.RDBAL, count: 2, writable: ALL },
  { from: REG.RDLEN, writable: 0xfff80 },
  { from: REG.RDH, writable: 0xffff },
  { from: REG.RDT, writable: 0xffff },
  { from: REG.RDTR, writable: 0xffff },
  { from: REG.RADV, writable: 0xffff },
  { from: REG.TDFH, writable: ALL, visible: 0x7ff, extra: true },
  { from: REG.TDFT, writable: ALL, visible: 0x7ff, extra: true },
  ...[0, 8, 16].map((offset) => ({ from: REG.TDFHS + offset, writable: ALL, visible: 0x1fff, extra: true })),
  { from: REG.TDBAL, count: 2, writable: ALL },
  { from: REG.TDLEN, writable: 0xfff80 },
  { from: REG.TDH, writable: 0xffff },
  { from: REG.TDT, writable: 0xffff },
  { from: REG.TXDCTL, writable: ALL },
  { from: REG.TADV, writable: 0xffff },
  { from: REG.FCRUC, writable: ALL, extra: true },
  { from: REG.MTA, count: 128 + 32, writable: ALL },
  { from: REG.VFTA, count: 128, writable: ALL },
  { from: REG.WUC, writable: ALL, extra: true },
  { from: REG.WUFC, writable: ALL },
  { from: REG.WUS, writable: ALL, extra: true },
  { from: REG.MANC },
  { from: REG.IPAV, writable: ALL, extra: true },
  { from: REG.IP4AT, count: 7, writable: ALL, extra: true },
  { from: REG.IP6AT, count: 4, writable: ALL, extra: true },
  { from: REG.WUPM, count: 32, writable: ALL, extra: true },
  { from: REG.SWSM, writable: ALL },
  { from: REG.FFLT, count: 7, writable: ALL, visible: 0x7ff, extra: true },
  { from: REG.FFMT, count: 255, writable: ALL, visible: 0x0f, extra: true },
  { from: REG.FFVT, count: 255, writable: ALL, extra: true },
  { from: REG.PBM, count: 0x4000, writable: ALL, extra: true },
];

/** Counters that every machine version has; the others came with `extra_mac_registers`. */
const OLD_COUNTERS: readonly number[] = [REG.MPC, REG.GPRC, REG.GPTC, REG.TORL, REG.TORH, REG.TOTL, REG.TOTH, REG.TPR, REG.TPT];
/** The manual clears these when read; QEMU does not. */
const KEPT_COUNTERS: readonly number[] = [REG.MPC, REG.RNBC];
/** Low halves are read without being cleared; reading the high half clears both. */
const LOW_HALVES: readonly number[] = [REG.GORCL, REG.GOTCL, REG.TORL, REG.TOTL];

function rules(): ReadonlyMap<number, RegisterRule> {
  const map = new Map<number, RegisterRule>();
  for (let offset: number = REG.STATISTICS; offset < REG.STATISTICS_END; offset += 4) {
    map.set(offset, {
      writable: 0,
      visible: ALL,
      clearOnRead: ![...LOW_HALVES, ...KEPT_COUNTERS].includes(offset),
      extra: !OLD_COUNTERS.includes(offset),
    });
  }
  for (const { from, count = 1, writable = 0, visible = ALL, extra = false } of PLAIN) {
    for (let i = 0; i < count; i++) map.set(from + 4 * i, { writable, visible, clearOnRead: false, extra: extra && i === 0 });
  }
  return map;
}

/** By byte offset; what is missing reads as zero and takes no writes. */
export const REGISTER_RULES = rules();

/** Low half of a 64-bit counter that is cleared with its high half. */
export function lowHalfOf(offset: number): number | undefined {
  return LOW_HALVES.includes(offset - 4) ? offset - 4 : undefined;
}
