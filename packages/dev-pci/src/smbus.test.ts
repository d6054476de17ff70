import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { PropertyError } from '@pagurus/device-model';
import { defaultProperties, fakeContext, goldenSection, loadSection, realize, saveSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { load, StateError, save } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { I2cBus, type I2cSlave } from './i2c.js';
import { i2cBusVmState, NO_SLAVE } from './i2c.state.js';
import { SMBUS, SMBUS_STATUS } from './piix4.spec.js';
import { smbusEeprom } from './smbus-eeprom.js';
import type { SmbusEepromState } from './smbus-eeprom.state.js';
import { SmbusHost } from './smbus-host.js';
import { smbusHostVmState } from './smbus-host.state.js';

const file = (name: string) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));
const fixture = (name: string) => new Uint8Array(file(`${name}.bin`));

/** The controller with the eight memories of a PC. */
function host() {
  const bus = new I2cBus();
  const context = fakeContext({ backends: { smbus: bus } });
  for (let address = 0x50; address < 0x58; address++)
    smbusEeprom.create(context, { ...defaultProperties(smbusEeprom), address }).reset();
  const smbus = new SmbusHost(bus, context.log);
  const write = (offset: number, value: number) => smbus.registers.write(offset, value, 1);
  const read = (offset: number) => smbus.registers.read(offset, 1);
  const run = (protocol: number, address: number, command: number, data0 = 0, data1 = 0) => {
    write(SMBUS.STATUS, 0xff);
    write(SMBUS.ADDRESS, address);
    write(SMBUS.COMMAND, command);
    write(SMBUS.DATA0, data0);
    write(SMBUS.DATA1, data1);
    write(SMBUS.CONTROL, 0x40 | (protocol << 2));
    return [read(SMBUS.STATUS), read(SMBUS.STATUS)];
  };
  return { smbus, bus, context, write, read, run };
}

describe('SMBus host controller', () => {
  it('shows busy once, then the outcome', () => {
    const { run } = host();
    expect(run(2, 0xa0, 0x10, 0x5c)).toEqual([SMBUS_STATUS.BUSY, SMBUS_STATUS.INTERRUPT]);
    expect(run(0, 0x60, 0)).toEqual([SMBUS_STATUS.BUSY, SMBUS_STATUS.DEVICE_ERROR]);
  });

  it('writes and reads bytes and words', () => {
    const { run, read } = host();
    run(2, 0xa0, 0x10, 0x5c);
    run(3, 0xa0, 0x20, 0x34, 0x12);
    run(2, 0xa1, 0x10);
    expect(read(SMBUS.DATA0)).toBe(0x5c);
    run(3, 0xa1, 0x20);
    expect([read(SMBUS.DATA0), read(SMBUS.DATA1)]).toEqual([0x34, 0x12]);
    run(1, 0xa1, 0);
    expect(read(SMBUS.DATA0)).toBe(0);
  });

  it('keeps an error until it is cleared', () => {
    const { run, read, write } = host();
    run(2, 0x61, 0);
    write(SMBUS.ADDRESS, 0xa1);
    write(SMBUS.CONTROL, 0x48);
    read(SMBUS.STATUS);
    expect(read(SMBUS.STATUS)).toBe(SMBUS_STATUS.DEVICE_ERROR);
  });

  it('does step for step what QEMU did in a random run', () => {
    const trace = JSON.parse(gunzipSync(file('smbus.trace.json.gz')).toString()) as [number, number, number?][];
    const { read, write } = host();
    const found: string[] = [];
    trace.forEach(([offset, value, expected], step) => {
      if (value >= 0) write(offset, value);
      else {
        const got = read(offset);
        if (got !== expected) found.push(`step ${step}: port ${offset} read ${got} instead of ${expected}`);
      }
    });
    expect(trace.length).toBe(4000);
    expect(found).toEqual([]);
  });

  it('goes on in the middle of a block read after a move', () => {
    const a = host();
    const b = host();
    for (const { run, write } of [a, b]) {
      for (let i = 0; i < 4; i++) run(2, 0xa0, 0x20 + i, 3 + i);
      write(SMBUS.AUXILIARY_CONTROL, 0);
    }
    a.run(5, 0xa1, 0x20);
    load(smbusHostVmState, b.smbus.state, save(smbusHostVmState, a.smbus.state));
    for (const { write } of [a, b]) write(SMBUS.STATUS, 0x80);
    expect(a.read(SMBUS.BLOCK_DATA)).toBe(5);
    expect(b.read(SMBUS.BLOCK_DATA)).toBe(5);
    expect(b.smbus.state).toEqual(a.smbus.state);
  });

  it('never leaves its buffer, whatever a stream says', () => {
    const { smbus, read } = host();
    smbus.state.index = 0xffff_fff0;
    load(smbusHostVmState, smbus.state, save(smbusHostVmState, smbus.state));
    expect(smbus.state.index).toBe(0);
    expect(read(SMBUS.BLOCK_DATA)).toBe(0);
  });
});

