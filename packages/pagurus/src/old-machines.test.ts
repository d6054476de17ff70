import { describe, expect, it } from 'vitest';
import { sectionsOf } from '../test/recorded.js';
import { createMachine } from './index.js';
import { saved } from './testing.js';

/* Machines older than any stream that is recorded here. What is known of them: [QEMU 5.2] what changed from one to the next at reset. */

const MIB = 2 ** 20;

const machine = (name: string, globals: { driver: string; property: string; value: string }[] = []) =>
  createMachine(name, { memory: 8 * MIB, noDefaults: true, firmware: new Uint8Array(0x20000), globals });

/** Sections by name and instance, with their lengths, in order. */
async function sections(name: string): Promise<[string, number][]> {
  return [...(await sectionsOf(await saved(await machine(name))))].map(([key, bytes]) => [key, bytes.length]);
}

const NAMES = ['pc-0.14', 'pc-1.0', 'pc-1.1', 'pc-1.2', 'pc-1.3', 'pc-i440fx-1.4'];

describe('machines before 1.4', () => {
  it.each(['pc-1.1', 'pc-1.2', 'pc-1.3'])('%s has the sections of pc-i440fx-1.4', async (name) => {
    expect(await sections(name)).toEqual(await sections('pc-i440fx-1.4'));
  });

  it.each(['pc-0.14', 'pc-1.0'])('%s has no kvm-tpr-opt and a floppy controller of 545 bytes', async (name) => {
    const later = await sections('pc-1.1');
    expect(later.find(([key]) => key === 'fdc 0')).toEqual(['fdc 0', 593]);
    expect(await sections(name)).toEqual(
      later.filter(([key]) => key !== 'kvm-tpr-opt 0').map(([key, length]) => [key, key === 'fdc 0' ? 545 : length]),
    );
  });

  it.each(NAMES)('%s: RAM blocks, and a stream without configuration and footers', async (name) => {
    const pc = await machine(name);
    expect(pc.ramBlocks.map(({ name: block, usedLength }) => [block, usedLength])).toEqual([
      ['pc.ram', 8 * MIB],
      ['pc.bios', 0x20000],
      ['pc.rom', 0x20000],
    ]);
    expect(pc.settings).toMatchObject({ sendConfiguration: false, sendSectionFooter: false, suppressVmdesc: false });
  });

  it('a machine takes the stream of one that sends the same, and of no other', async () => {
    const { incoming, bytesChannel } = await import('@pagurus/migration');
    const timer = { now: () => 0, sleep: async () => {} };
    const stream = await saved(await machine('pc-1.0'));
    await incoming(await machine('pc-0.14'), bytesChannel(stream), { timer });
    const newer = await saved(await machine('pc-1.3'));
    await expect(incoming(await machine('pc-1.0'), bytesChannel(newer), { timer })).rejects.toThrow(/kvm-tpr-opt/);
  });
});
