import type { HostNetwork, HostStreamEvents } from '@pagurus/device-model';
import { expect, it } from 'vitest';
import { ethernetFrame, ipPacket, tcpPayload, udpPayload } from './packets.js';
import { ETHERTYPE, IP } from './spec.js';
import { UserNetwork } from './user-network.js';

const FRAMES = 20_000;
const LARGEST_FRAME = 65_550;
/** What the network says it holds at most. */
const MOST = { streams: 1024, ports: 256, files: 16 };

/** Counts what is open, and calls back when the test says so. */
class CountingHost implements HostNetwork {
  streams = 0;
  ports = 0;
  readonly events: HostStreamEvents[] = [];
  private readonly timers = new Set<() => void>();

  connect(_address: string, _port: number, events: HostStreamEvents) {
    this.streams++;
    this.events.push(events);
    let open = true;
    return {
      write() {},
      buffered: 0,
      pause() {},
      resume() {},
      end() {},
      destroy: () => {
        if (open) this.streams--;
        open = false;
      },
    };
  }

  datagrams() {
    this.ports++;
    return { send() {}, close: () => void this.ports-- };
  }

  nameServer(): string {
    return '192.0.2.53';
  }

  after(_milliseconds: number, callback: () => void): () => void {
    this.timers.add(callback);
    return () => void this.timers.delete(callback);
  }

  get waiting(): number {
    return this.timers.size;
  }

  tick(random: (below: number) => number): void {
    const all = [...this.timers];
    const one = all[random(all.length || 1)];
    if (!one) return;
    this.timers.delete(one);
    one();
  }
}

it.each([1, 2, 3])('random frames (seed %i): nothing throws, no answer is malformed, what is held stays bounded', (seed) => {
  let state = seed * 0x9e37_79b9;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const bytes = (length: number) => Uint8Array.from({ length }, () => random(256));
  const pick = <T>(...choices: readonly T[]): T => choices[random(choices.length)]!;
  const mac = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
  const host = new CountingHost();
  let files = 0;
  const network = new UserNetwork(host, {
    bootFile: 'x',
    tftp: {
      open(name) {
        if (name.length > 2) return undefined;
        files++;
        return { size: 5000, read: (_offset, target) => target.length, close: () => void files-- };
      },
    },
  });
  let answers = 0;
  network.connect((frame) => {
    answers++;
    expect(frame.length).toBeGreaterThanOrEqual(14);
    expect(frame.length).toBeLessThanOrEqual(LARGEST_FRAME);
  });
  const address = () => pick(0x0a00_020f, 0x0a00_0202, 0x0a00_0203, 0xffff_ffff, 0x0808_0808, random(2 ** 32));
  const port = () => pick(69, 53, 67, 68, 80, random(65_536));
  const payload = (source: number, destination: number): readonly [number, Uint8Array] => {
    switch (random(4)) {
      case 0: {
        const data = pick(bytes(random(600)), Uint8Array.of(0, pick(1, 3, 4, 5), 97, 0, 111, 99, 116, 101, 116, 0));
        return [IP.UDP, udpPayload(source, destination, { sourcePort: port(), destinationPort: port(), data })];
      }
      case 1:
      case 2:
        return [
          IP.TCP,
          tcpPayload(source, destination, {
            sourcePort: pick(1000, random(65_536)),
            destinationPort: pick(80, 81),
            sequence: pick(1, 2, random(2 ** 32)),
            acknowledgement: pick(64_001, random(2 ** 32)),
            flags: random(64),
            window: random(65_536),
            data: bytes(random(100)),
          }),
        ];
      default:
        return [random(256), bytes(random(100))];
    }
  };
  for (let i = 0; i < FRAMES; i++) {
    const source = pick(0x0a00_020f, address());
    const destination = address();
    const [protocol, body] = payload(source, destination);
    const frame = ethernetFrame(
      pick(mac, bytes(6)),
      mac,
      pick(ETHERTYPE.IPV4, ETHERTYPE.IPV4, ETHERTYPE.IPV4, ETHERTYPE.ARP),
      ipPacket({ source, destination, protocol, payload: body }, i & 0xffff),
    );
    if (random(3) === 0) for (let n = random(4); n >= 0; n--) frame[random(frame.length)] = random(256);
    network.send(random(8) === 0 ? frame.subarray(0, random(frame.length)) : frame);
    const events = host.events[random(host.events.length || 1)];
    if (events && random(4) === 0)
      pick(
        () => events.data(bytes(random(3000))),
        () => events.drained(),
        () => events.ended(),
        () => events.closed(),
        () => events.refused(),
      )();
    if (random(6) === 0) host.tick(random);
    expect(host.ports).toBeLessThanOrEqual(MOST.ports);
    expect(host.streams).toBeLessThanOrEqual(MOST.streams);
    expect(files).toBeLessThanOrEqual(MOST.files);
    expect(host.waiting).toBeLessThanOrEqual(4 * MOST.streams + MOST.ports);
  }
  expect(answers).toBeGreaterThan(FRAMES / 100);
  network.close();
  expect([host.ports, files]).toEqual([0, 0]);
});
