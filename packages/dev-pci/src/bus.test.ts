import { PropertyError } from '@pagurus/device-model';
import { fakeContext } from '@pagurus/device-testkit';
import { describe, expect, it } from 'vitest';
import { formatDevfn, PciBus, parseDevfn, routerLine } from './bus.js';
import { PciFunction, type PciIdentity } from './function.js';
import { PciDeviceState } from './pci-device.state.js';

const bus = () => new PciBus({ name: 'pci.0', interrupt() {} });
const plug = (on: PciBus, devfn: number, identity: Partial<PciIdentity> = {}) =>
  new PciFunction(
    fakeContext({ id: `card${devfn}`, slot: () => on.slot(devfn) }),
    { pci: new PciDeviceState() },
    { type: 'card', vendorId: 1, deviceId: 2, classCode: 0, ...identity },
  );

describe('addresses', () => {
  it.each([
    ['4', 32],
    ['04.0', 32],
    ['0x4.1', 33],
    ['1f.7', 255],
    ['20', undefined],
    ['1.8', undefined],
    ['', undefined],
    ['x', undefined],
  ])("'%s' is devfn %s", (text, devfn) => {
    expect(parseDevfn(text)).toBe(devfn);
  });

  it('name sections as QEMU does', () => {
    expect(formatDevfn(11)).toBe('01.3');
    expect(bus().slot(11).path).toBe('0000:00:01.3');
    expect(bus().slot(0x1f << 3).path).toBe('0000:00:1f.0');
  });

  it('turn the pins of each slot', () => {
    expect([1, 2, 3, 4, 5].map((device) => routerLine(device << 3, 0))).toEqual([0, 1, 2, 3, 0]);
    expect([0, 1, 2, 3].map((pin) => routerLine(0, pin))).toEqual([3, 0, 1, 2]);
    expect(routerLine(11, 3)).toBe(3);
  });
});

describe('slots', () => {
  it('are given from the lowest free device number', () => {
    const on = bus();
    plug(on, 0);
    plug(on, 8, { multiFunction: true });
    plug(on, 9);
    expect(on.plug('card').devfn).toBe(16);
    plug(on, 16);
    expect(on.plug('card').devfn).toBe(24);
  });

  it('refuse what is taken, malformed or hidden', () => {
    const on = bus();
    plug(on, 24);
    expect(() => on.plug('card', { address: '3' })).toThrow(/card\.addr: slot 03\.0 of pci\.0 is in use by card24/);
    expect(() => on.plug('card', { address: 'huhu' })).toThrow(PropertyError);
    expect(() => plug(on, 24)).toThrow(PropertyError);
    expect(() => plug(on, 25)).toThrow(/multifunction/);
  });

  it('run out', () => {
    const on = bus();
    for (let device = 0; device < 32; device++) plug(on, device << 3);
    expect(() => on.plug('card')).toThrow(/no free slot/);
  });

  it('are free again after unplugging', () => {
    const on = bus();
    const entry = plug(on, 32);
    entry.unrealize();
    expect(on.find(32)).toBeUndefined();
    plug(on, 32);
    expect(on.list()).toHaveLength(1);
  });
});

describe('configuration accesses', () => {
  it('reach functions of bus 0 only', () => {
    const on = bus();
    plug(on, 8);
    expect(on.configRead(0x8000_0800, 4)).toBe(0x0002_0001);
    expect(on.configRead(0x8000_0802, 2)).toBe(2);
    expect(on.configRead(0x8000_1000, 4)).toBe(0xffff_ffff);
    expect(on.configRead(0x8001_0800, 4)).toBe(0xffff_ffff);
    expect(on.configRead(0x0000_0800, 4)).toBe(0xffff_ffff);
    on.configWrite(0x8000_0840, 0x1234_5678, 4);
    expect(on.find(8)!.configRead(0x42, 1)).toBe(0x34);
  });
});
