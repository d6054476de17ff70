import type { AccessSize } from '@pagurus/device-model';
import type { Bench } from './bench.js';
import type { FakeContext } from './context.js';
import type { Random } from './random.js';
import { ConformanceError, message } from './report.js';
import type { FakeRegion } from './space.js';

/** Something that happens to the device from outside the guest: a key, a frame, a level on an input pin. */
export type HostEvent = (bench: Bench, random: Random) => void;

export interface FuzzOptions {
  events?: readonly HostEvent[];
  /** Wall-clock bound of one access in milliseconds; generous, because the machine that tests may be busy. Default 2000. */
  slowest?: number;
}

const SIZES: readonly AccessSize[] = [1, 1, 1, 2, 4];
const SECOND = 1_000_000_000;

/** Does random things to a device and remembers the last of them for the message. */
export class Fuzzer {
  private readonly recent: string[] = [];

  constructor(
    readonly bench: Bench,
    readonly random: Random,
    private readonly options: FuzzOptions = {},
  ) {}

  /** `count` random accesses, clock steps and host events. */
  run(count: number): void {
    for (let i = 0; i < count; i++) this.step();
  }

  /** A message with the seed and what was done last. */
  explain(text: string): string {
    return `${text}\n  seed ${this.random.seed}, last steps:\n    ${this.recent.join('\n    ')}`;
  }

  private step(): void {
    const { random, bench } = this;
    const kind = random.below(100);
    const { events = [] } = this.options;
    const pins = Object.entries(bench.device.inputs ?? {});
    if (kind < 4) this.try('jump', () => this.jump(bench.context));
    else if (kind < 12) this.try('advance', () => this.advance(bench.context));
    else if (kind < 20 && events.length > 0) {
      const index = random.below(events.length);
      this.try(`event ${index}`, () => events[index]!(bench, random));
    } else if (kind < 24 && pins.length > 0) {
      const [pin, input] = random.pick(pins);
      const level = random.oneIn(2);
      this.try(`input ${pin} ${level}`, () => input(level));
    } else this.access(bench.context);
  }

  private access(context: FakeContext): void {
    const { random } = this;
    const regions: { space: 'port' | 'memory'; region: FakeRegion }[] = [
      ...context.ports.regions.map((region) => ({ space: 'port' as const, region })),
      ...context.mmio.regions.map((region) => ({ space: 'memory' as const, region })),
    ].filter(({ region }) => region.enabled);
    if (regions.length === 0) return;
    const { space, region } = random.pick(regions);
    const size = random.pick(SIZES);
    const address = region.base + random.below(region.length);
    const limit = space === 'port' ? context.ports.limit : context.mmio.limit;
    if (address + size > limit) return;
    const where = `${space} 0x${address.toString(16)}/${size}`;
    if (random.oneIn(2)) {
      this.try(`read ${where}`, () => (space === 'port' ? context.in(address, size) : context.load(address, size)));
      return;
    }
    const value = random.register((size * 8) as 8 | 16 | 32);
    this.try(`write ${where} 0x${value.toString(16)}`, () =>
      space === 'port' ? context.out(address, value, size) : context.store(address, value, size),
    );
  }

  private advance(context: FakeContext): void {
    const scale = this.random.pick([100, 10_000, 1_000_000, 50_000_000]);
    context.budget.refill();
    context.clock.advance(this.random.below(scale));
  }

  private jump(context: FakeContext): void {
    const distance = BigInt(this.random.below(2 * SECOND) - SECOND);
    const target = context.clock.now() + distance;
    context.budget.refill();
    context.clock.setTime(target < 0n ? 0n : target);
  }

  private try(what: string, action: () => void): void {
    if (this.recent.push(what) > 12) this.recent.shift();
    const start = Date.now();
    try {
      action();
    } catch (error) {
      throw new ConformanceError(this.explain(`${what} threw ${message(error)}`), { cause: error });
    }
    const spent = Date.now() - start;
    if (spent > (this.options.slowest ?? 2000)) throw new ConformanceError(this.explain(`${what} took ${spent} ms`));
  }
}
