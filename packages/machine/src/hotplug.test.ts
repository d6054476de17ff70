import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { PropertyError } from '@pagurus/device-model';
import { beforeAll, describe, expect, it } from 'vitest';
import type { MachineConfig } from './config.js';
import { createMachine, type Machine } from './machine.js';
import { MachineError } from './machine-type.js';
import { findMachineType } from './presets/index.js';

let cpuModule: WebAssembly.Module;
beforeAll(async () => {
  cpuModule = await WebAssembly.compile(readFileSync(createRequire(import.meta.url).resolve('@pagurus/cpu-wasm/cpu.wasm')));
});

const machine = (config: Partial<MachineConfig> = {}, name = 'pc-i440fx-7.2'): Machine =>
  createMachine(
    findMachineType(name),
    { memory: 16 * 2 ** 20, noDefaults: true, firmware: new Uint8Array(0x10000), ...config },
    { cpuModule },
  );
const card = (id: string, addr?: string, more: object = {}) => ({
  driver: 'virtio-rng-pci',
  id,
  ...(addr === undefined ? {} : { addr }),
  properties: {},
  ...more,
});
/** What the guest's methods do with the registers at 0xae00. */
const registers = ({ ports }: Machine, bus = 0) => {
  const select = () => ports.write(0xae10, bus, 4);
  const read = (offset: number) => {
    select();
    return ports.read(0xae00 + offset, 4);
  };
  return {
    up: () => read(0),
    down: () => read(4),
    removable: () => read(0xc),
    eject(slots: number) {
      select();
      ports.write(0xae08, slots, 4);
    },
  };
};
const identity = ({ ports }: Machine, address: number) => {
  ports.write(0xcf8, address, 4);
  return ports.read(0xcfc, 4);
};
const names = (of: Machine) => of.sections.map(({ idstr, instance }) => `${idstr}/${instance}`);
const SLOT_5 = 0x8000_2800;

