import { gunzipSync } from 'node:zlib';
import { type HostEvent, propertiesOfMachine, realize, type Step, saveSections } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { load as loadInto } from '@pagurus/vmstate';
import { describe, expect, it } from 'vitest';
import { fixture, inputOf, pc, recordedSections, withInput } from '../test/helpers.js';
import { compat, i8042 } from './index.js';

describe('i8042', () => {
  it('passes its self test', () => {
    const { command, status, read } = pc();
    expect(status()).toBe(0x18);
    command(0xaa);
    expect([status(), read(), status()]).toEqual([0x1d, 0x55, 0x1c]);
  });

  it('tests its interfaces and shows its input and output ports', () => {
    const { command, drain } = pc();
    const answers = [0xa9, 0xab, 0xc0, 0xd0].map((code) => {
      command(code);
      return drain();
    });
    expect(answers).toEqual([[0x00], [0x00], [0x80], [0xcf]]);
  });

  it('keeps its command byte', () => {
    const { command, drain } = pc();
    command(0x20);
    expect(drain()).toEqual([0x03]);
    command(0x60, 0x47);
    command(0x20);
    expect(drain()).toEqual([0x47]);
  });

  it('echoes D2 as the keyboard and D3 as the mouse', () => {
    const { command, status, read } = pc();
    command(0xd2, 0x12);
    expect([status() & 0x21, read()]).toEqual([0x01, 0x12]);
    command(0xd3, 0x34);
    expect([status() & 0x21, read()]).toEqual([0x21, 0x34]);
  });

  it('raises interrupt 1 for keys and 12 for the mouse, each only if enabled, until the byte is read', () => {
    const { context, keyboard, mouse, read, command } = pc();
    keyboard(0xee);
    expect([context.level('kbd-irq'), context.level('mouse-irq')]).toEqual([true, false]);
    read();
    expect(context.level('kbd-irq')).toBe(false);
    mouse(0xf4);
    expect([context.level('kbd-irq'), context.level('mouse-irq')]).toEqual([false, true]);
    read();
    command(0x60, 0x00);
    keyboard(0xee);
    expect([context.level('kbd-irq'), context.level('mouse-irq')]).toEqual([false, false]);
    command(0x60, 0x01);
    expect(context.level('kbd-irq')).toBe(true);
  });

  it('gives one interrupt for each byte', () => {
    const { context, press, drain } = pc();
    press('a', 'b');
    drain();
    expect(context.lines.get('kbd-irq')).toMatchObject({ rises: 6, falls: 6, level: false });
  });

  it('holds keys back while the keyboard is disabled', () => {
    const { command, press, status, drain } = pc();
    command(0xad);
    press('a');
    expect(status() & 1).toBe(0);
    command(0xae);
    expect(drain()).toEqual([0x1c, 0xf0, 0x1c]);
  });

  it('enables an interface when a byte is sent through it', () => {
    const { command, keyboard, mouse, drain } = pc();
    command(0xad);
    command(0xa7);
    keyboard(0xee);
    mouse(0xf2);
    drain();
    command(0x20);
    expect(drain()).toEqual([0x03]);
  });

  it('takes turns when keyboard and mouse both have bytes', () => {
    const { keyboard, mouse, drain } = pc();
    keyboard(0xf2);
    mouse(0xf2);
    expect(drain()).toEqual([0xfa, 0xfa, 0xab, 0x00, 0x83]);
  });

  it('repeats the last byte when there is none', () => {
    const { keyboard, read } = pc();
    keyboard(0xee);
    expect([read(), read()]).toEqual([0xee, 0xee]);
  });

  it('switches A20 by command and by output port', () => {
    const { context, command, drain } = pc();
    expect(context.level('a20')).toBe(true);
    command(0xdd);
    expect(context.level('a20')).toBe(false);
    command(0xdf);
    expect(context.level('a20')).toBe(true);
    command(0xd1, 0xcd);
    expect(context.level('a20')).toBe(false);
    command(0xd0);
    expect(drain()).toEqual([0xcd]);
  });

  it('resets the machine by pulse and by output port, but by no other pulse', () => {
    const { context, command } = pc();
    for (const code of [0xf1, 0xff, 0xfd]) command(code);
    expect(context.resetRequests).toEqual([]);
    command(0xfe);
    command(0xd1, 0xce);
    expect(context.resetRequests).toEqual(['i8042 reset line', 'i8042 output port']);
  });

  it('reports commands that do not exist', () => {
    const { context, command } = pc();
    command(0x42);
    expect(context.log.guestErrors).toEqual(['i8042: command 0x42 does not exist']);
  });

  it('with kbd-throttle gives the next key a millisecond after the last', () => {
    const { context, press, status, read } = pc({ throttle: true });
    press('a');
    expect(read()).toBe(0x1c);
    expect(status() & 1).toBe(0);
    context.advance(999_999);
    expect(status() & 1).toBe(0);
    context.advance(1);
    expect([status() & 1, read()]).toEqual([1, 0xf0]);
  });

  it('goes on at once with what the throttle held back when it was moved', () => {
    const source = pc({ throttle: true });
    source.press('a');
    source.read();
    const [keyboard, , controller] = saveSections(source.device.sections);
    const target = pc({ throttle: true });
    expect(controller!.bytes.at(-7)).toBe(1);
    load(target, 0, keyboard!.bytes);
    load(target, 2, controller!.bytes);
    target.device.resume!();
    expect(target.drain()).toEqual([0xf0]);
  });
});

