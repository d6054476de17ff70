import type { HostDatagrams, HostNetwork, HostStream, HostStreamEvents } from '@pagurus/device-model';
import { load, save } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import {
  checksum,
  ethernetFrame,
  ipPacket,
  parseAddress,
  parseIp,
  parseTcp,
  parseUdp,
  type Segment,
  tcpPayload,
  udpPayload,
} from './packets.js';
import { SlirpState, slirpVmState } from './slirp.state.js';
import { ETHERNET, ETHERTYPE, IP, TCP } from './spec.js';
import { UserNetwork, type UserNetworkOptions } from './user-network.js';

const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
const address = (text: string): number => parseAddress(text)!;
const GUEST = address('10.0.2.15');
const HOST = address('10.0.2.2');
const BROADCAST = new Uint8Array(6).fill(0xff);

/** A host whose time and sockets the test moves. */
class FakeHost implements HostNetwork {
  time = 0;
  readonly streams: {
    address: string;
    port: number;
    events: HostStreamEvents;
    written: number[];
    paused: boolean;
    ended: boolean;
    destroyed: boolean;
    buffered: number;
  }[] = [];
  readonly sent: { address: string; port: number; bytes: Uint8Array }[] = [];
  answer: (bytes: Uint8Array) => void = () => {};
  private timers: { at: number; callback: () => void }[] = [];

  connect(to: string, port: number, events: HostStreamEvents): HostStream {
    const stream = {
      address: to,
      port,
      events,
      written: [] as number[],
      paused: false,
      ended: false,
      destroyed: false,
      buffered: 0,
    };
    this.streams.push(stream);
    return this.streamOf(stream);
  }

  streamOf(stream: (typeof this.streams)[number]): HostStream {
    return {
      write: (bytes) => void stream.written.push(...bytes),
      get buffered() {
        return stream.buffered;
      },
      pause() {
        stream.paused = true;
      },
      resume() {
        stream.paused = false;
      },
      end() {
        stream.ended = true;
      },
      destroy() {
        stream.destroyed = true;
      },
    };
  }

  datagrams(receive: (bytes: Uint8Array, from: string, port: number) => void): HostDatagrams {
    this.answer = (bytes) => receive(bytes, '0.0.0.0', 0);
    return { send: (bytes, to, port) => void this.sent.push({ bytes, address: to, port }), close() {} };
  }

