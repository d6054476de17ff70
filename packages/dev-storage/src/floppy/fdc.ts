import type { Clock, IoHandler, IrqLine, Log, MemoryAccess, Timer } from '@pagurus/device-model';
import { NEVER } from '@pagurus/device-model';
import {
  DIRECTION,
  DISK_CHANGED,
  DOR,
  DSR,
  FIFO_SIZE,
  MSR,
  PHASE,
  REGISTER,
  RESET_SENSES,
  SECTOR,
  SECTOR_CODE,
  SRA,
  SRB,
  ST0,
  TAPE_BOOT_SELECT,
} from './fdc.spec.js';
import type { FdcState } from './fdc.state.js';
import { COMMANDS } from './fdc-commands.js';
import { FdcTransfers } from './fdc-transfers.js';
import { FloppyDrive } from './floppy-drive.js';

/** What the controller needs of the ISA DMA controller's channel. Positions and lengths in bytes. */
export interface FloppyDma {
  registerChannel(channel: number, handler: (position: number, length: number) => number): void;
  holdRequest(channel: number): void;
  releaseRequest(channel: number): void;
  readMemory(channel: number, position: number, target: Uint8Array): MemoryAccess;
  writeMemory(channel: number, position: number, source: Uint8Array): MemoryAccess;
}

export interface FdcHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly irq: IrqLine;
  readonly dma: FloppyDma | undefined;
  readonly channel: number;
  /** A transfer at another rate than the disk's fails. */
  readonly checkRate: boolean;
}

/** The 82077AA: registers, phases and results. Commands are in `fdc-commands.ts`, data transfers in `fdc-transfers.ts`. */
export class Fdc {
  readonly drives: readonly FloppyDrive[];
  readonly transfers: FdcTransfers;
  private readonly resultTimer: Timer;

  constructor(
    readonly state: FdcState,
    readonly host: FdcHost,
  ) {
    this.drives = state.drives.map((drive) => new FloppyDrive(drive));
    this.transfers = new FdcTransfers(this, host);
    this.resultTimer = host.clock.timer(() => this.readIdDone());
  }

  /** Ports from the base on. */
  readonly registers: IoHandler = {
    read: (offset) => this.read(offset),
    write: (offset, value) => this.write(offset, value),
  };

  get drive(): FloppyDrive {
    return this.unit(this.state.current);
  }

  /** A drive by the guest's number: boot select in the tape drive register exchanges the two. */
  unit(number: number): FloppyDrive {
    return this.drives[number ^ ((this.state.tdr & TAPE_BOOT_SELECT) !== 0 ? 1 : 0)]!;
  }

  /** Selects the drive of a command byte. */
  select(byte: number): FloppyDrive {
    this.state.current = byte & DOR.SELECT;
    return this.drive;
  }

  toCommandPhase(): void {
    const { state } = this;
    state.phase = PHASE.COMMAND;
    state.dataDir = DIRECTION.WRITE;
    state.dataPos = 0;
    state.dataLen = 1;
    state.msr = (state.msr & ~(MSR.BUSY | MSR.TO_HOST)) | MSR.REQUEST;
  }

  /** `length` bytes of the FIFO are for the guest. */
  toResultPhase(length: number): void {
    const { state } = this;
    state.phase = PHASE.RESULT;
    state.dataDir = DIRECTION.READ;
    state.dataLen = length;
    state.dataPos = 0;
    state.msr |= MSR.BUSY | MSR.REQUEST | MSR.TO_HOST;
  }

  /** The result phase of a data command: seven bytes and an interrupt. */
  stopTransfer(status0: number, status1: number, status2: number): void {
    const { state, drive } = this;
    state.status0 =
      (state.status0 & ~(DOR.SELECT | 2 | ST0.HEAD)) | state.current | (drive.state.head !== 0 ? ST0.HEAD : 0) | status0;
    const { track, head, sect } = drive.state;
    state.fifo.set([state.status0, status1, status2, track, head, sect, SECTOR_CODE]);
    if ((state.msr & MSR.NON_DMA) === 0) this.host.dma?.releaseRequest(this.host.channel);
    state.msr = (state.msr | MSR.REQUEST | MSR.TO_HOST) & ~MSR.NON_DMA;
    this.toResultPhase(7);
    this.raiseInterrupt();
  }

  raiseInterrupt(): void {
    const { state } = this;
    if ((state.sra & SRA.INTERRUPT) === 0) {
      this.host.irq.set(true);
      state.sra |= SRA.INTERRUPT;
    }
    state.resetSenses = 0;
  }

  lowerInterrupt(): void {
    const { state } = this;
    state.status0 = 0;
    if ((state.sra & SRA.INTERRUPT) === 0) return;
    this.host.irq.set(false);
    state.sra &= ~SRA.INTERRUPT;
  }

  /** Power-on, the reset pin or one of the reset bits. */
  resetController(interrupt: boolean): void {
    const { state } = this;
    this.lowerInterrupt();
    this.transfers.cancel();
    state.sra = this.drives[1]!.present ? 0 : SRA.SECOND_DRIVE_ABSENT;
    state.srb = SRB.RESET;
    state.current = 0;
    state.dor = DOR.NOT_RESET | (this.host.dma ? DOR.DMA : 0);
    state.msr = MSR.REQUEST;
    state.resetSenses = 0;
    this.disarm();
    state.dataPos = state.dataLen = state.dataState = 0;
    state.dataDir = DIRECTION.WRITE;
    for (const drive of this.drives) drive.recalibrate();
    this.toCommandPhase();
    if (!interrupt) return;
    state.status0 |= ST0.READY_CHANGED;
    this.raiseInterrupt();
    state.resetSenses = RESET_SENSES;
  }

