import { BUFFER_SECTORS, ERROR, RETRY, SECTOR, STATUS, TRANSFER_END } from './ata.spec.js';
import type { MasterChannel } from './ata-transfers.js';
import type { DmaWork } from './dma-transfer.js';
import type { IdeDrive } from './ide-drive.js';
import { ASC, BLOCK, PACKET, PACKET_FEATURE, PACKET_SIZE, RAW_BLOCK, REASON, SENSE } from './mmc.spec.js';
import * as replies from './packet-replies.js';
import { type PacketDrive, PacketError, u16, u24, u32 } from './packet-replies.js';

/** What a command leaves: done, a reply, or blocks of the medium. */
type Result = 'done' | 'aborted' | { readonly reply: readonly number[]; readonly most: number } | Blocks;

interface Blocks {
  readonly first: number;
  readonly count: number;
  /** Bytes per block. */
  readonly size: number;
}

/** How a command may be refused before it runs. */
interface Rule {
  readonly run: (commands: PacketCommands, packet: Uint8Array) => Result;
  /** Runs in spite of a unit attention. */
  readonly always?: boolean;
  /** Needs a medium. */
  readonly medium?: boolean;
  /** Moves no data, so that the byte count does not matter. */
  readonly silent?: boolean;
}

const IDLE = STATUS.READY | STATUS.SEEK_DONE;

/** Bytes of the drive's buffer that hold data. */
const CAPACITY = BUFFER_SECTORS * SECTOR;

/**
 * The drive's buffer has four spare bytes: while blocks are sent through the data port they hold the next block to fetch, plus one, and
 * in bit 31 whether raw blocks are sent. QEMU forgets both when it is moved in the middle of a reply; 0 is what it leaves there.
 */
const SPARE = CAPACITY;
const RAW = 0x8000_0000;

/** A reply without blocks, or the only block that QEMU keeps, is not longer than this. */
const LONGEST_REPLY = BLOCK + 4;

const reply =
  (make: (drive: PacketDrive, packet: Uint8Array) => readonly number[], most: (packet: Uint8Array) => number): Rule['run'] =>
  (commands, packet) => ({ reply: make(commands.view, packet), most: most(packet) });

const RULES: { readonly [opcode: number]: Rule } = {
  [PACKET.TEST_UNIT_READY]: { run: () => 'done', medium: true, silent: true },
  [PACKET.REQUEST_SENSE]: { run: reply(replies.requestSense, (packet) => packet[4]!), always: true },
  [PACKET.INQUIRY]: { run: reply(replies.inquiry, (packet) => packet[4]!), always: true },
  [PACKET.START_STOP_UNIT]: { run: (commands, packet) => commands.startStop(packet), silent: true },
  [PACKET.PREVENT_ALLOW_REMOVAL]: { run: (commands, packet) => commands.lock((packet[4]! & 1) !== 0), silent: true },
  [PACKET.READ_CAPACITY]: { run: reply(replies.readCapacity, () => 8), medium: true },
  [PACKET.READ_10]: { run: (commands, packet) => commands.blocks(u32(packet, 2), u16(packet, 7), BLOCK), medium: true },
  [PACKET.SEEK_10]: { run: (commands, packet) => commands.seek(u32(packet, 2)), medium: true, silent: true },
  [PACKET.READ_TOC]: { run: reply(replies.readToc, (packet) => u16(packet, 7)), medium: true },
  [PACKET.GET_CONFIGURATION]: { run: reply(replies.getConfiguration, (packet) => u16(packet, 7)), always: true },
  [PACKET.GET_EVENT_STATUS]: { run: reply(replies.getEventStatus, (packet) => u16(packet, 7)), always: true },
  [PACKET.READ_DISC_INFORMATION]: { run: reply(replies.readDiscInformation, (packet) => u16(packet, 7)), medium: true },
  [PACKET.MODE_SENSE_10]: { run: reply(replies.modeSense, (packet) => u16(packet, 7)) },
  [PACKET.READ_12]: { run: (commands, packet) => commands.blocks(u32(packet, 2), u32(packet, 6), BLOCK), medium: true },
  [PACKET.READ_DVD_STRUCTURE]: { run: reply(replies.readDvdStructure, (packet) => u16(packet, 8)), medium: true },
  [PACKET.SET_CD_SPEED]: { run: () => 'done', silent: true },
  [PACKET.MECHANISM_STATUS]: { run: reply(replies.mechanismStatus, (packet) => u16(packet, 8)) },
  [PACKET.READ_CD]: {
    run: (commands, packet) => commands.readCd(packet),
    medium: true,
    // Unless blocks are asked for, which is found out later.
    silent: true,
  },
};

