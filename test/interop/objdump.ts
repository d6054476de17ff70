import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CodeBits } from '@pagurus/cpu-wasm';

/** What objdump makes of the bytes at the start of a slot. */
export interface Listed {
  readonly length: number;
  readonly text: string;
}

const MACHINES = { 16: 'i8086', 32: 'i386', 64: 'i386:x86-64' } as const;
/** Bytes of a case, and from case to case. */
export const CASE = 16;
const SLOT = 48;
/** The end of a slot: objdump skips zeros, but may begin again up to three bytes before they end. */
const NOPS = 8;

/** Cases laid out for {@link objdump}, with zeros behind each, many enough that no instruction reaches over them. */
export class Cases {
  readonly bytes: Uint8Array;

  constructor(readonly list: readonly (readonly number[])[]) {
    this.bytes = new Uint8Array(list.length * SLOT);
    list.forEach((bytes, i) => {
      this.bytes.set(bytes.slice(0, CASE), i * SLOT);
      this.bytes.fill(0x90, (i + 1) * SLOT - NOPS, (i + 1) * SLOT);
    });
  }

  address(index: number): bigint {
    return BigInt(index * SLOT);
  }

  of(index: number): Uint8Array {
    return this.bytes.subarray(index * SLOT, index * SLOT + CASE - 1);
  }
}

/** One line of `objdump -D -M intel` for each case. */
export async function objdump(cases: Cases, bits: CodeBits, each: (index: number, listed: Listed) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'pagurus-objdump-'));
  try {
    const file = join(folder, 'code.bin');
    writeFileSync(file, cases.bytes);
    const child = spawn('objdump', ['-D', '-b', 'binary', '-m', MACHINES[bits], '-M', 'intel', '--insn-width=16', file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    for await (const line of createInterface({ input: child.stdout })) {
      const colon = line.indexOf(':\t');
      if (colon < 0) continue;
      const address = Number.parseInt(line.slice(0, colon), 16);
      if (address % SLOT !== 0) continue;
      const [, bytes = '', text = ''] = line.split('\t');
      each(address / SLOT, { length: bytes.trim().split(' ').length, text: text.trim() });
    }
    const code = await ended;
    if (code !== 0) throw new Error(`objdump ended with ${code}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
