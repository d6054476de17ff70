import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { CharacterFrontend } from '@pagurus/device-model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostCharacter } from './host-character.js';
import {
  CharacterMux,
  InputQueue,
  nullCharacter,
  openCharacter,
  parseCharacter,
  parseChardev,
  ringBuffer,
  stdioCharacter,
} from './index.js';
import { socketCharacter } from './socket.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A frontend with room for `room` bytes, taken away as they come. */
function taker(room = 1_000_000): CharacterFrontend & { text: string; room: number } {
  return {
    text: '',
    room,
    canReceive() {
      return this.room;
    },
    receive(chunk) {
      expect(chunk.length).toBeLessThanOrEqual(this.room);
      this.room -= chunk.length;
      this.text += Buffer.from(chunk).toString('latin1');
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pagurus-chardev-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('input queue', () => {
  it('keeps what comes before the frontend and hands over what there is room for', () => {
    const queue = new InputQueue();
    queue.push(bytes('abc'));
    const frontend = taker(2);
    queue.connect(frontend);
    expect(frontend.text).toBe('ab');
    queue.push(bytes('def'));
    expect(frontend.text).toBe('ab');
    frontend.room = 3;
    queue.deliver();
    expect(frontend.text).toBe('abcde');
    frontend.room = 9;
    queue.deliver();
    expect(frontend.text).toBe('abcdef');
  });

  it('can be told ready from inside receive', () => {
    const queue = new InputQueue();
    const seen: string[] = [];
    queue.connect({
      canReceive: () => 1,
      receive: (chunk) => {
        seen.push(Buffer.from(chunk).toString());
        queue.deliver();
      },
    });
    queue.push(bytes('xyz'));
    expect(seen).toEqual(['x', 'y', 'z']);
  });

  it('holds its source back when much waits', () => {
    const pressure: boolean[] = [];
    const queue = new InputQueue((full) => pressure.push(full));
    const frontend = taker(0);
    queue.connect(frontend);
    queue.push(new Uint8Array(60_000));
    queue.push(new Uint8Array(60_000));
    expect(pressure).toEqual([true]);
    frontend.room = 200_000;
    queue.deliver();
    expect(pressure).toEqual([true, false]);
  });
});

describe('backends', () => {
  it('null swallows and says nothing', async () => {
    const backend = nullCharacter();
    const frontend = taker();
    backend.connect(frontend);
    backend.write(bytes('x'));
    backend.ready();
    await backend.close();
    expect(frontend.text).toBe('');
  });

  it('ringbuf keeps the newest bytes', () => {
    const ring = ringBuffer(4);
    ring.write(bytes('ab'));
    expect(Buffer.from(ring.contents()).toString()).toBe('ab');
    ring.write(bytes('cdef'));
    expect(Buffer.from(ring.contents()).toString()).toBe('cdef');
    ring.write(bytes('0123456789'));
    expect(Buffer.from(ring.contents()).toString()).toBe('6789');
  });

  it('file takes output, from the beginning or behind what is there', async () => {
    writeFileSync(`${folder}/x`, 'old');
    const first = await openCharacter(parseCharacter(`file:${folder}/x`, '-serial') as never, { signal: false });
    first.write(bytes('one'));
    expect(readFileSync(`${folder}/x`, 'utf8')).toBe('one');
    await first.close();
    const { spec } = parseChardev(`file,id=f,path=${folder}/x,append=on`);
    const second = await openCharacter(spec as never, { signal: false });
    second.write(bytes('two'));
    await second.close();
    second.write(bytes('three'));
    expect(readFileSync(`${folder}/x`, 'utf8')).toBe('onetwo');
  });

  it('file names a path that cannot be', async () => {
    await expect(
      openCharacter({ kind: 'file', path: `${folder}/no/x`, append: false, mux: false }, { signal: false }),
    ).rejects.toThrow(/^cannot write '.*no\/x': no such file or directory$/);
  });

  it('pipe uses PATH.in and PATH.out', async () => {
    execFileSync('mkfifo', [`${folder}/p.in`, `${folder}/p.out`]);
    const backend = await openCharacter(parseCharacter(`pipe:${folder}/p`, '-serial') as never, { signal: false });
    const frontend = taker();
    backend.connect(frontend);
    const out = openSync(`${folder}/p.in`, 'w');
    writeSync(out, 'typed');
    await until(() => frontend.text === 'typed');
    backend.write(bytes('shown'));
    const shown = execFileSync('head', ['-c', '5', `${folder}/p.out`], { encoding: 'utf8' });
    expect(shown).toBe('shown');
    await backend.close();
  });

  it('pipe names what is missing', async () => {
    await expect(openCharacter({ kind: 'pipe', path: `${folder}/none`, mux: false }, { signal: false })).rejects.toThrow(
      /none' \(nor .*none\.in' and .*none\.out'\): no such file/,
    );
  });

  it('socket server serves one client after the other', async () => {
    let address = '';
    const backend = await socketCharacter({
      uri: { transport: 'tcp', host: '127.0.0.1', port: 0 },
      server: true,
      wait: false,
      listening: (uri) => {
        address = uri;
      },
    });
    let clients = 0;
    const frontend = Object.assign(taker(), { opened: () => clients++ });
    backend.connect(frontend);
    backend.write(bytes('nobody hears this'));
    const port = Number(/:(\d+)$/.exec(address)![1]);
    for (const name of ['first', 'second']) {
      const client = connect(port, '127.0.0.1');
      let heard = '';
      client.on('data', (data) => {
        heard += data;
      });
      client.write(name);
      await until(() => frontend.text.endsWith(name));
      expect(backend.description).toContain('connected');
      backend.write(bytes(`hello ${name}`));
      await until(() => heard === `hello ${name}`);
      client.end();
      await until(() => !backend.description.includes('connected'));
    }
    expect(clients).toBe(2);
    await backend.close();
  });

  it('socket client tries again until somebody is there, and when they leave', async () => {
    const path = `${folder}/later`;
    const { spec } = parseChardev(`socket,id=s,path=${path},reconnect-ms=20`);
    const client = await openCharacter(spec as never, { signal: false });
    const frontend = Object.assign(taker(), { opens: 0, opened: () => frontend.opens++ });
    client.connect(frontend);
    for (const round of [1, 2]) {
      const server = await socketCharacter({ uri: { transport: 'unix', path }, server: true, wait: true });
      await until(() => frontend.opens === round);
      server.write(bytes(`${round}`));
      await until(() => frontend.text.endsWith(`${round}`));
      await server.close();
    }
    await client.close();
  });

  it('socket server can wait for its first client; client connects', async () => {
    let address = '';
    const waiting = socketCharacter({
      uri: { transport: 'unix', path: `${folder}/s` },
      server: true,
      wait: true,
      listening: (uri) => {
        address = uri;
      },
    });
    await until(() => address !== '');
    const spec = parseCharacter(address, '-serial') as Extract<ReturnType<typeof parseCharacter>, { kind: 'socket' }>;
    const client = await openCharacter(spec, { signal: false });
    const server = await waiting;
    const frontend = taker();
    server.connect(frontend);
    client.write(bytes('hi'));
    await until(() => frontend.text === 'hi');
    await Promise.all([client.close(), server.close()]);
  });
});

describe('stdio', () => {
  function terminal() {
    const input = new PassThrough() as unknown as NodeJS.ReadStream & { modes: boolean[] };
    input.modes = [];
    input.isTTY = true;
    input.setRawMode = (mode) => {
      input.modes.push(mode);
      return input;
    };
    return input;
  }

  it('puts a terminal into raw mode and back, and passes Ctrl-C on', async () => {
    const input = terminal();
    const out = openSync(`${folder}/out`, 'w');
    const backend = stdioCharacter({ signal: false, input, output: out });
    const frontend = taker();
    backend.connect(frontend);
    (input as unknown as PassThrough).write('a\x03b');
    await until(() => frontend.text === 'a\x03b');
    backend.write(bytes('shown'));
    expect(readFileSync(`${folder}/out`, 'utf8')).toBe('shown');
    await backend.close();
    await backend.close();
    expect(input.modes).toEqual([true, false]);
  });

  it('Ctrl-C ends the process where signals are wanted', async () => {
    const input = terminal();
    let signals = 0;
    const onSignal = (): void => {
      signals++;
    };
    process.once('SIGINT', onSignal);
    const backend = stdioCharacter({ signal: true, input, output: 2 });
    const frontend = taker();
    backend.connect(frontend);
    (input as unknown as PassThrough).write('\x03');
    await until(() => signals === 1);
    expect(frontend.text).toBe('');
    await backend.close();
  });

  it('tells when standard input has ended', async () => {
    const input = new PassThrough() as unknown as NodeJS.ReadStream;
    let ended = false;
    const backend = stdioCharacter({
      signal: true,
      input,
      output: 2,
      ended: () => {
        ended = true;
      },
    });
    (input as unknown as PassThrough).end();
    await until(() => ended);
    await backend.close();
  });
});

describe('mux', () => {
  function setup() {
    let shown = '';
    let frontend: CharacterFrontend | undefined;
    const backend: HostCharacter = {
      description: 'test',
      write: (chunk) => {
        shown += Buffer.from(chunk).toString('latin1');
      },
      connect: (given) => {
        frontend = given;
      },
      ready() {},
      async close() {},
    };
    const events: string[] = [];
    const mux = new CharacterMux(backend, { quit: () => events.push('quit'), sendBreak: (port) => events.push(`break ${port}`) });
    return { mux, events, shown: () => shown, type: (text: string) => frontend!.receive(bytes(text)) };
  }

  it('gives input to the port in focus and shows what all write', () => {
    const { mux, type, shown } = setup();
    const [serial, monitor] = [mux.addPort(), mux.addPort()];
    const [a, b] = [taker(), taker()];
    serial.connect(a);
    monitor.connect(b);
    type('one\x01ctwo\x01cthree');
    expect([a.text, b.text]).toEqual(['onethree', 'two']);
    serial.write(bytes('S'));
    monitor.write(bytes('M'));
    expect(shown()).toBe('SM');
  });

  it('tells a frontend that it got the focus', () => {
    const { mux, type } = setup();
    mux.addPort().connect(taker());
    let focused = 0;
    mux.addPort().connect(Object.assign(taker(), { focused: () => focused++ }));
    type('\x01c');
    expect(focused).toBe(1);
  });

  it('knows its commands, also split over chunks', () => {
    const { mux, type, events, shown } = setup();
    const frontend = taker();
    mux.addPort().connect(frontend);
    type('a\x01');
    type('\x01b\x01b\x01z\x01h');
    expect(frontend.text).toBe('a\x01b');
    expect(events).toEqual(['break 0']);
    expect(shown()).toContain('C-a x');
    type('\x01x');
    expect(events).toEqual(['break 0', 'quit']);
  });

  it('stamps lines with the time when asked', () => {
    const { mux, type, shown } = setup();
    const port = mux.addPort();
    type('\x01t');
    port.write(bytes('one\ntw'));
    port.write(bytes('o\n'));
    expect(shown()).toMatch(/^\[\d+\.\d{3}\] one\n\[\d+\.\d{3}\] two\n$/);
  });

  it('keeps input for a port without room', () => {
    const { mux, type } = setup();
    const port = mux.addPort();
    const frontend = taker(1);
    port.connect(frontend);
    type('xy');
    frontend.room = 1;
    port.ready();
    expect(frontend.text).toBe('xy');
  });
});

describe('character texts', () => {
  it.each([
    ['none', { kind: 'none' }],
    ['null', { kind: 'null' }],
    ['stdio', { kind: 'stdio', mux: false }],
    ['mon:stdio', { kind: 'stdio', mux: true }],
    ['file:a,b', { kind: 'file', path: 'a,b', append: false, mux: false }],
    ['pipe:x', { kind: 'pipe', path: 'x', mux: false }],
    ['chardev:c0', { kind: 'chardev', id: 'c0' }],
    [
      'tcp::1234,server,nowait',
      { kind: 'socket', uri: { transport: 'tcp', host: '', port: 1234 }, server: true, wait: false, mux: false },
    ],
    ['tcp:h:1', { kind: 'socket', uri: { transport: 'tcp', host: 'h', port: 1 }, server: false, wait: false, mux: false }],
    ['unix:no.s,server=on', { kind: 'socket', uri: { transport: 'unix', path: 'no.s' }, server: true, wait: true, mux: false }],
    [
      'mon:unix:s,server=on,wait=off',
      { kind: 'socket', uri: { transport: 'unix', path: 's' }, server: true, wait: false, mux: true },
    ],
  ])('%s', (text, spec) => {
    expect(parseCharacter(text, '-serial')).toEqual(spec);
  });

  it.each([
    ['stdoi', /^-serial stdoi: expected none, null, stdio/],
    ['', /^-serial : expected/],
    ['mon:none', /expected mon:stdio/],
    ['file:', /expected/],
    ['tcp:x', /expected tcp:HOST:PORT, a port/],
    ['tcp:h:1,server=maybe', /'server=maybe': expected on or off/],
    ['tcp:h:1,colour=red', /unknown option 'colour'/],
    ['vc:80x25', /not something this host has/],
    ['telnet:localhost:1', /not something this host has/],
    ['tcp:h:1,telnet=on', /'telnet' is not available/],
    ['tcp:h:1,server=on,reconnect=3', /for clients/],
  ])("-serial '%s' is refused", (text, message) => {
    expect(() => parseCharacter(text, '-serial')).toThrow(message);
  });

  it.each([
    ['null,id=n', 'n', { kind: 'null' }],
    ['stdio,id=s,mux=on,signal=off', 's', { kind: 'stdio', mux: true, signal: false }],
    ['ringbuf,id=r,size=8k', 'r', { kind: 'ringbuf', size: 8192, mux: false }],
    [
      'socket,id=a,path=p,server=on,wait=off',
      'a',
      { kind: 'socket', uri: { transport: 'unix', path: 'p' }, server: true, wait: false, mux: false },
    ],
    ['socket,id=a,host=::1,port=5', 'a', null],
    [
      'socket,id=a,host=localhost,port=5',
      'a',
      { kind: 'socket', uri: { transport: 'tcp', host: 'localhost', port: 5 }, server: false, wait: false, mux: false },
    ],
  ])('-chardev %s', (text, id, spec) => {
    if (spec === null) expect(() => parseChardev(text)).toThrow(/expected path= or host=/);
    else expect(parseChardev(text)).toEqual({ id, spec });
  });

  it.each([
    ['stdio', /expected id=NAME/],
    ['file,id=f', /expected path=FILE/],
    ['braille,id=b', /unknown kind 'braille'/],
    ['ringbuf,id=r,size=1T', /expected 1 to/],
    ['null,id=n,x=y', /unknown option 'x'/],
  ])("-chardev '%s' is refused", (text, message) => {
    expect(() => parseChardev(text)).toThrow(message);
  });
});
