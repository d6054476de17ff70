import type { AccessSize, IoHandler, NetworkBackend } from '@pagurus/device-model';
import { crc32Big, isBroadcast, isGroup } from './ethernet.js';
import {
  CHECKSUM,
  COMMAND,
  DATA_CONFIGURATION,
  INTERRUPT,
  LARGEST_FRAME,
  LEAST_FRAME,
  MEMORY,
  NE2000,
  PACKET_HEADER,
  PAGE0_READ,
  PAGE0_WRITE,
  PAGE1,
  PAGE2,
  PAGE3,
  RECEIVE,
  RECEIVE_STATUS,
  TRANSMIT_STATUS,
} from './ne2000.spec.js';
import { fillRom, Ne2000State } from './ne2000.state.js';

const MEMORY_END = MEMORY.PACKETS + MEMORY.PACKET_SIZE;

/** The card without its bus: registers, memory, frames. */
export class Ne2000 implements IoHandler {
  readonly sizes = [1, 2, 4] as const;

  // State
  readonly state: Ne2000State;

  constructor(
    private readonly mac: Uint8Array,
    private readonly interrupt: (level: boolean) => void,
    private readonly network: NetworkBackend | undefined,
  ) {
    this.state = new Ne2000State(mac);
    network?.connect((frame) => this.receive(frame));
  }

  // Behaviour

  reset(): void {
    Object.assign(this.state, new Ne2000State(this.mac));
    this.updateInterrupt();
  }

  resume(): void {
    this.updateInterrupt();
  }

  read(offset: number, size: AccessSize): number {
    if (offset % size !== 0) return splitRead(this, offset, size);
    if (offset < NE2000.DATA && size === 1) return this.readRegister(offset);
    if (offset === NE2000.DATA) return size === 4 ? this.readData(4) : this.readData(this.wide ? 2 : 1);
    if (offset === NE2000.RESET && size === 1) {
      this.softReset();
      return 0;
    }
    return 2 ** (8 * size) - 1;
  }

  write(offset: number, value: number, size: AccessSize): void {
    if (offset % size !== 0) splitWrite(this, offset, value, size);
    else if (offset < NE2000.DATA && size === 1) this.writeRegister(offset, value);
    else if (offset === NE2000.DATA) this.writeData(value, size === 4 ? 4 : this.wide ? 2 : 1);
    // The reset port does its work when read.
  }

  /** A frame from the network, without check sum. What the filters do not let through or the ring has no room for is dropped. */
  receive(frame: Uint8Array): void {
    const { state } = this;
    if (frame.length < 6 || (state.command & COMMAND.STOP) !== 0 || !this.hasRoom() || !this.accepts(frame)) return;
    let data = frame;
    if (frame.length < LEAST_FRAME) {
      data = new Uint8Array(LEAST_FRAME);
      data.set(frame);
    }
    this.store(data);
    state.interruptStatus |= INTERRUPT.RECEIVED;
    this.updateInterrupt();
  }

  private get wide(): boolean {
    return (this.state.dataConfiguration & DATA_CONFIGURATION.WORD) !== 0;
  }

  private readRegister(offset: number): number {
    const { state } = this;
    if (offset === NE2000.COMMAND) return state.command;
    const register = ((state.command >> 6) << 4) | offset;
    switch (register) {
      case PAGE0_READ.BOUNDARY:
        return state.boundary;
      case PAGE0_READ.TRANSMIT_STATUS:
        return state.transmitStatus;
      case PAGE0_READ.INTERRUPT_STATUS:
        return state.interruptStatus;
      case PAGE0_READ.REMOTE_ADDRESS0:
        return state.remoteAddress & 0xff;
      case PAGE0_READ.REMOTE_ADDRESS1:
        return (state.remoteAddress >> 8) & 0xff;
      case PAGE0_READ.ID0:
        return 0x50;
      case PAGE0_READ.ID1:
        return 0x43;
      case PAGE0_READ.RECEIVE_STATUS:
        return state.receiveStatus;
      case PAGE1.CURRENT:
        return state.current;
      case PAGE2.START:
        return (state.start >> 8) & 0xff;
      case PAGE2.STOP:
        return (state.stop >> 8) & 0xff;
      case PAGE3.CONFIG0:
        return 0;
      case PAGE3.CONFIG2:
      case PAGE3.CONFIG3:
        return 0x40;
      default:
        if (register >= PAGE1.PHYSICAL && register < PAGE1.CURRENT) return state.physical[register - PAGE1.PHYSICAL]!;
        if (register >= PAGE1.MULTICAST && register < PAGE1.END) return state.multicast[register - PAGE1.MULTICAST]!;
        return 0;
    }
  }