describe('a card that comes and goes', () => {
  it('is announced, answers, and leaves nothing behind', () => {
    const pc = machine();
    const before = {
      names: names(pc),
      regions: pc.memory.pieces().length,
      ports: pc.ports.flat().length,
      devices: pc.devices.length,
    };
    const deleted: string[] = [];
    pc.composer.deviceDeleted.push(({ id }) => deleted.push(id));
    pc.composer.hotplug(card('r0', '5'));
    expect(identity(pc, SLOT_5)).toBe(0x1005_1af4);
    expect(registers(pc).up()).toBe(0x20);
    expect(registers(pc).up()).toBe(0);
    expect(names(pc)).toContain('0000:00:05.0/virtio-rng/0');

    pc.composer.requestUnplug('r0');
    pc.composer.requestUnplug('r0');
    expect([registers(pc).down(), deleted, identity(pc, SLOT_5)]).toEqual([0x20, [], 0x1005_1af4]);
    registers(pc).eject(0x20);
    expect([registers(pc).down(), deleted, identity(pc, SLOT_5)]).toEqual([0, ['r0'], 0xffff_ffff]);
    expect({
      names: names(pc),
      regions: pc.memory.pieces().length,
      ports: pc.ports.flat().length,
      devices: pc.devices.length,
    }).toEqual(before);
    pc.composer.hotplug(card('r0', '5'));
    expect(registers(pc).up()).toBe(0x20);
  });

  it('gives its memory back', () => {
    const pc = machine({ roms: { 'card.rom': new Uint8Array(5000).fill(0x55) } });
    const add = () => pc.composer.hotplug({ driver: 'ne2k_pci', id: 'n0', addr: '5', properties: { romfile: 'card.rom' } });
    const blocks = () => pc.ramBlocks.map(({ name }) => name);
    const before = blocks();
    const size = pc.cpu.memory.buffer.byteLength;
    for (let round = 0; round < 100; round++) {
      add();
      expect(blocks().length).toBe(before.length + 1);
      registers(pc).eject(0x20);
      expect(blocks()).toEqual(before);
    }
    expect(pc.cpu.memory.buffer.byteLength - size).toBeLessThan(2 ** 20);
  });

  it('goes at a reset, where it was asked to', () => {
    const pc = machine();
    pc.composer.hotplug(card('r0', '5'));
    pc.composer.requestUnplug('r0');
    pc.requestReset('test');
    expect(identity(pc, SLOT_5)).toBe(0xffff_ffff);
  });

  it('takes the functions of its slot along; function 0 comes last', () => {
    const pc = machine();
    pc.composer.hotplug(card('f1', '5.1'));
    pc.composer.hotplug(card('f0', '5.0', { properties: { multifunction: 'on' } }));
    expect(() => pc.composer.hotplug(card('f2', '5.2'))).toThrow(/addr: function 0 of slot 05\.0 is there already \(f0\)/);
    pc.composer.requestUnplug('f1');
    registers(pc).eject(0x20);
    expect(pc.devices.filter(({ type }) => type === 'virtio-rng-pci')).toEqual([]);
  });

  it('waits behind a bridge, and goes with a bridge that came', () => {
    const bridge = { driver: 'pci-bridge', id: 'br0', addr: '6', properties: { chassis_nr: 1 } };
    const pc = machine({ devices: [bridge] });
    pc.composer.hotplug(card('r0', '3', { bus: 'br0' }));
    expect([registers(pc).up(), registers(pc, 1).up()]).toEqual([0, 8]);
    expect(names(pc)).toContain('0000:00:06.0:03.0/virtio-rng/0');
    expect(() => pc.composer.requestUnplug('br0')).toThrow(/'br0' does not support hotplugging/);
    // The guest cannot throw out what it may not.
    registers(pc).eject(0x40);
    expect(pc.devices.some(({ id }) => id === 'br0')).toBe(true);

    pc.composer.hotplug({ ...bridge, id: 'br1', addr: '7', properties: { chassis_nr: 2 } });
    expect(() => pc.composer.hotplug(card('r1', '1', { bus: 'br1' }))).toThrow(/bus 'br1' does not support hotplugging/);
    pc.composer.requestUnplug('br1');
    registers(pc).eject(0x80);
    expect(() => pc.composer.plug(card('r1', '1', { bus: 'br1' }))).toThrow(
      /bus 'br1' not found; this machine has: .*pci\.0, isa\.0, br0/,
    );
  });
});

