import {
  type HostDatagrams,
  type HostNetwork,
  type HostStream,
  type HostStreamEvents,
  type NetworkBackend,
  section,
} from '@pagurus/device-model';
import { answerDhcp, type DhcpAddresses } from './dhcp.js';
import {
  type Address,
  checksum,
  dotted,
  ethernetFrame,
  frameType,
  type IpPacket,
  ipPacket,
  isIp,
  parseIp,
  parseTcp,
  parseUdp,
  tcpPayload,
  udpPayload,
} from './packets.js';
import { SlirpState, slirpVmState } from './slirp.state.js';
import { ARP, DHCP, ETHERNET, ETHERTYPE, ICMP, IP, NAME_SERVER_PORT, OWN_MAC_PREFIX, TCP, TFTP } from './spec.js';
import { TcpConnection, type TcpEnds, type TcpEnvironment } from './tcp.js';
import { type FileServer, TftpServer } from './tftp.js';

/** `-netdev user`: addresses as numbers (10.0.2.0 = 0x0a000200). */
export interface UserNetworkOptions {
  /** Default 10.0.2.0. */
  readonly net?: Address;
  /** Bits of the network's part. Default 24. */
  readonly prefix?: number;
  /** The host as the guest sees it. Default: the network's second address. */
  readonly host?: Address;
  /** Default: the third. */
  readonly dns?: Address;
  /** First address for guests. Default: the fifteenth. */
  readonly dhcpStart?: Address;
  readonly hostName?: string;
  readonly domainName?: string;
  /** Files that guests can read by TFTP. */
  readonly tftp?: FileServer;
  /** What DHCP tells a guest to boot: a file of `tftp`, or a URL. */
  readonly bootFile?: string;
  /** The guest reaches nothing but this network. */
  readonly restrict?: boolean;
}

const BROADCAST = 0xffff_ffff;
const CONNECTIONS_MOST = 1024;
const UDP_PORTS_MOST = 256;
const NEIGHBOURS_MOST = 1024;
/** A UDP port nobody used for so long is given back. */
const UDP_IDLE = 240_000;
const LOOPBACK = '127.0.0.1';

/**
 * A network of one guest, made of the host's ordinary sockets (QEMU's `user`, slirp): the guest finds a router that answers ARP, pings and DHCP,
 * a name server, and behind them whatever the host can reach by TCP and UDP; the router's own address is the host. IPv4 only; pings reach the
 * router and the name server only, as sockets for others need rights; no SMB.
 */
export class UserNetwork implements NetworkBackend {
  private readonly state = new SlirpState();
  readonly sections = [section(slirpVmState, this.state)];
  private readonly net: Address;
  private readonly mask: Address;
  private readonly hostAddress: Address;
  private readonly dns: Address;
  private readonly dhcp: DhcpAddresses;
  private receiver: ((frame: Uint8Array) => void) | undefined;
  /** Where the guests are, as their frames tell. */
  private readonly neighbours = new Map<Address, Uint8Array>();
  private readonly connections = new Map<string, TcpConnection>();
  private readonly udpPorts = new Map<string, { readonly socket: HostDatagrams; used(): void; close(): void }>();
  private readonly tftp: TftpServer | undefined;
  private nextSequence = 1;
  private readonly environment: TcpEnvironment = {
    send: (ends, segment) =>
      this.sendIp(ends.guest, {
        source: ends.remote,
        destination: ends.guest,
        protocol: IP.TCP,
        payload: tcpPayload(ends.remote, ends.guest, {
          ...segment,
          sourcePort: ends.remotePort,
          destinationPort: ends.guestPort,
        }),
      }),
    after: (milliseconds, callback) => this.host.after(milliseconds, callback),
    initialSequence: () => {
      this.nextSequence = (this.nextSequence + 64_000) >>> 0;
      return this.nextSequence;
    },
    closed: (connection) => void this.connections.delete(keyOf(connection.ends)),
  };

