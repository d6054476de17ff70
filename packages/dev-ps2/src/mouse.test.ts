import { load, save } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { Ps2Mouse } from './mouse.js';
import { Ps2MouseState, ps2MouseVmState } from './mouse.state.js';

function mouse() {
  const device = new Ps2Mouse(() => {});
  const drain = () => Array.from({ length: device.state.common.count }, () => device.read());
  const send = (...bytes: number[]) => {
    for (const byte of bytes) device.receive(byte);
    return drain();
  };
  const move = (dx: number, dy: number, dz = 0) => device.pointer({ kind: 'move', dx, dy, dz });
  return { device, drain, send, move };
}

const rates = (send: (...bytes: number[]) => number[], ...list: number[]) => {
  for (const rate of list) send(0xf3, rate);
};

describe('PS/2 mouse', () => {
  it('answers RESET with ACK, self test and id', () => {
    expect(mouse().send(0xff)).toEqual([0xfa, 0xaa, 0x00]);
  });

  it('reports status, resolution and sample rate', () => {
    const { send } = mouse();
    send(0xff);
    expect(send(0xe9)).toEqual([0xfa, 0x00, 0x02, 100]);
    send(0xf4, 0xe7, 0xf0, 0xe8, 3, 0xf3, 40);
    expect(send(0xe9)).toEqual([0xfa, 0x70, 3, 40]);
    send(0xf6);
    expect(send(0xe9)).toEqual([0xfa, 0x00, 0x02, 100]);
  });

  it('is silent until enabled', () => {
    const { send, move, drain } = mouse();
    move(1, 1);
    expect(drain()).toEqual([]);
    send(0xf4);
    move(1, 1);
    expect(drain()).toEqual([0x28, 0x01, 0xff]);
  });

  it('reports buttons, and downward movement as negative', () => {
    const { device, send, move, drain } = mouse();
    send(0xf4);
    for (const button of ['left', 'right', 'middle'] as const) device.pointer({ kind: 'button', button, down: true });
    expect(drain()).toEqual([0x09, 0, 0, 0x0b, 0, 0, 0x0f, 0, 0]);
    device.pointer({ kind: 'button', button: 'right', down: false });
    drain();
    move(-3, 2);
    expect(drain()).toEqual([0x08 | 0x05 | 0x30, 0xfd, 0xfe]);
  });

  it('ignores positions, which only an absolute mouse knows', () => {
    const { device, send, drain } = mouse();
    send(0xf4);
    device.pointer({ kind: 'position', x: 5, y: 5 });
    expect(drain()).toEqual([]);
  });

  it('splits a long way into packets and keeps what the queue has no room for', () => {
    const { device, send, move, drain } = mouse();
    send(0xf4);
    move(300, 0);
    expect(drain()).toEqual([8, 127, 0, 8, 127, 0, 8, 46, 0]);
    move(2000, 0);
    expect(drain()).toHaveLength(15);
    expect(device.state.dx).toBe(2000 - 5 * 127);
  });

  it('in remote mode speaks only when asked', () => {
    const { send, move, drain } = mouse();
    send(0xf4, 0xf0);
    move(5, 0);
    expect(drain()).toEqual([]);
    expect(send(0xeb)).toEqual([0xfa, 0x08, 5, 0]);
    send(0xea);
    move(1, 0);
    expect(drain()).toEqual([0x08, 1, 0]);
  });

  it('in wrap mode echoes all but RESET and RESET_WRAP', () => {
    const { send } = mouse();
    send(0xee);
    expect(send(0x42, 0xe9, 0xeb)).toEqual([0x42, 0xe9, 0xeb]);
    expect(send(0xec, 0xf2)).toEqual([0xfa, 0xfa, 0x00]);
  });

  it('becomes a wheel mouse after rates 200, 100, 80 and an Explorer after 200, 200, 80', () => {
    const wheel = mouse();
    rates(wheel.send, 200, 100, 80);
    expect(wheel.send(0xf2, 0xf4)).toEqual([0xfa, 3, 0xfa]);
    wheel.move(0, 0, -200);
    expect(wheel.drain()).toEqual([8, 0, 0, 0x81, 8, 0, 0, 0xb7]);
    const explorer = mouse();
    rates(explorer.send, 200, 200, 80);
    expect(explorer.send(0xf2, 0xf4)).toEqual([0xfa, 4, 0xfa]);
    explorer.move(0, 0, 9);
    expect(explorer.drain()).toEqual([8, 0, 0, 7, 8, 0, 0, 2]);
  });

  it.each([[[200, 100, 40]], [[200, 80]], [[100, 200, 100, 200, 80]], [[200, 200, 100, 80]]])(
    'stays plain after rates %j',
    (list) => {
      const { send } = mouse();
      rates(send, ...list);
      expect(send(0xf2)).toEqual([0xfa, 0x00]);
    },
  );

  it('says nothing to a command it does not know', () => {
    expect(mouse().send(0xe1)).toEqual([]);
  });
});

describe('ps2mouse section', () => {
  it('carries a movement that did not fit into the queue, and a rate waiting for its value', () => {
    const { device, send, move } = mouse();
    send(0xf4, 0xf3);
    move(-2000, 0);
    const copy = mouse();
    load(ps2MouseVmState, copy.device.state, save(ps2MouseVmState, device.state));
    expect(copy.device.state).toEqual(device.state);
    expect(copy.drain().slice(0, 3)).toEqual([0x18, 0x81, 0]);
    copy.send(200);
    expect(copy.device.state.sampleRate).toBe(200);
  });

  it('mends hostile indices', () => {
    const evil = new Ps2MouseState();
    Object.assign(evil.common, { rptr: 1000, count: 1 << 20, wptr: -7 });
    const { device, send } = mouse();
    load(ps2MouseVmState, device.state, save(ps2MouseVmState, evil));
    expect(device.state.common).toMatchObject({ rptr: 1000 & 255, count: 16, wptr: (1000 + 16) & 255 });
    expect(send(0xff)).toEqual([0xfa, 0xaa, 0]);
  });
});