describe('I2C bus', () => {
  it('knows the slave of a transfer in progress', () => {
    const { bus } = host();
    expect(save(i2cBusVmState, bus.state)).toEqual(Uint8Array.of(NO_SLAVE));
    bus.start(0x53, false);
    expect(save(i2cBusVmState, bus.state)).toEqual(fixture('smbus.i2c_bus'));
    bus.stop();
    expect(bus.state.savedAddress).toBe(NO_SLAVE);
  });

  it('refuses two slaves at one address', () => {
    const { bus, context } = host();
    expect(() => smbusEeprom.create(context, defaultProperties(smbusEeprom))).toThrow(RangeError);
    expect(bus.start(0x30, false)).toBe(false);
  });

  it('has no answer from an address that a stream made up', () => {
    const { bus } = host();
    load(i2cBusVmState, bus.state, Uint8Array.of(0x11));
    bus.send(1);
    expect(bus.receive()).toBe(0xff);
  });
});

describe('smbus-eeprom', () => {
  const bench = (contents?: Uint8Array) =>
    realize(smbusEeprom, { context: () => ({ backends: { smbus: new I2cBus(), contents } }) });

  it('needs a bus', () => {
    expect(() => realize(smbusEeprom)).toThrow(PropertyError);
  });

  it('is sent only once somebody used it', () => {
    const { context, device } = bench();
    const bus = context.backend<I2cBus>('smbus')!;
    expect(saveSection(device.sections[0]!)).toBeUndefined();
    bus.start(0x50, true);
    bus.receive();
    bus.refuse();
    bus.stop();
    expect(saveSection(device.sections[0]!)!.bytes).toHaveLength(301);
    device.reset();
    expect(saveSection(device.sections[0]!)).toBeUndefined();
  });

  it('holds its contents again after a reset', () => {
    const { context, device } = bench(Uint8Array.of(0x80, 0x08, 0x07));
    const bus = context.backend<I2cBus>('smbus')!;
    bus.start(0x50, false);
    for (const byte of [1, 0x99]) bus.send(byte);
    bus.stop();
    const state = device.sections[0]!.state as SmbusEepromState;
    expect(state.data[1]).toBe(0x99);
    device.reset();
    expect([...state.data.subarray(0, 3)]).toEqual([0x80, 0x08, 0x07]);
  });

  it('refuses a buffer length that is none', () => {
    const { device } = bench();
    const bytes = fixture('smbus.smbus-eeprom-1');
    bytes[8] = 35;
    expect(() => loadSection(device.sections[0]!, bytes)).toThrow(StateError);
  });
});

/** A bus that talks to its only slave at once, so that it has nothing to remember itself. */
class DirectBus {
  slave: I2cSlave | undefined;
  attach(slave: I2cSlave): void {
    this.slave = slave;
  }
  detach(): void {}
}

const slave = (context: { backend<B>(name: string): B | undefined }) => context.backend<DirectBus>('smbus')!.slave!;

describeConformance(smbusEeprom, {
  context: () => ({ backends: { smbus: new DirectBus() } }),
  sections: [],
  events: [
    ({ context }) => slave(context).start(false),
    ({ context }) => slave(context).start(true),
    ({ context }, random) => slave(context).send(random.below(256)),
    ({ context }) => slave(context).receive(),
    ({ context }) => slave(context).refuse(),
    ({ context }) => slave(context).stop(),
  ],
  hostileRounds: 100,
  golden: [1, 3].map((n) =>
    goldenSection('smbus-eeprom', fixture(`smbus.smbus-eeprom-${n}`), { origin: `QEMU 7.2 instance ${n}` }),
  ),
});
