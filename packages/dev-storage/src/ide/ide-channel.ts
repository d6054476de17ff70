import type { AccessSize, BlockBackend, GuestMemory, IoHandler, IrqLine, Log } from '@pagurus/device-model';
import { BUS_MASTER_STATUS, COMMAND, CONTROL, DEVICE, ERROR, REGISTER, RETRY, STATUS, TRANSFER_END } from './ata.spec.js';
import { DISK_COMMANDS, PACKET_DRIVE_COMMANDS } from './ata-commands.js';
import { AtaTransfers, type MasterChannel } from './ata-transfers.js';
import { BusMaster } from './bus-master.js';
import { type BusMasterState, NO_UNIT } from './bus-master.state.js';
import { DmaTransfer, type DmaWork } from './dma-transfer.js';
import type { IdeBusState } from './ide-bus.state.js';
import { type DriveChannel, type DriveOptions, IdeDrive } from './ide-drive.js';
import type { IdeDriveState } from './ide-drive.state.js';
import { PacketCommands } from './packet-commands.js';

/** The parts of a channel's state; they live in the controller's. */
export interface ChannelState {
  readonly bus: IdeBusState;
  readonly master: BusMasterState;
  readonly drives: readonly IdeDriveState[];
}

/** One channel: two places for drives that share a task file, a data port, an interrupt and a bus master. */
export class IdeChannel implements DriveChannel, MasterChannel {
  readonly master: BusMaster;
  readonly drives: readonly IdeDrive[];
  private readonly transfers: readonly AtaTransfers[];
  private readonly packets: readonly PacketCommands[];
  private dma: DmaTransfer | undefined;

  constructor(
    private readonly state: ChannelState,
    private readonly memory: GuestMemory,
    private readonly irq: IrqLine,
    log: Log,
  ) {
    this.master = new BusMaster(state.master, memory);
    this.drives = state.drives.map((drive, unit) => new IdeDrive(unit, drive, this, log));
    this.transfers = this.drives.map((drive) => new AtaTransfers(drive, this));
    this.packets = this.drives.map((drive) => new PacketCommands(drive, this));
  }

  plug(unit: number, options: DriveOptions): void {
    this.drives[unit]!.plug(options);
  }

  /** The host changed the disc of a packet drive, or took it out. */
  changeMedium(unit: number, backend: BlockBackend | undefined): void {
    const drive = this.drives[unit]!;
    const waiting = this.state.bus.errorStatus !== 0 && (this.state.bus.retryUnit & 1) === unit;
    drive.insert(backend);
    if (waiting) {
      this.dma = undefined;
      this.endDma(false);
      this.packets[unit]!.fail();
    }
    const { state } = drive;
    // The next command learns that the old disc is gone, the one after it that there is a new one.
    state.cdromChanged = 1;
    state.newMedia = true;
    state.ejectRequest = false;
    // Who takes the disc out leaves the tray open, who puts one in closes it. [QEMU]
    state.trayOpen = backend === undefined;
  }

  /** The host asks for the disc; the guest sees it as somebody at the button. */
  requestEject(unit: number, force: boolean): void {
    const { state } = this.drives[unit]!;
    state.ejectRequest = true;
    if (force) state.trayLocked = false;
  }

  /** Eight ports; only the data port takes more than bytes. */
  readonly commandBlock: IoHandler = {
    sizes: [1, 2, 4],
    read: (offset, size) => (offset === REGISTER.DATA ? this.readData(size) : this.readBytes(offset, size)),
    write: (offset, value, size) => {
      if (offset === REGISTER.DATA) this.writeData(value, size);
      else for (let i = 0; i < size; i++) this.writeRegister(offset + i, (value >>> (8 * i)) & 0xff);
    },
  };

  /** Alternate status, device control. */
  readonly controlBlock: IoHandler = {
    read: () => this.visibleStatus(),
    write: (_, value) => this.writeControl(value),
  };

  raiseInterrupt(): void {
    const { bus, master } = this.state;
    if ((bus.cmd & CONTROL.INTERRUPT_DISABLE) !== 0) return;
    master.status |= BUS_MASTER_STATUS.INTERRUPT;
    bus.interrupt = true;
    this.irq.set(true);
  }

  noteTransfer(drive: IdeDrive): void {
    const { bus } = this.state;
    bus.retryUnit = drive.unit;
    bus.retrySector = BigInt(drive.sectorNumber);
    bus.retryCount = drive.state.nsector;
  }

  setWaiting(drive: IdeDrive, retry: number): void {
    this.state.bus.errorStatus = retry;
    for (const { state } of this.drives) state.channelError = retry;
    if (retry !== 0) this.state.bus.retryUnit = drive.unit;
  }

