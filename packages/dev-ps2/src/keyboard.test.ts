import { load, type StateError, save } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { pc } from '../test/helpers.js';
import { Ps2Keyboard } from './keyboard.js';
import { Ps2KeyboardState, ps2KeyboardVmState } from './keyboard.state.js';
import { KEY_NAMES } from './scancodes.js';

function keyboard() {
  const levels: boolean[] = [];
  const device = new Ps2Keyboard((level) => levels.push(level));
  return {
    device,
    levels,
    send: (...bytes: number[]) => {
      for (const byte of bytes) device.receive(byte);
    },
    drain: () => Array.from({ length: device.state.common.count }, () => device.read()),
    type(...keys: string[]) {
      for (const key of keys) {
        device.key(key, true);
        device.key(key, false);
      }
    },
  };
}

describe('PS/2 keyboard', () => {
  it.each([
    ['RESET', [0xff], [0xfa, 0xaa]],
    ['ECHO', [0xee], [0xee]],
    ['READ ID', [0xf2], [0xfa, 0xab, 0x83]],
    ['an unknown command', [0x42], [0xfe]],
    ['0x05, which some firmware sends', [0x05], [0xfe]],
    ['0x00', [0x00], [0xfa]],
  ])('answers %s', (_, bytes, answer) => {
    const { send, drain } = keyboard();
    send(...bytes);
    expect(drain()).toEqual(answer);
  });

  it('takes LEDs, typematic rate and key type with an argument', () => {
    const { send, drain, device } = keyboard();
    for (const [command, argument] of [
      [0xed, 0x05],
      [0xf3, 0x20],
      [0xfc, 0x12],
    ] as const) {
      send(command);
      expect(drain()).toEqual([0xfa]);
      send(argument);
      expect(drain()).toEqual([0xfa]);
    }
    expect(device.state.leds).toBe(5);
  });

  it('selects and tells the scan code set, and refuses a fourth', () => {
    const { send, drain, device } = keyboard();
    send(0xf0);
    drain();
    send(3);
    expect([drain(), device.state.scancodeSet]).toEqual([[0xfa], 3]);
    send(0xf0);
    drain();
    send(0);
    expect(drain()).toEqual([0xfa, 3]);
    send(0xf0);
    drain();
    send(4);
    expect([drain(), device.state.scancodeSet]).toEqual([[0xfe], 3]);
  });

  it('is silent while disabled, and after DEFAULT_DISABLE in set 2 again', () => {
    const { send, drain, type, device } = keyboard();
    device.state.scancodeSet = 1;
    send(0xf5);
    drain();
    type('a');
    expect(drain()).toEqual([]);
    send(0xf4);
    drain();
    type('a');
    expect(drain()).toEqual([0x1c, 0xf0, 0x1c]);
  });

  it('puts replies in front of keys and drops replies that nobody fetched', () => {
    const { send, drain, type } = keyboard();
    type('a');
    send(0xf2);
    send(0xee);
    expect(drain()).toEqual([0xee, 0x1c, 0xf0, 0x1c]);
  });

  it('queues sixteen bytes of keys and drops the rest, and still answers', () => {
    const { send, drain, type } = keyboard();
    type('a', 'b', 'c', 'd', 'e', 'f', 'g');
    send(0xf2);
    expect(drain()).toEqual([0xfa, 0xab, 0x83, ...[0x1c, 0x32, 0x21, 0x23, 0x24].flatMap((code) => [code, 0xf0, code]), 0x2b]);
  });

  it.each([
    [1, 'a', [0x1e, 0x9e]],
    [2, 'a', [0x1c, 0xf0, 0x1c]],
    [3, 'a', [0x1c, 0xf0, 0x1c]],
    [1, 'up', [0xe0, 0x48, 0xe0, 0xc8]],
    [2, 'up', [0xe0, 0x75, 0xe0, 0xf0, 0x75]],
    [3, 'up', [0x63, 0xf0, 0x63]],
    [1, 'pause', [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]],
    [2, 'pause', [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77]],
    [3, 'pause', [0x62, 0xf0, 0x62]],
    [1, 'print', [0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa]],
    [3, 'sysrq', [0x57, 0xf0, 0x57]],
    [2, 'lang1', []],
    [2, 'no such key', []],
  ])('in set %i sends %s', (set, key, codes) => {
    const { device, drain, type } = keyboard();
    device.state.scancodeSet = set;
    type(key);
    expect(drain()).toEqual(codes);
  });

  it.each([
    ['ctrl', 'pause', [0xe0, 0x7e, 0xe0, 0xf0, 0x7e]],
    ['shift', 'print', [0xe0, 0x7c, 0xe0, 0xf0, 0x7c]],
    ['alt', 'print', [0xf0, 0x11, 0x11, 0x84, 0xf0, 0x84, 0xf0, 0x11, 0x11]],
    ['alt_r', 'sysrq', [0xe0, 0xf0, 0x11, 0xe0, 0x11, 0x84, 0xf0, 0x84, 0xe0, 0xf0, 0x11, 0xe0, 0x11]],
  ])('with %s held sends another %s', (modifier, key, codes) => {
    const { device, drain, type } = keyboard();
    device.key(modifier, true);
    drain();
    type(key);
    expect(drain()).toEqual(codes);
    device.key(modifier, false);
  });

  it('with translation sends every key of set 2 as set 1', () => {
    const { device, drain } = keyboard();
    for (const key of KEY_NAMES) {
      device.setTranslation(true);
      device.state.scancodeSet = 2;
      device.key(key, true);
      const translated = drain();
      device.setTranslation(false);
      device.state.scancodeSet = 1;
      device.key(key, true);
      const plain = drain();
      if (translated.length > 0) expect([key, translated]).toEqual([key, plain]);
    }
  });

  it('has distinct codes for all keys of a set, but for the two names of the asterisk and of Print Screen', () => {
    const seen = new Map<string, string>();
    const twice: string[] = [];
    for (const key of KEY_NAMES) {
      const { device, drain } = keyboard();
      device.state.scancodeSet = 1;
      device.key(key, true);
      const codes = drain().join();
      if (seen.has(codes)) twice.push(`${key} = ${seen.get(codes)}`);
      seen.set(codes, key);
    }
    expect(twice).toEqual(['kp_multiply = asterisk', 'sysrq = print']);
  });

  it('keeps its data line high as long as bytes wait', () => {
    const { type, drain, levels } = keyboard();
    type('a');
    drain();
    expect(levels).toEqual([true, true, false, true, false, true, false]);
  });
});