  constructor(
    private readonly host: HostNetwork,
    private readonly options: UserNetworkOptions = {},
  ) {
    const prefix = options.prefix ?? 24;
    this.mask = prefix === 0 ? 0 : (0xffff_ffff << (32 - prefix)) >>> 0;
    this.net = ((options.net ?? 0x0a00_0200) & this.mask) >>> 0;
    this.hostAddress = options.host ?? this.net + 2;
    this.dns = options.dns ?? this.net + 3;
    this.tftp = options.tftp && new TftpServer(options.tftp);
    this.dhcp = {
      host: this.hostAddress,
      mask: this.mask,
      nameServer: this.dns,
      first: options.dhcpStart ?? this.net + 15,
      ...(options.hostName === undefined ? {} : { hostName: options.hostName }),
      ...(options.domainName === undefined ? {} : { domainName: options.domainName }),
      ...(options.bootFile === undefined ? {} : { bootFile: options.bootFile }),
    };
  }

  connect(receive: (frame: Uint8Array) => void): void {
    this.receiver = receive;
  }

  send(frame: Uint8Array): void {
    if (frame.length < ETHERNET.HEADER) return;
    if (frameType(frame) === ETHERTYPE.ARP) return this.arp(frame);
    if (!isIp(frame)) return;
    const packet = parseIp(frame.subarray(ETHERNET.HEADER));
    if (!packet) return;
    if (this.isGuest(packet.source)) this.learn(packet.source, frame.slice(6, 12));
    if (packet.protocol === IP.UDP) this.udp(packet, frame.slice(6, 12));
    else if (packet.protocol === IP.TCP) this.tcp(packet);
    else if (packet.protocol === IP.ICMP) this.icmp(packet);
  }

  /**
   * A stream of the host (`hostfwd`) to a port of the guest.
   * @param guest default: the first address that DHCP gives out.
   */
  forward(open: (events: HostStreamEvents) => HostStream, port: number, guest: Address = this.dhcp.first): void {
    const ends: TcpEnds = { guest, guestPort: port, remote: this.hostAddress, remotePort: this.freePort(guest, port) };
    const connection = new TcpConnection(ends, this.environment);
    this.connections.set(keyOf(ends), connection);
    connection.attach(open(connection));
  }

  /** Ends every connection and port. */
  close(): void {
    for (const connection of [...this.connections.values()]) connection.drop();
    for (const port of [...this.udpPorts.values()]) port.close();
    this.tftp?.close();
  }

  // Frames to the guest

  private isGuest(address: Address): boolean {
    return this.isLocal(address) && address !== this.hostAddress && address !== this.dns;
  }

  private learn(address: Address, mac: Uint8Array): void {
    if (this.neighbours.size >= NEIGHBOURS_MOST) this.neighbours.clear(); // They are asked again.
    this.neighbours.set(address, mac);
  }

  private isLocal(address: Address): boolean {
    return (address & this.mask) >>> 0 === this.net;
  }

  private macOf(address: Address): Uint8Array {
    const own = this.isLocal(address) ? address : this.hostAddress;
    return Uint8Array.of(...OWN_MAC_PREFIX, ...[24, 16, 8, 0].map((shift) => (own >>> shift) & 0xff));
  }

  private sendIp(to: Address, packet: IpPacket, mac = this.neighbours.get(to)): void {
    if (!mac) return this.ask(to);
    this.state.ipId = (this.state.ipId + 1) & 0xffff;
    this.receiver?.(ethernetFrame(mac, this.macOf(packet.source), ETHERTYPE.IPV4, ipPacket(packet, this.state.ipId)));
  }

  /** Who has an address of the guest's side? What was to be sent is lost; TCP sends it again. */
  private ask(address: Address): void {
    this.receiver?.(
      ethernetFrame(
        new Uint8Array(6).fill(0xff),
        this.macOf(this.hostAddress),
        ETHERTYPE.ARP,
        this.arpBody(ARP.REQUEST, address),
      ),
    );
  }

