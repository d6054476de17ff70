import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import type { NetworkBackend } from '@pagurus/device-model';
import { afterEach, describe, expect, it } from 'vitest';
import { HostError } from '../errors.js';
import { NetworkGate } from './gate.js';
import { parseNetdev } from './parse.js';
import { datagramNetwork, FrameReader, type OpenNetwork, streamNetwork } from './socket-network.js';

const open: OpenNetwork[] = [];
afterEach(() => {
  for (const network of open.splice(0)) network.close();
});
const kept = (network: OpenNetwork): OpenNetwork => {
  open.push(network);
  return network;
};
const arrives = ({ network }: OpenNetwork): Promise<number[]> =>
  new Promise((resolve) => network.connect((frame) => resolve([...frame])));
const localhost = (port: number) => ({ transport: 'tcp', host: '127.0.0.1', port }) as const;
const portOf = ({ description }: OpenNetwork): number => Number(/:(\d+)(?: |$)/.exec(description)![1]);

describe('-netdev', () => {
  it('reads every kind that there is', () => {
    expect(parseNetdev('-netdev', 'socket,id=a,listen=:4000')).toEqual({
      id: 'a',
      kind: 'stream',
      server: true,
      uri: { transport: 'tcp', host: '', port: 4000 },
    });
    expect(parseNetdev('-netdev', 'stream,id=a,server=on,addr.type=unix,addr.path=/s')).toMatchObject({
      uri: { transport: 'unix', path: '/s' },
    });
    expect(parseNetdev('-netdev', 'socket,id=a,udp=h:1,localaddr=:2')).toMatchObject({
      remote: { host: 'h', port: 1 },
      local: { host: '', port: 2 },
    });
    expect(parseNetdev('-netdev', 'user,id=a,tftp=/srv/tftp,bootfile=pxelinux.0')).toMatchObject({
      tftp: '/srv/tftp',
      bootFile: 'pxelinux.0',
    });
    expect(parseNetdev('-netdev', 'hubport,id=a,hubid=0')).toMatchObject({ kind: 'hubport', hub: 0 });
    expect(
      parseNetdev('-netdev', 'user,id=a,restrict=on,hostfwd=tcp::22-:22,hostfwd=tcp:127.0.0.1:80-10.0.2.16:8080'),
    ).toMatchObject({
      restrict: true,
      forwards: [
        { hostAddress: '', hostPort: 22, guestAddress: '', guestPort: 22 },
        { hostAddress: '127.0.0.1', hostPort: 80, guestAddress: '10.0.2.16', guestPort: 8080 },
      ],
    });
  });

  it.each([
    ['user', 'expected id=ID'],
    ['tap,id=a', "'tap' is not available here"],
    ['carrier,id=a', "unknown kind 'carrier'"],
    ['user,id=a,smb=/x', "'smb' is not available here"],
    ['user,id=a,hostfwd=22', 'expected tcp:[ADDRESS]:PORT-[GUEST ADDRESS]:PORT'],
    ['user,id=a,nett=1', "unknown option 'nett'"],
    ['socket,id=a', 'expected one of listen='],
    ['socket,id=a,listen=:1,connect=:2', 'expected one of listen='],
    ['socket,id=a,connect=nowhere', 'expected HOST:PORT'],
    ['socket,id=a,connect=h:99999', 'expected HOST:PORT'],
    ['stream,id=a', 'expected addr.type='],
    ['hubport,id=a', 'expected hubid='],
  ])('refuses %s', (text, message) => {
    expect(() => parseNetdev('-netdev', text)).toThrow(HostError);
    expect(() => parseNetdev('-netdev', text)).toThrow(`-netdev ${text}: `);
    expect(() => parseNetdev('-netdev', text)).toThrow(message);
  });
});

describe('networks on sockets', () => {
  it('carries frames of any cut behind their lengths', () => {
    const frames: number[][] = [];
    const reader = new FrameReader((frame) => frames.push([...frame]));
    const bytes = Buffer.from([0, 0, 0, 2, 8, 9, 0, 0, 0, 0, 0, 0, 0, 1, 7]);
    for (const byte of bytes) reader.push(Buffer.of(byte));
    reader.push(bytes);
    expect(frames).toEqual([[8, 9], [], [7], [8, 9], [], [7]]);
  });

  it('drops a peer whose lengths cannot be, and takes the next', async () => {
    const server = kept(await streamNetwork(localhost(0), true));
    const bad = new Socket().connect(portOf(server), '127.0.0.1');
    bad.write(Buffer.of(0xff, 0xff, 0xff, 0xff));
    bad.on('error', () => {});
    await once(bad, 'close');
    const good = kept(await streamNetwork(localhost(portOf(server)), false));
    const arrived = arrives(server);
    good.network.send(Uint8Array.of(1, 2, 3));
    expect(await arrived).toEqual([1, 2, 3]);
    const back = arrives(good);
    server.network.send(Uint8Array.of(4));
    expect(await back).toEqual([4]);
  });

  it('refuses where nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    await new Promise((closed) => server.close(closed));
    await expect(streamNetwork(localhost(port), false)).rejects.toThrow(/cannot connect to tcp:127.0.0.1/);
  });

  it('carries datagrams', async () => {
    const free = async (): Promise<number> => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      await new Promise((closed) => server.close(closed));
      return port;
    };
    const [a, b] = [await free(), await free()];
    const end = (own: number, other: number) =>
      datagramNetwork({ host: '127.0.0.1', port: other }, { host: '127.0.0.1', port: own }, false);
    const [one, two] = [kept(await end(a, b)), kept(await end(b, a))];
    const arrived = arrives(two);
    one.network.send(Uint8Array.of(5, 6));
    expect(await arrived).toEqual([5, 6]);
  });
});

describe('NetworkGate', () => {
  it('delivers between turns, only while the machine runs, and to one card', async () => {
    let deliver: (frame: Uint8Array) => void = () => {};
    const network: NetworkBackend = {
      send() {},
      connect(receive) {
        deliver = receive;
      },
    };
    const gate = new NetworkGate('n0', network);
    const frames: number[] = [];
    gate.connect((frame) => frames.push(frame[0]!));
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    deliver(Uint8Array.of(1));
    await turn();
    expect(frames).toEqual([]);
    gate.setOpen(true);
    deliver(Uint8Array.of(2));
    expect(frames).toEqual([]);
    await turn();
    expect(frames).toEqual([1, 2]);
    gate.setOpen(false);
    for (let i = 0; i < 1000; i++) deliver(Uint8Array.of(3));
    gate.setOpen(true);
    await turn();
    expect(frames).toHaveLength(2 + 512);
    expect(() => gate.connect(() => {})).toThrow("network 'n0' is in use");
  });
});
