import type { Address } from './packets.js';
import type { LeaseState } from './slirp.state.js';
import { DHCP, DHCP_OPTION } from './spec.js';

export interface DhcpAddresses {
  /** The server and router. */
  readonly host: Address;
  readonly mask: Address;
  readonly nameServer: Address;
  /** The first address that is given out. */
  readonly first: Address;
  readonly hostName?: string;
  readonly domainName?: string;
  /** What the client shall boot, 127 bytes at most. */
  readonly bootFile?: string;
}

export interface DhcpAnswer {
  readonly message: Uint8Array;
  /** What the client has, or undefined for a refusal. */
  readonly address: Address | undefined;
}

/** The options of a message; the first of each kind. */
function options(message: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  for (let i = DHCP.FIXED + 4; i < message.length; ) {
    const kind = message[i]!;
    if (kind === DHCP_OPTION.END) break;
    if (kind === DHCP_OPTION.PAD) {
      i++;
      continue;
    }
    const length = message[i + 1] ?? 0;
    const value = message.subarray(i + 2, i + 2 + length);
    if (value.length < length) break;
    if (!found.has(kind)) found.set(kind, value);
    i += 2 + length;
  }
  return found;
}

const text = (value: string): number[] => [...value].map((letter) => letter.charCodeAt(0) & 0x7f);

const sameMac = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, i) => byte === b[i]);

/** The index of the client's address: the one it has, or a free one; undefined where all are taken. */
function leaseOf(leases: readonly LeaseState[], mac: Uint8Array): number | undefined {
  const own = leases.findIndex((entry) => entry.allocated && sameMac(entry.mac, mac));
  if (own >= 0) return own;
  const free = leases.findIndex((entry) => !entry.allocated);
  return free < 0 ? undefined : free;
}

/**
 * Answers a BOOTP or DHCP request, or says nothing to what is none. [2131] section 4.3
 * @param leases changed where an address is given out.
 */
export function answerDhcp(request: Uint8Array, leases: readonly LeaseState[], net: DhcpAddresses): DhcpAnswer | undefined {
  if (request.length < DHCP.FIXED + 4 || request[0] !== DHCP.BOOTREQUEST || request[1] !== 1 || request[2] !== 6)
    return undefined;
  const asked = new DataView(request.buffer, request.byteOffset, request.byteLength);
  const wanted = asked.getUint32(DHCP.FIXED) === DHCP.COOKIE ? options(request) : new Map<number, Uint8Array>();
  const kind = wanted.get(DHCP_OPTION.MESSAGE_TYPE)?.[0];
  if (kind !== undefined && kind !== DHCP.DISCOVER && kind !== DHCP.REQUEST) return undefined;
  const mac = request.slice(28, 34);
  const index = leaseOf(leases, mac);
  if (index === undefined) return undefined;
  const address = net.first + index;
  const requested = wanted.get(DHCP_OPTION.REQUESTED_ADDRESS);
  const other = requested?.length === 4 && requested.some((byte, i) => byte !== ((address >>> (24 - 8 * i)) & 0xff));
  const refused = kind === DHCP.REQUEST && other === true;
  if (!refused && kind !== DHCP.DISCOVER) {
    leases[index]!.allocated = 1;
    leases[index]!.mac.set(mac);
  }
  const message = new Uint8Array(DHCP.FIXED + 4 + 96 + (net.hostName?.length ?? 0) + (net.domainName?.length ?? 0));
  const view = new DataView(message.buffer);
  message[0] = DHCP.BOOTREPLY;
  message[1] = 1;
  message[2] = 6;
  message.set(request.subarray(4, 8), 4); // transaction
  message.set(request.subarray(10, 12), 10); // flags
  if (!refused) view.setUint32(16, address);
  view.setUint32(20, net.host);
  message.set(request.subarray(28, 44), 28);
  if (!refused && net.bootFile !== undefined) message.set(text(net.bootFile).slice(0, DHCP.FILE_LENGTH - 1), DHCP.FILE);
  view.setUint32(DHCP.FIXED, DHCP.COOKIE);
  let at = DHCP.FIXED + 4;
  const put = (option: number, bytes: ArrayLike<number>): void => {
    message.set([option, bytes.length], at);
    message.set(bytes, at + 2);
    at += 2 + bytes.length;
  };
  const word = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
  if (kind !== undefined) put(DHCP_OPTION.MESSAGE_TYPE, [refused ? DHCP.NAK : kind === DHCP.DISCOVER ? DHCP.OFFER : DHCP.ACK]);
  put(DHCP_OPTION.SERVER, word(net.host));
  if (!refused) {
    put(DHCP_OPTION.SUBNET_MASK, word(net.mask));
    put(DHCP_OPTION.ROUTER, word(net.host));
    put(DHCP_OPTION.NAME_SERVER, word(net.nameServer));
    put(DHCP_OPTION.LEASE_TIME, word(DHCP.LEASE_SECONDS));
    if (net.hostName) put(DHCP_OPTION.HOST_NAME, text(net.hostName));
    if (net.domainName) put(DHCP_OPTION.DOMAIN_NAME, text(net.domainName));
  }
  message[at] = DHCP_OPTION.END;
  return { message, address: refused ? undefined : address };
}
