/** What can be seen of a running CPU: see `Cpu.observe`. Nothing of it may change the CPU, but for `requestExit`. */
export interface CpuObserver {
  /** Code was decoded: a block, or one instruction alone (then also each time again). It begins at the CPU's RIP. */
  decoded?(bytes: Uint8Array, alone: boolean): void;
  /** An interrupt or exception is about to be delivered. */
  delivering?(delivery: Delivery): void;
  /** Before each {@link step}, with nothing pending. Registers are exact. */
  before?(): void;
  /** How far `before` is apart; default `instruction`. A block is cut short by an interrupt or exception. */
  readonly step?: 'block' | 'instruction';
}

export interface Delivery {
  readonly vector: number;
  /** One of {@link DELIVERY}. */
  readonly kind: number;
  readonly code: number | undefined;
  /** RIP to return to. */
  readonly back: bigint;
}

/** Kinds, as in assembly/exceptions.ts: INT n and INT3/INTO are the guest's own wish. */
export const DELIVERY = { FAULT: 0, TRAP: 1, SOFTWARE: 2, INT3: 3, EXTERNAL: 4 } as const;

/** Several as one; the smallest step counts. */
export function together(observers: readonly CpuObserver[]): CpuObserver {
  const has = (name: 'decoded' | 'delivering' | 'before'): boolean => observers.some((observer) => observer[name]);
  const stepping = observers.filter((observer) => observer.before);
  return {
    ...(has('decoded')
      ? { decoded: (bytes, alone) => observers.forEach((observer) => void observer.decoded?.(bytes, alone)) }
      : {}),
    ...(has('delivering')
      ? { delivering: (delivery) => observers.forEach((observer) => void observer.delivering?.(delivery)) }
      : {}),
    ...(has('before') ? { before: () => stepping.forEach((observer) => void observer.before!()) } : {}),
    step: stepping.every((observer) => observer.step === 'block') ? 'block' : 'instruction',
  };
}
