import type { GuestMemory } from '@pagurus/device-model';
import { LEAST_FRAME } from '../ne2000.spec.js';
import { accepts, hasVlanTag, vlanMode } from './filter.js';
import { CAUSE, DESCRIPTOR, RCTL, REG, RX, STATUS } from './spec.js';
import type { E1000State } from './state.js';
import { countOverrun, countOversized, countReceived } from './statistics.js';
import { descriptorAddress } from './transmit.js';

const CHECKSUM = 4;
/** With VLAN tag; beyond it frames are long. */
const LARGEST = 1522;
const LARGEST_LONG = 16384;
/** Frames that may wait. */
const MOST_WAITING = 256;

/** Frames to receive descriptors. [8254x] 3.2 */
export class Receiver {
  /**
   * Frames for which the guest has no descriptor at the moment, or whose descriptor or buffer has not arrived. The real card drops
   * the former; with no real time on either side that would cost every connection its pace, so they wait on the host, as in QEMU,
   * and are lost like any frame if the machine moves meanwhile.
   */
  private waiting: Uint8Array[] = [];

  constructor(
    private readonly s: E1000State,
    private readonly master: { readonly dma: GuestMemory; readonly busMaster: boolean },
    private readonly cause: (bits: number) => void,
  ) {}

  reset(): void {
    this.waiting = [];
  }

  receive(frame: Uint8Array): void {
    if (!this.enabled || this.waiting.length >= MOST_WAITING) return;
    this.waiting.push(frame.slice());
    this.flush();
  }

  /** The guest gave descriptors, or memory has arrived: takes what has waited, in order. */
  flush(): void {
    while (this.waiting.length > 0 && this.master.busMaster && this.enabled && this.hasBuffers(1)) {
      const [frame] = this.waiting;
      if (this.oversized(frame!.length)) countOversized(this.s.mac);
      else if (!this.store(pad(frame!))) return;
      this.waiting.shift();
    }
  }

  private get enabled(): boolean {
    const { mac } = this.s;
    return (mac[REG.STATUS / 4]! & STATUS.LINK_UP) !== 0 && (mac[REG.RCTL / 4]! & RCTL.ENABLE) !== 0;
  }

  private oversized(length: number): boolean {
    const rctl = this.s.mac[REG.RCTL / 4]!;
    if ((rctl & RCTL.STORE_BAD) !== 0) return false;
    return length > LARGEST_LONG || (length > LARGEST && (rctl & RCTL.LONG) === 0);
  }

  /** @returns false where guest memory is missing; nothing has happened then. */
  private store(frame: Uint8Array): boolean {
    const { mac } = this.s;
    const counters = [REG.BPRC, REG.MPRC].map((register) => mac[register / 4]!);
    if (!accepts(mac, frame)) return true;
    const tagged = vlanMode(mac) && hasVlanTag(mac, frame);
    const data = tagged ? Uint8Array.from([...frame.subarray(0, 12), ...frame.subarray(16)]) : frame;
    const tag = tagged ? ((frame[14] ?? 0) << 8) | (frame[15] ?? 0) : 0;
    const total = data.length + ((mac[REG.RCTL / 4]! & RCTL.STRIP_CRC) !== 0 ? 0 : CHECKSUM);
    if (!this.hasBuffers(total)) {
      countOverrun(mac);
      this.cause(CAUSE.RX_OVERRUN);
      return true;
    }
    if (!this.arrived(total, data.length)) {
      for (const [i, register] of [REG.BPRC, REG.MPRC].entries()) mac[register / 4] = counters[i]!;
      return false;
    }
    this.fill(data, total, tagged, tag);
    return true;
  }

  private hasBuffers(total: number): boolean {
    const { mac, rxBufferSize } = this.s;
    const [head, tail] = [mac[REG.RDH / 4]!, mac[REG.RDT / 4]!];
    if (head === tail) return false;
    if (total <= rxBufferSize) return true;
    const buffers = head < tail ? tail - head : mac[REG.RDLEN / 4]! / DESCRIPTOR + tail - head;
    return total <= buffers * rxBufferSize;
  }

