import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, describe as group, it } from 'vitest';
import {
  applyFilters,
  decodeWithVmdesc,
  encodeTree,
  type FieldNode,
  type Filter,
  type FilterStep,
  type SectionTree,
  StateError,
  type StructNode,
  type TreeValue,
  type VmdescDevice,
} from './index.js';

const struct = (name: string, fields: FieldNode[], subsections: StructNode[] = []): StructNode => ({
  name,
  version: 1,
  fields,
  subsections,
});
const field = (name: string, value: TreeValue, type = 'uint8'): FieldNode => ({ name, type, value });
const section = (name: string, node: StructNode): SectionTree => ({ name, instance: 0, version: 1, node });
const filter = (...steps: FilterStep[]): Filter => ({ name: 'test', steps });
const sample = () => [
  section(
    'pc/dev',
    struct(
      'dev',
      [field('a', 1), field('queue', struct('q', [field('n', 3)]), 'struct'), field('b', 2)],
      [struct('dev/x', [field('y', 9)])],
    ),
  ),
  section('other', struct('other', [field('list', [struct('e', [field('v', 5)]), struct('e', [field('v', 6)])], 'struct')])),
];
const run = (...steps: FilterStep[]) => applyFilters(filter(...steps), sample());
const names = (tree: SectionTree | undefined) => tree?.node.fields.map(({ name }) => name);

group('steps', () => {
  it('rename, drop, default, change, retype', () => {
    const { sections, provenance } = run(
      { do: 'rename', section: 'dev', path: ['a'], to: 'alpha' },
      { do: 'drop', section: 'dev', path: ['queue', 'n'] },
      { do: 'default', section: 'dev', path: ['c'], type: 'uint16', value: 7, before: 'b' },
      { do: 'change', section: 'other', path: ['list', '*', 'v'], with: (value) => Number(value) * 2 },
      { do: 'change', section: 'other', path: ['list', 1, 'v'], with: (value) => Number(value) + 1 },
      { do: 'retype', section: 'dev', path: ['b'], type: 'uint64' },
      { do: 'drop', section: 'dev', path: ['/dev/x', 'y'] },
    );
    expect(names(sections[0])).toEqual(['alpha', 'queue', 'c', 'b']);
    expect(Buffer.from(encodeTree(sections[0]!.node)).toString('hex')).toBe(
      `01${''}0007${'0000000000000002'}05056465762f7800000001`,
    );
    expect(encodeTree(sections[1]!.node)).toEqual(new Uint8Array([10, 13]));
    expect(provenance.map(({ step, section: where, text }) => `${step} ${where}: ${text}`)).toEqual([
      '0 pc/dev: a is now alpha',
      '1 pc/dev: queue.n dropped',
      '2 pc/dev: c added',
      '3 other: list.*.v changed',
      '3 other: list.*.v changed',
      '4 other: list.1.v changed',
      '5 pc/dev: b: uint8 is now uint64',
      '6 pc/dev: /dev/x.y dropped',
    ]);
  });

  it('move a field inside its section and to another one', () => {
    const { sections, provenance } = run(
      { do: 'move', section: 'dev', path: ['queue', 'n'], to: { path: ['count'], before: 'a' } },
      { do: 'move', section: 'dev', path: ['b'], to: { section: 'other', path: ['taken'] } },
    );
    expect(names(sections[0])).toEqual(['count', 'a', 'queue']);
    expect(names(sections[1])).toEqual(['list', 'taken']);
    expect(provenance.at(-1)!.text).toBe('b moved to other taken');
  });

  it('sections and subsections', () => {
    const extra = section('new', struct('new', [field('z', 1)]));
    const { sections } = run(
      { do: 'addSection', add: extra, before: 'other' },
      { do: 'renameSection', section: 'pc/dev', to: 'dev', instance: 1 },
      { do: 'version', section: 'dev', version: 4 },
      { do: 'dropSubsection', section: 'dev', path: ['/dev/x'] },
      { do: 'addSubsection', section: 'dev', path: [], add: struct('dev/z', []) },
      { do: 'dropSection', section: 'other' },
      { do: 'dropSection', section: 'other', optional: true },
    );
    expect(sections.map(({ name, instance, version }) => [name, instance, version])).toEqual([
      ['dev', 1, 4],
      ['new', 0, 1],
    ]);
    expect(sections[0]!.node.version).toBe(4);
    expect(sections[0]!.node.subsections.map(({ name }) => name)).toEqual(['dev/z']);
  });

  it('leaves its input alone', () => {
    const input = sample();
    applyFilters(filter({ do: 'drop', section: 'dev', path: ['a'] }), input);
    expect(input).toEqual(sample());
  });

  it.each<[string, FilterStep, string]>([
    ['a section', { do: 'drop', section: 'nothing', path: ['a'] }, 'there is no such section'],
    ['a field', { do: 'drop', section: 'dev', path: ['z'] }, 'there is no such field'],
    ['a nested field', { do: 'drop', section: 'dev', path: ['z', 'n'] }, "there is no field 'z'"],
    ['an element', { do: 'drop', section: 'other', path: ['list', 2, 'v'] }, 'there is no element 2'],
    ['a subsection', { do: 'dropSubsection', section: 'dev', path: ['/dev/q'] }, "there is no subsection 'dev/q'"],
    ['a structure', { do: 'drop', section: 'dev', path: ['a', 'n'] }, 'a path leads through a value that is no structure'],
    [
      'a place',
      { do: 'default', section: 'dev', path: ['c'], type: 'uint8', value: 0, before: 'z' },
      "there is no field 'z' to stand before",
    ],
    ['room', { do: 'default', section: 'dev', path: ['a'], type: 'uint8', value: 0 }, 'there is such a field already'],
  ])('fails where there is no such %s', (_what, step, message) => {
    expect(() => run(step)).toThrow(StateError);
    expect(() => run(step)).toThrow(message);
  });

  it('optional steps do nothing where there is nothing', () => {
    const { sections, provenance } = run(
      { do: 'drop', section: 'nothing', path: ['a'], optional: true },
      { do: 'rename', section: 'dev', path: ['z', 'n'], to: 'x', optional: true },
      { do: 'move', section: 'dev', path: ['z'], to: { path: ['q'] }, optional: true },
    );
    expect(sections).toEqual(sample());
    expect(provenance).toEqual([]);
  });
});

