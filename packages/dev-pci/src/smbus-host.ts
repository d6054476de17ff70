import type { IoHandler, Log } from '@pagurus/device-model';
import type { I2cBus } from './i2c.js';
import { SMBUS, SMBUS_AUXILIARY, SMBUS_BLOCK, SMBUS_CONTROL, SMBUS_PROTOCOL, SMBUS_STATUS } from './piix4.spec.js';
import { SmbusHostState } from './smbus-host.state.js';

/** The PIIX4's SMBus host controller: registers, and the protocols of [SMB] chapter 5 over an I²C bus. Raises no interrupt, as on QEMU. */
export class SmbusHost {
  readonly state = new SmbusHostState();

  constructor(
    private readonly bus: I2cBus,
    private readonly log: Log,
  ) {}

  readonly registers: IoHandler = {
    read: (offset) => this.read(offset),
    write: (offset, value) => this.write(offset, value),
  };

  private read(offset: number): number {
    const { state } = this;
    switch (offset) {
      case SMBUS.STATUS:
        return this.readStatus();
      case SMBUS.CONTROL:
        return state.control & (SMBUS_CONTROL.START - 1) & ~SMBUS_CONTROL.LAST_BYTE;
      case SMBUS.COMMAND:
        return state.command;
      case SMBUS.ADDRESS:
        return state.address;
      case SMBUS.DATA0:
        return state.data0;
      case SMBUS.DATA1:
        return state.data1;
      case SMBUS.BLOCK_DATA:
        return this.readBlockData();
      case SMBUS.AUXILIARY_CONTROL:
        return state.auxiliary;
      default:
        return 0;
    }
  }

  private write(offset: number, value: number): void {
    const { state } = this;
    switch (offset) {
      case SMBUS.STATUS:
        this.clearStatus(value);
        return;
      case SMBUS.CONTROL:
        this.writeControl(value);
        return;
      case SMBUS.COMMAND:
        state.command = value;
        return;
      case SMBUS.ADDRESS:
        state.address = value;
        return;
      case SMBUS.DATA0:
        state.data0 = value;
        return;
      case SMBUS.DATA1:
        state.data1 = value;
        return;
      case SMBUS.BLOCK_DATA:
        this.writeBlockData(value);
        return;
      case SMBUS.AUXILIARY_CONTROL:
        state.auxiliary = value & SMBUS_AUXILIARY.MASK;
        return;
      default:
        this.log.guestError(`write of 0x${value.toString(16)} to SMBus port ${offset}`);
    }
  }

  private clearStatus(bits: number): void {
    const { state } = this;
    const taken = (state.status & bits & SMBUS_STATUS.BYTE_DONE) !== 0;
    state.status &= ~bits | SMBUS_STATUS.BUSY;
    // Acknowledging a byte of a block asks for the next one.
    if (taken && !state.opDone && (state.inI2cBlockRead || !this.buffered)) this.nextByte();
  }

  private readStatus(): number {
    const { state } = this;
    const seen = state.status;
    if (state.startOnStatusRead) {
      state.startOnStatusRead = false;
      state.status &= ~SMBUS_STATUS.BUSY;
      this.transact();
    }
    return seen;
  }

  private writeControl(value: number): void {
    const { state } = this;
    state.control = value & ~SMBUS_CONTROL.START;
    if ((value & SMBUS_CONTROL.START) !== 0) {
      if (!state.opDone) {
        this.abandon();
        if (state.inI2cBlockRead) this.endI2cBlock();
      }
      // A guest that polls sees the controller busy once.
      state.startOnStatusRead = (value & SMBUS_CONTROL.INTERRUPT_ENABLE) === 0;
      if (state.startOnStatusRead) state.status |= SMBUS_STATUS.BUSY;
      else this.transact();
    }
    if ((value & SMBUS_CONTROL.KILL) === 0) return;
    this.abandon();
    state.status = (state.status | SMBUS_STATUS.FAILED) & ~SMBUS_STATUS.BUSY;
  }

