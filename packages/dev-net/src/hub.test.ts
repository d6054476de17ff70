import { describe, expect, it } from 'vitest';
import { Hub, loopbackPair } from './hub.js';

const log = (count: number) => {
  const hub = new Hub();
  const seen: string[] = [];
  const ports = Array.from({ length: count }, (_, i) => {
    const port = hub.port();
    port.connect((frame) => seen.push(`${i}:${frame.join()}`));
    return port;
  });
  return { hub, ports, seen };
};

describe('hub', () => {
  it('repeats a frame to everybody but its sender', () => {
    const { ports, seen } = log(3);
    ports[1]!.send(Uint8Array.of(7));
    expect(seen).toEqual(['0:7', '2:7']);
  });

  it('lets an answer wait until the frame has reached everybody', () => {
    const { hub, ports, seen } = log(3);
    const answering = hub.port();
    answering.connect((frame) => {
      if (frame[0] === 1) answering.send(Uint8Array.of(2));
    });
    const last = hub.port();
    last.connect((frame) => seen.push(`last:${frame.join()}`));
    ports[0]!.send(Uint8Array.of(1));
    expect(seen).toEqual(['1:1', '2:1', 'last:1', '0:2', '1:2', '2:2', 'last:2']);
  });

  it('keeps what was sent, whatever the sender does with its buffer', () => {
    const { ports, seen } = log(2);
    const buffer = Uint8Array.of(5);
    ports[0]!.send(buffer);
    buffer[0] = 6;
    expect(seen).toEqual(['1:5']);
  });

  it('goes on after a receiver that threw', () => {
    const { hub, ports, seen } = log(1);
    const bad = hub.port();
    bad.connect(() => {
      throw new Error('no');
    });
    expect(() => ports[0]!.send(Uint8Array.of(1))).toThrow('no');
    bad.send(Uint8Array.of(2));
    expect(seen).toEqual(['0:2']);
  });

  it('loses frames for a socket that nobody is plugged into', () => {
    const [a, b] = loopbackPair();
    a.send(Uint8Array.of(1));
    const seen: number[] = [];
    b.connect((frame) => seen.push(frame[0]!));
    a.send(Uint8Array.of(2));
    expect(seen).toEqual([2]);
  });
});
