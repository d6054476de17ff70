import { createMachine } from 'pagurus';
import { Bench } from 'tinybench';
import { LOOPS } from './loops.bytes.js';

/** Guest instructions in one sample. */
const SAMPLE = 20_000_000;

export interface LoopResult {
  readonly loop: keyof typeof LOOPS;
  /** Millions of guest instructions per second, median. */
  readonly mips: number;
  /** Half the spread between the slowest and the fastest sample, in percent of the median. */
  readonly spread: number;
}

/** How fast the interpreter runs three loops of guest code, each in a deterministic machine without devices in the way. */
export async function cpuLoops(): Promise<LoopResult[]> {
  const results: LoopResult[] = [];
  for (const loop of Object.keys(LOOPS) as (keyof typeof LOOPS)[]) {
    const machine = await createMachine('isapc', {
      memory: 4 * 2 ** 20,
      kernel: { image: Uint8Array.from(Buffer.from(LOOPS[loop], 'base64')) },
      icount: { shift: 0, sleep: false },
    });
    const bench = new Bench({ time: 2000, warmupTime: 500, iterations: 5 });
    bench.add(loop, () => machine.runUntil(machine.cpu.instructions + SAMPLE));
    await bench.run();
    const result = bench.tasks[0]!.result;
    if (!('latency' in result)) throw new Error(`${loop}: the benchmark did not complete (${result.state})`);
    const { p50, min, max } = result.latency;
    results.push({ loop, mips: SAMPLE / p50 / 1000, spread: (50 * (max - min)) / p50 });
  }
  return results;
}
