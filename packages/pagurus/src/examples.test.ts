import { embeddedGuest, verifyHeartbeats } from '@pagurus/guests';
import type { MachineType } from '@pagurus/machine';
import { describe, expect, it } from 'vitest';
import { createMachine } from './index.js';
import { loaded, saved, withConsole } from './testing.js';

// biome-ignore lint/suspicious/noExplicitAny: examples are JavaScript.
const example = (name: string): Promise<any> => import(new URL(`../../../examples/${name}`, import.meta.url).href);

const MIB = 2 ** 20;
const SOME = 20_000_000;

describe('examples/headless-isa.mjs', () => {
  it('runs a guest on its first serial port, is saved and goes on elsewhere', async () => {
    const { box, run } = await example('headless-isa.mjs');
    const { machine, com1, com2 } = await run(embeddedGuest(), SOME);
    expect(verifyHeartbeats(com1.split('\n')).problems).toEqual([]);
    expect(verifyHeartbeats(com1.split('\n')).beats.length).toBeGreaterThan(3);
    expect(com2).toBe('');
    expect(machine.devices.filter((device: { type: string }) => device.type === 'isa-serial')).toHaveLength(2);

    const pc = await withConsole(box, { kernel: { image: embeddedGuest() } });
    const second = { write() {}, connect() {} };
    const other = await createMachine(box, {
      kernel: { image: embeddedGuest() },
      icount: { shift: 3, sleep: false },
      serial: [second, second],
    });
    await loaded(other, await saved(machine));
    other.runUntil(2 * SOME);
    expect(other.cpu.instructions).toBe(2 * SOME);
    // One port less is another machine.
    await expect(loaded(pc.machine, await saved(machine))).rejects.toThrow(/no section 'serial' instance 1/);
  });
});

describe('examples/acme-pc.mjs', () => {
  const compose = async (version: string) => {
    const { acmePc } = await example('acme-pc.mjs');
    const type = acmePc(version) as MachineType;
    const pc = await withConsole(type, { memory: 8 * MIB, kernel: { image: embeddedGuest() } });
    return { ...pc, lamps: () => pc.machine.service<{ lamps(): number }>('lamps').lamps() };
  };

  it('has the card beside a whole PC, and moves with it', async () => {
    const source = await compose('2.0');
    source.machine.runUntil(SOME);
    expect(verifyHeartbeats(source.text().split('\n')).problems).toEqual([]);
    source.machine.ports.write(0x310, 0xa5, 1);
    source.machine.ports.write(0x310, 0x5a, 1);
    expect(source.machine.ports.read(0x311, 1)).toBe(2);

    const destination = await compose('2.0');
    await loaded(destination.machine, await saved(source.machine));
    expect([destination.lamps(), destination.machine.ports.read(0x311, 1)]).toEqual([0x5a, 2]);
    destination.machine.runUntil(2 * SOME);
    expect(verifyHeartbeats((source.text() + destination.text()).split('\n')).problems).toEqual([]);
  });

  it("its author's version decides what the card is and sends", async () => {
    const old = await compose('1.0');
    expect(old.machine.ports.read(0x311, 1)).toBe(0xff);
    old.machine.ports.write(0x310, 1, 1);
    const stream = Buffer.from(await saved(old.machine));
    expect(stream.includes('acme-lamps/lamps')).toBe(true);
    expect(stream.includes('acme-lamps/lamps/changes')).toBe(false);
    await expect(loaded((await compose('2.0')).machine, stream)).rejects.toThrow(/acme-pc-2\.0/);
  });

  it('keeps the behaviour of the PC that it is made of', async () => {
    const { machine } = await compose('2.0');
    expect(machine.settings).toMatchObject({ sendSwitchoverStart: false, program: '7.2' });
  });
});
