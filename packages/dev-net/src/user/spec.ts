/**
 * Numbers of the protocols that the user-mode network speaks.
 * [1350] TFTP, [2347] its options, [826] ARP, [791] IPv4, [792] ICMP, [768] UDP, [9293] TCP, [2131] DHCP, [2132] DHCP options: RFCs of these numbers.
 */

export const ETHERNET = { HEADER: 14, LEAST: 60 } as const;
export const ETHERTYPE = { IPV4: 0x0800, ARP: 0x0806 } as const;

/** Ethernet address of everything that is not the guest: 52:55 and the IPv4 address, as QEMU's slirp makes it. */
export const OWN_MAC_PREFIX = [0x52, 0x55] as const;

/** [826] */
export const ARP = { REQUEST: 1, REPLY: 2, LENGTH: 28 } as const;

/** [791] section 3.1 */
export const IP = {
  HEADER: 20,
  ICMP: 1,
  TCP: 6,
  UDP: 17,
  TTL: 64,
  DONT_FRAGMENT: 0x4000,
  MORE_FRAGMENTS: 0x2000,
  OFFSET: 0x1fff,
} as const;

/** [792] */
export const ICMP = { ECHO_REPLY: 0, UNREACHABLE: 3, ECHO: 8, PORT_UNREACHABLE: 3, HOST_UNREACHABLE: 1 } as const;

export const UDP_HEADER = 8;

/** [9293] section 3.1 */
export const TCP = { HEADER: 20, FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, OPTION_MSS: 2, DEFAULT_MSS: 536, MSS: 1460 } as const;

/** [2131] section 2, [2132] */
export const DHCP = {
  SERVER_PORT: 67,
  CLIENT_PORT: 68,
  BOOTREQUEST: 1,
  BOOTREPLY: 2,
  /** Bytes before the options. */
  FIXED: 236,
  /** The name of the file to boot. */
  FILE: 108,
  FILE_LENGTH: 128,
  COOKIE: 0x63825363,
  DISCOVER: 1,
  OFFER: 2,
  REQUEST: 3,
  ACK: 5,
  NAK: 6,
  LEASE_SECONDS: 86_400,
} as const;

/** [2132] */
export const DHCP_OPTION = {
  PAD: 0,
  SUBNET_MASK: 1,
  ROUTER: 3,
  NAME_SERVER: 6,
  HOST_NAME: 12,
  DOMAIN_NAME: 15,
  REQUESTED_ADDRESS: 50,
  LEASE_TIME: 51,
  MESSAGE_TYPE: 53,
  SERVER: 54,
  END: 255,
} as const;

/** [1350] section 5 and appendix, [2347], [2348] */
export const TFTP = {
  PORT: 69,
  READ: 1,
  WRITE: 2,
  DATA: 3,
  ACKNOWLEDGE: 4,
  ERROR: 5,
  OPTIONS: 6,
  NOT_FOUND: 1,
  ACCESS_VIOLATION: 2,
  ILLEGAL: 4,
  UNKNOWN_TRANSFER: 5,
  BLOCK: 512,
  BLOCK_LEAST: 8,
  /** What fits into one frame. */
  BLOCK_MOST: 1468,
} as const;

export const NAME_SERVER_PORT = 53;

/** Addresses that are given out. */
export const DHCP_CLIENTS = 16;