/** PACKET and what comes after it: twelve bytes of command, then data through the port or by bus master. [ATAPI] 9.10 */
export class PacketCommands {
  constructor(
    private readonly drive: IdeDrive,
    private readonly master: MasterChannel,
  ) {}

  /** The drive as replies see it. */
  get view(): PacketDrive {
    const { drive } = this;
    const { serial, version } = drive.identity;
    return { state: drive.state, blocks: this.totalBlocks, serial, version };
  }

  /** The command byte PACKET: the data port takes the packet. */
  begin(): void {
    const { drive } = this;
    if ((drive.state.feature & PACKET_FEATURE.OVERLAP) !== 0) {
      drive.abort(ERROR.ABORT);
      drive.channel.raiseInterrupt();
      return;
    }
    drive.state.status = IDLE;
    drive.state.nsector = 1;
    drive.startTransfer(PACKET_SIZE, TRANSFER_END.PACKET_COMMAND);
  }

  /** The packet is complete. */
  execute(): void {
    const { drive } = this;
    const { state } = drive;
    const packet = state.buffer.slice(0, PACKET_SIZE);
    const rule = RULES[packet[0]!];
    try {
      this.check(rule);
      if (!rule) throw new PacketError(SENSE.ILLEGAL_REQUEST, ASC.INVALID_OPCODE);
      const result = !rule.silent && this.wantsNothing ? 'aborted' : rule.run(this, packet);
      // Without an interrupt. [QEMU]
      if (result === 'aborted') {
        drive.abort(ERROR.ABORT);
        return;
      }
      if (result === 'done') this.succeed();
      else if ('reply' in result) this.sendReply(result.reply.slice(0, result.most));
      else this.sendBlocks(result.first, result.count, result.size);
    } catch (error) {
      if (!(error instanceof PacketError)) throw error;
      this.refuse(error.key, error.asc);
    }
  }

  /** The data port has moved the open piece. */
  replyDrained(): void {
    const { state } = this.drive;
    if (state.packetSize === 0) this.succeed();
    else this.openPiece();
  }

  /** The request that a move interrupted, from its packet. */
  restart(): void {
    const { state } = this.drive;
    state.transferEnd = TRANSFER_END.PACKET_COMMAND;
    state.status &= ~STATUS.DATA_REQUEST;
    this.execute();
  }

  /** The refill of the buffer that a move interrupted. */
  resumeReply(): void {
    this.openPiece();
  }

  /** The medium is gone in the middle of a request. */
  fail(): void {
    this.refuse(SENSE.NOT_READY, ASC.MEDIUM_NOT_PRESENT);
  }

  startStop(packet: Uint8Array): Result {
    const { state } = this.drive;
    // A power condition, or the motor: nothing to see.
    if ((packet[4]! & 0xf0) !== 0 || (packet[4]! & 2) === 0) return 'done';
    const open = (packet[4]! & 1) === 0;
    if (open && !state.trayOpen && state.trayLocked) {
      throw new PacketError(this.totalBlocks > 0 ? SENSE.NOT_READY : SENSE.ILLEGAL_REQUEST, ASC.REMOVAL_PREVENTED);
    }
    state.trayOpen = open;
    return 'done';
  }

  lock(locked: boolean): Result {
    this.drive.state.trayLocked = locked;
    return 'done';
  }

  seek(block: number): Result {
    if (block >= this.totalBlocks) throw new PacketError(SENSE.ILLEGAL_REQUEST, ASC.BLOCK_OUT_OF_RANGE);
    return 'done';
  }

  readCd(packet: Uint8Array): Result {
    const result = this.blocks(u32(packet, 2), u24(packet, 6), BLOCK);
    const size = replies.readCdBlock(packet);
    if (result === 'done' || size === 0) return 'done';
    return this.wantsNothing ? 'aborted' : { ...result, size };
  }

  blocks(first: number, count: number, size: number): 'done' | Blocks {
    if (count === 0) return 'done';
    if (first + count > this.totalBlocks) throw new PacketError(SENSE.ILLEGAL_REQUEST, ASC.BLOCK_OUT_OF_RANGE);
    return { first, count, size };
  }

  /** Blocks of the medium in the drive; 0 if it is empty. */
  private get totalBlocks(): number {
    return Math.floor(this.drive.totalSectors / (BLOCK / SECTOR));
  }

  private get usesDma(): boolean {
    return (this.drive.state.feature & PACKET_FEATURE.DMA) !== 0;
  }

