/** What the tests of this package share. */
import { readFileSync } from 'node:fs';
import { testSlot } from '@pagurus/dev-pci/testing';
import type { Screen } from '@pagurus/device-model';
import { type BenchOptions, type GoldenSection, goldenSection, realize } from '@pagurus/device-testkit';
import { type IsaVgaProperties, isaVga } from '../src/index.js';

export const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));

export function recordedSections(device: 'isa-vga' | 'VGA'): GoldenSection[] {
  const list = JSON.parse(fixture('sections.json').toString()) as {
    origin: string;
    device: string;
    name: string;
    bytes: string;
    vmdesc?: object;
  }[];
  return list
    .filter((entry) => entry.device === device)
    .map(({ origin, name, bytes, ...rest }) =>
      goldenSection(name, Uint8Array.from(Buffer.from(bytes, 'hex')), {
        origin,
        ...(rest.vmdesc ? { vmdesc: rest.vmdesc } : {}),
      }),
    );
}

/** PCI slot 00:02.0, where a PC has its VGA. */
export const pciOptions = (): NonNullable<BenchOptions<object>['context']> => () => ({
  slot: (context) => testSlot(context, 2 << 3),
});

/** An ISA card with a driver's helpers; colour addressing, as any BIOS sets it. */
export function card(properties: Partial<IsaVgaProperties> = {}) {
  const bench = realize(isaVga, { properties });
  const { context, device } = bench;
  const indexed = (port: number) => (index: number, value: number) => {
    context.outb(port, index);
    context.outb(port + 1, value);
  };
  context.outb(0x3c2, 0x67);
  return {
    ...bench,
    memory: context.mmio.blocks.get('vga.vram')!,
    screen: device.services as Screen,
    sequencer: indexed(0x3c4),
    graphics: indexed(0x3ce),
    crtc: indexed(0x3d4),
    attribute(index: number, value: number): void {
      context.inb(0x3da);
      context.outb(0x3c0, index);
      context.outb(0x3c0, value);
    },
    screenOn(): void {
      context.inb(0x3da);
      context.outb(0x3c0, 0x20);
    },
    dac(index: number, ...components: number[]): void {
      context.outb(0x3c8, index);
      for (const component of components) context.outb(0x3c9, component);
    },
    dispi(index: number, value: number): void {
      context.outw(0x1ce, index);
      context.outw(0x1d0, value);
    },
    readDispi(index: number): number {
      context.outw(0x1ce, index);
      return context.inw(0x1cf);
    },
  };
}

/** 80 × 25 text of 8 × 16 dots with colours 0 black, 7 grey, 15 white in the palette. */
export function textCard() {
  const all = card();
  all.sequencer(1, 0x01);
  all.sequencer(2, 0x03);
  all.sequencer(4, 0x02);
  all.graphics(5, 0x10);
  all.graphics(6, 0x0e);
  for (const [index, value] of Object.entries({ 1: 79, 9: 15, 10: 14, 11: 15, 18: 0x8f, 7: 0x1f, 19: 40, 23: 0xa3 })) {
    all.crtc(Number(index), value);
  }
  for (let i = 0; i < 16; i++) all.attribute(i, i);
  all.dac(7, 42, 42, 42);
  all.dac(15, 63, 63, 63);
  all.attribute(0x10, 0x0c);
  all.screenOn();
  return {
    ...all,
    print(column: number, row: number, text: string, attribute = 7): void {
      for (const [i, character] of [...text].entries()) {
        const at = 0xb8000 + 2 * (row * 80 + column + i);
        all.context.writeb(at, character.charCodeAt(0));
        all.context.writeb(at + 1, attribute);
      }
    },
    cursor(column: number, row: number): void {
      all.crtc(14, (row * 80 + column) >> 8);
      all.crtc(15, (row * 80 + column) & 0xff);
    },
  };
}