describe('a configuration that cannot be', () => {
  it.each([
    ['two devices on a slot', [card('a', '5'), card('b', '5')], /virtio-rng-pci\.addr: slot 05\.0 of pci\.0 is in use by a/],
    ['a slot out of range', [card('a', '20')], /virtio-rng-pci\.addr: '20' is not a PCI address/],
    ['a function out of range', [card('a', '5.8')], /virtio-rng-pci\.addr: '5\.8'/],
    ['a hidden function', [card('a', '5'), card('b', '5.1')], /virtio-rng-pci\.addr: function 05\.1 is hidden/],
    [
      'an absent bus',
      [card('a', '5', { bus: 'pci.9' })],
      /virtio-rng-pci\.bus: bus 'pci\.9' not found; this machine has: .*pci\.0/,
    ],
    ['a bus of another kind', [card('a', '5', { bus: 'isa.0' })], /virtio-rng-pci\.bus: .* cannot go on bus 'isa\.0'/],
    ['an unknown property', [card('a', '5', { properties: { speed: 9 } })], /virtio-rng-pci\.speed/],
    [
      'a value of another type',
      [card('a', '5', { properties: { vectors: 'many' } })],
      /virtio-rng-pci\.vectors: 'many' is not a number/,
    ],
    ['one id for two', [card('a', '5'), card('a', '6')], /duplicate device id 'a'/],
    ['an unknown device', [{ driver: 'toaster', properties: {} }], /'toaster' is not a known device/],
    ['a part of the machine', [{ driver: 'i440FX-pcihost', properties: {} }], /part of a machine/],
    ['a bridge without chassis', [{ driver: 'pci-bridge', properties: {} }], /pci-bridge\.chassis_nr/],
    [
      'a module without slots',
      [{ driver: 'pc-dimm', properties: { memdev: 'm0' } }],
      /pc-dimm\.slot: the machine has no memory slots/,
    ],
    [
      'two generation IDs',
      [
        { driver: 'vmgenid', properties: {} },
        { driver: 'vmgenid', properties: {} },
      ],
      /at most one vmgenid/,
    ],
  ] as [string, MachineConfig['devices'], RegExp][])('%s', (_, devices, message) => {
    expect(() => machine({ devices: devices! })).toThrow(message);
  });

  it('leaves a running machine as it was', () => {
    const pc = machine();
    const state = () => [names(pc), pc.ports.flat(), pc.devices.length, pc.memory.pieces().length];
    const before = state();
    for (const wanted of [
      card('a', '1'),
      card('a', '5', { properties: { packed: 'on' } }),
      { driver: 'ne2k_pci', id: 'a', properties: { romfile: 'absent.rom' } },
      { driver: 'isa-debugcon', id: 'a', properties: {} },
      { driver: 'vmcoreinfo', id: 'a', properties: {} },
    ])
      expect(() => pc.composer.hotplug(wanted), wanted.driver).toThrow(Error);
    expect(state()).toEqual(before);
    pc.composer.hotplug(card('a', '5'));
  });

  it('nothing comes or goes without ACPI, or with the root bus closed', () => {
    expect(() => machine({ properties: { acpi: 'off' } }).composer.hotplug(card('a'))).toThrow(MachineError);
    const globals = [{ driver: 'PIIX4_PM', property: 'acpi-root-pci-hotplug', value: 'off' }];
    expect(() => machine({ globals }).composer.hotplug(card('a'))).toThrow(/bus 'pci\.0' does not support hotplugging/);
  });
});

describe('memory modules', () => {
  const MIB = 2 ** 20;
  const config = { memorySlots: { count: 2, maximum: 80 * MIB }, backends: { memdev: { m0: { size: 16 * MIB } } } };

  it('come and go through the registers at 0xa00', () => {
    const pc = machine({ ...config, devices: [{ driver: 'pc-dimm', id: 'd0', properties: { memdev: 'm0' } }] });
    pc.composer.addBackend('memdev', 'm1', { size: 32 * MIB });
    pc.composer.hotplug({ driver: 'pc-dimm', id: 'd1', properties: { memdev: 'm1' } });
    pc.ports.write(0xa00, 1, 4);
    expect([pc.ports.read(0xa00, 4), pc.ports.read(0xa04, 4), pc.ports.read(0xa08, 4), pc.ports.read(0xa14, 1)]).toEqual([
      16 * MIB,
      1,
      32 * MIB,
      3,
    ]);
    expect(pc.ramBlocks.map(({ name }) => name)).toEqual(expect.arrayContaining(['m0', 'm1']));
    pc.composer.requestUnplug('d1');
    pc.ports.write(0xa14, 8, 1);
    expect(pc.ramBlocks.map(({ name }) => name)).not.toContain('m1');
    expect(pc.ports.read(0xa14, 1)).toBe(0);
  });

  it.each([
    [{ count: 2, maximum: 16 * MIB }, /slots=2,maxmem=16777216: expected slots exactly where there is room/],
    [{ count: 0, maximum: 32 * MIB }, /expected slots exactly/],
    [{ count: 2, maximum: 8 * MIB }, /maxmem=8388608: .* at least the machine's/],
  ])('%o is refused', (memorySlots, message) => {
    expect(() => machine({ memorySlots })).toThrow(message);
  });

  it('are not for machines before 2.1', () => {
    expect(() => machine({ memorySlots: config.memorySlots }, 'pc-i440fx-2.0')).toThrow(PropertyError);
  });
});
