import { type Bench, FakeContext, goldenSection, propertiesOfMachine, realize, type Step } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { FakeInput } from '../test/helpers.js';
import { compat, i8042, vmmouse, vmport } from './index.js';
import type { BackdoorCpu, BackdoorRegisters, VmportService } from './vmport.js';

const MAGIC = 0x564d_5868;
const ABSOLUTE = 0x5342_4152;
const RELATIVE = 0x4c45_5252;
const READ_ID = 0x4541_4552;

class FakeCpu implements BackdoorCpu {
  current: BackdoorRegisters = { eax: 0, ebx: 0, ecx: 0, edx: 0x1111_5658, esi: 0x5555_5555, edi: 0x6666_6666 };
  registers = () => ({ ...this.current });
  setRegisters(registers: BackdoorRegisters): void {
    this.current = registers;
  }
}

/** The three devices as a PC has them, and a guest that calls the backdoor. */
function pc(version = '7.2') {
  const cpu = new FakeCpu();
  const input = new FakeInput();
  const backends: Record<string, unknown> = { cpu, input, machine: { ramSize: 64 << 20 } };
  const context = new FakeContext({ backends });
  const port = vmport.create(context, propertiesOfMachine(vmport, compat, version));
  const controller = i8042.create(context, propertiesOfMachine(i8042, compat, version));
  backends.vmport = port.services;
  backends.i8042 = controller.services;
  const mouse = vmmouse.create(context, {});
  for (const device of [port, controller, mouse]) device.reset();
  const call = (command: number, ebx = 0, eax = MAGIC): BackdoorRegisters => {
    cpu.current = { ...new FakeCpu().current, eax, ebx, ecx: command };
    cpu.current.eax = context.inl(0x5658);
    return cpu.current;
  };
  return { call, context, input, mouse, cpu };
}

const hex = ({ eax, ebx, ecx, edx }: BackdoorRegisters) => [eax, ebx, ecx, edx].map((value) => value.toString(16)).join(' ');

/** What a real-mode program saw on QEMU 7.2: command, EBX, then EAX EBX ECX EDX after the call. */
const calls: [machine: string, magic: number, command: number, ebx: number, result: string][] = [
  ['7.2', MAGIC, 10, 0, '6 564d5868 2 11115658'],
  ['7.2', MAGIC, 20, 0, '4000000 1177 14 11115658'],
  ['7.2', MAGIC, 19, 0, '0 0 0 0'],
  ['7.2', MAGIC, 45, 0, '564d5868 ffffffff 2d 11115658'],
  ['7.2', MAGIC, 68, 0, '0 0 44 11115658'],
  ['7.2', MAGIC, 23, 0, 'ffffffff 0 17 11115658'],
  ['7.2', MAGIC, 300, 0, 'ffffffff 0 12c 11115658'],
  ['7.2', 0x1234_5678, 10, 0, 'ffffffff 0 a 11115658'],
  ['7.2', MAGIC, 0x1_000a, 0, '6 564d5868 2 11115658'],
  ['1.4', MAGIC, 10, 0, '6 564d5868 a 11115658'],
  ['1.4', MAGIC, 19, 0, '564d5868 0 13 11115658'],
  ['1.4', MAGIC, 300, 0, '564d5868 0 12c 11115658'],
  ['1.4', 0x1234_5678, 10, 0, '12345678 0 a 11115658'],
];

describe('vmport', () => {
  it.each(calls)('pc-i440fx-%s answers EAX %i, command %i, EBX %i as QEMU does', (machine, magic, command, ebx, result) => {
    expect(hex(pc(machine).call(command, ebx, magic))).toBe(result);
  });

  it('answers nothing without a CPU to read the registers of', () => {
    const { context } = realize(vmport);
    expect(context.inl(0x5658)).toBe(0xffff_ffff);
    context.outl(0x5658, 1);
  });

  it('tells the UUID in the four registers', () => {
    const uuid = Uint8Array.from({ length: 16 }, (_, i) => i);
    const cpu = new FakeCpu();
    const { context } = realize(vmport, { context: () => ({ backends: { cpu, machine: { ramSize: 0, uuid } } }) });
    cpu.current = { ...cpu.current, eax: MAGIC, ecx: 19 };
    context.inl(0x5658);
    expect(hex(cpu.current)).toBe('3020100 7060504 b0a0908 f0e0d0c');
  });

  it('needs only its port', () => {
    const { context, device } = realize(vmport);
    expect(context.ports.regions.map(({ base }) => base)).toEqual([0x5658]);
    device.unrealize?.();
    expect(context.ports.regions).toEqual([]);
  });
});

describeConformance(vmport, {
  context: () => ({ backends: { cpu: new FakeCpu(), machine: { ramSize: 1 << 20 } } }),
  sections: [],
  ports: [[0x5658, 4]],
});