  nameServer(): string {
    return '192.0.2.53';
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { at: this.time + milliseconds, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  advance(milliseconds: number): void {
    this.time += milliseconds;
    for (;;) {
      const due = this.timers.find(({ at }) => at <= this.time);
      if (!due) return;
      this.timers = this.timers.filter((other) => other !== due);
      due.callback();
    }
  }
}

function setUp(options: UserNetworkOptions = {}) {
  const host = new FakeHost();
  const network = new UserNetwork(host, options);
  const frames: Uint8Array[] = [];
  network.connect((frame) => void frames.push(frame));
  const sendIp = (destination: number, protocol: number, payload: Uint8Array, source = GUEST): void =>
    network.send(ethernetFrame(BROADCAST, MAC, ETHERTYPE.IPV4, ipPacket({ source, destination, protocol, payload }, 7)));
  const udp = (destination: number, destinationPort: number, data: Uint8Array, sourcePort = 1234, source = GUEST): void =>
    sendIp(destination, IP.UDP, udpPayload(source, destination, { sourcePort, destinationPort, data }), source);
  const tcp = (destination: number, port: number, segment: Partial<Segment>): void =>
    sendIp(
      destination,
      IP.TCP,
      tcpPayload(GUEST, destination, {
        sourcePort: 5000,
        destinationPort: port,
        sequence: 0,
        acknowledgement: 0,
        flags: 0,
        window: 4000,
        data: new Uint8Array(0),
        ...segment,
      }),
    );
  /** The frames since the last call, as IP packets. */
  const packets = () => frames.splice(0).map((frame) => parseIp(frame.subarray(ETHERNET.HEADER))!);
  const segments = () => packets().map((packet) => parseTcp(packet)!);
  return { host, network, frames, sendIp, udp, tcp, packets, segments };
}

function dhcpRequest(type: number, requested?: number): Uint8Array {
  const message = new Uint8Array(260);
  message.set([1, 1, 6]);
  message.set([0xde, 0xad, 0xbe, 0xef], 4);
  message.set(MAC, 28);
  message.set([0x63, 0x82, 0x53, 0x63, 53, 1, type], 236);
  if (requested === undefined) message[243] = 255;
  else message.set([50, 4, requested >>> 24, (requested >>> 16) & 255, (requested >>> 8) & 255, requested & 255, 255], 243);
  return message;
}

/** Opens a connection of the guest to port 80 of 10.0.2.2; the guest's next byte is 101, ours is `base`. */
function opened(bench: ReturnType<typeof setUp>, window = 4000, mss?: number) {
  bench.tcp(HOST, 80, { sequence: 100, flags: TCP.SYN, window, ...(mss === undefined ? {} : { mss }) });
  const stream = bench.host.streams.at(-1)!;
  stream.events.connected();
  const [answer] = bench.segments();
  const base = (answer!.sequence + 1) >>> 0;
  bench.tcp(HOST, 80, { sequence: 101, acknowledgement: base, flags: TCP.ACK, window });
  return { stream, base, answer: answer! };
}

describe('user network', () => {
  it('answers ARP for the router and the name server, and for nobody else', () => {
    const { network, frames } = setUp();
    const ask = (target: number): void => {
      const body = new Uint8Array(28);
      const view = new DataView(body.buffer);
      view.setUint16(0, 1);
      view.setUint16(2, ETHERTYPE.IPV4);
      body.set([6, 4, 0, 1], 4);
      body.set(MAC, 8);
      view.setUint32(14, GUEST);
      view.setUint32(24, target);
      network.send(ethernetFrame(BROADCAST, MAC, ETHERTYPE.ARP, body));
    };
    ask(HOST);
    ask(address('10.0.2.3'));
    ask(address('10.0.2.77'));
    expect(frames).toHaveLength(2);
    expect([...frames[0]!.subarray(0, 6)]).toEqual([...MAC]);
    expect([...frames[0]!.subarray(22, 28)]).toEqual([0x52, 0x55, 10, 0, 2, 2]);
    expect(frames[0]![21]).toBe(2);
  });

  it('tells by DHCP what to boot, and sends it by TFTP', () => {
    const file = { size: 600, read: (_offset: number, target: Uint8Array) => target.fill(7).length, close() {} };
    const tftp = { open: (name: string) => (name === 'pxe/boot.0' ? file : undefined) };
    const { udp, packets } = setUp({ tftp, bootFile: 'pxe/boot.0', restrict: true });
    udp(0xffff_ffff, 67, dhcpRequest(1), 68, 0);
    const [offer] = packets().map((packet) => parseUdp(packet)!.data);
    expect([...offer!.subarray(20, 24)]).toEqual([10, 0, 2, 2]);
    expect(String.fromCharCode(...offer!.subarray(108, 119))).toBe('pxe/boot.0\0');
    udp(
      HOST,
      69,
      Uint8Array.from('\0\x01/pxe/boot.0\0octet\0', (letter) => letter.charCodeAt(0)),
      2000,
    );
    udp(HOST, 69, Uint8Array.of(0, 4, 0, 1), 2000);
    udp(HOST, 69, Uint8Array.of(0, 4, 0, 2), 2000);
    const blocks = packets().map((packet) => ({ source: packet.source, ...parseUdp(packet)! }));
    expect(
      blocks.map(({ source, sourcePort, destinationPort, data }) => [source, sourcePort, destinationPort, data.length]),
    ).toEqual([
      [HOST, 69, 2000, 516],
      [HOST, 69, 2000, 92],
    ]);
  });

  it('gives addresses by DHCP, refuses one that is not the client’s, and keeps what it gave in its section', () => {
    const { network, udp, packets } = setUp({ hostName: 'crab' });
    udp(0xffff_ffff, 67, dhcpRequest(1), 68, 0);
    udp(0xffff_ffff, 67, dhcpRequest(3, GUEST), 68, 0);
    udp(0xffff_ffff, 67, dhcpRequest(3, address('10.0.2.40')), 68, 0);
    const answers = packets().map((packet) => parseUdp(packet)!.data);
    expect(answers.map((message) => message[242])).toEqual([2, 5, 6]);
    expect([...answers[1]!.subarray(16, 20)]).toEqual([10, 0, 2, 15]);
    expect([...answers[1]!.subarray(4, 8)]).toEqual([0xde, 0xad, 0xbe, 0xef]);
    expect(Buffer.from(answers[1]!).toString('latin1')).toContain('\x0c\x04crab');
    expect(answers[1]![108]).toBe(0); // nothing to boot
    const { description, state } = network.sections[0]!;
    const bytes = save(description, state);
    expect(bytes).toHaveLength(131);
    const loaded = new SlirpState();
    load(slirpVmState, loaded, bytes);
    expect(loaded.leases[0]).toMatchObject({ allocated: 1, mac: MAC });
    expect(loaded.ipId).toBe(3);
  });

  it('answers pings to itself and says that others are out of reach', () => {
    const { sendIp, packets } = setUp();
    const ping = Uint8Array.of(8, 0, 0, 0, 1, 2, 0, 3, 9, 9);
    const sum = checksum(ping);
    ping.set([sum >> 8, sum & 255], 2);
    sendIp(HOST, IP.ICMP, ping);
    sendIp(address('192.0.2.1'), IP.ICMP, ping);
    const [reply, unreachable] = packets();
    expect([...reply!.payload]).toEqual([0, 0, ...[...reply!.payload.subarray(2, 4)], 1, 2, 0, 3, 9, 9]);
    expect(checksum(reply!.payload)).toBe(0);
    expect([...unreachable!.payload.subarray(0, 2)]).toEqual([3, 1]);
  });

  it('passes datagrams on, name requests to the host’s server, and answers back', () => {
    const { host, udp, packets } = setUp();
    udp(address('10.0.2.3'), 53, Uint8Array.of(1, 2, 3));
    expect(host.sent).toMatchObject([{ address: '192.0.2.53', port: 53 }]);
    host.answer(Uint8Array.of(4, 5));
    const [answer] = packets();
    expect(answer!.source).toBe(address('10.0.2.3'));
    expect(parseUdp(answer!)).toMatchObject({ sourcePort: 53, destinationPort: 1234 });
    udp(HOST, 9000, Uint8Array.of(1));
    expect(host.sent.at(-1)).toMatchObject({ address: '127.0.0.1', port: 9000 });
  });

  it('lets a restricted guest reach nothing', () => {
    const { host, udp, tcp, packets, segments } = setUp({ restrict: true });
    udp(address('192.0.2.1'), 9000, Uint8Array.of(1));
    expect([...packets()[0]!.payload.subarray(0, 2)]).toEqual([3, 3]);
    tcp(HOST, 80, { sequence: 100, flags: TCP.SYN });
    expect(segments()[0]).toMatchObject({ flags: TCP.RST | TCP.ACK, acknowledgement: 101 });
    expect(host.streams).toHaveLength(0);
  });

  it('ignores what is cut off, damaged or a fragment', () => {
    const { network, frames } = setUp();
    const good = ethernetFrame(
      BROADCAST,
      MAC,
      ETHERTYPE.IPV4,
      ipPacket(
        {
          source: GUEST,
          destination: HOST,
          protocol: IP.UDP,
          payload: udpPayload(GUEST, HOST, { sourcePort: 1, destinationPort: 67, data: dhcpRequest(1) }),
        },
        1,
      ),
    );
    for (let length = 0; length < good.length; length++) network.send(good.subarray(0, length));
    const damaged = good.slice();
    damaged[20]! ^= 1;
    network.send(damaged);
    const fragment = good.slice();
    fragment[20] = 0x20;
    network.send(fragment);
    expect(frames).toHaveLength(0);
    network.send(good);
    expect(frames).toHaveLength(1);
  });
});

describe('TCP', () => {
  it('connects, carries both ways, closes', () => {
    const bench = setUp();
    const { stream, base, answer } = opened(bench);
    expect(stream).toMatchObject({ address: '127.0.0.1', port: 80 });
    expect(answer).toMatchObject({ flags: TCP.SYN | TCP.ACK, acknowledgement: 101, mss: 1460 });
    bench.tcp(HOST, 80, { sequence: 101, acknowledgement: base, flags: TCP.ACK | TCP.PSH, data: Uint8Array.of(7, 8, 9) });
    expect(stream.written).toEqual([7, 8, 9]);
    expect(bench.segments().at(-1)).toMatchObject({ acknowledgement: 104 });
    stream.events.data(Uint8Array.of(1, 2));
    const [data] = bench.segments();
    expect([...data!.data]).toEqual([1, 2]);
    stream.events.ended();
    expect(bench.segments()[0]).toMatchObject({ sequence: base + 2, flags: TCP.ACK | TCP.FIN });
    bench.tcp(HOST, 80, { sequence: 104, acknowledgement: base + 3, flags: TCP.ACK | TCP.FIN });
    expect(stream.ended).toBe(true);
    expect(bench.segments().at(-1)).toMatchObject({ acknowledgement: 105 });
    // Gone on both sides: what comes now finds nobody.
    bench.tcp(HOST, 80, { sequence: 105, acknowledgement: base + 3, flags: TCP.ACK });
    expect(bench.segments()[0]!.flags & TCP.RST).toBe(TCP.RST);
  });

  it('takes repeated and overlapping bytes once, and none behind a gap', () => {
    const bench = setUp();
    const { stream, base } = opened(bench);
    const data = (sequence: number, ...bytes: number[]): void =>
      bench.tcp(HOST, 80, { sequence, acknowledgement: base, flags: TCP.ACK, data: Uint8Array.from(bytes) });
    data(101, 1, 2);
    data(101, 1, 2);
    data(102, 2, 3);
    data(200, 9);
    expect(stream.written).toEqual([1, 2, 3]);
    expect(bench.segments().at(-1)).toMatchObject({ acknowledgement: 104 });
  });

  it('sends no more than the guest’s window, in segments of its size, and again what got lost', () => {
    const bench = setUp();
    const { stream, base } = opened(bench, 2500, 1000);
    bench.segments();
    stream.events.data(new Uint8Array(4000).map((_, i) => i));
    expect(bench.segments().map(({ sequence, data }) => [sequence - base, data.length])).toEqual([
      [0, 1000],
      [1000, 1000],
      [2000, 500],
    ]);
    bench.host.advance(400);
    expect(bench.segments().map(({ sequence, data }) => [sequence - base, data.length])[0]).toEqual([0, 1000]);
    bench.tcp(HOST, 80, { sequence: 101, acknowledgement: base + 2500, flags: TCP.ACK, window: 2500 });
    expect(bench.segments().map(({ sequence, data }) => [sequence - base, data.length])).toEqual([
      [2500, 1000],
      [3500, 500],
    ]);
  });

  it('asks the host to wait when the guest is slow, and probes a closed window', () => {
    const bench = setUp();
    const { stream, base } = opened(bench, 0);
    stream.events.data(new Uint8Array(300_000));
    expect(stream.paused).toBe(true);
    bench.segments();
    bench.host.advance(400);
    expect(bench.segments()).toMatchObject([{ sequence: base, data: new Uint8Array(1) }]);
  });

  it('offers the guest no more than the host takes', () => {
    const bench = setUp();
    const { stream, base } = opened(bench);
    bench.segments();
    stream.buffered = 65_535;
    bench.tcp(HOST, 80, { sequence: 101, acknowledgement: base, flags: TCP.ACK, data: Uint8Array.of(1) });
    expect(bench.segments()).toMatchObject([{ window: 0, acknowledgement: 101 }]);
    stream.buffered = 0;
    stream.events.drained();
    expect(bench.segments()).toMatchObject([{ window: 65_535 }]);
  });

  it('tells the guest of nobody there and of broken streams, and the host of a reset', () => {
    const bench = setUp();
    bench.tcp(HOST, 81, { sequence: 100, flags: TCP.SYN });
    bench.host.streams[0]!.events.refused();
    expect(bench.segments()).toMatchObject([{ flags: TCP.RST | TCP.ACK, acknowledgement: 101 }]);
    const { stream, base } = opened(bench);
    stream.events.closed();
    expect(bench.segments().at(-1)).toMatchObject({ flags: TCP.RST | TCP.ACK });
    const again = opened(bench);
    bench.tcp(HOST, 80, { sequence: 101, acknowledgement: again.base, flags: TCP.RST });
    expect(again.stream.destroyed).toBe(true);
    expect(base).not.toBe(again.base);
  });

  it('gives up on a guest that is silent', () => {
    const bench = setUp();
    const { stream } = opened(bench);
    stream.events.data(Uint8Array.of(1));
    bench.segments();
    for (let i = 0; i < 12; i++) bench.host.advance(30_000);
    expect(stream.destroyed).toBe(true);
    expect(bench.segments().at(-1)!.flags & TCP.RST).toBe(TCP.RST);
  });

  it('calls a port of the guest for a client of the host, after asking where the guest is', () => {
    const bench = setUp();
    const stream = {
      address: '',
      port: 0,
      events: undefined as unknown as HostStreamEvents,
      written: [] as number[],
      paused: false,
      ended: false,
      destroyed: false,
      buffered: 0,
    };
    bench.network.forward((events) => {
      stream.events = events;
      return bench.host.streamOf(stream);
    }, 22);
    expect(bench.frames.splice(0)[0]![21]).toBe(1); // an ARP request
    bench.udp(HOST, 9, Uint8Array.of(1)); // now it is known
    bench.host.advance(400);
    const [call] = bench.segments();
    expect(call).toMatchObject({ destinationPort: 22, flags: TCP.SYN });
    expect(stream.paused).toBe(true);
    bench.sendIp(
      HOST,
      IP.TCP,
      tcpPayload(GUEST, HOST, {
        sourcePort: 22,
        destinationPort: call!.sourcePort,
        sequence: 900,
        acknowledgement: call!.sequence + 1,
        flags: TCP.SYN | TCP.ACK,
        window: 1000,
        data: new Uint8Array(0),
      }),
    );
    expect(stream.paused).toBe(false);
    bench.segments();
    stream.events.data(Uint8Array.of(5));
    expect(bench.segments()).toMatchObject([{ acknowledgement: 901, data: Uint8Array.of(5) }]);
  });
});