  startDma(drive: IdeDrive, work: DmaWork, retry: number): void {
    this.noteTransfer(drive);
    this.setWaiting(drive, retry);
    this.dma = new DmaTransfer(this.master, this.memory, work);
    this.master.begin(this.dma);
  }

  endDma(more: boolean): void {
    const { bus } = this.state;
    this.dma = undefined;
    this.setWaiting(this.active, 0);
    bus.retryUnit = NO_UNIT;
    bus.retrySector = 0n;
    bus.retryCount = 0;
    this.master.end(more);
  }

  memoryArrived(): void {
    this.dma?.memoryArrived();
  }

  reset(): void {
    const { bus } = this.state;
    this.cancel();
    bus.unit = bus.cmd = 0;
    bus.errorStatus = bus.retryCount = bus.retryUnit = 0;
    bus.retrySector = 0n;
    for (const drive of this.drives) {
      drive.reset();
      drive.state.channelError = 0;
    }
    this.master.reset();
    this.lowerInterrupt();
  }

  /** After a load: the line, and what waited for the medium or the guest's memory. */
  resume(): void {
    const { bus } = this.state;
    this.cancel();
    this.irq.set(bus.interrupt);
    if (bus.errorStatus === 0) return;
    const drive = this.drives[bus.retryUnit & 1]!;
    const transfers = this.transfers[drive.unit]!;
    const retry = bus.errorStatus;
    this.master.rewind();
    if (!drive.medium) {
      this.setWaiting(drive, 0);
      if (drive.present) this.packets[drive.unit]!.fail();
    } else if (drive.kind === 'packet') {
      if (retry & RETRY.PIO) this.packets[drive.unit]!.resumeReply();
      else this.packets[drive.unit]!.restart();
    } else if (retry & RETRY.DMA) this.resumeDma(drive, retry);
    else if (retry & RETRY.PIO) {
      if (retry & RETRY.READ) transfers.readSectors();
      else transfers.writeSectors();
    } else if (retry & RETRY.FLUSH) transfers.flush();
    else this.setWaiting(drive, 0);
  }

  unrealize(): void {
    this.cancel();
  }

  private get active(): IdeDrive {
    return this.drives[this.state.bus.unit & 1]!;
  }

  private resumeDma(drive: IdeDrive, retry: number): void {
    const { bus } = this.state;
    drive.sectorNumber = Number(bus.retrySector);
    drive.state.nsector = bus.retryCount;
    this.transfers[drive.unit]!.startDma((retry & RETRY.READ) !== 0);
  }

  private cancel(): void {
    this.dma?.stop();
    this.dma = undefined;
    this.master.forget();
    for (const drive of this.drives) if (drive.medium) drive.requests.cancel();
  }

  private lowerInterrupt(): void {
    this.state.bus.interrupt = false;
    this.irq.set(false);
  }

  /** Nobody drives the lines: no drive at all, or the slave is selected and missing. */
  private get silent(): boolean {
    return !this.drives.some((drive) => drive.present) || (this.active.unit === 1 && !this.active.present);
  }

  private visibleStatus(): number {
    return this.silent ? 0 : this.active.state.status;
  }

  private readBytes(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.readRegister(offset + i);
    return value;
  }

  private readRegister(offset: number): number {
    const { state } = this.active;
    const high = (this.state.bus.cmd & CONTROL.HIGH_ORDER) !== 0;
    if (offset === REGISTER.STATUS) {
      const status = this.visibleStatus();
      this.lowerInterrupt();
      return status;
    }
    if (offset === REGISTER.ERROR) return this.silent ? 0 : high ? state.hobFeature : state.error;
    if (!this.drives.some((drive) => drive.present)) return 0;
    switch (offset) {
      case REGISTER.SECTOR_COUNT:
        return high ? state.hobNsector : state.nsector & 0xff;
      case REGISTER.LBA_LOW:
        return high ? state.hobSector : state.sector;
      case REGISTER.LBA_MIDDLE:
        return high ? state.hobLcyl : state.lcyl;
      case REGISTER.LBA_HIGH:
        return high ? state.hobHcyl : state.hcyl;
      default:
        return state.select;
    }
  }

