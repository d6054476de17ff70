import type { GuestMemory } from '@pagurus/device-model';
import { vlanMode } from './filter.js';
import { CAUSE, DESCRIPTOR, REG, TCTL, TX, TX_OPTION } from './spec.js';
import type { E1000State, OffloadState } from './state.js';
import { countSegmented } from './statistics.js';

/** Bytes that one data descriptor may have. */
const MOST = 0x10000;

/** Transmit descriptors to frames. [8254x] 3.3 to 3.5 */
export class Transmitter {
  private readonly descriptor = new Uint8Array(DESCRIPTOR);
  private readonly buffer = new Uint8Array(MOST);
  private busy = false;

  constructor(
    private readonly s: E1000State,
    private readonly memory: GuestMemory,
    private readonly send: (frame: Uint8Array, untagged: number) => void,
  ) {}

  /** Descriptors wait. */
  get hasWork(): boolean {
    return this.s.mac[REG.TDH / 4] !== this.s.mac[REG.TDT / 4];
  }

  /**
   * Works through the ring from head to tail. Stops where guest memory has not arrived, and goes on from there when called again.
   * @returns interrupt causes, or 0 where nothing ended.
   */
  run(): number {
    const { mac } = this.s;
    if (this.busy || (mac[REG.TCTL / 4]! & TCTL.ENABLE) === 0) return 0;
    this.busy = true;
    const start = mac[REG.TDH / 4]!;
    const ring = mac[REG.TDLEN / 4]! / DESCRIPTOR;
    let cause: number = CAUSE.TX_QUEUE_EMPTY;
    while (mac[REG.TDH / 4] !== mac[REG.TDT / 4]) {
      const at = descriptorAddress(mac[REG.TDBAH / 4]!, mac[REG.TDBAL / 4]!, mac[REG.TDH / 4]!);
      const done = this.take(at);
      if (done === undefined) {
        cause &= ~CAUSE.TX_QUEUE_EMPTY;
        break;
      }
      cause |= done;
      mac[REG.TDH / 4]! += 1;
      if (mac[REG.TDH / 4]! >= ring) mac[REG.TDH / 4] = 0;
      // A tail that is never reached: the guest gave nonsense, and one turn is enough.
      if (mac[REG.TDH / 4] === start || start >= ring) break;
    }
    this.busy = false;
    return cause;
  }

  /** @returns the cause of one descriptor, undefined where memory is missing and nothing was done. */
  private take(at: number): number | undefined {
    const { descriptor, memory } = this;
    if (!memory.read(at, descriptor).done) return undefined;
    const view = new DataView(descriptor.buffer);
    const lower = view.getUint32(8, true);
    const upper = view.getUint32(12, true);
    const extended = (lower & TX.EXTENDED) !== 0;
    if (extended && (lower & TX.DATA_TYPE) === 0) this.context(view, lower);
    else if (!this.data(view, lower, upper, extended)) return undefined;
    this.s.interruptDelayed ||= (lower & TX.DELAY) !== 0;
    if ((lower & (TX.REPORT | TX.REPORT_SENT)) === 0) return 0;
    view.setUint32(12, (upper & ~TX.STATUS) | TX.DONE, true);
    memory.write(at + 12, descriptor.subarray(12, 16));
    return CAUSE.TX_DONE;
  }

  private context(view: DataView, lower: number): void {
    const { s } = this;
    s.segmentationLast = (lower & TX.SEGMENT) !== 0;
    if (s.segmentationLast) s.txFrames = 0;
    Object.assign(s.segmentationLast ? s.segmentation : s.plain, {
      ipcss: view.getUint8(0),
      ipcso: view.getUint8(1),
      ipcse: view.getUint16(2, true),
      tucss: view.getUint8(4),
      tucso: view.getUint8(5),
      tucse: view.getUint16(6, true),
      paylen: lower & TX.PAYLOAD,
      headerLength: view.getUint8(13),
      mss: view.getUint16(14, true),
      ip: (lower & TX.CONTEXT_IP) !== 0 ? 1 : 0,
      tcp: (lower & TX.CONTEXT_TCP) !== 0 ? 1 : 0,
    } satisfies OffloadState);
  }

  /** A legacy or data descriptor. @returns false where its buffer has not arrived. */
  private data(view: DataView, lower: number, upper: number, extended: boolean): boolean {
    const { s, memory } = this;
    const length = lower & TX.LENGTH;
    const address = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
    const bytes = this.buffer.subarray(0, length);
    if (length > 0 && !memory.read(address % 2 ** 52, bytes).done) return false;
    if (extended) {
      if (s.txSize === 0) s.txOptions = (upper >> 8) & 0xff;
      s.txSegmenting = (lower & TX.SEGMENT) !== 0;
    } else s.txSegmenting = false;
    const end = (lower & TX.END) !== 0;
    if (vlanMode(s.mac) && (lower & TX.VLAN) !== 0 && (s.txSegmenting || end))
      s.txVlan = (s.mac[REG.VET / 4]! & 0xffff) * 0x10000 + (upper >>> 16);
    if (s.txSegmenting) this.collectSegments(bytes);
    else this.collect(bytes);
    if (!end) return true;
    if (!s.txSegmenting || s.txSize >= s.segmentation.headerLength) this.emit();
    s.txFrames = 0;
    s.txOptions = 0;
    s.txVlan = -1;
    s.txSize = 0;
    s.txSegmenting = false;
    return true;
  }