  /** Block transfers use the buffer. */
  private get buffered(): boolean {
    return (this.state.auxiliary & SMBUS_AUXILIARY.BLOCK_BUFFER) !== 0;
  }

  private abandon(): void {
    this.state.opDone = true;
    this.state.index = 0;
  }

  private endI2cBlock(): void {
    this.bus.refuse();
    this.bus.stop();
    this.state.inI2cBlockRead = false;
  }

  private readBlockData(): number {
    const { state } = this;
    if (!this.buffered || state.inI2cBlockRead) return state.blockData;
    const byte = state.data[state.index]!;
    state.index = (state.index + 1) % SMBUS_BLOCK;
    if (!state.opDone && state.index === state.data0) {
      state.opDone = true;
      state.index = 0;
      state.status &= ~SMBUS_STATUS.BUSY;
    }
    return byte;
  }

  private writeBlockData(value: number): void {
    const { state } = this;
    if (!this.buffered) {
      state.blockData = value;
      return;
    }
    state.data[state.index] = value;
    state.index = (state.index + 1) % SMBUS_BLOCK;
  }

  private transact(): void {
    const { state } = this;
    const done = (state.status & SMBUS_STATUS.DEVICE_ERROR) !== 0 ? 'error' : this.transactProtocol();
    if (done === 'error') state.status |= SMBUS_STATUS.DEVICE_ERROR;
    else if (done) state.status |= SMBUS_STATUS.INTERRUPT;
  }

  private transactProtocol(): boolean | 'error' {
    const { control, address } = this.state;
    const protocol = (control >> SMBUS_CONTROL.PROTOCOL_SHIFT) & SMBUS_CONTROL.PROTOCOL_MASK;
    return (address & 1) !== 0 ? this.transactRead(protocol) : this.transactWrite(protocol);
  }

  /** True when complete, false when a block goes on byte by byte. */
  private transactRead(protocol: number): boolean | 'error' {
    const { state, bus } = this;
    const slave = state.address >> 1;
    switch (protocol) {
      case SMBUS_PROTOCOL.QUICK:
        return this.quick(slave, true);
      case SMBUS_PROTOCOL.BYTE:
        if (!bus.start(slave, true)) return 'error';
        state.data0 = this.finish(1)[0]!;
        return true;
      case SMBUS_PROTOCOL.BYTE_DATA:
      case SMBUS_PROTOCOL.WORD_DATA: {
        if (!this.command(slave, state.command)) return 'error';
        const [low, high] = this.finish(protocol === SMBUS_PROTOCOL.WORD_DATA ? 2 : 1);
        state.data0 = low!;
        if (high !== undefined) state.data1 = high;
        return true;
      }
      case SMBUS_PROTOCOL.BLOCK:
        return this.blockRead(slave);
      case SMBUS_PROTOCOL.I2C_BLOCK_READ:
        return this.i2cBlockRead(slave);
      default:
        return 'error';
    }
  }

  private transactWrite(protocol: number): boolean | 'error' {
    const { state } = this;
    const slave = state.address >> 1;
    switch (protocol) {
      case SMBUS_PROTOCOL.QUICK:
        return this.quick(slave, false);
      case SMBUS_PROTOCOL.BYTE:
        return this.sendAll(slave, [state.command]);
      case SMBUS_PROTOCOL.BYTE_DATA:
        return this.sendAll(slave, [state.command, state.data0]);
      case SMBUS_PROTOCOL.WORD_DATA:
        return this.sendAll(slave, [state.command, state.data0, state.data1]);
      case SMBUS_PROTOCOL.BLOCK:
        return this.blockWrite(slave);
      case SMBUS_PROTOCOL.I2C_BLOCK_READ:
        return this.i2cBlockRead(slave);
      default:
        return 'error';
    }
  }

  private quick(slave: number, receive: boolean): boolean | 'error' {
    if (!this.bus.start(slave, receive)) return 'error';
    this.bus.stop();
    return true;
  }

