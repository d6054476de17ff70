import type { DeviceType } from '@pagurus/device-model';
import { StateError } from '@pagurus/vmstate';
import { type Bench, type BenchOptions, realize, restore, type SavedBench, saveBench } from './bench.js';
import { describeDifference, loadSection, sameBytes } from './codec.js';
import { Fuzzer, type HostEvent } from './fuzz.js';
import { checkGolden, type GoldenSection } from './golden.js';
import { differences, hostValues, undescribedKeys } from './inspect-state.js';
import { Random } from './random.js';
import { type ConformanceCase, ConformanceError, message } from './report.js';

/** One thing that a guest driver or its host does; what it reads is recorded by the context. */
export type Step = (bench: Bench) => void;

export interface ConformanceOptions<P extends object> extends BenchOptions<P> {
  /** Sections after reset, in the device's order. */
  sections: readonly { readonly name: string; readonly version: number; readonly size: number }[];
  /** A driver at work: the device is saved after every step and must go on equal. Choose awkward moments. */
  script?: readonly Step[];
  /** All port ranges that the device may ever claim, as [base, length]. */
  ports?: readonly (readonly [base: number, length: number])[];
  /** State paths (`section.key`, or a whole `section`) that a reset leaves alone, as on real hardware. */
  keptOnReset?: readonly string[];
  /** What may happen from outside the guest while random accesses run. */
  events?: readonly HostEvent[];
  golden?: readonly GoldenSection[];
  /**
   * Why the wire format itself loses something (an old version of it, say), so that the device can't go on equal: the rules that
   * compare two instances are then skipped, with this reason in their name.
   */
  incompleteFormat?: string;
  /** Random accesses. Default 20,000 steps from seed 1. */
  /** `atLeast`: where there is time for more of them, the rule that only watches for accidents takes so many. */
  fuzz?: { steps?: number; seed?: number; atLeast?: number };
  /** Damaged sections tried. Default 200. */
  hostileRounds?: number;
}

/**
 * The rules that every device keeps, as cases for any test framework; `@pagurus/device-testkit/vitest` runs them under vitest.
 */
export function conformance<P extends object>(type: DeviceType<P>, options: ConformanceOptions<P>): ConformanceCase[] {
  const suite = new Suite(type, options);
  const { script, ports, golden = [], incompleteFormat } = options;
  const moves = incompleteFormat === undefined ? {} : { skipped: incompleteFormat };
  const cases: ConformanceCase[] = [
    { name: 'has the sections it says', run: () => suite.sections() },
    { name: 'describes or declares every key of its state', run: () => suite.described() },
    { name: 'is after a reset what it was when fresh', run: () => suite.reset() },
    { name: 'saves, loads and saves the same bytes', run: () => suite.roundTrip() },
  ];
  if (script) {
    cases.push(
      { ...moves, name: 'goes on equal when moved after any step of its script', run: () => suite.scripted(script) },
      { name: 'does not notice being saved', run: () => suite.unnoticed(script) },
      { name: 'does the same with guest memory that arrives late', run: () => suite.withheld(script) },
    );
  }
  if (ports) cases.push({ name: 'claims no other ports', run: () => suite.claims(ports) });
  cases.push(
    { name: 'survives random accesses and clock jumps', run: () => suite.fuzz() },
    { ...moves, name: 'goes on equal when moved at random moments', run: () => suite.moved() },
    { name: 'survives damaged sections', run: () => suite.hostile() },
    { name: 'leaves nothing behind when unrealized', run: () => suite.unrealized() },
  );
  for (const section of golden) {
    cases.push({
      name: `loads and rewrites '${section.name}' of ${section.origin}`,
      run: () => checkGolden(type, options, section),
    });
  }
  return cases;
}

class Suite<P extends object> {
  private readonly seed: number;
  private readonly steps: number;

  constructor(
    private readonly type: DeviceType<P>,
    private readonly options: ConformanceOptions<P>,
  ) {
    this.seed = options.fuzz?.seed ?? 1;
    this.steps = options.fuzz?.steps ?? 20_000;
  }

  sections(): void {
    const saved = saveBench(this.fresh()).sections;
    const got = saved.flatMap((section) =>
      section ? [`${section.name} v${section.version} ${section.bytes.length} bytes`] : [],
    );
    const expected = this.options.sections.map(({ name, version, size }) => `${name} v${version} ${size} bytes`);
    if (got.join() !== expected.join())
      throw new ConformanceError(`sections at reset: ${got.join(', ')}; expected ${expected.join(', ')}`);
  }