  arm(deadline: bigint): void {
    this.state.resultTimer = deadline;
    this.resultTimer.arm(deadline);
  }

  /** After a load: line, timer, and the transfer that was going on. */
  resume(): void {
    const { state } = this;
    this.transfers.cancel();
    this.host.irq.set((state.sra & SRA.INTERRUPT) !== 0);
    if (state.resultTimer === NEVER) this.resultTimer.cancel();
    else this.resultTimer.arm(state.resultTimer);
    this.transfers.resume();
  }

  unrealize(): void {
    this.resultTimer.cancel();
    this.transfers.cancel();
  }

  private disarm(): void {
    this.state.resultTimer = NEVER;
    this.resultTimer.cancel();
  }

  private readIdDone(): void {
    this.state.resultTimer = NEVER;
    const { drive } = this;
    // The sector that comes by next is not known: any will do. [QEMU]
    if (drive.lastSector !== 0) drive.state.sect = (drive.state.sect % drive.lastSector) + 1;
    if (this.transfers.rateMatches()) this.stopTransfer(0, 0, 0);
    else this.stopTransfer(ST0.ABNORMAL, 1, 0);
  }

  private read(offset: number): number {
    const { state } = this;
    switch (offset) {
      case REGISTER.STATUS_A:
        return state.sra;
      case REGISTER.STATUS_B:
        return state.srb;
      case REGISTER.DIGITAL_OUTPUT:
        return state.dor | state.current;
      case REGISTER.TAPE:
        return state.tdr;
      case REGISTER.MAIN_STATUS:
        state.dsr &= ~DSR.POWER_DOWN;
        state.dor |= DOR.NOT_RESET;
        return state.msr;
      case REGISTER.FIFO:
        return this.readFifo();
      case REGISTER.DIGITAL_INPUT:
        return this.drive.state.mediaChanged !== 0 ? DISK_CHANGED : 0;
      default:
        return 0xff;
    }
  }

  private write(offset: number, value: number): void {
    const { state } = this;
    if (offset === REGISTER.DIGITAL_OUTPUT) {
      this.writeOutput(value);
      return;
    }
    if ((state.dor & DOR.NOT_RESET) === 0) return;
    switch (offset) {
      case REGISTER.TAPE:
        state.tdr = value & TAPE_BOOT_SELECT;
        return;
      case REGISTER.MAIN_STATUS:
        this.writeDataRate(value);
        return;
      case REGISTER.FIFO:
        this.writeFifo(value);
        return;
      case REGISTER.DIGITAL_INPUT:
        state.dsr = (state.dsr & ~DSR.RATE) | (value & DSR.RATE);
        return;
    }
  }

  private writeOutput(value: number): void {
    const { state } = this;
    const bit = (on: boolean, mask: number): void => {
      state.srb = on ? state.srb | mask : state.srb & ~mask;
    };
    bit((value & DOR.MOTOR0) !== 0, SRB.MOTOR0);
    bit((value & DOR.MOTOR1) !== 0, SRB.MOTOR1);
    bit((value & DOR.SELECT) !== 0, SRB.DRIVE0);
    const was = (state.dor & DOR.NOT_RESET) !== 0;
    const now = (value & DOR.NOT_RESET) !== 0;
    if (now && !was) {
      this.resetController(true);
      state.dsr &= ~DSR.POWER_DOWN;
    }
    state.current = value & DOR.SELECT;
    state.dor = value;
  }

  private writeDataRate(value: number): void {
    const { state } = this;
    if ((value & DSR.RESET) !== 0) {
      state.dor &= ~DOR.NOT_RESET;
      this.resetController(true);
      state.dor |= DOR.NOT_RESET;
    }
    if ((value & DSR.POWER_DOWN) !== 0) this.resetController(true);
    state.dsr = value;
  }

  private readFifo(): number {
    const { state } = this;
    state.dsr &= ~DSR.POWER_DOWN;
    if ((state.msr & MSR.REQUEST) === 0 || (state.msr & MSR.TO_HOST) === 0) return 0;
    if (state.phase === PHASE.EXECUTION) return this.transfers.readByte();
    if (state.phase !== PHASE.RESULT) return 0;
    const value = state.fifo[state.dataPos % FIFO_SIZE]!;
    state.dataPos = (state.dataPos + 1) >>> 0;
    if (state.dataPos === state.dataLen) {
      state.msr &= ~MSR.REQUEST;
      this.toCommandPhase();
      this.lowerInterrupt();
    }
    return value;
  }

  private writeFifo(value: number): void {
    const { state } = this;
    if ((state.msr & MSR.REQUEST) === 0 || (state.msr & MSR.TO_HOST) !== 0) return;
    state.dsr &= ~DSR.POWER_DOWN;
    if (state.phase === PHASE.EXECUTION) this.transfers.writeByte(value);
    else if (state.phase === PHASE.COMMAND) this.commandByte(value);
  }

  private commandByte(value: number): void {
    const { state } = this;
    state.fifo[state.dataPos % FIFO_SIZE] = value;
    state.dataPos = (state.dataPos + 1) >>> 0;
    if (state.dataPos === 1) {
      state.msr |= MSR.BUSY;
      state.dataLen = COMMANDS.find(value).parameters + 1;
    }
    if (state.dataPos !== state.dataLen) return;
    state.phase = PHASE.EXECUTION;
    state.msr &= ~MSR.REQUEST;
    const command = COMMANDS.find(state.fifo[0]!);
    command.run(this, command.direction);
  }
}

export { SECTOR };
