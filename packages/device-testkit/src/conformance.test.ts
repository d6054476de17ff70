import { describe, expect, it } from 'vitest';
import { type SampleProperties, type SampleState, sample } from '../test/sample.js';
import { type ConformanceOptions, conformance } from './conformance.js';
import { goldenSection } from './golden.js';
import { runCases } from './report.js';
import { describeConformance } from './vitest.js';

const SIZE = 1 + 1 + 8 + 4 + 1 + 1;
const bytes = Uint8Array.from([9, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x20, 0, 0x5a]);

const options: ConformanceOptions<SampleProperties> = {
  sections: [{ name: 'sample', version: 2, size: SIZE }],
  ports: [[0x300, 3]],
  script: [
    ({ context }) => context.memory.bytes.set([1, 2, 3, 4], 0x20),
    ({ context }) => context.outb(0x300, 5),
    ({ context }) => context.advance(3000),
    ({ context }) => context.outb(0x301, 2),
    ({ context }) => context.advance(5000),
    ({ context }) => context.inb(0x302),
    ({ context }) => context.inb(0x300),
    ({ context }) => context.inb(0x300),
  ],
  golden: [
    goldenSection('sample', bytes, { origin: 'a recording' }),
    goldenSection('sample', bytes.subarray(0, 14), {
      version: 1,
      check: (state) => expect((state as SampleState).address).toBe(0x20),
    }),
  ],
  fuzz: { steps: 2000 },
};

const failures = (defect: string, changes: Partial<ConformanceOptions<SampleProperties>> = {}): string[] =>
  runCases(conformance(sample(defect), { ...options, ...changes }))
    .filter(({ error }) => error !== undefined)
    .map(({ name, error }) => `${name}: ${(error as Error).message}`);

describeConformance(sample(), options);
describeConformance(sample(), { ...options, properties: { fast: true } });

describe('the conformance suite notices', () => {
  it.each([
    [
      'hidden state',
      /goes on equal when moved after any step.*moved after step 4 of 8: event 2 is 'port 0x300\/1 -> 0x0' instead of/,
    ],
    ['forgets a key', /neither described nor derived: sample.data/],
    ['partial reset', /after reset: sample.reload: \d+ instead of 0/],
    ['silent resume', /moved after step 2 of 8: event 0 is 'port 0x302\/1 -> 0x1' instead of 'line irq high'/],
    ['forgets its line', /line 'irq' is low, it was high/],
    ['notices saving', /does not notice being saved/],
    ['drops late memory', /guest memory that arrives late: with memory that arrives late: 'sample' differs/],
    ['outgrows its ports', /more claims ports 0x310 to 0x310/],
    ['throws', /read port 0x302\/1 threw Error: boom[\s\S]*seed 1/],
    ['not a number', /gave NaN/],
    ['guest loop', /more than \d+ operations in one access/],
    ['endless timer', /re-arms itself for \d+ for ever/],
    ['leaves its timer', /1 timers left/],
    ['trusts its state', /'sample' damaged in round \d+.*loaded, then TypeError/],
  ])('%s', (defect, expected) => {
    const found = failures(defect);
    expect(found.join('\n')).toMatch(expected);
  });

  it('a wrong size, name or version', () => {
    const wrong = { sections: [{ name: 'sample', version: 3, size: SIZE + 1 }] };
    expect(failures('', wrong)).toEqual([
      'has the sections it says: sections at reset: sample v2 16 bytes; expected sample v3 17 bytes',
    ]);
  });

  it('recorded bytes that come out otherwise', () => {
    const golden = [
      goldenSection(
        'sample',
        bytes.map((byte, i) => (i === 14 ? 2 : byte)),
        { origin: 'a recording' },
      ),
    ];
    expect(failures('', { golden })).toEqual([
      "loads and rewrites 'sample' of a recording: a recording: 'sample' saved differently, first difference at 14: expected 02 5a, got 00 5a",
    ]);
  });

  it('a description that is not the recorded one', () => {
    const field = (name: string, type: string, size: number) => ({ name, type, size });
    const fields = [
      field('reload', 'uint8', 1),
      field('pending', 'bool', 1),
      field('deadline', 'timer', 8),
      field('address', 'uint32', 4),
    ];
    const vmdesc = (last: string) => ({
      vmsd_name: 'sample',
      version: 2,
      fields: [...fields, field('dma', 'uint8', 1), field(last, 'uint8', 1)],
    });
    const golden = (last: string) => [goldenSection('sample', bytes, { vmdesc: vmdesc(last) })];
    expect(failures('', { golden: golden('data') })).toEqual([]);
    expect(failures('', { golden: golden('date') })).toEqual([
      "loads and rewrites 'sample' of recorded: recorded: 'sample' is described differently: vmdesc.fields.5.name: data instead of date",
    ]);
  });

  it('and says which rules it did not try', () => {
    const results = runCases(conformance(sample('hidden state'), { ...options, incompleteFormat: 'version 1 had no data' }));
    expect(results.filter(({ name }) => name.includes('(not tried: version 1 had no data)'))).toHaveLength(2);
    expect(results.every(({ error }) => error === undefined)).toBe(true);
  });

  it('a golden section that does not exist', () => {
    expect(failures('', { golden: [goldenSection('other', bytes)] })).toEqual([
      "loads and rewrites 'other' of recorded: sample has no section 'other' 0",
    ]);
  });
});