  private writeRegister(offset: number, value: number): void {
    const { state } = this;
    if (offset === NE2000.COMMAND) {
      this.writeCommand(value);
      return;
    }
    const register = ((state.command >> 6) << 4) | offset;
    switch (register) {
      case PAGE0_WRITE.START:
        if (value << 8 <= MEMORY_END) state.start = value << 8;
        break;
      case PAGE0_WRITE.STOP:
        if (value << 8 <= MEMORY_END) state.stop = value << 8;
        break;
      case PAGE0_WRITE.BOUNDARY:
        if (value << 8 < MEMORY_END) state.boundary = value;
        break;
      case PAGE0_WRITE.TRANSMIT_START:
        state.transmitPage = value;
        break;
      case PAGE0_WRITE.TRANSMIT_COUNT0:
        state.transmitCount = (state.transmitCount & 0xff00) | value;
        break;
      case PAGE0_WRITE.TRANSMIT_COUNT1:
        state.transmitCount = (state.transmitCount & 0x00ff) | (value << 8);
        break;
      case PAGE0_WRITE.INTERRUPT_STATUS:
        state.interruptStatus &= ~(value & INTERRUPT.MASKABLE);
        this.updateInterrupt();
        break;
      case PAGE0_WRITE.REMOTE_START0:
        state.remoteAddress = (state.remoteAddress & 0xff00) | value;
        break;
      case PAGE0_WRITE.REMOTE_START1:
        state.remoteAddress = (state.remoteAddress & 0x00ff) | (value << 8);
        break;
      case PAGE0_WRITE.REMOTE_COUNT0:
        state.remoteCount = (state.remoteCount & 0xff00) | value;
        break;
      case PAGE0_WRITE.REMOTE_COUNT1:
        state.remoteCount = (state.remoteCount & 0x00ff) | (value << 8);
        break;
      case PAGE0_WRITE.RECEIVE_CONFIGURATION:
        state.receiveConfiguration = value;
        break;
      case PAGE0_WRITE.DATA_CONFIGURATION:
        state.dataConfiguration = value;
        break;
      case PAGE0_WRITE.INTERRUPT_MASK:
        state.interruptMask = value;
        this.updateInterrupt();
        break;
      case PAGE1.CURRENT:
        if (value << 8 < MEMORY_END) state.current = value;
        break;
      default:
        if (register >= PAGE1.PHYSICAL && register < PAGE1.CURRENT) state.physical[register - PAGE1.PHYSICAL] = value;
        else if (register >= PAGE1.MULTICAST && register < PAGE1.END) state.multicast[register - PAGE1.MULTICAST] = value;
    }
  }

  private writeCommand(value: number): void {
    const { state } = this;
    state.command = value;
    if ((value & COMMAND.STOP) !== 0) return;
    state.interruptStatus &= ~INTERRUPT.RESET;
    if ((value & (COMMAND.REMOTE_READ | COMMAND.REMOTE_WRITE)) !== 0 && state.remoteCount === 0) {
      state.interruptStatus |= INTERRUPT.REMOTE_DONE;
      this.updateInterrupt();
    }
    if ((value & COMMAND.TRANSMIT) !== 0) this.transmit();
  }

  /** Frames leave at once. A page behind the memory counts from its beginning, which Netware relies on. */
  private transmit(): void {
    const { state } = this;
    let from = state.transmitPage << 8;
    if (from >= MEMORY_END) from -= MEMORY.PACKET_SIZE;
    if (state.transmitCount > 0 && from + state.transmitCount <= MEMORY_END)
      this.network?.send(state.memory.slice(from, from + state.transmitCount));
    state.transmitStatus = TRANSMIT_STATUS.OK;
    state.interruptStatus |= INTERRUPT.TRANSMITTED;
    state.command &= ~COMMAND.TRANSMIT;
    this.updateInterrupt();
  }

  private softReset(): void {
    this.state.interruptStatus = INTERRUPT.RESET;
    fillRom(this.state.memory, this.mac);
    this.updateInterrupt();
  }

