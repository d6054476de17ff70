import { PropertyError } from '@pagurus/device-model';
import { type FakeContext, goldenSection, loadSection, saveSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe as describeState } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { fdcContext, fdcMachine, fdcWith, type OneChannel, type PluggedFloppy, plugFloppy } from '../../test-support/floppy.js';
import { file, SlowBackend } from '../../test-support/machine.js';
import { MemoryBlockBackend } from '../memory-backend.js';
import type { FdcState } from './fdc.state.js';
import { pickFormat } from './floppy-formats.js';
import { isaFdc } from './isa-fdc.js';

/** 1.44 MB; sector s begins with s (16 bits), s mod 256, 7, repeated. */
const NUMBERED = Uint8Array.from({ length: 1_474_560 }, (_, i) => [i >> 9, i >> 17, i >> 9, 7][i & 3]!);
const numberedFloppy = (): Uint8Array => NUMBERED.slice();

const disk = (bytes = numberedFloppy(), readOnly = false): PluggedFloppy => ({
  unit: 0,
  backend: new MemoryBlockBackend(bytes, { readOnly }),
});
const slow = () => {
  const backend = new SlowBackend(new MemoryBlockBackend(numberedFloppy()));
  return { backend, plugged: { unit: 0, backend } };
};
const state = ({ device }: ReturnType<typeof fdcMachine>) => device.sections[0]!.state as FdcState;

function move(from: ReturnType<typeof fdcMachine>, drives: readonly PluggedFloppy[]) {
  const to = fdcMachine(drives);
  to.context.memory.bytes.set(from.context.memory.bytes);
  loadSection(to.device.sections[0]!, saveSection(from.device.sections[0]!)!.bytes);
  to.device.resume?.();
  to.context.advance(0n);
  return to;
}

/** Random runs against QEMU's controller: everything that was read, the interrupt, and memory after DMA. */
it.each([
  ['fdc-no-drives', () => []],
  ['fdc-empty', () => [{ unit: 0 }]],
  ['fdc-disk', () => [disk()]],
  [
    'fdc-read-only',
    () => [disk(numberedFloppy(), true), { unit: 1, backend: new MemoryBlockBackend(new Uint8Array(2_949_120)) }],
  ],
] as const)('does step for step what QEMU did: %s', (name, drives) => {
  const trace = JSON.parse(new TextDecoder().decode(file(`${name}.trace.json.gz`))) as [
    string,
    number,
    number | string,
    number?,
  ][];
  const { context, out } = fdcMachine(drives());
  const found: string[] = [];
  trace.forEach(([kind, a, b, c], step) => {
    if (kind === 'o') out(a, b as number);
    else if (kind === 'mw') context.memory.bytes.set(Buffer.from(b as string, 'hex'), a);
    else if (kind === 'ms') context.memory.bytes.fill(c!, a, a + (b as number));
    else if (kind === 'l' && Number(context.level('irq')) !== a) found.push(`step ${step}: interrupt is not ${a}`);
    else if (kind === 'i') {
      const got = context.inb(a);
      if (got !== b) found.push(`step ${step}: port 0x${a.toString(16)} is ${got} instead of ${b}`);
    } else if (kind === 'mr') {
      const got = Buffer.from(context.memory.bytes.subarray(a, a + (b as string).length / 2)).toString('hex');
      if (got !== b) found.push(`step ${step}: memory 0x${a.toString(16)} is ${got} instead of ${b}`);
    }
  });
  expect(trace.length).toBeGreaterThanOrEqual(4000);
  expect(found.slice(0, 5)).toEqual([]);
});

describe('reset', () => {
  it('tells of four drives', () => {
    const { context, out, command, results } = fdcMachine();
    out(0x3f2, 0);
    expect(context.level('irq')).toBe(false);
    out(0x3f2, 0x0c);
    expect(context.level('irq')).toBe(true);
    for (const drive of [0xc0, 0xc1, 0xc2, 0xc3]) {
      command(0x08);
      expect(results()).toEqual([drive, 0]);
    }
    command(0x08);
    expect(results()).toEqual([0x80]);
    expect(context.level('irq')).toBe(false);
  });

  it('does not decode ports 0x3f0 and 0x3f6', () => {
    const { context } = fdcMachine();
    expect(context.ports.regions.flatMap(({ base, length }) => [base, length])).toEqual([0x3f1, 5, 0x3f7, 1]);
  });
});