  described(): void {
    const bench = this.fresh();
    this.fuzzer(bench).run(500);
    for (const { description, state } of bench.device.sections) {
      const missing = undescribedKeys(description, state);
      if (missing.length > 0) throw new ConformanceError(`neither described nor derived: ${missing.join(', ')}`);
      const host = hostValues(state, description.name);
      if (host.length > 0) throw new ConformanceError(`not plain data: ${host.join(', ')}`);
    }
  }

  reset(): void {
    const used = this.fresh();
    this.options.script?.forEach((step) => {
      step(used);
    });
    this.fuzzer(used).run(2000);
    used.context.clock.setTime(10_000_000_000n);
    used.device.reset();
    const fresh = realize(this.type, this.options, 10_000_000_000n);
    const kept = this.options.keptOnReset ?? [];
    for (const [i, { description, state }] of fresh.device.sections.entries()) {
      const found = differences(state, used.device.sections[i]!.state, description.name, Number.POSITIVE_INFINITY).filter(
        (line) => !kept.some((path) => line.startsWith(`${path}:`) || line.startsWith(`${path}.`)),
      );
      if (found.length > 0) throw new ConformanceError(`after reset: ${found.slice(0, 8).join('; ')}`);
    }
    if (kept.length === 0) this.sameLevels(fresh, used, 'after reset');
  }

  roundTrip(): void {
    const bench = this.fresh();
    for (let round = 0; round < 20; round++) {
      const saved = saveBench(bench);
      this.sameSections(saved, saveBench(this.move(saved)), `round ${round}`);
      this.fuzzer(bench, round).run(100);
    }
  }

  scripted(script: readonly Step[]): void {
    const whole = this.fresh();
    const marks: { trace: number; saved: SavedBench; levels: Map<string, boolean> }[] = [];
    for (const step of script) {
      step(whole);
      marks.push({ trace: whole.context.trace.length, saved: saveBench(whole), levels: levels(whole) });
    }
    for (const [i, mark] of marks.entries()) {
      const second = this.move(mark.saved);
      const where = `moved after step ${i + 1} of ${script.length}`;
      compareLevels(mark.levels, levels(second), where);
      const start = second.context.trace.length;
      for (const step of script.slice(i + 1)) step(second);
      sameLines(whole.context.traceFrom(mark.trace), second.context.traceFrom(start), where);
      this.sameSections(marks.at(-1)!.saved, saveBench(second), `${where}, at the end`);
    }
  }

  unnoticed(script: readonly Step[]): void {
    const [left, right] = [this.fresh(), this.fresh()];
    for (const step of script) {
      step(left);
      step(right);
      saveBench(right);
    }
    sameLines(left.context.traceFrom(0), right.context.traceFrom(0), 'saved after every step');
  }

  withheld(script: readonly Step[]): void {
    const [present, late] = [this.fresh(), this.fresh()];
    late.context.memory.withhold();
    for (const step of script) {
      step(present);
      step(late);
      late.context.memory.arrive();
    }
    const [expected, got] = [saveBench(present), saveBench(late)];
    this.sameSections(expected, got, 'with memory that arrives late');
    if (!sameBytes(expected.memory, got.memory)) {
      throw new ConformanceError(
        `memory that arrives late: guest memory differs, ${describeDifference(expected.memory, got.memory)}`,
      );
    }
  }

  claims(ports: readonly (readonly [base: number, length: number])[]): void {
    const bench = this.fresh();
    this.fuzzer(bench).run(2000);
    for (const { base, length, name } of bench.context.ports.regions) {
      if (ports.some(([first, count]) => base >= first && base + length <= first + count)) continue;
      throw new ConformanceError(`${name} claims ports 0x${base.toString(16)} to 0x${(base + length - 1).toString(16)}`);
    }
  }

  fuzz(): void {
    const bench = this.fresh();
    this.fuzzer(bench).run(Math.max(this.steps, this.options.fuzz?.atLeast ?? 0));
    saveBench(bench);
    bench.device.reset();
  }

  moved(): void {
    const bench = this.fresh();
    const rounds = Math.max(10, Math.floor(this.steps / 200));
    const random = new Random(this.seed + 7);
    for (let round = 0; round < rounds; round++) {
      new Fuzzer(bench, random, this.options).run(100);
      const second = this.move(saveBench(bench));
      compareLevels(levels(bench), levels(second), `moved at random moment ${round}, seed ${random.seed}`);
      const starts = [bench.context.trace.length, second.context.trace.length] as const;
      const copy = new Fuzzer(second, random.clone(), this.options);
      new Fuzzer(bench, random, this.options).run(100);
      copy.run(100);
      const where = copy.explain(`moved at random moment ${round}`);
      sameLines(bench.context.traceFrom(starts[0]), second.context.traceFrom(starts[1]), where);
      this.sameSections(saveBench(bench), saveBench(second), where);
    }
  }

