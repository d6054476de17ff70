import type { Fdc } from './fdc.js';
import {
  COMMAND,
  CONFIG,
  DATA_STATE,
  DIRECTION,
  FIFO_SIZE,
  PART_ID,
  READ_ID_NANOSECONDS,
  RESET_SENSES,
  SRA,
  ST0,
  VERSION,
} from './fdc.spec.js';

/** One command: how its first byte is recognised, how many follow, and what it does. */
export interface FloppyCommand {
  readonly value: number;
  /** Bits of the first byte that count. */
  readonly mask: number;
  readonly parameters: number;
  readonly direction: number;
  readonly run: (fdc: Fdc, direction: number) => void;
}

/** Answers with bytes in the FIFO. */
function reply(fdc: Fdc, ...bytes: number[]): void {
  fdc.state.fifo.set(bytes);
  fdc.toResultPhase(bytes.length);
}

const startTransfer = (fdc: Fdc, direction: number): void => fdc.transfers.start(direction);

/** An image has no sectors with a deleted mark. */
const noDeletedData = (fdc: Fdc): void => fdc.stopTransfer(ST0.ABNORMAL | ST0.SEEK_END, 0, 0);

const ignore = (fdc: Fdc): void => fdc.toCommandPhase();

/** Heads move at once, and the interrupt comes with the end. */
function finishSeek(fdc: Fdc): void {
  fdc.toCommandPhase();
  fdc.state.status0 |= ST0.SEEK_END;
  fdc.raiseInterrupt();
}

function seek(fdc: Fdc): void {
  const { fifo } = fdc.state;
  const drive = fdc.select(fifo[1]!);
  drive.seek(drive.state.head, fifo[2]!, drive.state.sect, true);
  finishSeek(fdc);
}

function recalibrate(fdc: Fdc): void {
  fdc.select(fdc.state.fifo[1]!).recalibrate();
  finishSeek(fdc);
}

function relativeSeek(fdc: Fdc, inwards: boolean): void {
  const { fifo } = fdc.state;
  const drive = fdc.select(fifo[1]!);
  const { head, track, sect } = drive.state;
  const target = inwards ? track + fifo[2]! : track - fifo[2]!;
  drive.seek(head, Math.min(Math.max(target, 0), Math.max(drive.tracks - 1, 0)), sect, true);
  finishSeek(fdc);
}

function senseInterruptStatus(fdc: Fdc): void {
  const { state, drive } = fdc;
  let status = 0;
  if (state.resetSenses > 0) {
    status = ST0.READY_CHANGED | (RESET_SENSES - state.resetSenses);
    state.resetSenses--;
  } else if ((state.sra & SRA.INTERRUPT) === 0) {
    reply(fdc, ST0.INVALID);
    return;
  } else status = (state.status0 & ~(ST0.HEAD | 3)) | state.current;
  state.fifo.set([status, drive.state.track]);
  fdc.toResultPhase(2);
  fdc.lowerInterrupt();
  state.status0 = ST0.READY_CHANGED;
}

function senseDriveStatus(fdc: Fdc): void {
  const { state } = fdc;
  const byte = state.fifo[1]!;
  const drive = fdc.select(byte);
  drive.state.head = (byte >> 2) & 1;
  const { track, head } = drive.state;
  reply(fdc, (drive.readOnly ? 0x40 : 0) | (track === 0 ? 0x10 : 0) | (head << 2) | state.current | 0x28);
}

function specify(fdc: Fdc): void {
  const { state } = fdc;
  state.timer0 = (state.fifo[1]! >> 4) & 0xf;
  state.timer1 = state.fifo[2]! >> 1;
  if ((state.fifo[2]! & 1) !== 0) state.dor &= ~0x08;
  else state.dor |= 0x08;
  fdc.toCommandPhase();
}

function readId(fdc: Fdc): void {
  const byte = fdc.state.fifo[1]!;
  fdc.drive.state.head = (byte >> 2) & 1;
  fdc.arm(fdc.host.clock.now() + READ_ID_NANOSECONDS);
}

function formatTrack(fdc: Fdc): void {
  const { state } = fdc;
  fdc.select(state.fifo[1]!);
  state.dataState &= ~DATA_STATE.FORMAT;
  // Ends as if done. [QEMU]
  fdc.host.log.unimplemented('FORMAT TRACK');
  fdc.stopTransfer(0, 0, 0);
}

function dumpRegisters(fdc: Fdc): void {
  const { state, drive } = fdc;
  reply(
    fdc,
    fdc.unit(0).state.track,
    fdc.unit(1).state.track,
    0,
    0,
    state.timer0,
    (state.timer1 << 1) | ((state.dor & 0x08) !== 0 ? 1 : 0),
    drive.lastSector,
    (state.lock << 7) | (drive.state.perpendicular << 2),
    state.config,
    state.precompensation,
  );
}

function perpendicularMode(fdc: Fdc): void {
  const { state, drive } = fdc;
  const byte = state.fifo[1]!;
  if ((byte & 0x80) !== 0) drive.state.perpendicular = byte & 7;
  fdc.toCommandPhase();
}

function configure(fdc: Fdc): void {
  const { state } = fdc;
  state.config = state.fifo[2]!;
  state.precompensation = state.fifo[3]!;
  fdc.toCommandPhase();
}

