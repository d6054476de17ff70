import { Terminal } from '@xterm/headless';
import { describe, expect, it } from 'vitest';
import { ConsolePage } from './display-page.js';

async function written(text: string): Promise<ConsolePage> {
  let done = (): void => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const page = new ConsolePage('serial0', Terminal, () => done());
  page.write(new TextEncoder().encode(text));
  await all;
  return page;
}

describe('a virtual console', () => {
  it('shows what is written, its colours as those of a PC, and the cursor', async () => {
    const page = await written('login: \x1b[31mroot\x1b[0m \x1b[1;44mX\x1b[0m\r\n$ ');
    const { columns, rows, lines, attributes, cursor } = page.text();
    expect([columns, rows]).toEqual([80, 24]);
    expect(lines[0]!.trimEnd()).toBe('login: root X');
    expect([attributes[0], attributes[7], attributes[12]]).toEqual([0x07, 0x04, 0x1f]);
    expect(cursor).toEqual({ column: 2, row: 1 });
  });

  it('gives keys to its user, and the answers that a terminal gives', async () => {
    const got: number[] = [];
    const page = await written('ab\x1b[6n');
    page.connect({ canReceive: () => 100, receive: (bytes) => void got.push(...bytes) });
    page.type('ls\r');
    expect(String.fromCharCode(...got)).toBe('\x1b[1;3Rls\r');
  });

  it('takes another size', async () => {
    const page = await written('one\r\ntwo');
    page.resize(100, 10);
    expect(page.text()).toMatchObject({ columns: 100, rows: 10 });
  });
});