/**
 * The worked example: the ACPI hotplug registers of piix4_pm. Machine types before 2.0 send one pair of registers, newer ones a selector
 * and a pair for each of 256 buses. Both sections were written by real QEMU.
 */
group('a pc-i440fx-2.x device model for 1.x, and back', () => {
  const recorded = JSON.parse(gunzipSync(readFileSync(new URL('../fixtures/piix4_pm.json.gz', import.meta.url))).toString()) as {
    machine: string;
    device: VmdescDevice;
    hex: string;
  }[];
  const hexOf = (machine: string) => recorded.find((one) => one.machine === machine)!.hex;
  const sections = (machine: string): SectionTree[] => {
    const { device, hex } = recorded.find((one) => one.machine === machine)!;
    const { node } = decodeWithVmdesc(device, Uint8Array.from(Buffer.from(hex, 'hex')));
    return [{ name: device.name, instance: 0, version: 3, node }];
  };
  const pair = (up: number, down: number) => struct('pci_status', [field('up', up, 'uint32'), field('down', down, 'uint32')]);
  const [SELECT, BUSES, FIRST] = [
    'acpi_pci_hotplug.hotplug_select',
    'acpi_pci_hotplug.acpi_pcihp_pci_status',
    'acpi_pci_hotplug.acpi_pcihp_pci_status[0x0]',
  ];

  /** Bus 0 is all that the old model has; what is plugged behind bridges has no place there. */
  const to1x: Filter = {
    name: 'pc-i440fx-2.x to 1.x',
    steps: [
      { do: 'drop', section: 'piix4_pm', path: [SELECT] },
      {
        do: 'change',
        section: 'piix4_pm',
        path: [BUSES],
        with: (buses) => {
          const [first, ...others] = buses as readonly StructNode[];
          for (const bus of others)
            if (bus.fields.some(({ value }) => value !== 0))
              throw new StateError('invalid', BUSES, -1, 'a device behind a bridge is being plugged');
          return { ...first!, name: 'pci_status' };
        },
      },
      { do: 'rename', section: 'piix4_pm', path: [BUSES], to: FIRST },
      { do: 'dropSubsection', section: 'piix4_pm', path: ['/piix4_pm/memhp'], optional: true },
    ],
  };
  const to2x: Filter = {
    name: 'pc-i440fx-1.x to 2.x',
    steps: [
      { do: 'default', section: 'piix4_pm', path: [SELECT], type: 'uint32', value: 0, before: FIRST },
      {
        do: 'change',
        section: 'piix4_pm',
        path: [FIRST],
        with: (first) => [first, ...Array.from({ length: 255 }, () => pair(0, 0))],
      },
      { do: 'rename', section: 'piix4_pm', path: [FIRST], to: BUSES },
      {
        do: 'addSubsection',
        section: 'piix4_pm',
        path: [],
        add: struct('piix4_pm/memhp', [
          field('acpi_memory_hotplug', struct('memory hotplug state', [field('selector', 0, 'uint32')]), 'struct'),
        ]),
      },
    ],
  };
  const bytes = (tree: SectionTree | undefined) => Buffer.from(encodeTree(tree!.node)).toString('hex');

  it('turns the section of the one machine into that of the other, byte for byte', () => {
    const old = applyFilters(to1x, sections('pc-i440fx-2.4'));
    expect(bytes(old.sections[0])).toBe(hexOf('pc-i440fx-1.7'));
    const now = applyFilters(to2x, sections('pc-i440fx-1.7'));
    expect(bytes(now.sections[0])).toBe(hexOf('pc-i440fx-2.4'));
  });

  it('there and back, with what was done', () => {
    const { sections: back, provenance } = applyFilters([to1x, to2x], sections('pc-i440fx-2.4'));
    expect(bytes(back[0])).toBe(hexOf('pc-i440fx-2.4'));
    expect(provenance.map(({ filter: name, text }) => `${name}: ${text}`)).toEqual([
      `pc-i440fx-2.x to 1.x: ${SELECT} dropped`,
      `pc-i440fx-2.x to 1.x: ${BUSES} changed`,
      `pc-i440fx-2.x to 1.x: ${BUSES} is now ${FIRST}`,
      'pc-i440fx-2.x to 1.x: subsection piix4_pm/memhp dropped',
      `pc-i440fx-1.x to 2.x: ${SELECT} added`,
      `pc-i440fx-1.x to 2.x: ${FIRST} changed`,
      `pc-i440fx-1.x to 2.x: ${FIRST} is now ${BUSES}`,
      'pc-i440fx-1.x to 2.x: subsection piix4_pm/memhp added',
    ]);
  });

  it('refuses what the old model cannot hold', () => {
    const plugging: Filter = {
      name: 'plug',
      steps: [{ do: 'change', section: 'piix4_pm', path: [BUSES, 3, 'up'], with: () => 1 }],
    };
    expect(() => applyFilters([plugging, to1x], sections('pc-i440fx-2.4'))).toThrow('behind a bridge');
  });
});