describe('transfers by DMA', () => {
  it('read from the middle of a track to the next side', () => {
    const { context, command, results, dma } = fdcMachine([disk()]);
    dma.length = 1024;
    command(0xc6, 0, 5, 0, 18, 2, 18, 0x1b, 0xff);
    expect(context.level('irq')).toBe(true);
    expect(results()).toEqual([0x24, 0, 0, 5, 1, 2, 2]);
    expect([...context.memory.bytes.subarray(0x2000, 0x2004)]).toEqual([197, 0, 197, 7]);
    expect([...context.memory.bytes.subarray(0x2200, 0x2204)]).toEqual([198, 0, 198, 7]);
  });

  it('write', () => {
    const bytes = numberedFloppy();
    const { context, command, results, dma } = fdcMachine([disk(bytes)]);
    context.memory.bytes.fill(0x5a, 0x2000, 0x2400);
    dma.length = 1024;
    command(0x45, 0, 1, 0, 3, 2, 18, 0x1b, 0xff);
    expect(results()).toEqual([0x20, 0, 0, 1, 0, 5, 2]);
    expect(bytes.subarray(38 * 512, 40 * 512).every((byte) => byte === 0x5a)).toBe(true);
    expect(bytes[40 * 512]).toBe(40);
  });

  it('refuse to write a protected disk', () => {
    const { command, results } = fdcMachine([disk(numberedFloppy(), true)]);
    command(0x45, 0, 0, 0, 1, 2, 1, 0x1b, 0xff);
    expect(results().slice(0, 3)).toEqual([0x60, 2, 0]);
  });

  it('wait for a slow disk', async () => {
    const { backend, plugged } = slow();
    const { context, command, results, dma } = fdcMachine([plugged]);
    dma.length = 1024;
    command(0xc6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect(context.inb(0x3f4)).toBe(0x10);
    for (let i = 0; i < 2; i++) {
      expect(context.level('irq')).toBe(false);
      await backend.complete();
      context.advance(0n);
    }
    expect(results()).toEqual([0, 0, 0, 0, 0, 3, 2]);
    expect(context.memory.bytes[0x2200]).toBe(1);
  });

  it('wait for guest memory', () => {
    const { context, command, results, dma } = fdcMachine([disk()]);
    context.memory.withhold();
    dma.length = 512;
    command(0x46, 0, 0, 0, 2, 2, 2, 0x1b, 0xff);
    expect(context.level('irq')).toBe(false);
    context.memory.arrive();
    context.advance(0n);
    expect(results()[0]).toBe(0x20);
    expect(context.memory.bytes[0x2000]).toBe(1);
  });

  it('end with an error where the host has one', async () => {
    const { backend, plugged } = slow();
    backend.failure = new Error('gone');
    const { context, command, results } = fdcMachine([plugged]);
    command(0x45, 0, 0, 0, 1, 2, 1, 0x1b, 0xff);
    await backend.complete();
    context.advance(0n);
    expect(results().slice(0, 2)).toEqual([0x60, 0]);
    expect(context.log.guestErrors).toEqual(['floppy: gone']);
  });
});

describe('transfers through the FIFO', () => {
  it('read', () => {
    const { context, out, command, results } = fdcMachine([disk()]);
    out(0x3f2, 0x14);
    command(0x46, 0, 0, 0, 4, 2, 4, 0x1b, 0xff);
    expect([context.level('irq'), context.inb(0x3f4)]).toEqual([true, 0xf0]);
    const bytes = Array.from({ length: 512 }, () => context.inb(0x3f5));
    expect(bytes.slice(0, 4)).toEqual([3, 0, 3, 7]);
    expect(results()).toEqual([0, 0, 0, 0, 0, 4, 2]);
  });

  it('show no request while the disk works', async () => {
    const { backend, plugged } = slow();
    const { context, out, command } = fdcMachine([plugged]);
    out(0x3f2, 0x14);
    command(0x46, 0, 0, 0, 4, 2, 5, 0x1b, 0xff);
    expect(context.inb(0x3f5)).toBe(0);
    expect(context.inb(0x3f4) & 0x80).toBe(0);
    await backend.complete();
    expect(context.inb(0x3f4)).toBe(0xf0);
    expect(context.inb(0x3f5)).toBe(3);
  });

  it('go on after a move, between bytes and between sectors', async () => {
    const { plugged } = slow();
    const a = fdcMachine([plugged]);
    a.out(0x3f2, 0x14);
    a.command(0x46, 0, 0, 0, 4, 2, 6, 0x1b, 0xff);
    a.context.inb(0x3f5);
    const b = move(a, [disk()]);
    expect(b.context.inb(0x3f4)).toBe(0xf0);
    for (let i = 0; i < 512; i++) b.context.inb(0x3f5);
    expect(b.context.inb(0x3f5)).toBe(4);
    const c = move(b, [disk()]);
    expect([c.context.inb(0x3f5), c.context.inb(0x3f5), c.context.inb(0x3f5)]).toEqual([0, 4, 7]);
  });

  it('write again after a move what was on its way', () => {
    const a = fdcMachine([slow().plugged]);
    a.out(0x3f2, 0x14);
    a.command(0x45, 0, 0, 0, 4, 2, 6, 0x1b, 0xff);
    for (let i = 0; i < 512; i++) a.context.outb(0x3f5, 0x33);
    const bytes = numberedFloppy();
    const b = move(a, [disk(bytes)]);
    expect(b.context.inb(0x3f4)).toBe(0xb0);
    expect([...bytes.subarray(4 * 512 - 2, 4 * 512 + 2)]).toEqual([0x33, 0x33, 4, 0]);
    expect(bytes[3 * 512 - 4]).toBe(2);
  });
});

describe('commands', () => {
  it('seek and recalibrate', () => {
    const { context, command, results } = fdcMachine([disk()]);
    expect(context.inb(0x3f7)).toBe(0x80);
    command(0x0f, 0, 40);
    command(0x08);
    expect(results()).toEqual([0x20, 40]);
    expect(context.inb(0x3f7)).toBe(0);
    command(0x07, 0);
    command(0x08);
    expect(results()).toEqual([0x20, 0]);
  });

  it('tell the state of a drive', () => {
    const { command, results } = fdcMachine([disk()]);
    command(0x04, 0);
    expect(results()).toEqual([0x38]);
    command(0x04, 5);
    expect(results()).toEqual([0x7d]);
  });

  it('read an identifier after a tenth of a rotation', () => {
    const { context, command, results } = fdcMachine([disk()]);
    command(0x4a, 0);
    expect(context.level('irq')).toBe(false);
    context.advance(19_999_999n);
    expect(context.level('irq')).toBe(false);
    context.advance(1n);
    expect(results()).toEqual([0, 0, 0, 0, 0, 2, 2]);
  });

  it('save and restore registers', () => {
    const { command, results } = fdcMachine([disk()]);
    command(0x03, 0xa3, 0x44);
    command(0x13, 0, 0x57, 0x11);
    command(0x2e);
    expect(results()).toEqual([0, 0, 0, 0, 0, 0, 10, 34, 18, 0, 0x57, 0x11, 0, 0, 0]);
    command(0x4e, 0, 0, 7, 8, 0, 0, 1, 2, 18, 0x84, 0x60, 0x22, 5, 0, 0, 0, 0);
    command(0x0e);
    expect(results()).toEqual([7, 8, 0, 0, 1, 5, 18, 0x84, 0x60, 0x22]);
  });

  it('answer unknown ones as invalid', () => {
    const { command, results } = fdcMachine();
    for (const byte of [0x00, 0x01, 0xef]) {
      command(byte);
      expect(results()).toEqual([0x80]);
    }
    command(0x10);
    expect(results()).toEqual([0x90]);
  });
});

describe('disks', () => {
  it.each([
    [2880, undefined, 18, 80, 2, '144'],
    [1440, undefined, 9, 80, 2, '144'],
    [2400, undefined, 15, 80, 2, '120'],
    [5760, undefined, 36, 80, 2, '288'],
    [720, undefined, 9, 40, 2, '120'],
    [2880, '288', 18, 80, 2, '144'],
    [1000, '288', 36, 80, 2, '288'],
    [1000, undefined, 18, 80, 2, '144'],
  ] as const)('of %s sectors in a drive of type %s', (sectors, type, perTrack, tracks, sides, drive) => {
    expect(pickFormat(sectors, type)).toMatchObject({ sectors: perTrack, tracks, sides, drive });
  });

  it('decide what an auto drive is', () => {
    expect(fdcMachine([disk()]).service.cmosType(0)).toBe(4);
    expect(fdcMachine([{ unit: 0 }]).service.cmosType(0)).toBe(5);
    expect(fdcMachine([{ unit: 0 }], { fallback: '144' }).service.cmosType(0)).toBe(4);
    expect(fdcMachine().service.cmosType(0)).toBe(0);
  });

  it('are changed', () => {
    const { context, command, results, controls } = fdcMachine([disk()]);
    command(0x0f, 0, 1);
    command(0x08);
    results();
    expect(context.inb(0x3f7)).toBe(0);
    controls[0]!.changeDisk(undefined);
    expect(context.inb(0x3f7)).toBe(0x80);
    command(0x46, 0, 0, 0, 1, 2, 1, 0x1b, 0xff);
    expect(results()[0]).toBe(0x40);
  });

  it('go only into drives, and those only into free places', () => {
    const { context, service } = fdcMachine([disk()]);
    expect(() => plugFloppy(context, service, { unit: 0 })).toThrow(/floppy\.unit: drive 0 is in use/);
    expect(() => service.slot(2)).toThrow(PropertyError);
    expect(() => fdcMachine([], { fallback: 'auto' })).toThrow(PropertyError);
    expect(() => fdcMachine([], { typeA: '999' })).toThrow(/fdtypeA/);
  });
});

describe('section fdc', () => {
  it('says where a command stopped', () => {
    const to = fdcMachine();
    loadSection(to.device.sections[0]!, file('devstate.fdc.bin.gz'));
    to.device.resume?.();
    expect(state(to)).toMatchObject({ dataPos: 3, dataLen: 9, phase: 1, resetSenses: 4 });
    expect(to.context.level('irq')).toBe(true);
    to.command(1, 1, 2, 1, 0x1b, 0xff);
    expect(to.results()[0]! & 0x40).toBe(0x40);
  });

  it('is described as QEMU describes it', () => {
    const recorded = JSON.parse(new TextDecoder().decode(file('vmdesc.json.gz'))) as { 'devstate.fdc': object };
    const to = fdcMachine();
    loadSection(to.device.sections[0]!, file('devstate.fdc.bin.gz'));
    expect(describeState(to.device.sections[0]!.description, state(to))).toEqual(recorded['devstate.fdc']);
  });

  it('is refused from a machine with another number of drives', () => {
    const bytes = file('reset.fdc.bin.gz');
    bytes[538] = 4;
    expect(() => loadSection(fdcMachine().device.sections[0]!, bytes)).toThrow(/does not equal/);
  });
});

const options = {
  context: () => {
    const backends: { dma?: OneChannel } = {};
    return {
      backends,
      // The only place where the context itself can be reached before the device is made.
      slot: (context: FakeContext) => {
        backends.dma = fdcDma(context);
        return undefined;
      },
    };
  },
  ports: [
    [0x3f1, 5],
    [0x3f7, 1],
  ],
  sections: [{ name: 'fdc', version: 2, size: 593 }],
  // [QEMU] What commands have set, the FIFO and the heads of drives without a disk stay.
  keptOnReset: [
    'fdc.fifo',
    'fdc.dorSent',
    'fdc.tdr',
    'fdc.dsr',
    'fdc.status0',
    'fdc.eot',
    'fdc.timer0',
    'fdc.timer1',
    'fdc.precompensation',
    'fdc.lock',
    'fdc.powerDown',
    'fdc.drives',
  ],
} as const;

function fdcDma(context: FakeContext): OneChannel {
  const { dma } = fdcContext().backends as { dma: OneChannel };
  return new (dma.constructor as new (context: FakeContext) => OneChannel)(context);
}

describeConformance(isaFdc, {
  ...options,
  fuzz: { steps: 100_000 },
  golden: ['reset', 'seabios', 'devstate'].map((name) =>
    goldenSection('fdc', file(`${name}.fdc.bin.gz`), { origin: `QEMU 7.2 ${name}` }),
  ),
});

describeConformance(
  fdcWith(() => [disk(), { unit: 1 }]),
  {
    ...options,
    sections: [{ name: 'fdc', version: 2, size: 593 }],
    script: [
      ({ context }) => context.outb(0x3f2, 0x1c),
      ({ context }) => {
        for (const byte of [0x0f, 0, 3]) context.outb(0x3f5, byte);
      },
      ({ context }) => context.outb(0x3f5, 0x08),
      ({ context }) => void [context.inb(0x3f5), context.inb(0x3f5)],
      ({ context }) => {
        for (const byte of [0xc6, 0, 3, 0]) context.outb(0x3f5, byte);
      },
      ({ context }) => {
        for (const byte of [17, 2, 18, 0x1b, 0xff]) context.outb(0x3f5, byte);
      },
      ({ context }) => context.advance(1000),
      // Once more for memory that arrives late.
      ({ context }) => context.advance(1000),
      ({ context }) => void context.inb(0x3f5),
      ({ context }) => {
        for (let i = 0; i < 6; i++) context.inb(0x3f5);
      },
      ({ context }) => context.outb(0x3f2, 0x14),
      ({ context }) => {
        for (const byte of [0x46, 0, 3, 0, 1, 2, 2, 0x1b, 0xff]) context.outb(0x3f5, byte);
      },
      ({ context }) => {
        for (let i = 0; i < 300; i++) context.inb(0x3f5);
      },
      ({ context }) => {
        for (let i = 0; i < 300; i++) context.inb(0x3f5);
      },
      ({ context }) => context.outb(0x3f4, 0x80),
      ({ context }) => {
        for (const byte of [0x4a, 0]) context.outb(0x3f5, byte);
      },
      ({ context }) => context.advance(30_000_000),
    ],
  },
);
