/** What the tests of this package share. */
import { readFileSync } from 'node:fs';
import type { InputSource, PointerEvent } from '@pagurus/device-model';
import { type Bench, type GoldenSection, goldenSection, realize } from '@pagurus/device-testkit';
import { type I8042Properties, i8042 } from '../src/i8042.js';
import { PORT, STATUS } from '../src/spec.js';

/** Keys and movements typed by a test. */
export class FakeInput implements InputSource {
  key: (qcode: string, down: boolean) => void = () => {};
  pointer: (event: PointerEvent) => void = () => {};

  onKey(handler: (qcode: string, down: boolean) => void): void {
    this.key = handler;
  }

  onPointer(handler: (event: PointerEvent) => void): void {
    this.pointer = handler;
  }
}

export const withInput = () => ({ backends: { input: new FakeInput() } });

export function inputOf({ context }: Bench): FakeInput {
  return context.backends.input as FakeInput;
}

/** A controller with a driver's helpers. */
export function pc(properties: Partial<I8042Properties> = {}) {
  const bench = realize(i8042, { properties, context: withInput });
  const { context } = bench;
  const input = inputOf(bench);
  return {
    ...bench,
    input,
    status: () => context.inb(PORT.COMMAND),
    read: () => context.inb(PORT.DATA),
    /** All bytes that the controller has, in order. */
    drain(): number[] {
      const bytes: number[] = [];
      while ((context.inb(PORT.COMMAND) & STATUS.OBF) !== 0) bytes.push(context.inb(PORT.DATA));
      return bytes;
    },
    command: (...bytes: number[]) => {
      const [command, ...rest] = bytes;
      context.outb(PORT.COMMAND, command!);
      for (const byte of rest) context.outb(PORT.DATA, byte);
    },
    keyboard: (byte: number) => context.outb(PORT.DATA, byte),
    mouse: (...bytes: number[]) => {
      for (const byte of bytes) {
        context.outb(PORT.COMMAND, 0xd4);
        context.outb(PORT.DATA, byte);
      }
    },
    press(...qcodes: string[]) {
      for (const qcode of qcodes) {
        input.key(qcode, true);
        input.key(qcode, false);
      }
    },
  };
}

export const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));

/** Recorded sections; those of machines up to 6.0 lack the extended state. */
export function recordedSections(extended: boolean): GoldenSection[] {
  const list = JSON.parse(fixture('sections.json').toString()) as {
    origin: string;
    name: string;
    version: number;
    bytes: string;
    vmdesc?: object;
  }[];
  return list
    .filter(({ name, bytes }) => name !== 'pckbd' || bytes.length > 8 === extended)
    .map(({ origin, name, bytes, ...rest }) =>
      goldenSection(name, Uint8Array.from(Buffer.from(bytes, 'hex')), {
        origin,
        ...(rest.vmdesc ? { vmdesc: rest.vmdesc } : {}),
      }),
    );
}