  /** Sends a command byte and turns the bus round. */
  private command(slave: number, command: number): boolean {
    if (!this.bus.start(slave, false)) return false;
    this.bus.send(command);
    return this.bus.start(slave, true);
  }

  /** Receives `count` bytes and ends the transfer. */
  private finish(count: number): number[] {
    const bytes = Array.from({ length: count }, () => this.bus.receive());
    this.bus.refuse();
    this.bus.stop();
    return bytes;
  }

  private sendAll(slave: number, bytes: readonly number[]): boolean | 'error' {
    if (!this.bus.start(slave, false)) return 'error';
    for (const byte of bytes) this.bus.send(byte);
    this.bus.stop();
    return true;
  }

  private blockRead(slave: number): boolean | 'error' {
    const { state } = this;
    if (!this.command(slave, state.command)) return 'error';
    const announced = this.bus.receive();
    const length = announced > SMBUS_BLOCK ? 0 : announced;
    state.data.set(this.finish(length));
    state.data0 = length;
    state.index = 0;
    // Complete on the bus; the guest still has to fetch what is in the buffer.
    state.opDone = false;
    if (this.buffered) return true;
    state.blockData = state.data[0]!;
    state.status |= SMBUS_STATUS.BUSY | SMBUS_STATUS.BYTE_DONE;
    return false;
  }

  private blockWrite(slave: number): boolean | 'error' {
    const { state } = this;
    if (this.buffered) {
      // As many bytes as were announced must be in the buffer.
      const complete = state.index === state.data0;
      state.index = 0;
      if (!complete || this.sendBlock(slave) === 'error') return 'error';
      this.endBlock();
      return true;
    }
    state.opDone = false;
    state.index = 0;
    state.data[0] = state.blockData;
    state.status |= SMBUS_STATUS.BUSY | SMBUS_STATUS.BYTE_DONE;
    return false;
  }

  private sendBlock(slave: number): boolean | 'error' {
    const { data0, data, command } = this.state;
    if (data0 > SMBUS_BLOCK) return 'error';
    return this.sendAll(slave, [command, data0, ...data.subarray(0, data0)]);
  }

  /** Reads without a length byte until the guest says that the next is the last. */
  private i2cBlockRead(slave: number): boolean | 'error' {
    const { state } = this;
    if (!this.command(slave, state.data1)) return 'error';
    state.inI2cBlockRead = true;
    state.blockData = this.bus.receive();
    state.opDone = false;
    state.status |= SMBUS_STATUS.BUSY | SMBUS_STATUS.BYTE_DONE;
    return false;
  }

  /** The guest took or gave one byte of a block. */
  private nextByte(): void {
    const { state } = this;
    state.index = (state.index + 1) % SMBUS_BLOCK;
    if (state.inI2cBlockRead || (state.address & 1) !== 0) this.nextByteRead();
    else this.nextByteWritten();
  }

  private nextByteRead(): void {
    const { state } = this;
    state.blockData = state.inI2cBlockRead ? this.bus.receive() : state.data[state.index]!;
    if ((state.control & SMBUS_CONTROL.LAST_BYTE) === 0) {
      state.status |= SMBUS_STATUS.BYTE_DONE;
      return;
    }
    if (state.inI2cBlockRead) this.endI2cBlock();
    state.index = 0;
    this.endBlock();
  }

  private nextByteWritten(): void {
    const { state } = this;
    if (state.index === state.data0) {
      if (this.sendBlock(state.address >> 1) === 'error') state.status |= SMBUS_STATUS.DEVICE_ERROR;
      else this.endBlock();
      return;
    }
    state.data[state.index] = state.blockData;
    state.status |= SMBUS_STATUS.BYTE_DONE;
  }

  private endBlock(): void {
    this.state.opDone = true;
    this.state.status = (this.state.status | SMBUS_STATUS.INTERRUPT) & ~SMBUS_STATUS.BUSY;
  }
}