  private arpBody(operation: number, target: Address, targetMac = new Uint8Array(6), sender = this.hostAddress): Uint8Array {
    const body = new Uint8Array(ARP.LENGTH);
    const view = new DataView(body.buffer);
    view.setUint16(0, 1);
    view.setUint16(2, ETHERTYPE.IPV4);
    body.set([6, 4], 4);
    view.setUint16(6, operation);
    body.set(this.macOf(sender), 8);
    view.setUint32(14, sender);
    body.set(targetMac, 18);
    view.setUint32(24, target);
    return body;
  }

  // What the guest asks

  private arp(frame: Uint8Array): void {
    if (frame.length < ETHERNET.HEADER + ARP.LENGTH) return;
    const view = new DataView(frame.buffer, frame.byteOffset + ETHERNET.HEADER, ARP.LENGTH);
    if (view.getUint16(0) !== 1 || view.getUint16(2) !== ETHERTYPE.IPV4) return;
    const sender = view.getUint32(14);
    const target = view.getUint32(24);
    const mac = frame.slice(ETHERNET.HEADER + 8, ETHERNET.HEADER + 14);
    if (this.isGuest(sender)) this.learn(sender, mac);
    if (view.getUint16(6) !== ARP.REQUEST || (target !== this.hostAddress && target !== this.dns)) return;
    this.receiver?.(ethernetFrame(mac, this.macOf(target), ETHERTYPE.ARP, this.arpBody(ARP.REPLY, sender, mac, target)));
  }

  private icmp(packet: IpPacket): void {
    const { payload, source, destination } = packet;
    if (payload.length < 8 || payload[0] !== ICMP.ECHO || checksum(payload) !== 0) return;
    if (destination !== this.hostAddress && destination !== this.dns) return this.unreachable(packet, ICMP.HOST_UNREACHABLE);
    const reply = payload.slice();
    reply[0] = ICMP.ECHO_REPLY;
    reply.set([0, 0], 2);
    new DataView(reply.buffer).setUint16(2, checksum(reply));
    this.sendIp(source, { source: destination, destination: source, protocol: IP.ICMP, payload: reply });
  }

  /** [792]: the header and eight bytes of what can't be delivered. */
  private unreachable(packet: IpPacket, code: number): void {
    const original = ipPacket({ ...packet, payload: packet.payload.subarray(0, 8) }, 0);
    const payload = new Uint8Array(8 + original.length);
    payload.set([ICMP.UNREACHABLE, code]);
    payload.set(original, 8);
    new DataView(payload.buffer).setUint16(2, checksum(payload));
    this.sendIp(packet.source, { source: this.hostAddress, destination: packet.source, protocol: IP.ICMP, payload });
  }

  private udp(packet: IpPacket, mac: Uint8Array): void {
    const datagram = parseUdp(packet);
    if (!datagram) return;
    const { sourcePort, destinationPort, data } = datagram;
    if (destinationPort === DHCP.SERVER_PORT && (packet.destination === BROADCAST || packet.destination === this.hostAddress))
      return this.answerDhcp(data, mac);
    if (this.tftp && destinationPort === TFTP.PORT && packet.destination === this.hostAddress)
      return this.answerTftp(this.tftp, packet, sourcePort, data);
    const target = this.hostTarget(packet.destination, destinationPort);
    if (target === undefined) return this.unreachable(packet, ICMP.PORT_UNREACHABLE);
    if (!this.isGuest(packet.source)) return;
    // One port of the host for each the guest uses towards an address: answers find their way, and appear to come from where they were sent.
    const key = `${packet.source}:${sourcePort}:${packet.destination}:${destinationPort}`;
    let port = this.udpPorts.get(key);
    if (!port) {
      if (this.udpPorts.size >= UDP_PORTS_MOST) this.udpPorts.values().next().value!.close();
      port = this.openUdp(key, packet, sourcePort, destinationPort);
    }
    port.used();
    port.socket.send(data, target, destinationPort);
  }

