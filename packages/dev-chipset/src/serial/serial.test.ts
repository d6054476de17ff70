import { loadSection, realize, saveSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { StateError } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { golden, recordedBytes } from '../../test/recorded.js';
import { isaSerial } from './serial.js';
import type { IsaSerialState } from './serial.state.js';

const COM1 = 0x3f8;

class Host {
  readonly sent: number[] = [];
  frontend: { canReceive(): number; receive(bytes: Uint8Array): void } | undefined;
  readyCalls = 0;
  write(bytes: Uint8Array) {
    this.sent.push(...bytes);
  }
  connect(frontend: NonNullable<Host['frontend']>) {
    this.frontend = frontend;
  }
  ready() {
    this.readyCalls++;
  }
}

function port(properties: Partial<{ index: number; iobase: number; irq: number }> = { index: 0 }) {
  const host = new Host();
  const bench = realize(isaSerial, { properties, context: () => ({ backends: { chardev: host } }) });
  const { context, device } = bench;
  return {
    ...bench,
    host,
    in: (offset: number) => context.inb(COM1 + offset),
    out: (offset: number, value: number) => context.outb(COM1 + offset, value),
    irq: () => context.level('irq4'),
    receive: (...bytes: number[]) => host.frontend!.receive(Uint8Array.from(bytes)),
    state: () => (device.sections[0]!.state as IsaSerialState).state,
  };
}

describe('16550A registers', () => {
  it('come up as the datasheet and QEMU have them', () => {
    const serial = port();
    expect([1, 2, 3, 4, 5, 6, 7].map(serial.in)).toEqual([0x00, 0x01, 0x00, 0x08, 0x60, 0xb0, 0x00]);
  });

  it('show the divisor while DLAB is set', () => {
    const serial = port();
    serial.out(3, 0x83);
    serial.out(0, 0x01);
    serial.out(1, 0x02);
    expect([serial.in(0), serial.in(1), serial.state().divider]).toEqual([0x01, 0x02, 0x0201]);
    serial.out(3, 0x03);
    expect(serial.in(1)).toBe(0);
  });

  it('mask what does not exist', () => {
    const serial = port();
    serial.out(1, 0xff);
    serial.out(4, 0xff);
    serial.out(7, 0xa5);
    expect([serial.in(1), serial.in(4), serial.in(7)]).toEqual([0x0f, 0x1f, 0xa5]);
  });

  it('tell a 16550A from an 8250: FIFO bits appear with the FIFOs', () => {
    const serial = port();
    serial.out(2, 0x01);
    expect(serial.in(2) & 0xc0).toBe(0xc0);
    serial.out(2, 0x00);
    expect(serial.in(2) & 0xc0).toBe(0);
  });
});

describe('transmission', () => {
  it('reaches the host and leaves the transmitter empty', () => {
    const serial = port();
    serial.out(0, 0x41);
    serial.out(0, 0x42);
    expect(serial.host.sent).toEqual([0x41, 0x42]);
    expect(serial.in(5)).toBe(0x60);
  });

  it('interrupts when the holding register is empty, until IIR was read', () => {
    const serial = port();
    serial.out(1, 0x02);
    expect([serial.irq(), serial.in(2)]).toEqual([true, 0x02]);
    expect([serial.irq(), serial.in(2)]).toEqual([false, 0x01]);
    serial.out(0, 0x41);
    expect(serial.irq()).toBe(true);
    serial.out(1, 0x00);
    expect(serial.irq()).toBe(false);
  });
});

describe('reception', () => {
  it('without FIFOs takes one byte and reports an overrun', () => {
    const serial = port();
    serial.out(1, 0x05);
    expect(serial.host.frontend!.canReceive()).toBe(1);
    serial.receive(0x31);
    expect([serial.irq(), serial.in(2), serial.host.frontend!.canReceive()]).toEqual([true, 0x04, 0]);
    serial.receive(0x32);
    expect([serial.in(2), serial.in(5), serial.in(5)]).toEqual([0x06, 0x63, 0x61]);
    expect(serial.in(0)).toBe(0x32);
    expect([serial.irq(), serial.in(5)]).toEqual([false, 0x60]);
  });

  it('with FIFOs interrupts at the trigger level', () => {
    const serial = port();
    serial.out(2, 0x41); // level 4
    serial.out(1, 0x01);
    serial.receive(1, 2, 3);
    expect([serial.irq(), serial.host.frontend!.canReceive()]).toEqual([false, 1]);
    serial.receive(4);
    expect([serial.irq(), serial.in(2)]).toEqual([true, 0xc4]);
    expect([0, 0, 0, 0].map(serial.in)).toEqual([1, 2, 3, 4]);
    expect([serial.irq(), serial.in(5)]).toEqual([false, 0x60]);
  });

  it('interrupts for a few bytes after four character times', () => {
    const serial = port();
    serial.out(3, 0x03);
    serial.out(2, 0x81);
    serial.out(1, 0x01);
    serial.receive(9);
    // 8N1 at 9600 baud: ten bits of 104166 ns each.
    serial.context.advance(4_166_000);
    expect(serial.irq()).toBe(false);
    serial.context.advance(2000);
    expect([serial.irq(), serial.in(2)]).toEqual([true, 0xcc]);
    expect(serial.in(0)).toBe(9);
    expect(serial.irq()).toBe(false);
  });

  it('drops what does not fit a full FIFO', () => {
    const serial = port();
    serial.out(2, 0x01);
    serial.receive(...Array.from({ length: 17 }, (_, i) => i));
    expect(serial.host.frontend!.canReceive()).toBe(0);
    expect(serial.in(5)).toBe(0x63);
    expect(Array.from({ length: 17 }, () => serial.in(0))).toEqual([...Array.from({ length: 16 }, (_, i) => i), 0]);
  });

  it('tells the host when there is room again', () => {
    const serial = port();
    serial.receive(1);
    const before = serial.host.readyCalls;
    serial.in(0);
    expect(serial.host.readyCalls).toBe(before + 1);
  });

  it('is cleared by FCR', () => {
    const serial = port();
    serial.out(2, 0x01);
    serial.out(1, 0x01);
    serial.receive(1, 2);
    serial.out(2, 0x03);
    expect([serial.in(5), serial.irq(), serial.in(0)]).toEqual([0x60, false, 0]);
  });
});

describe('loopback', () => {
  it('returns what is sent, and modem outputs as inputs', () => {
    const serial = port();
    serial.out(4, 0x1a);
    serial.out(0, 0x55);
    expect([serial.in(5), serial.in(0), serial.host.sent]).toEqual([0x61, 0x55, []]);
    expect(serial.in(6) & 0xf0).toBe(0x90);
    serial.out(4, 0x15);
    expect(serial.in(6) & 0xf0).toBe(0x60);
    expect(serial.host.frontend!.canReceive()).toBe(0);
  });
});

describe('configuration', () => {
  it('names what is wrong', () => {
    expect(() => port({})).toThrow('isa-serial.index: give index=0 to 3, or iobase= and irq=');
    expect(() => port({ index: 4 })).toThrow('4 is not 0 to 3');
    expect(() => port({ index: 0, irq: 16 })).toThrow('16 is not an ISA interrupt request');
    expect(() => realize(isaSerial, { properties: { index: 0, baudbase: 0 } })).toThrow('isa-serial.baudbase: 0 bits per second');
  });
});

describe('section serial', () => {
  it('of a 7.2 guest in the middle of a loopback transfer goes on', () => {
    const serial = port();
    loadSection(serial.device.sections[0]!, recordedBytes('serial', 'QEMU 7.2 devstate-pc-i440fx-7.2-i386'), 3);
    serial.device.resume!();
    expect([serial.irq(), serial.in(2)]).toEqual([true, 0xcc]);
    expect(String.fromCharCode(...Array.from({ length: 5 }, () => serial.in(0)))).toBe('hello');
    expect(serial.irq()).toBe(false);
  });

  it('with a byte that the source’s host did not take sends it, and what waits behind it', () => {
    const source = port();
    source.out(2, 0x01);
    const waiting = source.state();
    Object.assign(waiting, { tsrRetry: 2, tsr: 0x41, thr: 0x43, lsr: 0x00 });
    waiting.transmitFifo.data.set([0x42, 0x43]);
    waiting.transmitFifo.num = 2;
    const saved = saveSection(source.device.sections[0]!)!;
    for (const name of ['serial/tsr', 'serial/xmit_fifo']) expect(Buffer.from(saved.bytes).includes(name)).toBe(true);

    const serial = port();
    loadSection(serial.device.sections[0]!, saved.bytes);
    serial.device.resume!();
    expect([serial.host.sent, serial.in(5)]).toEqual([[], 0x00]);
    expect(saveSection(serial.device.sections[0]!)!.bytes).toEqual(saved.bytes);
    serial.context.advance(0);
    expect([serial.host.sent, serial.in(5)]).toEqual([[0x41, 0x42, 0x43], 0x60]);

    const writer = port();
    loadSection(writer.device.sections[0]!, saved.bytes);
    writer.device.resume!();
    writer.out(0, 0x44);
    writer.context.advance(0);
    expect(writer.host.sent).toEqual([0x41, 0x42, 0x43, 0x44]);
  });

  it.each([
    ['a FIFO index outside', 35 + 16, 0x10],
    ['a full shift register without retries', 7, 0x20],
  ])('refuses %s', (_, offset, value) => {
    const bytes = recordedBytes('serial', 'QEMU 7.2 devstate-pc-i440fx-7.2-i386');
    const at = offset === 7 ? 7 : bytes.findIndex((_, i) => i > 28 && bytes[i - 1] === 0x01 && bytes[i] === 0x68) + 16 + 3;
    bytes[at] = value;
    expect(() => loadSection(port().device.sections[0]!, bytes, 3)).toThrow(StateError);
  });
});

describeConformance(isaSerial, {
  properties: { index: 0 },
  context: () => ({ backends: { chardev: new Host() } }),
  sections: [{ name: 'serial', version: 3, size: 11 }],
  ports: [[COM1, 8]],
  golden: golden('serial'),
  script: [
    ({ context }) => context.outb(COM1 + 2, 0x81),
    ({ context }) => context.outb(COM1 + 1, 0x07),
    ({ context }) => context.outb(COM1 + 4, 0x1b),
    ({ context }) => context.outb(COM1, 0x48),
    ({ context }) => context.outb(COM1, 0x49),
    ({ context }) => context.inb(COM1 + 2),
    ({ context }) => context.advance(3_000_000),
    ({ context }) => context.advance(3_000_000),
    ({ context }) => context.inb(COM1 + 2),
    ({ context }) => context.inb(COM1),
    ({ context }) => context.inb(COM1 + 5),
    ({ context }) => context.outb(COM1 + 4, 0x0b),
    ({ context }) => context.inb(COM1),
  ],
});