  private collect(bytes: Uint8Array): void {
    const { s } = this;
    const part = bytes.subarray(0, s.txData.length - s.txSize);
    s.txData.set(part, s.txSize);
    s.txSize = Math.min(s.txSize + part.length, 0xffff);
  }

  /** Cuts the payload into frames of the segment size, each behind a copy of the headers. [8254x] 3.5 */
  private collectSegments(bytes: Uint8Array): void {
    const { s } = this;
    const { headerLength, mss } = s.segmentation;
    const most = headerLength + mss;
    for (let done = 0; done < bytes.length; ) {
      if (s.txSize >= most) return;
      const part = bytes.subarray(done, done + Math.min(most - s.txSize, s.txData.length - s.txSize));
      if (part.length === 0) return;
      const before = s.txSize;
      s.txData.set(part, before);
      s.txSize = Math.min(before + part.length, 0xffff);
      done += part.length;
      if (before < headerLength && s.txSize >= headerLength) s.txHeader.set(s.txData.subarray(0, headerLength));
      if (s.txSize !== most) continue;
      this.emit();
      s.txData.set(s.txHeader.subarray(0, headerLength));
      s.txSize = headerLength;
    }
  }

  /** Finishes headers and check sums and lets the frame go. */
  private emit(): void {
    const { s } = this;
    const frame = s.txData.subarray(0, s.txSize);
    const view = new DataView(s.txData.buffer, s.txData.byteOffset, s.txData.length);
    const offload = s.txSegmenting ? s.segmentation : s.plain;
    if (s.txSegmenting) this.patchHeaders(view, offload);
    if ((s.txOptions & TX_OPTION.TCP_SUM) !== 0) checksum(view, s.txSize, offload.tucso, offload.tucss, offload.tucse);
    if ((s.txOptions & TX_OPTION.IP_SUM) !== 0) checksum(view, s.txSize, offload.ipcso, offload.ipcss, offload.ipcse);
    if (s.txVlan < 0) {
      this.send(frame.slice(), frame.length);
      return;
    }
    const tagged = new Uint8Array(frame.length + 4);
    tagged.set(frame.subarray(0, 12));
    new DataView(tagged.buffer).setUint32(12, s.txVlan);
    tagged.set(frame.subarray(12), 16);
    this.send(tagged, frame.length);
  }

  /** Lengths, identification, sequence number and flags of one of many segments. */
  private patchHeaders(view: DataView, offload: OffloadState): void {
    const { s } = this;
    const at = offload.ipcss;
    if (offload.ip !== 0) {
      view.setUint16(at + 2, s.txSize - at);
      view.setUint16(at + 4, view.getUint16(at + 4) + s.txFrames);
    } else view.setUint16(at + 4, s.txSize - at);
    const transport = offload.tucss;
    const length = s.txSize - transport;
    if (offload.tcp !== 0) {
      const sofar = s.txFrames * offload.mss;
      view.setUint32(transport + 4, view.getUint32(transport + 4) + sofar);
      if (offload.paylen - sofar > offload.mss) view.setUint8(transport + 13, view.getUint8(transport + 13) & ~9);
      else if (s.txFrames !== 0) countSegmented(s.mac);
    } else view.setUint16(transport + 4, length);
    if ((s.txOptions & TX_OPTION.TCP_SUM) !== 0) {
      const sum = view.getUint16(offload.tucso) + (length & 0xffff);
      view.setUint16(offload.tucso, (sum >> 16) + (sum & 0xffff));
    }
    s.txFrames = (s.txFrames + 1) & 0xffff;
  }
}

/** Internet check sum of [start, end] put at `at`; `end` 0 means the frame's. Nothing happens where `at` lies outside. */
function checksum(view: DataView, size: number, at: number, start: number, end: number): void {
  const limit = end !== 0 && end < size ? end + 1 : size;
  if (at >= limit - 1) return;
  let sum = 0;
  for (let i = start; i < limit; i++) sum += (i - start) % 2 === 0 ? view.getUint8(i) << 8 : view.getUint8(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  view.setUint16(at, ~sum & 0xffff || 0xffff);
}

/** Base (16-byte aligned) plus index. */
export function descriptorAddress(high: number, low: number, index: number): number {
  return ((high & 0xfffff) * 2 ** 32 + (low - (low % DESCRIPTOR)) + index * DESCRIPTOR) % 2 ** 52;
}