  private openUdp(key: string, { source, destination }: IpPacket, sourcePort: number, destinationPort: number) {
    let cancel = (): void => {};
    const socket = this.host.datagrams((bytes) => {
      port.used();
      const payload = udpPayload(destination, source, {
        sourcePort: destinationPort,
        destinationPort: sourcePort,
        data: bytes,
      });
      if (payload.length + IP.HEADER <= 65_535)
        this.sendIp(source, { source: destination, destination: source, protocol: IP.UDP, payload });
    });
    const port = {
      socket,
      used: () => {
        cancel();
        cancel = this.host.after(UDP_IDLE, () => port.close());
      },
      close: () => {
        cancel();
        socket.close();
        this.udpPorts.delete(key);
      },
    };
    this.udpPorts.set(key, port);
    return port;
  }

  private answerDhcp(request: Uint8Array, mac: Uint8Array): void {
    const answer = answerDhcp(request, this.state.leases, this.dhcp);
    if (!answer) return;
    if (answer.address !== undefined) this.learn(answer.address, mac);
    const datagram = { sourcePort: DHCP.SERVER_PORT, destinationPort: DHCP.CLIENT_PORT, data: answer.message };
    const payload = udpPayload(this.hostAddress, BROADCAST, datagram);
    this.sendIp(BROADCAST, { source: this.hostAddress, destination: BROADCAST, protocol: IP.UDP, payload }, mac);
  }

  private answerTftp(server: TftpServer, { source, destination }: IpPacket, port: number, message: Uint8Array): void {
    const data = server.receive(`${source}:${port}`, message);
    if (!data) return;
    const payload = udpPayload(destination, source, { sourcePort: TFTP.PORT, destinationPort: port, data });
    this.sendIp(source, { source: destination, destination: source, protocol: IP.UDP, payload });
  }

  private tcp(packet: IpPacket): void {
    const segment = parseTcp(packet);
    if (!segment || !this.isGuest(packet.source)) return;
    const ends: TcpEnds = {
      guest: packet.source,
      guestPort: segment.sourcePort,
      remote: packet.destination,
      remotePort: segment.destinationPort,
    };
    const known = this.connections.get(keyOf(ends));
    if (known) return known.segment(segment);
    const target = this.hostTarget(ends.remote, ends.remotePort);
    const opens = (segment.flags & (TCP.SYN | TCP.ACK | TCP.RST)) === TCP.SYN;
    if (segment.flags & TCP.RST) return;
    if (!opens || target === undefined || this.connections.size >= CONNECTIONS_MOST) {
      this.environment.send(ends, {
        sequence: segment.acknowledgement,
        acknowledgement: (segment.sequence + segment.data.length + (segment.flags & TCP.SYN ? 1 : 0)) >>> 0,
        flags: TCP.RST | TCP.ACK,
        window: 0,
        data: new Uint8Array(0),
      });
      return;
    }
    const connection = new TcpConnection(ends, this.environment, segment);
    this.connections.set(keyOf(ends), connection);
    connection.attach(this.host.connect(target, ends.remotePort, connection));
  }

  /** Where something of the guest goes on the host, or undefined where it may not or cannot go anywhere. */
  private hostTarget(address: Address, port: number): string | undefined {
    if (address === this.dns) return port === NAME_SERVER_PORT ? this.host.nameServer() : undefined;
    if (this.options.restrict) return undefined;
    if (address === this.hostAddress) return LOOPBACK;
    const reachable = !this.isLocal(address) && address !== BROADCAST && address >>> 28 !== 0xe && address !== 0;
    return reachable ? dotted(address) : undefined;
  }

  private freePort(guest: Address, guestPort: number): number {
    for (let port = 49_152; port < 65_536; port++)
      if (!this.connections.has(keyOf({ guest, guestPort, remote: this.hostAddress, remotePort: port }))) return port;
    return 0;
  }
}

const keyOf = ({ guest, guestPort, remote, remotePort }: TcpEnds): string => `${guest}:${guestPort}:${remote}:${remotePort}`;
