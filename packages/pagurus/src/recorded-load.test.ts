import { afterAll, describe, expect, it } from 'vitest';
import {
  blockBytes,
  bytesOf,
  changedRegisters,
  changedSections,
  counterpart,
  load,
  nameOf,
  recordings,
  sha256,
  shared,
  sidecarOf,
} from '../test/recorded.js';

/*
 * Streams of real QEMU 7.2 and 10.0 go into our machines of the same name and options: memory and registers are as recorded, and what we
 * save again has the same bytes in every device's section.
 */
if (!shared) console.log('streams of QEMU into our machines: skipped, PAGURUS_SHARED is not set');

/** What does not go into our machines yet, or not out again in the same bytes: which streams, what is said, why. */
const KNOWN: readonly [streams: RegExp, problem: RegExp, reason: string][] = [
  [
    /^10\.0 .*-pc-i440fx-[2-8]\./,
    /^section globalstate /,
    'QEMU 9.0 changed its layout for all machines; ours is that of the machine version',
  ],
  [/-live-/, /^section globalstate /, 'the source ran; a machine that was loaded is stopped until it is started'],
  [
    /defaults-(no-slirp-)?pc-i440fx-(2\.4|7\.2|10\.0)/,
    /there is no (RAM block '.*e1000\.rom'|section 'slirp')|'e1000' is not a known device/,
    'network card and user-mode network',
  ],
  [/defaults-pc-i440fx-2\.0/, /RAM block 'vga.vram' has another size/, 'cirrus-vga, the card of machines up to 2.1'],
];
const reasonOf = (name: string, problem: string): string | undefined =>
  KNOWN.find(([streams, text]) => streams.test(name) && text.test(problem))?.[2];

const streams = recordings('reset', 'seabios', 'cpustate', 'devstate', 'misc').filter(
  (entry) => entry.kind !== 'misc' || /smp/.test(entry.sidecar),
);

describe.skipIf(!shared)('streams of QEMU', () => {
  const table: string[] = [];
  afterAll(() => console.log(table.join('\n')));

  it.each(streams.map((entry) => [nameOf(entry), entry] as const))('%s', async (name, entry) => {
    const problems: string[] = [];
    try {
      const sidecar = sidecarOf(entry);
      const { machine } = await counterpart(entry, sidecar);
      const stream = bytesOf(entry);
      await load(machine, stream);
      for (const { id, length, sha256: expected } of sidecar.ram_blocks_after_load ?? []) {
        const bytes = blockBytes(machine, id);
        if (!bytes) problems.push(`no block ${id}`);
        else if (bytes.length !== length || sha256(bytes) !== expected) problems.push(`block ${id}`);
      }
      const registers = sidecar.source_hmp_after_stop?.['info registers -a'] ?? sidecar.source_hmp_after_stop?.['info registers'];
      if (registers) problems.push(...changedRegisters(registers, machine));
      problems.push(...(await changedSections(stream, machine)));
    } catch (error) {
      problems.push((error as Error).message);
    }
    const result = problems.length === 0 ? 'equal    ' : 'different';
    table.push(
      [result, name, ...problems.map((problem) => `${problem} [${reasonOf(name, problem) ?? 'unexplained'}]`)].join(' '),
    );
    expect(problems.filter((problem) => !reasonOf(name, problem))).toEqual([]);
  });
});