  hostile(): void {
    const random = new Random(this.seed + 13);
    const donor = this.fresh();
    let accepted = 0;
    const rounds = this.options.hostileRounds ?? 200;
    for (let round = 0; round < rounds; round++) {
      new Fuzzer(donor, random, this.options).run(20);
      const saved = saveBench(donor).sections;
      const present = saved.flatMap((section, index) => (section && section.bytes.length > 0 ? [{ section, index }] : []));
      if (present.length === 0) return;
      const { section, index } = random.pick(present);
      const victim = this.fresh();
      const bytes = damage(section.bytes, random, round);
      const where = `'${section.name}' damaged in round ${round}, seed ${random.seed}`;
      try {
        loadSection(victim.device.sections[index]!, bytes, section.version);
      } catch (error) {
        if (error instanceof StateError) continue;
        throw new ConformanceError(`${where}: load threw ${message(error)} instead of a StateError`, { cause: error });
      }
      accepted++;
      this.live(victim, random, where);
    }
    if (accepted === 0 && rounds >= 200) throw new ConformanceError('no damaged section was ever accepted: nothing was tried');
  }

  unrealized(): void {
    const bench = this.fresh();
    if (!bench.device.unrealize) return;
    this.fuzzer(bench).run(500);
    bench.device.unrealize();
    const { ports, mmio, clock } = bench.context;
    const left = [...ports.regions, ...mmio.regions].map((region) => region.name);
    if (left.length > 0) throw new ConformanceError(`regions left: ${left.join(', ')}`);
    if (clock.pending.length > 0) throw new ConformanceError(`${clock.pending.length} timers left`);
  }

  private live(victim: Bench, random: Random, where: string): void {
    try {
      victim.device.resume?.();
      new Fuzzer(victim, random, this.options).run(200);
      saveBench(victim);
      victim.device.reset();
    } catch (error) {
      if (error instanceof StateError) return;
      throw new ConformanceError(`${where}: loaded, then ${message(error)}`, { cause: error });
    }
  }

  private fresh(): Bench {
    return realize(this.type, this.options);
  }

  private fuzzer(bench: Bench, offset = 0): Fuzzer {
    return new Fuzzer(bench, new Random(this.seed + offset), this.options);
  }

  private move(saved: SavedBench): Bench {
    try {
      return restore(this.type, this.options, saved);
    } catch (error) {
      throw new ConformanceError(`refuses its own state: ${message(error)}`, { cause: error });
    }
  }

  private sameSections(expected: SavedBench, got: SavedBench, where: string): void {
    for (const [i, section] of expected.sections.entries()) {
      const other = got.sections[i];
      const name = section?.name ?? other?.name ?? '';
      if (!section !== !other) throw new ConformanceError(`${where}: section '${name}' is sent by one of the two only`);
      if (section && other && !sameBytes(section.bytes, other.bytes)) {
        throw new ConformanceError(`${where}: '${name}' differs, ${describeDifference(section.bytes, other.bytes)}`);
      }
    }
  }

  private sameLevels(expected: Bench, got: Bench, where: string): void {
    compareLevels(levels(expected), levels(got), where);
  }
}

function levels({ context }: Bench): Map<string, boolean> {
  return new Map([...context.lines].map(([pin, line]) => [pin, line.level]));
}

function compareLevels(expected: Map<string, boolean>, got: Map<string, boolean>, where: string): void {
  for (const pin of new Set([...expected.keys(), ...got.keys()])) {
    const [a, b] = [expected.get(pin) ?? false, got.get(pin) ?? false];
    if (a !== b) throw new ConformanceError(`${where}: line '${pin}' is ${b ? 'high' : 'low'}, it was ${a ? 'high' : 'low'}`);
  }
}

function sameLines(expected: readonly string[], got: readonly string[], where: string): void {
  const at = expected.findIndex((line, i) => line !== got[i]);
  if (at < 0 && expected.length === got.length) return;
  const index = at < 0 ? expected.length : at;
  throw new ConformanceError(
    `${where}: event ${index} is '${got[index] ?? 'nothing'}' instead of '${expected[index] ?? 'nothing'}'`,
  );
}

/** Some bytes replaced, a run filled, or the end cut off or extended. */
function damage(bytes: Uint8Array, random: Random, round: number): Uint8Array {
  const copy = bytes.slice();
  switch (round % 5) {
    case 0:
      return copy.subarray(0, random.below(copy.length));
    case 1: {
      const start = random.below(copy.length);
      return copy.fill(random.pick([0, 0xff, 0x80, 0x7f]), start, start + 1 + random.below(16));
    }
    default:
      for (let i = 0; i <= random.below(4); i++) copy[random.below(copy.length)] = random.register(8);
      return copy;
  }
}
