import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import type { CharacterFrontend } from '@pagurus/device-model';
import { describe, expect, it } from 'vitest';
import {
  defaultSnapshotName,
  executeMonitorLine,
  MonitorSession,
  migrateText,
  snapshotPath,
  splitWords,
  statusText,
} from './index.js';
import { fakeTarget } from './testing.js';

const run = (line: string, target = fakeTarget()): Promise<string> => executeMonitorLine(target, line);

describe('monitor words', () => {
  it.each([
    ['migrate -d tcp:h:1', ['migrate', '-d', 'tcp:h:1']],
    ['  migrate  "exec:cat > \\"a b\\""  ', ['migrate', 'exec:cat > "a b"']],
    ['x ""', ['x', '']],
    ['', []],
  ])('%s', (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  it('an open quotation mark is an error', () => {
    expect(() => splitWords('migrate "exec:cat')).toThrow('a quotation mark is not closed');
  });
});

describe('monitor commands', () => {
  it.each([
    ['stop', 'stop'],
    ['s', 'stop'],
    ['cont', 'cont'],
    ['quit', 'quit'],
    ['q', 'quit'],
    ['system_reset', 'reset'],
    ['system_powerdown', 'powerdown'],
    [
      'device_add virtio-rng-pci,id=r0,bus=br0,addr=3.1,vectors=0',
      'add virtio-rng-pci {"id":"r0","bus":"br0","addr":"3.1","properties":{"vectors":"0"}}',
    ],
    ['device_del r0', 'del r0'],
    ['object_add memory-backend-ram,id=m1,size=1M', 'object m1 1048576'],
    ['sendkey ctrl-alt-delete', 'keys ctrl+alt+delete 100'],
    ['sendkey < 250', 'keys less 250'],
    ['mouse_move 5 -3', 'mouse 5 -3 0'],
    ['mouse_move 0 0 2', 'mouse 0 0 -1'],
    ['mouse_button 5', 'buttons 5'],
    ['migrate tcp:127.0.0.1:4444', 'migrate tcp:127.0.0.1:4444'],
    ['migrate -d "exec:gzip > x"', 'migrate exec:gzip > x'],
    ['migrate_cancel', 'cancel'],
    ['migrate_incoming tcp::1', 'incoming tcp::1'],
    ['migrate_set_parameter downtime-limit 100', 'parameter downtime-limit 100'],
    ['migrate_set_capability xbzrle on', 'capability xbzrle true'],
    ['savevm before', 'save before.pagurus'],
    ['savevm /tmp/x.bin', 'save /tmp/x.bin'],
    ['loadvm before', 'load before.pagurus'],
    ['replay_break 123456', 'break 123456'],
    ['replay_delete_break', 'clear'],
  ])('%s', async (line, call) => {
    const target = fakeTarget();
    await run(line, target);
    expect(target.calls).toEqual([call]);
  });

  it('migrate waits and reports; -d does neither', async () => {
    await expect(run('migrate tcp:bad:1')).rejects.toThrow('connection refused');
    expect(await run('migrate -d tcp:bad:1')).toBe('');
  });

  it.each([
    ['info status', 'VM status: running'],
    ['info version', 'Pagurus 1.2.3'],
    ['info name', 'crab'],
    ['info registers', 'EAX=00000000'],
    ['info pic', 'pic0: irr=00 imr=f8 isr=00'],
    ['info replay', 'instruction count = 4711'],
    ['info roms', 'addr=00000000fffc0000 size=0x040000 mem=rom name="bios-256k.bin"'],
    ['info migrate', 'no migration yet'],
    ['info migrate_parameters', 'downtime-limit: 300 ms'],
    ['info migrate_capabilities', 'xbzrle: off'],
  ])('%s', async (line, text) => {
    expect(await run(line)).toBe(text);
  });

  it('info qtree, mtree and pci list what there is', async () => {
    expect(await run('info qtree')).toBe(
      'dev: mc146818rtc, id "rtc"\n  base_year = 1980\ndev: PIIX4_PM, id "pm", path 0000:00:01.3',
    );
    const mtree = await run('info mtree');
    expect(mtree).toContain('  0000000000000000-000000000009ffff (ram): pc.ram');
    expect(mtree).toContain('  0000000000000060-0000000000000060 (i/o): i8042-data');
    const pci = await run('info pci');
    expect(pci).toContain('  Bus  0, device   1, function 3:\n    Bridge: PCI device 8086:7113\n      IRQ 9');
    expect(pci).toContain('BAR4: I/O at 0x0700 [0x073f].');
    expect(await run('info pci', fakeTarget({ pci: () => undefined }))).toBe('PCI not supported');
  });

  it('help names every command, and one', async () => {
    const all = await run('help');
    for (const name of ['migrate', 'savevm', 'sendkey', 'replay_break']) expect(all).toContain(name);
    expect(await run('help savevm')).toMatch(/^savevm \[NAME\] +write the machine/);
    expect(await run('info')).toContain('info registers');
  });

  it.each([
    ['frobnicate', "unknown command: 'frobnicate'"],
    ['info weather', "info: unknown subject 'weather'; there are: status, version"],
    ['migrate', 'migrate: too few arguments'],
    ['migrate -x tcp:h:1', "migrate: '-x': expected -d"],
    ['migrate a b', "migrate: unexpected 'b'"],
    ['mouse_move 1', 'mouse_move: too few arguments'],
    ['mouse_move 1 up', "mouse_move: 'up': expected a whole number"],
    ['mouse_button 8', "mouse_button: '8': expected 0 to 7"],
    ['device_add', 'device_add: too few arguments'],
    ['device_add ,id=x', 'device_add ,id=x: expected DRIVER[,PROPERTY=VALUE]...'],
    ['object_add rng-random,id=r', "object_add rng-random,id=r: unknown object type 'rng-random'; expected memory-backend-ram"],
    ['object_add memory-backend-ram,size=1M', 'object_add memory-backend-ram,size=1M: expected id=ID'],
    ['object_add memory-backend-ram,id=m', 'object_add memory-backend-ram,id=m: expected size=SIZE in whole pages'],
    ['sendkey ctrl-hyper', "sendkey: unknown key 'hyper'"],
    ['sendkey a soon', "sendkey: 'soon': expected milliseconds"],
    ['migrate_set_capability xbzrle maybe', "migrate_set_capability: 'maybe': expected on or off"],
    ['replay_break soon', "invalid address 'soon'"],
    ['loadvm', 'loadvm: too few arguments'],
    ['x/4iw 0', 'x: there is no disassembler'],
    ['xp /0x 0', 'count 1 to 65536'],
    ['x /z 0', "invalid format '/z': expected /COUNT"],
    ['xp /4xw $eip', "invalid address '$eip': there is no register $eip"],
    ['screendump x.png -f gif', "unknown screen format 'gif'"],
    ['help frobnicate', "help: unknown command 'frobnicate'"],
  ])('%s is refused', async (line, message) => {
    await expect(run(line)).rejects.toThrow(message);
    await expect(run(line)).rejects.not.toThrow('\n');
  });
});

describe('memory dumps', () => {
  it.each([
    ['xp /8xb 0x10', '0000000000000010: 0x10 0x11 0x12 0x13 0x14 0x15 0x16 0x17'],
    ['xp/2xh 0xb8000', '00000000000b8000: 0x0100 0x0302'],
    ['x /1xg 0', '00000000: 0x0706050403020100'],
    ['x 0x100', '00000100: 0x03020100'],
    ['x /2db 0x7f', '0000007f: 127 -128'],
    ['x /2ub 0x7f', '0000007f: 127 128'],
    ['x /1ob 8', '00000008: 0010'],
    ['x /4c 0x5b', "0000005b: '[' '\\\\' ']' '^'"],
    ['x /2c 0', "00000000: '\\0' '\\x01'"],
    ['x /1xb 0x10+4-2', '00000012: 0x12'],
  ])('%s', async (line, text) => {
    expect(await run(line)).toBe(text);
  });

  it('has 16 bytes a line', async () => {
    expect((await run('xp /17xb 0')).split('\n')).toEqual([
      '0000000000000000: 0x00 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f',
      '0000000000000010: 0x10',
    ]);
  });
});

describe('screendump', () => {
  it('writes text, JSON, PPM and a PNG that decodes to the pixels', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pagurus-screen-'));
    try {
      await run(`screendump ${folder}/s.txt`);
      expect(readFileSync(`${folder}/s.txt`, 'utf8')).toBe('ab\ncd\n');
      await run(`screendump ${folder}/s -f json`);
      expect(JSON.parse(readFileSync(`${folder}/s`, 'utf8'))).toEqual({
        columns: 4,
        rows: 2,
        cursor: { column: 1, row: 1 },
        lines: ['ab  ', 'cd  '],
      });
      await run(`screendump ${folder}/s.ppm`);
      expect(readFileSync(`${folder}/s.ppm`).equals(Buffer.from('P6\n2 1\n255\n\xff\0\0\0\0\xff', 'latin1'))).toBe(true);
      await run(`screendump ${folder}/s.png`);
      const png = readFileSync(`${folder}/s.png`);
      expect(png.subarray(1, 4).toString()).toBe('PNG');
      expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([2, 1]);
      const at = png.indexOf('IDAT');
      expect([...inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)))]).toEqual([0, 255, 0, 0, 0, 0, 255]);
      await expect(run(`screendump ${folder}/no/s.png`)).rejects.toThrow(/cannot write .* no such file/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('says when there is no text or no screen', async () => {
    const graphics = fakeTarget({
      screen: () => ({
        text: () => undefined,
        size: () => ({ width: 0, height: 0 }),
        image: () => ({ width: 0, height: 0, rgba: new Uint8Array() }),
      }),
    });
    await expect(run('screendump x.txt', graphics)).rejects.toThrow('graphics mode');
    await expect(run('screendump x.png', fakeTarget({ screen: () => undefined }))).rejects.toThrow('no display adapter');
  });
});

describe('texts', () => {
  it('status', () => {
    expect(statusText('paused')).toBe('VM status: paused');
    expect(statusText('postmigrate')).toBe('VM status: paused (postmigrate)');
  });

  it('info migrate while active and when failed', () => {
    const ram = {
      transferred: 10_000,
      remaining: 8192,
      total: 1 << 20,
      duplicate: 3,
      skipped: 0,
      normal: 2,
      'normal-bytes': 8192,
      'dirty-pages-rate': 7,
      mbps: 1.234,
      'dirty-sync-count': 1,
      'postcopy-requests': 0,
      'page-size': 4096,
      'multifd-bytes': 0,
      'pages-per-second': 5,
      'precopy-bytes': 10_000,
      'downtime-bytes': 0,
      'postcopy-bytes': 0,
      'dirty-sync-missed-zero-copy': 0,
    };
    expect(migrateText({ status: 'active', ram, 'total-time': 12.4, 'expected-downtime': 300 }).split('\n')).toEqual([
      'Migration status: active',
      'total time: 12 ms',
      'expected downtime: 300 ms',
      'transferred ram: 9 kbytes',
      'throughput: 1.23 mbps',
      'remaining ram: 8 kbytes',
      'total ram: 1024 kbytes',
      'duplicate: 3 pages',
      'skipped: 0 pages',
      'normal: 2 pages',
      'normal bytes: 8 kbytes',
      'dirty sync count: 1',
      'page size: 4 kbytes',
      'pages-per-second: 5',
      'precopy ram: 9 kbytes',
      'downtime ram: 0 kbytes',
      'dirty pages rate: 7 pages',
    ]);
    expect(migrateText({ status: 'failed', 'error-desc': 'it broke' })).toBe('Migration status: failed (it broke)');
    expect(migrateText({ status: 'none', 'socket-address': 'tcp:127.0.0.1:1' })).toBe('socket address: [ tcp:127.0.0.1:1 ]');
  });

  it('snapshot names', () => {
    expect([snapshotPath('a'), snapshotPath('./a'), snapshotPath('a.bin')]).toEqual(['a.pagurus', './a', 'a.bin']);
    expect(defaultSnapshotName(new Date('2026-01-02T03:04:05Z'))).toBe('vm-20260102030405');
  });
});

describe('monitor session', () => {
  function setup(target = fakeTarget(), greet = true) {
    let shown = Buffer.alloc(0);
    let frontend: CharacterFrontend | undefined;
    const waiting: number[] = [];
    const offer = (): void => {
      while (waiting.length > 0 && frontend!.canReceive() > 0) frontend!.receive(Uint8Array.of(waiting.shift()!));
    };
    const backend = {
      write: (bytes: Uint8Array) => {
        shown = Buffer.concat([shown, bytes]);
      },
      connect: (given: CharacterFrontend) => {
        frontend = given;
      },
      ready: offer,
    };
    const session = new MonitorSession(target, backend, greet);
    return {
      session,
      target,
      shown: () => shown.toString('utf8'),
      clear: () => {
        shown = Buffer.alloc(0);
      },
      type: async (text: string) => {
        waiting.push(...Buffer.from(text, 'utf8'));
        offer();
        for (let i = 0; i < 20; i++) await Promise.resolve();
        await new Promise((resolve) => setImmediate(resolve));
      },
    };
  }

  it('greets, echoes, runs, prompts again', async () => {
    const { type, shown } = setup();
    expect(shown()).toBe("Pagurus 1.2.3 monitor - type 'help' for more information\r\n(qemu) ");
    await type('info status\r');
    expect(shown()).toMatch(/\(qemu\) info status\r\nVM status: running\r\n\(qemu\) $/);
  });

  it('prints errors as one line', async () => {
    const { type, shown } = setup();
    await type('nonsense\n');
    expect(shown()).toMatch(/Error: unknown command: 'nonsense'\r\n\(qemu\) $/);
  });

  it('edits: backspace, Ctrl-U, history', async () => {
    const { type, target, shown, clear } = setup();
    await type('stopx\x7f\r');
    await type('garbage\x15cont\r');
    expect(target.calls).toEqual(['stop', 'cont']);
    clear();
    await type('\x1b[A\x1b[A\r');
    expect(target.calls).toEqual(['stop', 'cont', 'stop']);
    expect(shown()).toBe('cont\b\b\b\b    \b\b\b\bstop\r\n(qemu) ');
  });

  it('takes CR LF as one line end and ignores empty lines', async () => {
    const { type, target, shown, clear } = setup();
    clear();
    await type('stop\r\n\r\n');
    expect(target.calls).toEqual(['stop']);
    expect(shown()).toBe('stop\r\n(qemu) \r\n(qemu) ');
  });

  it('makes what is typed wait while a command runs', async () => {
    let finish: () => void = () => {};
    const target = fakeTarget();
    target.migration.migrate = () => new Promise((resolve) => (finish = resolve));
    const { type, shown } = setup(target);
    await type('migrate tcp:h:1\rstop\r');
    expect(target.calls).toEqual([]);
    expect(shown()).toMatch(/migrate tcp:h:1\r\n$/);
    finish();
    await type('');
    expect(target.calls).toEqual(['stop']);
  });

  it('keeps UTF-8 in arguments', async () => {
    const { type, target, shown } = setup();
    await type('savevm ./krebs-ö\r');
    expect(target.calls).toEqual(['save ./krebs-ö']);
    expect(shown()).toContain('savevm ./krebs-ö\r\nsaved to ./krebs-ö');
  });

  it('greets every new client of a socket', async () => {
    const { session, type, shown, clear } = setup();
    await type('half a li');
    clear();
    session.opened();
    await type('info status\r');
    expect(shown()).toMatch(/^Pagurus .*\r\n\(qemu\) info status\r\nVM status: running/);
  });

  it('behind a mux it greets when it gets the focus', () => {
    const { session, shown } = setup(fakeTarget(), false);
    expect(shown()).toBe('');
    session.focused();
    session.focused();
    expect(shown().match(/monitor - type/g)).toHaveLength(1);
    expect(shown().match(/\(qemu\) /g)).toHaveLength(2);
  });
});