describe('ps2kbd section', () => {
  it('is 284 bytes at power-on and grows by a lit LED, a half translated release and waiting replies', () => {
    const { device, send } = keyboard();
    const size = () => save(ps2KeyboardVmState, device.state).length;
    const subsection = (name: string, bytes: number) => 2 + name.length + 4 + bytes;
    expect(size()).toBe(284);
    device.state.leds = 2;
    expect(size()).toBe(284 + subsection('ps2kbd/ledstate', 4));
    device.state.needHighBit = true;
    send(0xee);
    const all =
      subsection('ps2kbd/ledstate', 4) + subsection('ps2kbd/need_high_bit', 1) + subsection('ps2kbd/command_reply_queue', 4);
    expect(size()).toBe(284 + all);
  });

  it('loads version 2, which had no scancode set: it was 2', () => {
    const { device } = keyboard();
    const source = new Ps2KeyboardState();
    source.translate = true;
    const state = new Ps2KeyboardState();
    state.scancodeSet = 1;
    expect(load(ps2KeyboardVmState, state, save(ps2KeyboardVmState, source).subarray(0, 280), 2)).toBe(280);
    expect(state).toMatchObject({ scancodeSet: 2, translate: true });
    expect(device.state.scancodeSet).toBe(2);
  });

  it.each([
    [1, 'version-too-old'],
    [4, 'version-too-new'],
  ])('refuses version %i', (version, code) => {
    let error: unknown;
    try {
      load(ps2KeyboardVmState, new Ps2KeyboardState(), new Uint8Array(284), version);
    } catch (thrown) {
      error = thrown;
    }
    expect((error as StateError).code).toBe(code);
  });

  it.each([
    { rptr: -1, wptr: 9, count: 1 << 30, replyEnd: -1, expected: { rptr: 255, wptr: 15, count: 16 } },
    { rptr: 250, wptr: 0, count: -5, replyEnd: -1, expected: { rptr: 250, wptr: 250, count: 0 } },
    { rptr: 10, wptr: 12, count: 2, replyEnd: 200, expected: { rptr: 10, wptr: 18, count: 8 } },
    { rptr: 10, wptr: 50, count: 40, replyEnd: 13, expected: { rptr: 10, wptr: 29, count: 19 } },
  ])('mends stale or hostile indices: $rptr $wptr $count $replyEnd', ({ expected, replyEnd, ...indices }) => {
    const evil = new Ps2KeyboardState();
    Object.assign(evil.common, indices);
    evil.replyEnd = replyEnd;
    const { device, drain, send } = keyboard();
    load(ps2KeyboardVmState, device.state, save(ps2KeyboardVmState, evil));
    expect(device.state.common).toMatchObject(expected);
    send(0xff);
    expect(drain()).toEqual([0xfa, 0xaa]);
  });

  it('forgets what an absent subsection would have said', () => {
    const state = new Ps2KeyboardState();
    Object.assign(state, { leds: 7, needHighBit: true, replyEnd: 5 });
    load(ps2KeyboardVmState, state, save(ps2KeyboardVmState, new Ps2KeyboardState()));
    expect(state).toMatchObject({ leds: 0, needHighBit: false, replyEnd: -1 });
  });
});

describe('typing on a PC', () => {
  it('arrives as set 1 after the firmware switched translation on', () => {
    const { command, press, drain } = pc();
    command(0x60, 0x61);
    press('h', 'i');
    expect(drain()).toEqual([0x23, 0xa3, 0x17, 0x97]);
  });
});
