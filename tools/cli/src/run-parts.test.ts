import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NEVER, type Timer } from '@pagurus/device-model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openConsoles } from './consoles.js';
import { KeyboardInput } from './keyboard-input.js';
import { findDataFile, readFirmware, readOptionFile } from './run-files.js';
import { parseRunOptions } from './run-options.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pagurus-parts-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('files that options name', () => {
  it('are looked for as named, then in -L folders', () => {
    writeFileSync(join(folder, 'bios.bin'), 'x');
    expect(findDataFile('bios.bin', [folder])).toBe(join(folder, 'bios.bin'));
    expect(findDataFile(join(folder, 'bios.bin'), [])).toBe(join(folder, 'bios.bin'));
    expect(findDataFile('./bios.bin', [folder])).toBeUndefined();
    expect([...readFirmware('bios.bin', [folder], 'other.bin')]).toEqual([0x78]);
    expect([...readFirmware(undefined, [folder], 'bios.bin')]).toEqual([0x78]);
  });

  it('that are missing are named with the places', () => {
    expect(() => readFirmware(undefined, [folder], 'no-such-bios.bin')).toThrow(
      /^no firmware: 'no-such-bios\.bin' is in none of .*; give -bios FILE .* or -kernel FILE$/,
    );
    expect(() => readOptionFile('kernel', folder)).toThrow(/^-kernel .*: cannot read it: is a directory$/);
  });
});

describe('keys from the monitor', () => {
  it('go down in order and up in reverse order after a time of the guest', () => {
    const input = new KeyboardInput();
    const events: string[] = [];
    input.onKey((name, down) => events.push(`${name} ${down ? 'down' : 'up'}`));
    let armed = NEVER;
    let fire: () => void = () => {};
    const clock = {
      now: () => 5n,
      wallClock: () => 0n,
      timer(callback: () => void): Timer {
        fire = callback;
        return {
          deadline: NEVER,
          cancel() {},
          arm(deadline) {
            armed = deadline;
          },
        };
      },
    };
    input.press(['ctrl', 'alt', 'delete'], 100, clock);
    expect(events).toEqual(['ctrl down', 'alt down', 'delete down']);
    expect(armed).toBe(100_000_005n);
    fire();
    expect(events.slice(3)).toEqual(['delete up', 'alt up', 'ctrl up']);
  });
});

describe('keys and buttons from a display', () => {
  it('are typed one after the other, each pressed and released', () => {
    const input = new KeyboardInput();
    const events: string[] = [];
    input.onKey((name, down) => events.push(`${name} ${down ? 'down' : 'up'}`));
    const due: bigint[] = [];
    let fire: () => void = () => {};
    const clock = {
      now: () => 5n,
      wallClock: () => 0n,
      timer(callback: () => void): Timer {
        fire = callback;
        return { deadline: NEVER, cancel() {}, arm: (deadline) => void due.push(deadline) };
      },
    };
    input.type(['shift', 'a'], clock);
    input.type(['b'], clock);
    expect(events).toEqual([]);
    fire();
    expect(events.splice(0)).toEqual(['shift down', 'a down', 'a up', 'shift up']);
    fire();
    expect(events).toEqual(['b down', 'b up']);
    expect(due).toEqual([5n, 10_000_005n]);
  });

  it('are lost beyond what can wait', () => {
    const input = new KeyboardInput();
    let strokes = 0;
    input.onKey((_name, down) => {
      if (down) strokes++;
    });
    let fire: () => void = () => {};
    const clock = {
      now: () => 0n,
      wallClock: () => 0n,
      timer(callback: () => void): Timer {
        fire = callback;
        return { deadline: NEVER, cancel() {}, arm() {} };
      },
    };
    for (let i = 0; i < 5000; i++) input.type(['a'], clock);
    for (let i = 0; i < 5000; i++) fire();
    expect(strokes).toBe(1024);
  });

  it('tell which buttons have changed', () => {
    const input = new KeyboardInput();
    const events: unknown[] = [];
    input.onPointer((event) => events.push(event));
    input.hold(5);
    input.hold(6);
    expect(events).toEqual([
      { kind: 'button', button: 'left', down: true },
      { kind: 'button', button: 'middle', down: true },
      { kind: 'button', button: 'left', down: false },
      { kind: 'button', button: 'right', down: true },
    ]);
  });
});

describe('consoles', () => {
  const host = { page: undefined, quit() {}, note() {} };
  const open = (line: string) => openConsoles(parseRunOptions(line.split(' ')), host);

  it('serial ports in order, none of them where none is wanted', async () => {
    const consoles = await open('-serial null -serial none -serial null');
    expect(consoles.serial.map((backend) => backend !== undefined)).toEqual([true, false, true]);
    expect([consoles.debugcon, consoles.monitor]).toEqual([undefined, undefined]);
    await consoles.close();
  });

  it('the monitor joins a shared one, behind Ctrl-A c', async () => {
    const consoles = await open(`-chardev ringbuf,id=r,mux=on -serial chardev:r`);
    expect(consoles.monitor?.greet).toBe(false);
    await consoles.close();
    const own = await open(`-serial null -monitor unix:${folder}/m,server=on,wait=off`);
    expect(own.monitor?.greet).toBe(true);
    await own.close();
  });

  it('devices find theirs by id', async () => {
    const consoles = await open('-chardev null,id=c -device isa-debugcon,chardev=c');
    expect(Object.keys(consoles.byId)).toEqual(['c']);
    await consoles.close();
  });

  it('a failure closes what was open', async () => {
    const path = `${folder}/s`;
    await expect(open(`-serial unix:${path},server=on,wait=off -serial file:${folder}/no/x`)).rejects.toThrow(/no such file/);
    // The address is free again.
    const again = await open(`-serial unix:${path},server=on,wait=off`);
    await again.close();
  });
});