  /** A data port command without a byte count. */
  private get wantsNothing(): boolean {
    return !this.usesDma && this.byteLimit === 0;
  }

  /** Most bytes that the guest wants per data request. */
  private get byteLimit(): number {
    const { lcyl, hcyl } = this.drive.state;
    const limit = lcyl + hcyl * 256;
    return limit === 0xffff ? 0xfffe : limit;
  }

  private check(rule: Rule | undefined): void {
    const { state } = this.drive;
    if (state.senseKey === SENSE.UNIT_ATTENTION && !rule?.always) throw new PacketError(SENSE.UNIT_ATTENTION, state.asc);
    if (!rule?.always && !state.trayOpen && this.totalBlocks > 0 && state.cdromChanged > 0) {
      // The old disc is gone, then there is a new one.
      const gone = state.cdromChanged === 1;
      state.cdromChanged = gone ? 2 : 0;
      if (gone) throw new PacketError(SENSE.NOT_READY, ASC.MEDIUM_NOT_PRESENT);
      throw new PacketError(SENSE.UNIT_ATTENTION, ASC.MEDIUM_MAY_HAVE_CHANGED);
    }
    if (rule?.medium && (state.trayOpen || this.totalBlocks === 0))
      throw new PacketError(SENSE.NOT_READY, ASC.MEDIUM_NOT_PRESENT);
  }

  private reason(bits: number): void {
    const { state } = this.drive;
    state.nsector = (state.nsector & ~REASON.MASK) | bits;
  }

  private succeed(): void {
    const { drive } = this;
    drive.stopTransfer();
    drive.state.error = 0;
    drive.state.status = IDLE;
    this.reason(REASON.TO_HOST | REASON.COMMAND);
    drive.channel.raiseInterrupt();
  }

  private refuse(key: number, asc: number): void {
    const { drive } = this;
    const { state } = drive;
    drive.stopTransfer();
    state.error = key << 4;
    state.status = STATUS.READY | STATUS.ERROR;
    state.senseKey = key;
    state.asc = asc;
    state.packetSize = state.elementarySize = 0;
    this.reason(REASON.TO_HOST | REASON.COMMAND);
    drive.channel.raiseInterrupt();
  }

  private sendReply(bytes: readonly number[]): void {
    const { state } = this.drive;
    if (this.usesDma) {
      const source = Uint8Array.from(bytes);
      this.sendDma(source.length, 0, (offset, target, done) => {
        target.set(source.subarray(offset, offset + target.length));
        done(undefined);
      });
      return;
    }
    state.buffer.set(bytes);
    this.setNext(0, BLOCK);
    this.openReply(bytes.length);
  }

  private sendBlocks(first: number, count: number, size: number): void {
    if (this.usesDma) {
      this.sendDma(count * size, STATUS.BUSY, (offset, target, done) => this.readBytes(first, size, offset, target, done));
      return;
    }
    this.fill(first, Math.min(count, Math.floor(CAPACITY / size)), size, RETRY.PACKET, () => this.openReply(count * size));
  }

  private openReply(length: number): void {
    const { state } = this.drive;
    state.status = IDLE;
    state.bufferOffset = state.bufferLength = 0;
    state.packetSize = length;
    state.elementarySize = 0;
    if (length === 0) this.succeed();
    else this.openPiece();
  }

  /** Opens the data port on what follows: the rest of a data request, or a new one. */
  private openPiece(): void {
    const { drive } = this;
    const { state } = drive;
    const buffered = this.buffered();
    if (buffered === undefined) {
      this.refuse(SENSE.ABORTED_COMMAND, ASC.NONE);
      return;
    }
    if (buffered === 0) {
      this.refill();
      return;
    }
    if (state.elementarySize === 0) {
      const limit = this.byteLimit;
      const size = state.packetSize > limit ? limit & ~1 : state.packetSize;
      // A limit of one byte moves nothing.
      state.elementarySize = Math.max(size, 1);
      state.lcyl = state.elementarySize & 0xff;
      state.hcyl = state.elementarySize >> 8;
      this.reason(REASON.TO_HOST);
      drive.channel.raiseInterrupt();
    }
    const length = Math.min(state.elementarySize, buffered);
    state.packetSize -= length;
    state.elementarySize -= length;
    drive.startTransfer(length, TRANSFER_END.PACKET_REPLY, state.bufferOffset);
  }