  /** Looks at every descriptor and buffer that the frame needs, so that it is written as a whole or not at all. */
  private arrived(total: number, length: number): boolean {
    const { mac, rxBufferSize } = this.s;
    const descriptor = new Uint8Array(DESCRIPTOR);
    const ring = mac[REG.RDLEN / 4]! / DESCRIPTOR;
    let head = mac[REG.RDH / 4]!;
    const start = head;
    for (let done = 0; done < total; done += rxBufferSize) {
      if (!this.master.dma.read(this.address(head), descriptor).done) return false;
      const buffer = bufferOf(descriptor);
      const size = Math.min(rxBufferSize, length - done);
      if (buffer !== 0 && size > 0 && !this.master.dma.read(buffer, new Uint8Array(size)).done) return false;
      if (++head >= ring) head = 0;
      if (head === start || start >= ring || rxBufferSize === 0) return true;
    }
    return true;
  }

  private fill(data: Uint8Array, total: number, tagged: boolean, tag: number): void {
    const { s } = this;
    const memory = this.master.dma;
    const { mac } = s;
    const ring = mac[REG.RDLEN / 4]! / DESCRIPTOR;
    const start = mac[REG.RDH / 4]!;
    for (let done = 0; done < total; ) {
      const at = this.address(mac[REG.RDH / 4]!);
      const descriptor = new Uint8Array(DESCRIPTOR);
      memory.read(at, descriptor);
      const size = Math.min(total - done, s.rxBufferSize);
      const view = new DataView(descriptor.buffer);
      const buffer = bufferOf(descriptor);
      view.setUint16(14, tag, true);
      let status = (view.getUint8(12) & ~RX.DONE) | (tagged ? RX.VLAN : 0);
      if (buffer !== 0) {
        if (done < data.length) memory.write(buffer, data.subarray(done, done + size));
        done += size;
        view.setUint16(8, size, true);
        status = done >= total ? status | RX.END | RX.NO_CHECKSUM : status & ~RX.END;
      }
      view.setUint8(12, status | RX.DONE);
      memory.write(at, descriptor);
      mac[REG.RDH / 4]! += 1;
      if (mac[REG.RDH / 4]! >= ring) mac[REG.RDH / 4] = 0;
      if (mac[REG.RDH / 4] === start || start >= ring) {
        countOverrun(mac);
        this.cause(CAUSE.RX_OVERRUN);
        return;
      }
    }
    countReceived(mac, data.length, total);
    const [head, tail] = [mac[REG.RDH / 4]!, mac[REG.RDT / 4]!];
    const free = (tail < head ? tail + ring : tail) - head;
    const low = free * DESCRIPTOR <= mac[REG.RDLEN / 4]! >> s.rxMinShift;
    this.cause(CAUSE.RX_TIMER | (low ? CAUSE.RX_LOW : 0));
  }

  private address(index: number): number {
    const { mac } = this.s;
    return descriptorAddress(mac[REG.RDBAH / 4]!, mac[REG.RDBAL / 4]!, index);
  }
}

function bufferOf(descriptor: Uint8Array): number {
  const view = new DataView(descriptor.buffer);
  return (view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32) % 2 ** 52;
}

function pad(frame: Uint8Array): Uint8Array {
  if (frame.length >= LEAST_FRAME) return frame;
  const padded = new Uint8Array(LEAST_FRAME);
  padded.set(frame);
  return padded;
}

/** Bytes of a buffer, from size and its extension. [8254x] 13.4.22 */
export function bufferSize(rctl: number): number {
  const size = (rctl >> 16) & 3;
  if (size === 0) return 2048;
  return (rctl & 0x0200_0000) !== 0 ? 32768 >> size : 2048 >> size;
}