function lock(fdc: Fdc): void {
  const { state } = fdc;
  state.lock = (state.fifo[0]! & 0x80) !== 0 ? 1 : 0;
  reply(fdc, state.lock << 4);
}

function powerDownMode(fdc: Fdc): void {
  fdc.state.powerDown = fdc.state.fifo[1]!;
  reply(fdc, fdc.state.powerDown);
}

function save(fdc: Fdc): void {
  const { state, drive } = fdc;
  reply(
    fdc,
    0,
    0,
    fdc.unit(0).state.track,
    fdc.unit(1).state.track,
    0,
    0,
    state.timer0,
    state.timer1,
    drive.lastSector,
    (state.lock << 7) | (drive.state.perpendicular << 2),
    state.config,
    state.precompensation,
    state.powerDown,
    0,
    0,
  );
}

function restore(fdc: Fdc): void {
  const { state, drive } = fdc;
  const { fifo } = state;
  fdc.unit(0).state.track = fifo[3]!;
  fdc.unit(1).state.track = fifo[4]!;
  state.timer0 = fifo[7]!;
  state.timer1 = fifo[8]!;
  state.lock = fifo[10]! >> 7;
  drive.state.perpendicular = (fifo[10]! >> 2) & 0xf;
  state.config = fifo[11]!;
  state.precompensation = fifo[12]!;
  state.powerDown = fifo[13]!;
  fdc.toCommandPhase();
}

/** Without the done bit in its last byte the controller waits for ever. [QEMU] */
function driveSpecification(fdc: Fdc): void {
  const { fifo, dataPos } = fdc.state;
  const last = fifo[dataPos - 1]!;
  if ((last & 0x80) === 0) return;
  if ((last & 0x40) !== 0) reply(fdc, fifo[1]!, fifo[1]!, 0, 0);
  else fdc.toCommandPhase();
}

function invalid(fdc: Fdc): void {
  reply(fdc, ST0.INVALID);
}

const command = (
  value: number,
  mask: number,
  parameters: number,
  run: FloppyCommand['run'],
  direction: number = DIRECTION.READ,
): FloppyCommand => ({
  value,
  mask,
  parameters,
  direction,
  run,
});

const TABLE: readonly FloppyCommand[] = [
  command(COMMAND.READ, 0x1f, 8, startTransfer),
  command(COMMAND.WRITE, 0x3f, 8, startTransfer, DIRECTION.WRITE),
  command(COMMAND.SEEK, 0xff, 2, seek),
  command(COMMAND.SENSE_INTERRUPT_STATUS, 0xff, 0, senseInterruptStatus),
  command(COMMAND.RECALIBRATE, 0xff, 1, recalibrate),
  command(COMMAND.FORMAT_TRACK, 0xbf, 5, formatTrack),
  command(COMMAND.READ_TRACK, 0xbf, 8, startTransfer),
  command(COMMAND.RESTORE, 0xff, 17, restore),
  command(COMMAND.SAVE, 0xff, 0, save),
  command(COMMAND.READ_DELETED, 0x1f, 8, noDeletedData),
  command(COMMAND.SCAN_EQUAL, 0x1f, 8, startTransfer, DIRECTION.SCAN_EQUAL),
  command(COMMAND.VERIFY, 0x1f, 8, startTransfer, DIRECTION.VERIFY),
  command(COMMAND.SCAN_LOW_OR_EQUAL, 0x1f, 8, startTransfer, DIRECTION.SCAN_LOW),
  command(COMMAND.SCAN_HIGH_OR_EQUAL, 0x1f, 8, startTransfer, DIRECTION.SCAN_HIGH),
  command(COMMAND.WRITE_DELETED, 0x3f, 8, noDeletedData, DIRECTION.WRITE),
  command(COMMAND.READ_ID, 0xbf, 1, readId),
  command(COMMAND.SPECIFY, 0xff, 2, specify),
  command(COMMAND.SENSE_DRIVE_STATUS, 0xff, 1, senseDriveStatus),
  command(COMMAND.PERPENDICULAR_MODE, 0xff, 1, perpendicularMode),
  command(COMMAND.CONFIGURE, 0xff, 3, configure),
  command(COMMAND.POWER_DOWN_MODE, 0xff, 2, powerDownMode),
  command(COMMAND.OPTION, 0xff, 1, ignore),
  command(COMMAND.DRIVE_SPECIFICATION, 0xff, 5, driveSpecification),
  command(COMMAND.RELATIVE_SEEK_OUT, 0xff, 2, (fdc) => relativeSeek(fdc, false)),
  command(COMMAND.RELATIVE_SEEK_IN, 0xff, 2, (fdc) => relativeSeek(fdc, true)),
  command(COMMAND.LOCK, 0x7f, 0, lock),
  command(COMMAND.DUMP_REGISTERS, 0xff, 0, dumpRegisters),
  command(COMMAND.VERSION, 0xff, 0, (fdc) => reply(fdc, VERSION)),
  command(COMMAND.PART_ID, 0xff, 0, (fdc) => reply(fdc, PART_ID)),
];

const UNKNOWN: FloppyCommand = command(0, 0, 0, invalid);

export const COMMANDS = {
  /** The command that begins with a byte. */
  find: (byte: number): FloppyCommand => TABLE.find(({ value, mask }) => (byte & mask) === value) ?? UNKNOWN,
};

export { CONFIG, FIFO_SIZE };