  private updateInterrupt(): void {
    const { interruptStatus, interruptMask } = this.state;
    this.interrupt((interruptStatus & interruptMask & INTERRUPT.MASKABLE) !== 0);
  }

  /** Remote DMA: the driver's window into the card's memory. */
  private readData(width: 1 | 2 | 4): number {
    const { state } = this;
    const at = width === 1 ? state.remoteAddress : state.remoteAddress - (state.remoteAddress % 2);
    let value = 0;
    for (let i = 0; i < width; i++) value += (this.exists(at, width) ? state.memory[at + i]! : 0xff) * 2 ** (8 * i);
    this.advance(width);
    return value;
  }

  private writeData(value: number, width: 1 | 2 | 4): void {
    const { state } = this;
    if (state.remoteCount === 0) return;
    const at = width === 1 ? state.remoteAddress : state.remoteAddress - (state.remoteAddress % 2);
    if (this.exists(at, width)) for (let i = 0; i < width; i++) state.memory[at + i] = value >>> (8 * i);
    this.advance(width);
  }

  private exists(at: number, width: number): boolean {
    return at < MEMORY.ROM_SIZE || (at >= MEMORY.PACKETS && at + width <= MEMORY.SIZE);
  }

  private advance(width: number): void {
    const { state } = this;
    state.remoteAddress = (state.remoteAddress + width) >>> 0;
    if (state.remoteAddress === state.stop) state.remoteAddress = state.start;
    if (state.remoteCount > width) state.remoteCount -= width;
    else {
      state.remoteCount = 0;
      state.interruptStatus |= INTERRUPT.REMOTE_DONE;
      this.updateInterrupt();
    }
  }

  /** The ring has room for the largest frame. */
  private hasRoom(): boolean {
    const { start, stop, current, boundary } = this.state;
    if (stop <= start) return false;
    const [write, read] = [current << 8, boundary << 8];
    const free = write < read ? read - write : stop - start - (write - read);
    return free >= LARGEST_FRAME + PACKET_HEADER;
  }

  private accepts(frame: Uint8Array): boolean {
    const { receiveConfiguration, multicast, memory } = this.state;
    if ((receiveConfiguration & RECEIVE.PROMISCUOUS) !== 0) return true;
    if (isBroadcast(frame)) return (receiveConfiguration & RECEIVE.BROADCAST) !== 0;
    if (isGroup(frame)) {
      if ((receiveConfiguration & RECEIVE.MULTICAST) === 0) return false;
      const hash = crc32Big(frame.subarray(0, 6)) >>> 26;
      return ((multicast[hash >> 3]! >> (hash & 7)) & 1) !== 0;
    }
    return [0, 1, 2, 3, 4, 5].every((i) => memory[2 * i] === frame[i]);
  }

  /** Writes header and frame into the ring, wrapping at its end. */
  private store(frame: Uint8Array): void {
    const { state } = this;
    const { start, stop, memory } = state;
    let at = state.current << 8;
    if (at >= MEMORY_END) at = start;
    const total = frame.length + PACKET_HEADER;
    let next = at + ((total + CHECKSUM + 0xff) & ~0xff);
    if (next >= stop) next -= stop - start;
    state.receiveStatus = RECEIVE_STATUS.OK | (isGroup(frame) ? RECEIVE_STATUS.GROUP : 0);
    memory.set([state.receiveStatus, (next >> 8) & 0xff, total & 0xff, total >> 8], at);
    at += PACKET_HEADER;
    for (let done = 0; done < frame.length && at <= stop; ) {
      const length = Math.min(frame.length - done, stop - at);
      memory.set(frame.subarray(done, done + length), at);
      done += length;
      at += length;
      if (at === stop) at = start;
      if (length === 0) break;
    }
    state.current = (next >> 8) & 0xff;
  }
}

/** Accesses across their own width arrive byte by byte. */
function splitRead(card: Ne2000, offset: number, size: AccessSize): number {
  let value = 0;
  for (let i = 0; i < size; i++) value += card.read(offset + i, 1) * 2 ** (8 * i);
  return value;
}

function splitWrite(card: Ne2000, offset: number, value: number, size: AccessSize): void {
  for (let i = 0; i < size; i++) card.write(offset + i, (value >>> (8 * i)) & 0xff, 1);
}
