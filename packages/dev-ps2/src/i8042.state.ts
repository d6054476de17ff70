import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { OUTPUT_PORT, STATUS } from './spec.js';

/**
 * Who has a byte for the output buffer. Above bit 4 the bits are those of {@link MODE} that would hold the byte back.
 */
export const PENDING = { CTRL_KBD: 0x04, CTRL_AUX: 0x08, KBD: 0x10, AUX: 0x20 } as const;
const PENDING_ALL = PENDING.CTRL_KBD | PENDING.CTRL_AUX | PENDING.KBD | PENDING.AUX;

/** `pending_tmp` without `extended-state`: what QEMU up to 6.0 meant by it. */
const PENDING_COMPAT = { KBD: 0x01, AUX: 0x02 } as const;

/** Where the byte in the output buffer comes from. */
export const SOURCE = { NONE: 0, KBD: 1, AUX: 2, CONTROLLER: 4 } as const;

/** `migration_flags`: the throttle timer was running. */
const THROTTLED = 1;

export class I8042State {
  /** Command waiting for its argument at port 0x60, or 0. */
  writeCmd = 0;
  status: number = STATUS.CMD | STATUS.UNLOCKED;
  /** Controller command byte. */
  mode = 0x03;
  /** Bits of {@link PENDING}. */
  pending = 0;
  /** The form of `pending` on the wire. */
  pendingTmp = 0;
  outputPort: number = OUTPUT_PORT.RESET | OUTPUT_PORT.A20 | OUTPUT_PORT.ONES;
  outputPortLoaded = false;
  /** The keyboard is held back until the throttle timer expires. */
  throttled = false;
  migrationFlags = 0;
  /** Bits of {@link SOURCE}. */
  outputSource = 0;
  outputByte = 0;
  /** The controller's own answer, not yet in the output buffer. */
  controllerByte = 0;
  extendedStateLoaded = false;
}

/** What the output port is while nobody wrote to it: then it is not sent. */
export function idleOutputPort(status: number): number {
  const buffer =
    ((status & STATUS.OBF) !== 0 ? OUTPUT_PORT.OBF : 0) | ((status & STATUS.AUX_OBF) !== 0 ? OUTPUT_PORT.AUX_OBF : 0);
  return OUTPUT_PORT.RESET | OUTPUT_PORT.A20 | OUTPUT_PORT.ONES | buffer;
}

const f = fieldsOf<I8042State>();

const outputPort = vmstate<I8042State>({
  name: 'pckbd_outport',
  version: 1,
  needed: (s) => s.outputPort !== idleOutputPort(s.status),
  fields: [f.u8('outputPort', 'outport')],
  postLoad(s) {
    s.outputPortLoaded = true;
  },
});

/** The machine version decides whether the bytes exist: property `extended-state`. */
const extendedState = (extended: boolean) =>
  vmstate<I8042State>({
    name: 'pckbd/extended_state',
    version: 0,
    needed: () => extended,
    fields: [
      f.u32('migrationFlags', 'migration_flags'),
      f.u32('outputSource', 'obsrc'),
      f.u8('outputByte', 'obdata'),
      f.u8('controllerByte', 'cbdata'),
    ],
    preSave(s) {
      s.migrationFlags = s.throttled ? THROTTLED : 0;
    },
    postLoad(s) {
      s.throttled = (s.migrationFlags & THROTTLED) !== 0;
      s.outputSource &= SOURCE.KBD | SOURCE.AUX | SOURCE.CONTROLLER;
      s.extendedStateLoaded = true;
    },
  });

/** Section `pckbd`. The inner description has the same name and owns the subsections, as QEMU's does. */
export function i8042VmState(extended: boolean) {
  const inner = vmstate<I8042State>({
    name: 'pckbd',
    version: 3,
    minVersion: 3,
    fields: [f.u8('writeCmd', 'write_cmd'), f.u8('status'), f.u8('mode'), f.u8('pendingTmp', 'pending_tmp')],
    subsections: [outputPort, extendedState(extended)],
    derived: ['pending', 'throttled', 'outputPortLoaded', 'extendedStateLoaded'],
    preLoad(s) {
      s.outputPortLoaded = false;
      s.extendedStateLoaded = false;
      s.throttled = false;
    },
    preSave(s) {
      s.pendingTmp = extended ? s.pending : compatPending(s.pending);
    },
    postLoad(s) {
      s.pending = s.pendingTmp & PENDING_ALL;
      if (!s.outputPortLoaded) s.outputPort = idleOutputPort(s.status);
      if (!s.extendedStateLoaded) guessExtendedState(s);
    },
  });
  return vmstate<I8042State>({ name: 'pckbd', version: 3, minVersion: 3, fields: [f.inline('kbd', inner)] });
}

function compatPending(pending: number): number {
  return ((pending & PENDING.KBD) !== 0 ? PENDING_COMPAT.KBD : 0) | ((pending & PENDING.AUX) !== 0 ? PENDING_COMPAT.AUX : 0);
}

/** Streams of machines up to 6.0: the source of the buffered byte follows from the status, the rest was never sent. */
function guessExtendedState(s: I8042State): void {
  const full = (s.status & STATUS.OBF) !== 0;
  s.outputSource = !full ? SOURCE.NONE : (s.status & STATUS.AUX_OBF) !== 0 ? SOURCE.AUX : SOURCE.KBD;
  if ((s.pendingTmp & PENDING_COMPAT.KBD) !== 0) s.pending |= PENDING.KBD;
  if ((s.pendingTmp & PENDING_COMPAT.AUX) !== 0) s.pending |= PENDING.AUX;
  s.migrationFlags = 0;
}