  /** Both drives see every write; one that is busy or wants data lets nobody change the task file. */
  private writeRegister(offset: number, value: number): void {
    if (offset === REGISTER.STATUS) {
      this.state.bus.cmd &= ~CONTROL.HIGH_ORDER;
      this.lowerInterrupt();
      this.execute(value);
      return;
    }
    if ((this.active.state.status & (STATUS.BUSY | STATUS.DATA_REQUEST)) !== 0) return;
    this.state.bus.cmd &= ~CONTROL.HIGH_ORDER;
    for (const { state } of this.drives) {
      switch (offset) {
        case REGISTER.ERROR:
          state.hobFeature = state.feature;
          state.feature = value;
          break;
        case REGISTER.SECTOR_COUNT:
          state.hobNsector = state.nsector & 0xff;
          state.nsector = value;
          break;
        case REGISTER.LBA_LOW:
          state.hobSector = state.sector;
          state.sector = value;
          break;
        case REGISTER.LBA_MIDDLE:
          state.hobLcyl = state.lcyl;
          state.lcyl = value;
          break;
        case REGISTER.LBA_HIGH:
          state.hobHcyl = state.hcyl;
          state.hcyl = value;
          break;
        case REGISTER.DEVICE:
          state.select = value | DEVICE.OBSOLETE;
          break;
      }
    }
    if (offset === REGISTER.DEVICE) this.state.bus.unit = (value & DEVICE.SLAVE) !== 0 ? 1 : 0;
  }

  private writeControl(value: number): void {
    const { bus } = this.state;
    const before = bus.cmd;
    bus.cmd = value;
    if ((value & CONTROL.RESET) !== 0 && (before & CONTROL.RESET) === 0) this.softReset();
  }

  /** Both drives start anew and run their diagnostics; the reset bit falls by itself. [ATA] 9.2, [QEMU] */
  private softReset(): void {
    const { bus } = this.state;
    this.cancel();
    this.setWaiting(this.active, 0);
    bus.cmd &= ~CONTROL.RESET;
    for (const drive of this.drives) {
      drive.reset();
      this.run(drive, COMMAND.DIAGNOSE);
    }
  }

  private execute(command: number): void {
    const drive = this.active;
    const { state } = drive;
    if (drive.unit === 1 && !drive.present) return;
    if ((state.status & (STATUS.BUSY | STATUS.DATA_REQUEST)) !== 0) {
      if (command !== COMMAND.DEVICE_RESET || drive.kind !== 'packet') return;
    }
    this.run(drive, command);
  }

  private run(drive: IdeDrive, command: number): void {
    const { state } = drive;
    const transfers = this.transfers[drive.unit]!;
    if (drive.kind === 'packet' && command === COMMAND.PACKET) {
      state.status = STATUS.READY | STATUS.BUSY;
      state.error = 0;
      this.packets[drive.unit]!.begin();
      return;
    }
    const table = drive.kind === 'packet' ? PACKET_DRIVE_COMMANDS : DISK_COMMANDS;
    const handler = table.get(command);
    if (!handler) {
      drive.abort(ERROR.ABORT);
      this.raiseInterrupt();
      return;
    }
    state.status = STATUS.READY | STATUS.BUSY;
    state.error = 0;
    const outcome = handler(drive, transfers);
    if (outcome === 'pending') return;
    state.status &= ~STATUS.BUSY;
    if (outcome === 'seek' && state.error === 0) state.status |= STATUS.SEEK_DONE;
    this.raiseInterrupt();
  }

  /** A byte read takes a whole word. [QEMU] */
  private readData(size: AccessSize): number {
    const drive = this.active;
    const open = (drive.state.status & STATUS.DATA_REQUEST) !== 0;
    const value = drive.readData(size === 1 ? 2 : size);
    if (open && (drive.state.status & STATUS.DATA_REQUEST) === 0) this.transferEnded(drive);
    return value;
  }

  private writeData(value: number, size: AccessSize): void {
    const drive = this.active;
    if (size === 1) return;
    const open = (drive.state.status & STATUS.DATA_REQUEST) !== 0;
    drive.writeData(value, size);
    if (open && (drive.state.status & STATUS.DATA_REQUEST) === 0) this.transferEnded(drive);
  }

  /** The last byte of a data request goes on to the next. */
  private transferEnded(drive: IdeDrive): void {
    switch (drive.state.transferEnd) {
      case TRANSFER_END.READ_SECTORS:
        this.transfers[drive.unit]!.readSectors();
        return;
      case TRANSFER_END.WRITE_SECTORS:
        this.transfers[drive.unit]!.writeSectors();
        return;
      case TRANSFER_END.PACKET_REPLY:
        this.packets[drive.unit]!.replyDrained();
        return;
      case TRANSFER_END.PACKET_COMMAND:
        this.packets[drive.unit]!.execute();
        return;
      default:
        drive.stopTransfer();
    }
  }
}
