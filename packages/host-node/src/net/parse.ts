import type { SocketUri } from '../channel/socket.js';
import { HostError } from '../errors.js';
import { NamedOptions, splitCommas } from '../options.js';

export interface HostForward {
  readonly protocol: 'tcp' | 'udp';
  /** Dotted IPv4, or empty for every address. */
  readonly hostAddress: string;
  readonly hostPort: number;
  /** Dotted IPv4, or empty for the first address that DHCP gives out. */
  readonly guestAddress: string;
  readonly guestPort: number;
}

/** `-netdev`, checked for form. */
export type NetdevSpec = { readonly id: string } & (
  | { readonly kind: 'stream'; readonly uri: SocketUri; readonly server: boolean }
  | { readonly kind: 'datagram'; readonly remote: Endpoint; readonly local: Endpoint | undefined; readonly multicast: boolean }
  | { readonly kind: 'hubport'; readonly hub: number; readonly netdev: string | undefined }
  | {
      readonly kind: 'user';
      readonly net: string | undefined;
      readonly host: string | undefined;
      readonly dns: string | undefined;
      readonly dhcpStart: string | undefined;
      readonly hostName: string | undefined;
      readonly domainName: string | undefined;
      readonly restrict: boolean;
      /** A folder. */
      readonly tftp: string | undefined;
      readonly bootFile: string | undefined;
      readonly forwards: readonly HostForward[];
    }
);

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const USER_ELSEWHERE = [
  'tftp-server-name',
  'smb',
  'smbserver',
  'guestfwd',
  'ipv6',
  'ipv6-net',
  'ipv6-host',
  'ipv6-dns',
  'dnssearch',
];
const KINDS_ELSEWHERE = ['tap', 'bridge', 'l2tpv3', 'vde', 'netmap', 'vhost-user', 'vhost-vdpa', 'dgram', 'passt', 'af-xdp'];

function endpoint(what: string, text: string): Endpoint {
  const match = /^(.*):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65_535) throw new HostError('syntax', `${what}: expected HOST:PORT, not '${text}'`);
  return { host: match[1]!.replace(/^\[(.*)\]$/, '$1'), port };
}

const tcp = (what: string, text: string): SocketUri => ({ transport: 'tcp', ...endpoint(what, text) });

/**
 * Reads `-netdev KIND,id=ID,…`. Kinds: `user`, `socket` (listen, connect, mcast, udp), `stream`, `hubport`.
 * @throws {HostError} naming what is wrong, or what exists in QEMU but not here.
 */
export function parseNetdev(option: string, text: string, defaultId?: string): NetdevSpec {
  const [kind = '', ...rest] = splitCommas(text);
  const what = `${option} ${text}`;
  const forwards = rest.filter((part) => part.startsWith('hostfwd=')).map((part) => hostForward(what, part.slice(8)));
  const named = new NamedOptions(
    what,
    rest.filter((part) => !part.startsWith('hostfwd=')),
  );
  const id = named.text('id') ?? defaultId;
  if (id === undefined || id === '') throw new HostError('syntax', `${what}: expected id=ID`);
  if (forwards.length > 0 && kind !== 'user') throw new HostError('syntax', `${what}: hostfwd belongs to user networks`);
  switch (kind) {
    case 'socket':
      return { id, ...socketSpec(what, named) };
    case 'stream':
      return { id, ...streamSpec(what, named) };
    case 'hubport': {
      const hub = named.integer('hubid', Number.NaN);
      if (Number.isNaN(hub)) throw new HostError('syntax', `${what}: expected hubid=NUMBER`);
      const netdev = named.text('netdev');
      named.done('id, hubid, netdev');
      return { id, kind: 'hubport', hub, netdev };
    }
    case 'user': {
      for (const name of USER_ELSEWHERE)
        if (rest.some((part) => part.startsWith(`${name}=`)))
          throw new HostError('unsupported', `${what}: '${name}' is not available here`);
      const spec = {
        id,
        kind: 'user',
        net: named.text('net'),
        host: named.text('host'),
        dns: named.text('dns'),
        dhcpStart: named.text('dhcpstart'),
        hostName: named.text('hostname'),
        domainName: named.text('domainname'),
        restrict: named.flag('restrict', false),
        tftp: named.text('tftp'),
        bootFile: named.text('bootfile'),
        forwards,
      } as const;
      if (!named.flag('ipv4', true)) throw new HostError('unsupported', `${what}: only IPv4 is available here`);
      named.done('id, net, host, dns, dhcpstart, hostname, domainname, restrict, tftp, bootfile, hostfwd');
      return spec;
    }
    default: {
      const known = 'user, socket, stream, hubport';
      if (KINDS_ELSEWHERE.includes(kind))
        throw new HostError('unsupported', `${what}: '${kind}' is not available here; expected ${known}`);
      throw new HostError('syntax', `${what}: unknown kind '${kind}'; expected ${known}`);
    }
  }
}