describe('vmmouse', () => {
  it('goes through the same states as in QEMU', () => {
    const { call } = pc();
    const results = [
      call(40),
      call(41, READ_ID),
      call(40),
      call(39, 1),
      call(40),
      call(39, 1),
      call(40),
      call(41, ABSOLUTE),
      call(40),
      call(41, 0x12345),
      call(41, READ_ID),
      call(41, 0xf5),
      call(40),
    ];
    expect(results.map(({ eax }) => eax.toString(16))).toEqual([
      'ffff0000',
      '564d5868',
      '1',
      '3442554a',
      '0',
      '564d5868',
      'ffff0000',
      '564d5868',
      'ffff0000',
      '564d5868',
      '564d5868',
      '564d5868',
      'ffff0001',
    ]);
  });

  const started = (mode: number) => {
    const all = pc();
    all.call(41, READ_ID);
    all.call(39, 1);
    all.call(41, mode);
    return all;
  };

  it('reports positions, buttons and the wheel in absolute mode', () => {
    const { call, input } = started(ABSOLUTE);
    input.pointer({ kind: 'position', x: 0x1000, y: 0x2000 });
    input.pointer({ kind: 'button', button: 'left', down: true });
    input.pointer({ kind: 'move', dx: 0, dy: 0, dz: -1 });
    expect(call(40).eax).toBe(12);
    expect([call(39, 4), call(39, 4), call(39, 4)].map(hex)).toEqual([
      '0 2000 4000 0',
      '20 2000 4000 0',
      '20 2000 4000 ffffffff',
    ]);
  });

  it('reports movements in relative mode', () => {
    const { call, input } = started(RELATIVE);
    input.pointer({ kind: 'move', dx: -2, dy: 3, dz: 0 });
    expect(hex(call(39, 4))).toBe('0 fffffffe 3 0');
  });

  it('takes the events from the PS/2 mouse and pokes its interrupt, until it is disabled', () => {
    const { call, input, context } = started(ABSOLUTE);
    context.outb(0x64, 0xd4);
    context.outb(0x60, 0xf4);
    context.inb(0x60);
    input.pointer({ kind: 'position', x: 1, y: 1 });
    expect([0, 0, 0].map(() => context.inb(0x60))).toEqual([0x08, 1, 0]);
    call(41, 0xf5);
    input.pointer({ kind: 'move', dx: 5, dy: 0, dz: 0 });
    expect([0, 0, 0].map(() => context.inb(0x60))).toEqual([0x08, 5, 0]);
    expect(call(40).eax).toBe(0xffff_0004);
  });

  it('drops events when 1024 words wait', () => {
    const { call, input } = started(RELATIVE);
    for (let i = 0; i < 300; i++) input.pointer({ kind: 'move', dx: i, dy: 0, dz: 0 });
    expect(call(40).eax).toBe(1024);
  });

  it('says which option it needs', () => {
    expect(() => realize(vmmouse)).toThrow('vmmouse.vmport: needs the vmport device');
  });
});

const command = (number: number, ebx: number): Step => {
  return ({ context }: Bench) => {
    const port = context.backends.vmport as FakePort;
    const registers = { eax: MAGIC, ebx, ecx: number, edx: 0, esi: 0, edi: 0 };
    registers.eax = port.commands.get(number)!(registers);
    context.note(hex(registers));
  };
};

class FakePort implements VmportService {
  readonly commands = new Map<number, (registers: BackdoorRegisters) => number>();
  register(number: number, handler: (registers: BackdoorRegisters) => number): void {
    this.commands.set(number, handler);
  }
}

class FakePointer {
  handler: ((event: Parameters<FakeInput['pointer']>[0]) => void) | undefined;
  takePointer(handler: FakePointer['handler']): void {
    this.handler = handler;
  }
  poke(): void {}
}

const event = (dx: number): Step => {
  return ({ context }) => (context.backends.i8042 as FakePointer).handler?.({ kind: 'move', dx, dy: 1, dz: 0 });
};

const reset = new Uint8Array(4105);
reset.set([0, 0, 4, 0]);
reset.set([0xff, 0xff], 4102);

describeConformance(vmmouse, {
  context: () => ({ backends: { vmport: new FakePort(), i8042: new FakePointer() } }),
  sections: [{ name: 'vmmouse', version: 0, size: 4105 }],
  script: [
    command(41, READ_ID),
    command(40, 0),
    command(39, 1),
    command(41, RELATIVE),
    event(1),
    event(2),
    command(39, 3),
    event(3),
    command(39, 5),
    command(39, 6),
    command(40, 0),
  ],
  ports: [],
  events: [
    (bench, random) => command(random.pick([39, 40, 41]), random.pick([0, 1, 4, 6, 7, READ_ID, 0xf5, RELATIVE, ABSOLUTE]))(bench),
    (bench, random) => event(random.below(100))(bench),
  ],
  golden: [goldenSection('vmmouse', reset, { origin: 'every recorded stream (nothing used it)' })],
});
