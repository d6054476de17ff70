import { TEST_CONFIG_BASE } from '@pagurus/dev-pci/testing';
import { type GoldenSection, goldenSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { atSlot, controllerWith, disk, file, guest, numberedDisc } from '../../test-support/machine.js';
import { MemoryBlockBackend } from '../memory-backend.js';
import { ideCd } from './ide-disks.js';
import { piix3Ide } from './piix3-ide.js';

const golden = (name: string): GoldenSection => goldenSection('ide', file(`${name}.ide.bin.gz`), { origin: `QEMU 7.2 ${name}` });
// A reset leaves registers beyond the header alone, and the contents of buffers and identities, which nobody can see before a command
// fills them again. [QEMU]
const keptOnReset = [
  'ide.pci.config',
  'ide.busMasters',
  'ide.buses',
  ...['primary', 'secondary'].flatMap((channel) =>
    [0, 1].flatMap((unit) =>
      ['buffer', 'identifyData', 'identifySet', 'newMedia', 'ejectRequest'].map((key) => `ide.${channel}.${unit}.${key}`),
    ),
  ),
];

describeConformance(piix3Ide, {
  context: atSlot,
  sections: [{ name: 'ide', version: 3, size: 430 }],
  keptOnReset,
  fuzz: { steps: 100_000 },
  golden: ['reset', 'reset-2.4', 'reset-1.4', 'seabios'].map(golden),
});

const start = (context: Parameters<typeof guest>[0]) => {
  context.writew(TEST_CONFIG_BASE + 4, 5);
  context.writel(TEST_CONFIG_BASE + 0x20, 0xc001);
};

describeConformance(
  controllerWith(() => [
    disk(),
    { type: ideCd, channel: 1, unit: 0, backend: new MemoryBlockBackend(numberedDisc(), { readOnly: true }) },
  ]),
  {
    context: atSlot,
    sections: [{ name: 'ide', version: 3, size: 430 }],
    keptOnReset,
    hostileRounds: 60,
    fuzz: { steps: 12_000 },
    script: [
      ({ context }) => start(context),
      ({ context }) => guest(context).command(0xec),
      ({ context }) => void guest(context).words(100),
      ({ context }) => void guest(context).words(156),
      ({ context }) => guest(context).command(0xc6, 0, 4),
      ({ context }) => guest(context).command(0xc4, 50, 6),
      ({ context }) => void guest(context).words(1000),
      ({ context }) => void guest(context).words(536),
      ({ context }) => guest(context).command(0x30, 8),
      ({ context }) => guest(context).fill(0x1234),
      ({ context }) => context.outb(0x1f1, 0x82),
      ({ context }) => context.outb(0x1f7, 0xef),
      ({ context }) => {
        guest(context).table([
          [0x2f00, 0x300],
          [0x6000, 0x900],
        ]);
        guest(context).command(0xc8, 60, 4);
      },
      ({ context }) => context.outb(0xc000, 9),
      ({ context }) => context.inb(0xc002),
      ({ context }) => context.outb(0xc000, 0),
      ({ context }) => guest(context).packet([0x1e, 0, 0, 0, 1]),
      ({ context }) => guest(context).packet([0x28, 0, 0, 0, 0, 5, 0, 0, 3], { limit: 3000 }),
      ({ context }) => {
        for (let i = 0; i < 1000; i++) context.inw(0x170);
      },
      ({ context }) => context.outb(0x376, 4),
      ({ context }) => {
        guest(context).table([[0x8000, 0x800]], 0xc008);
        guest(context).packet([0x28, 0, 0, 0, 0, 9, 0, 0, 1], { features: 1 });
      },
      ({ context }) => context.outb(0xc008, 9),
    ],
  },
);
