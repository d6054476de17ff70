/** A seeded generator (xorshift128, Marsaglia 2003), so that a failure can be repeated from the seed in its message. */
export class Random {
  private a: number;
  private b = 0x9e37_79b9;
  private c = 0x243f_6a88;
  private d = 0xb7e1_5162;

  constructor(readonly seed: number) {
    this.a = seed >>> 0 || 1;
    for (let i = 0; i < 16; i++) this.u32();
  }

  /** An independent generator in the same position: both give the same numbers from here on. */
  clone(): Random {
    const copy = new Random(this.seed);
    copy.a = this.a;
    copy.b = this.b;
    copy.c = this.c;
    copy.d = this.d;
    return copy;
  }

  u32(): number {
    const t = this.a ^ (this.a << 11);
    this.a = this.b;
    this.b = this.c;
    this.c = this.d;
    this.d = this.d ^ (this.d >>> 19) ^ t ^ (t >>> 8);
    return this.d >>> 0;
  }

  /** 0 ≤ result < `limit`. */
  below(limit: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * limit);
  }

  /** True with a chance of 1 in `n`. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('pick from an empty list');
    return list[this.below(list.length)]!;
  }

  /** A value for a register of `bits` bits: half of them from the corners, where devices break. */
  register(bits: 8 | 16 | 32): number {
    const mask = 2 ** bits - 1;
    switch (this.below(6)) {
      case 0:
        return 0;
      case 1:
        return mask;
      case 2:
        return 2 ** this.below(bits);
      case 3:
        return mask - 2 ** this.below(bits);
      default:
        return (this.u32() & mask) >>> 0;
    }
  }
}