function socketSpec(what: string, named: NamedOptions) {
  const [listen, connect, mcast, udp] = [named.text('listen'), named.text('connect'), named.text('mcast'), named.text('udp')];
  const local = named.text('localaddr');
  const given = [listen, connect, mcast, udp].filter((value) => value !== undefined);
  if (named.text('fd') !== undefined) throw new HostError('unsupported', `${what}: 'fd' is not available here`);
  named.done('id, listen, connect, mcast, udp, localaddr');
  if (given.length !== 1) throw new HostError('syntax', `${what}: expected one of listen=, connect=, mcast=, udp=`);
  if (listen !== undefined) return { kind: 'stream', uri: tcp(what, listen), server: true } as const;
  if (connect !== undefined) return { kind: 'stream', uri: tcp(what, connect), server: false } as const;
  if (mcast !== undefined) {
    const address = local === undefined ? undefined : { host: local.replace(/:\d+$/, ''), port: 0 };
    return { kind: 'datagram', remote: endpoint(what, mcast), local: address, multicast: true } as const;
  }
  if (local === undefined) throw new HostError('syntax', `${what}: udp= needs localaddr=HOST:PORT, where to listen`);
  return { kind: 'datagram', remote: endpoint(what, udp!), local: endpoint(what, local), multicast: false } as const;
}

function streamSpec(what: string, named: NamedOptions) {
  const type = named.text('addr.type');
  const server = named.flag('server', false);
  if (type === 'unix') {
    const path = named.text('addr.path');
    named.done('id, server, addr.type, addr.path');
    if (!path) throw new HostError('syntax', `${what}: expected addr.path=PATH`);
    return { kind: 'stream', uri: { transport: 'unix', path }, server } as const;
  }
  if (type !== 'inet') throw new HostError('syntax', `${what}: expected addr.type=inet or addr.type=unix`);
  const [host, port] = [named.text('addr.host'), named.text('addr.port')];
  named.done('id, server, addr.type, addr.host, addr.port');
  if (host === undefined || port === undefined) throw new HostError('syntax', `${what}: expected addr.host= and addr.port=`);
  return { kind: 'stream', uri: tcp(what, `${host}:${port}`), server } as const;
}

/** `tcp:HOSTADDR:HOSTPORT-GUESTADDR:GUESTPORT` */
function hostForward(what: string, text: string): HostForward {
  const match = /^(tcp|udp)?:([\d.]*):(\d{1,5})-([\d.]*):(\d{1,5})$/.exec(text);
  if (!match) throw new HostError('syntax', `${what}: hostfwd '${text}': expected tcp:[ADDRESS]:PORT-[GUEST ADDRESS]:PORT`);
  const [, protocol = 'tcp', hostAddress = '', hostPort, guestAddress = '', guestPort] = match;
  if (protocol === 'udp') throw new HostError('unsupported', `${what}: hostfwd of udp is not available here`);
  return { protocol: 'tcp', hostAddress, hostPort: Number(hostPort), guestAddress, guestPort: Number(guestPort) };
}