  /** Bytes of the reply that lie in the buffer from the present position; undefined where nobody knows. */
  private buffered(): number | undefined {
    const { bufferOffset, packetSize } = this.drive.state;
    const { known, size } = this.next();
    if (!known) return bufferOffset + packetSize <= LONGEST_REPLY ? packetSize : undefined;
    const end = Math.floor(CAPACITY / size) * size;
    return Math.min(packetSize, Math.max(end - bufferOffset, 0));
  }

  private refill(): void {
    const { state } = this.drive;
    const { block, size } = this.next();
    const count = Math.min(Math.ceil(state.packetSize / size), Math.floor(CAPACITY / size));
    this.fill(block, count, size, RETRY.PIO | RETRY.READ, () => {
      state.status = IDLE;
      state.bufferOffset = 0;
      this.openPiece();
    });
  }

  private fill(first: number, count: number, size: number, retry: number, done: () => void): void {
    const { drive } = this;
    const { state } = drive;
    state.status = IDLE | STATUS.BUSY;
    const target = new Uint8Array(count * size);
    drive.channel.setWaiting(drive, retry);
    this.readBytes(first, size, 0, target, (error) => {
      drive.channel.setWaiting(drive, 0);
      if (error !== undefined) {
        this.readFailed(error);
        return;
      }
      state.buffer.set(target);
      this.setNext(first + count + 1, size);
      done();
    });
  }

  /** Bytes [offset, offset + length) of a row of blocks that begins at `first`. */
  private readBytes(first: number, size: number, offset: number, target: Uint8Array, done: (error: unknown) => void): void {
    const { drive } = this;
    if (size === BLOCK && offset % SECTOR === 0 && target.length % SECTOR === 0) {
      drive.requests.read(first * (BLOCK / SECTOR) + offset / SECTOR, target, done);
      return;
    }
    const begin = Math.floor(offset / size);
    const count = Math.ceil((offset + target.length) / size) - begin;
    const data = new Uint8Array(count * BLOCK);
    drive.requests.read((first + begin) * (BLOCK / SECTOR), data, (error) => {
      if (error === undefined) {
        const row = size === RAW_BLOCK ? rawBlocks(first + begin, data) : data;
        target.set(row.subarray(offset - begin * size, offset - begin * size + target.length));
      }
      done(error);
    });
  }

  private sendDma(length: number, busy: number, read: DmaWork['move']): void {
    const { drive } = this;
    const { state } = drive;
    const work: DmaWork = {
      toMemory: true,
      partial: true,
      length,
      allowed: () => true,
      move: read,
      advance: () => {},
      finish: (outcome) => {
        this.master.endDma(false);
        // A table that is too short leaves the drive waiting for ever. [QEMU]
        if (outcome === 'short') return;
        state.status = IDLE;
        if (typeof outcome === 'object') this.readFailed(outcome.error);
        else this.succeed();
      },
      cancel: () => {
        if (drive.medium) drive.requests.cancel();
      },
    };
    // The packet stays in the buffer: a move begins again with it.
    state.bufferOffset = state.bufferLength = 0;
    state.transferEnd = TRANSFER_END.PACKET_COMMAND;
    state.status = IDLE | STATUS.DATA_REQUEST | busy;
    this.master.startDma(drive, work, RETRY.PACKET);
  }

  private readFailed(error: unknown): void {
    this.drive.log.guestError(`I/O error: ${error instanceof Error ? error.message : String(error)}`);
    this.refuse(SENSE.MEDIUM_ERROR, ASC.UNRECOVERED_READ_ERROR);
  }

  private next(): { known: boolean; block: number; size: number } {
    const { buffer } = this.drive.state;
    const word = u32(buffer, SPARE);
    return { known: word !== 0, block: (word & ~RAW) - 1, size: (word & RAW) !== 0 ? RAW_BLOCK : BLOCK };
  }

  /** @param next number of the next block plus one; 0 = the reply is all in the buffer. */
  private setNext(next: number, size: number): void {
    const { buffer } = this.drive.state;
    const word = next === 0 ? 0 : (next | (size === RAW_BLOCK ? RAW : 0)) >>> 0;
    new DataView(buffer.buffer, buffer.byteOffset).setUint32(SPARE, word);
  }
}

/** Whole sectors as they lie on the disc; error correction is left zero, as on QEMU. */
function rawBlocks(first: number, data: Uint8Array): Uint8Array {
  const count = data.length / BLOCK;
  const raw = new Uint8Array(count * RAW_BLOCK);
  for (let i = 0; i < count; i++) {
    const header = replies.rawHeader(first + i);
    raw.set(header, i * RAW_BLOCK);
    raw.set(data.subarray(i * BLOCK, (i + 1) * BLOCK), i * RAW_BLOCK + header.length);
  }
  return raw;
}
