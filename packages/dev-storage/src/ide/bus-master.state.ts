import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { RETRY } from './ata.spec.js';

/** Bits of the status register that QEMU once used for its own purposes: with one of them set the real register is sent apart. */
export const ABUSED_BITS = RETRY.DMA | RETRY.PIO | RETRY.READ | RETRY.FLUSH;

/**
 * Bit 7 of the retry unit, which QEMU neither sets nor reads while no request waits: the channel's interrupt request is high.
 * QEMU does not send the level at all; without it a move between the request and the guest's answer would lose the request.
 */
const INTERRUPT_HIGH = 0x80;

/** What a channel's bus master remembers. */
export class BusMasterState {
  cmd = 0;
  status = 0;
  addr = 0;
  /** Status and waiting request in one byte, as old versions expect it. */
  compatStatus = 0;
  retrySector = 0n;
  retryCount = 0;
  retryUnit = 0;
  /** Position in the table of descriptors: next entry, whether the present one is the last, and what remains of it. */
  curAddr = 0;
  curPrdLast = 0;
  curPrdAddr = 0;
  curPrdLen = 0;
}

/** QEMU's minus one: no request has waited since the last bus master transfer ended. */
export const NO_UNIT = 0xff;
const NO_UNIT_INTERRUPT = 0xfe;

export function packUnit(unit: number, interrupt: boolean): number {
  if (!interrupt) return unit;
  return unit === NO_UNIT ? NO_UNIT_INTERRUPT : INTERRUPT_HIGH | (unit & 1);
}

export function unpackUnit(packed: number): { unit: number; interrupt: boolean } {
  if (packed === NO_UNIT) return { unit: NO_UNIT, interrupt: false };
  if (packed === NO_UNIT_INTERRUPT) return { unit: NO_UNIT, interrupt: true };
  return { unit: packed & ~INTERRUPT_HIGH, interrupt: (packed & INTERRUPT_HIGH) !== 0 };
}

const f = fieldsOf<BusMasterState>();

const current = vmstate<BusMasterState>({
  name: 'ide bmdma_current',
  version: 1,
  needed: (state) => state.curPrdLen !== 0,
  fields: [
    f.u32('curAddr', 'cur_addr'),
    f.u32('curPrdLast', 'cur_prd_last'),
    f.u32('curPrdAddr', 'cur_prd_addr'),
    f.u32('curPrdLen', 'cur_prd_len'),
  ],
});

const status = vmstate<BusMasterState>({
  name: 'ide bmdma/status',
  version: 1,
  needed: (state) => (state.status & ABUSED_BITS) !== 0,
  fields: [f.u8('status')],
});

export const busMasterVmState = vmstate<BusMasterState>({
  name: 'ide bmdma',
  version: 3,
  minVersion: 0,
  fields: [
    f.u8('cmd'),
    f.u8('compatStatus', 'migration_compat_status'),
    f.u32('addr'),
    f.i64('retrySector', 'migration_retry_sector_num'),
    f.u32('retryCount', 'migration_retry_nsector'),
    f.u8('retryUnit', 'migration_retry_unit'),
  ],
  subsections: [current, status],
  preLoad(state) {
    state.status = 0;
    state.curAddr = state.curPrdLast = state.curPrdAddr = state.curPrdLen = 0;
  },
  postLoad(state) {
    if (state.status === 0) state.status = state.compatStatus & ~ABUSED_BITS;
  },
});
