import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Cpu, compareTrace, cpuWasmUrl, Disassembler, recordTrace, TraceReader, TraceWriter } from '@pagurus/cpu-wasm';
import { describe, expect, it } from 'vitest';
import { type Console, guest, saved } from './testing.js';

/** Traced, and then as many again untraced. */
const SOME = 400_000;

function cpuOf({ machine }: Console): Cpu {
  if (!(machine.cpu instanceof Cpu)) throw new Error('no CPU to observe');
  return machine.cpu;
}

/** Runs to an instruction with the run loop of every day: slices by the host's clock. */
async function runFreely({ machine }: Console, instructions: number): Promise<void> {
  machine.breakAt(instructions);
  machine.start();
  while (machine.runState === 'running') await new Promise((resolve) => setTimeout(resolve, 5));
  await machine.whenStopped();
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('a deterministic machine', () => {
  it('gives the same trace and the same stream, however it is run and whether it is looked at', {
    timeout: 120_000,
  }, async () => {
    const traces: string[] = [];
    const streams: string[] = [];
    for (const free of [false, true]) {
      const pc = await guest();
      pc.type('dirty 4\r');
      const hash = createHash('sha256');
      const writer = new TraceWriter((piece) => void hash.update(piece));
      cpuOf(pc).observe(recordTrace(cpuOf(pc), writer));
      if (free) await runFreely(pc, SOME);
      else pc.machine.runUntil(SOME);
      cpuOf(pc).observe(undefined);
      writer.flush();
      traces.push(hash.digest('hex'));
      if (free) await runFreely(pc, 2 * SOME);
      else pc.machine.runUntil(2 * SOME);
      expect(pc.machine.cpu.instructions).toBe(2 * SOME);
      streams.push(digest(await saved(pc.machine)));
    }
    const unseen = await guest();
    unseen.type('dirty 4\r');
    await runFreely(unseen, 2 * SOME);
    streams.push(digest(await saved(unseen.machine)));

    expect(traces[1]).toBe(traces[0]);
    expect(streams).toEqual([streams[0], streams[0], streams[0]]);
  });

  it('differs where its input does, and the trace says where', { timeout: 120_000 }, async () => {
    const pieces: Uint8Array[] = [];
    const writer = new TraceWriter((piece) => void pieces.push(piece.slice()));
    const first = await guest();
    cpuOf(first).observe(recordTrace(cpuOf(first), writer));
    first.machine.runUntil(SOME / 4);
    writer.flush();

    const other = await guest({ kernel: { ...first.machine.config.kernel!, commandLine: 'region=3' } });
    const cpu = cpuOf(other);
    const found: string[] = [];
    const reader = new TraceReader(() => pieces.shift() ?? new Uint8Array(0));
    const disassembler = new Disassembler(new WebAssembly.Module(readFileSync(cpuWasmUrl)));
    cpu.observe(
      compareTrace(
        cpu,
        disassembler,
        reader,
        ({ text }) => found.push(text),
        () => found.push('the same'),
      ),
    );
    other.machine.runUntil(SOME / 4);
    expect(found).toHaveLength(1);
    // the digit of region=2 is read from the command line
    expect(found[0]).toMatch(/^the trace differs before instruction \d+: r/);
    expect(found[0]).toMatch(/^\* rax +\w{14}33 {2}\w{14}32$/m);
  });
});