const load = (target: ReturnType<typeof pc>, index: number, bytes: Uint8Array) =>
  loadInto(target.device.sections[index]!.description, target.device.sections[index]!.state, bytes);

describe('a real QEMU 7.2', () => {
  const runs = JSON.parse(gunzipSync(fixture('qemu-7.2-runs.json.gz')).toString()) as {
    machine: string;
    steps: string[];
    sections: Record<string, string>;
  }[];

  it.each(runs.map((run, i) => [`run ${i} on ${run.machine}`, run] as const))(
    'read the same bytes and saved the same state: %s',
    (_, run) => {
      const properties = propertiesOfMachine(i8042, compat, run.machine.replace('pc-i440fx-', ''));
      const bench = realize(i8042, { properties, context: withInput });
      const { context, device } = bench;
      const input = inputOf(bench);
      const got = run.steps.map((step) => {
        const [kind, a = '', b = '', c = ''] = step.split(' ');
        const [port, value] = [Number.parseInt(a, 16), Number.parseInt(b, 16)];
        if (kind === 'i') return `i ${a} ${context.inb(port).toString(16)}`;
        if (kind === 'o') context.outb(port, value);
        else if (kind === 'k') input.key(a, b === '1');
        else if (kind === 'b') input.pointer({ kind: 'button', button: a as 'left', down: b === '1' });
        else if (step !== 'm 0 0 0') input.pointer({ kind: 'move', dx: Number(a), dy: Number(b), dz: Number(c) });
        return step;
      });
      expect(got).toEqual(run.steps);
      const sections = saveSections(device.sections).map((saved) => [saved!.name, Buffer.from(saved!.bytes).toString('hex')]);
      expect(Object.fromEntries(sections)).toEqual(run.sections);
    },
  );
});

const out = (port: number, value: number): Step => {
  return ({ context }) => context.outb(port, value);
};
const read: Step = ({ context }) => {
  context.inb(0x64);
  context.inb(0x60);
};
const key = (qcode: string, down = true): Step => {
  return (bench) => inputOf(bench).key(qcode, down);
};
const move = (dx: number, dy: number, dz = 0): Step => {
  return (bench) => inputOf(bench).pointer({ kind: 'move', dx, dy, dz });
};

/** A driver at its most awkward: commands without their arguments, half-read packets, a full queue, translation in the middle of a release. */
const script: Step[] = [
  ...[0xaa, 0x20].map((byte) => out(0x64, byte)),
  ...[read, read, out(0x64, 0x60), out(0x60, 0x47)],
  ...[out(0x60, 0xed), read, out(0x60, 0x02), read],
  ...[key('a'), key('a', false), read, out(0x60, 0xf2), read, key('kp_divide'), read, read],
  ...[200, 100, 80].flatMap((rate) => [out(0x64, 0xd4), out(0x60, 0xf3), read, out(0x64, 0xd4), out(0x60, rate), read]),
  ...[out(0x64, 0xd4), out(0x60, 0xf4), read, move(5, -3, 1), read, move(900, 300), read, read, read],
  ...[key('pause'), key('print'), key('b'), out(0x64, 0xad), read, key('c'), read, out(0x64, 0xae)],
  ...Array.from({ length: 24 }, () => read),
  ...[out(0x64, 0xd1), out(0x60, 0xcd), out(0x64, 0xd0), out(0x64, 0xdf), read],
  ...[out(0x64, 0xd3), out(0x60, 0x55), out(0x60, 0xff), read, read, read],
];

/** The keys whose codes depend on modifiers held by the user are left out: the modifiers are the host's state and do not move. */
const events: HostEvent[] = [
  (bench, random) => inputOf(bench).key(random.pick(['a', 'ret', 'up', 'f7', 'kp_enter', 'nonsense']), random.oneIn(2)),
  (bench, random) =>
    inputOf(bench).pointer({ kind: 'move', dx: random.below(600) - 300, dy: random.below(9) - 4, dz: random.below(3) - 1 }),
  (bench, random) =>
    inputOf(bench).pointer({ kind: 'button', button: random.pick(['left', 'right', 'middle']), down: random.oneIn(2) }),
];

const ports = [
  [0x60, 1],
  [0x64, 1],
] as const;

describeConformance(i8042, {
  context: withInput,
  sections: [
    { name: 'ps2kbd', version: 3, size: 284 },
    { name: 'ps2mouse', version: 2, size: 291 },
    { name: 'pckbd', version: 3, size: 40 },
  ],
  script,
  events,
  ports,
  fuzz: { steps: 100_000 },
  golden: recordedSections(true),
});

describe('up to pc-i440fx-6.0', () => {
  it('the compat row switches the extended state off', () => {
    expect(propertiesOfMachine(i8042, compat, '6.0').extendedState).toBe(false);
    expect(propertiesOfMachine(i8042, compat, '1.4').extendedState).toBe(false);
    expect(propertiesOfMachine(i8042, compat, '6.1').extendedState).toBe(true);
  });

  it("the controller's own bytes wait behind keys", () => {
    const { command, press, drain } = pc({ extendedState: false });
    press('a');
    command(0xaa);
    expect(drain()).toEqual([0x1c, 0xf0, 0x1c, 0x55]);
  });

  describeConformance(i8042, {
    context: withInput,
    properties: { extendedState: false },
    sections: [
      { name: 'ps2kbd', version: 3, size: 284 },
      { name: 'ps2mouse', version: 2, size: 291 },
      { name: 'pckbd', version: 3, size: 4 },
    ],
    ports,
    incompleteFormat: 'machines up to 6.0 do not send the output byte',
    golden: recordedSections(false),
  });
});
