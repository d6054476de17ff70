import { ETHERNET, ETHERTYPE, IP, TCP, UDP_HEADER } from './spec.js';

/** An IPv4 address as a number, 10.0.2.15 = 0x0a00020f. */
export type Address = number;

export const dotted = (address: Address): string => [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');

/** Dotted text to a number, or undefined. */
export function parseAddress(text: string): Address | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
  return parts.reduce((value, part) => value * 256 + Number(part), 0);
}

/** The Internet checksum over `bytes`, beginning from a sum. [RFC 1071] */
export function checksum(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

export interface IpPacket {
  readonly source: Address;
  readonly destination: Address;
  readonly protocol: number;
  readonly payload: Uint8Array;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** An IPv4 packet, or undefined for what is none, is damaged, or is a fragment. */
export function parseIp(bytes: Uint8Array): IpPacket | undefined {
  if (bytes.length < IP.HEADER || bytes[0]! >> 4 !== 4) return undefined;
  const view = viewOf(bytes);
  const header = (bytes[0]! & 15) * 4;
  const length = view.getUint16(2);
  if (header < IP.HEADER || length < header || length > bytes.length) return undefined;
  if (view.getUint16(6) & (IP.MORE_FRAGMENTS | IP.OFFSET)) return undefined;
  if (checksum(bytes.subarray(0, header)) !== 0) return undefined;
  return {
    source: view.getUint32(12),
    destination: view.getUint32(16),
    protocol: bytes[9]!,
    payload: bytes.subarray(header, length),
  };
}

export function ipPacket(packet: IpPacket, identification: number): Uint8Array {
  const bytes = new Uint8Array(IP.HEADER + packet.payload.length);
  const view = viewOf(bytes);
  bytes[0] = 0x45;
  view.setUint16(2, bytes.length);
  view.setUint16(4, identification);
  bytes[8] = IP.TTL;
  bytes[9] = packet.protocol;
  view.setUint32(12, packet.source);
  view.setUint32(16, packet.destination);
  view.setUint16(10, checksum(bytes.subarray(0, IP.HEADER)));
  bytes.set(packet.payload, IP.HEADER);
  return bytes;
}

/** Sum of the pseudo header that UDP and TCP include in their checksum. */
function pseudoSum(source: Address, destination: Address, protocol: number, length: number): number {
  return (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length;
}

export interface Datagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly data: Uint8Array;
}

export function parseUdp({ source, destination, payload }: IpPacket): Datagram | undefined {
  if (payload.length < UDP_HEADER) return undefined;
  const view = viewOf(payload);
  const length = view.getUint16(4);
  if (length < UDP_HEADER || length > payload.length) return undefined;
  const bytes = payload.subarray(0, length);
  if (view.getUint16(6) !== 0 && checksum(bytes, pseudoSum(source, destination, IP.UDP, length)) !== 0) return undefined;
  return { sourcePort: view.getUint16(0), destinationPort: view.getUint16(2), data: bytes.subarray(UDP_HEADER) };
}

export function udpPayload(source: Address, destination: Address, { sourcePort, destinationPort, data }: Datagram): Uint8Array {
  const bytes = new Uint8Array(UDP_HEADER + data.length);
  const view = viewOf(bytes);
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  view.setUint16(4, bytes.length);
  bytes.set(data, UDP_HEADER);
  view.setUint16(6, checksum(bytes, pseudoSum(source, destination, IP.UDP, bytes.length)) || 0xffff);
  return bytes;
}

export interface Segment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window: number;
  /** Maximum segment size, where the option is there. */
  readonly mss?: number;
  readonly data: Uint8Array;
}

export function parseTcp({ source, destination, payload }: IpPacket): Segment | undefined {
  if (payload.length < TCP.HEADER) return undefined;
  if (checksum(payload, pseudoSum(source, destination, IP.TCP, payload.length)) !== 0) return undefined;
  const view = viewOf(payload);
  const header = (payload[12]! >> 4) * 4;
  if (header < TCP.HEADER || header > payload.length) return undefined;
  const mss = mssOption(payload.subarray(TCP.HEADER, header));
  return {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgement: view.getUint32(8),
    flags: payload[13]! & 0x3f,
    window: view.getUint16(14),
    ...(mss === undefined ? {} : { mss }),
    data: payload.subarray(header),
  };
}

function mssOption(options: Uint8Array): number | undefined {
  for (let i = 0; i < options.length; ) {
    const kind = options[i]!;
    if (kind === 0) return undefined;
    const length = kind === 1 ? 1 : (options[i + 1] ?? 0);
    if (length === 0 || i + length > options.length) return undefined;
    if (kind === TCP.OPTION_MSS && length === 4) return (options[i + 2]! << 8) | options[i + 3]!;
    i += length;
  }
  return undefined;
}

export function tcpPayload(source: Address, destination: Address, segment: Segment): Uint8Array {
  const header = TCP.HEADER + (segment.mss === undefined ? 0 : 4);
  const bytes = new Uint8Array(header + segment.data.length);
  const view = viewOf(bytes);
  view.setUint16(0, segment.sourcePort);
  view.setUint16(2, segment.destinationPort);
  view.setUint32(4, segment.sequence);
  view.setUint32(8, segment.acknowledgement);
  bytes[12] = (header / 4) << 4;
  bytes[13] = segment.flags;
  view.setUint16(14, segment.window);
  if (segment.mss !== undefined) {
    bytes[TCP.HEADER] = TCP.OPTION_MSS;
    bytes[TCP.HEADER + 1] = 4;
    view.setUint16(TCP.HEADER + 2, segment.mss);
  }
  bytes.set(segment.data, header);
  view.setUint16(16, checksum(bytes, pseudoSum(source, destination, IP.TCP, bytes.length)));
  return bytes;
}

/** An Ethernet frame, filled up to the shortest that a wire carries. */
export function ethernetFrame(to: Uint8Array, from: Uint8Array, type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(Math.max(ETHERNET.LEAST, ETHERNET.HEADER + payload.length));
  frame.set(to, 0);
  frame.set(from, 6);
  frame[12] = type >> 8;
  frame[13] = type & 0xff;
  frame.set(payload, ETHERNET.HEADER);
  return frame;
}

export const frameType = (frame: Uint8Array): number => (frame[12]! << 8) | frame[13]!;
export const isIp = (frame: Uint8Array): boolean => frame.length > ETHERNET.HEADER && frameType(frame) === ETHERTYPE.IPV4;
