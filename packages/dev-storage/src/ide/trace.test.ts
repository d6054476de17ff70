import { expect, it } from 'vitest';
import { disk, file, machine, numberedDisc, type Plugged } from '../../test-support/machine.js';
import { MemoryBlockBackend } from '../memory-backend.js';
import { ideCd, ideHd } from './ide-disks.js';

const SIZE = { b: 1, w: 2, l: 4 } as const;
type Width = keyof typeof SIZE;

const slave = (): Plugged => ({ type: ideHd, channel: 0, unit: 1, backend: new MemoryBlockBackend(new Uint8Array(2 << 20)) });
const cd = (): Plugged => ({
  type: ideCd,
  channel: 1,
  unit: 0,
  backend: new MemoryBlockBackend(numberedDisc(), { readOnly: true }),
});

/** Random runs against QEMU's controller: everything that was read, the two interrupt lines, and memory after bus mastering. */
it.each([
  ['ide-no-drives', () => []],
  ['ide-disk', () => [disk()]],
  ['ide-disks-and-cd', () => [disk(), slave(), cd()]],
  ['ide-cd', () => [cd()]],
] as const)('does step for step what QEMU did: %s', (name, drives) => {
  const trace = JSON.parse(new TextDecoder().decode(file(`${name}.trace.json.gz`))) as [string, ...unknown[]][];
  const { context } = machine(...drives());
  const found: string[] = [];
  const compare = (step: number, what: string, got: unknown, expected: unknown): void => {
    if (String(got) !== String(expected)) found.push(`step ${step}: ${what} is ${String(got)} instead of ${String(expected)}`);
  };
  trace.forEach(([kind, ...entry], step) => {
    switch (kind) {
      case 'o': {
        const [width, port, value] = entry as [Width, number, number];
        context.out(port, value, SIZE[width]);
        break;
      }
      case 'i': {
        const [width, port, value] = entry as [Width, number, number];
        compare(step, `port 0x${port.toString(16)}`, context.in(port, SIZE[width]), value);
        break;
      }
      case 'w': {
        const [port, widths, values] = entry as [number, string, number[]];
        values.forEach((value, i) => {
          context.out(port, value, SIZE[widths[i] as Width]);
        });
        break;
      }
      case 'r': {
        const [port, widths, values] = entry as [number, string, number[]];
        compare(
          step,
          `data of 0x${port.toString(16)}`,
          values.map((_, i) => context.in(port, SIZE[widths[i] as Width])),
          values,
        );
        break;
      }
      case 'l':
        compare(step, 'interrupts', [Number(context.level('irq14')), Number(context.level('irq15'))], entry);
        break;
      case 'mw': {
        const [address, hex] = entry as [number, string];
        context.memory.bytes.set(Buffer.from(hex, 'hex'), address);
        break;
      }
      case 'ms': {
        const [address, length, value] = entry as [number, number, number];
        context.memory.bytes.fill(value, address, address + length);
        break;
      }
      case 'mr': {
        const [address, hex] = entry as [number, string];
        const got = Buffer.from(context.memory.bytes.subarray(address, address + hex.length / 2)).toString('hex');
        compare(step, `memory 0x${address.toString(16)}`, got, hex);
        break;
      }
      default:
        expect(kind).toBe('end');
    }
  });
  expect(trace.length).toBeGreaterThan(500);
  expect(found.slice(0, 5)).toEqual([]);
});
