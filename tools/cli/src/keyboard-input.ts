import type { Clock, InputSource, PointerEvent } from '@pagurus/device-model';

/** Keys for a guest from the monitor; what a window would be elsewhere. */
export class KeyboardInput implements InputSource {
  private readonly keys: ((qcode: string, down: boolean) => void)[] = [];
  private readonly pointers: ((event: PointerEvent) => void)[] = [];

  onKey(handler: (qcode: string, down: boolean) => void): void {
    this.keys.push(handler);
  }

  onPointer(handler: (event: PointerEvent) => void): void {
    this.pointers.push(handler);
  }

  /** Presses now and releases, in reverse order, after `hold` milliseconds of the guest's time, so that a deterministic run stays one. */
  press(names: readonly string[], hold: number, clock: Clock): void {
    for (const name of names) this.key(name, true);
    const timer = clock.timer(() => {
      for (const name of names.toReversed()) this.key(name, false);
    });
    timer.arm(clock.now() + BigInt(hold) * 1_000_000n);
  }

  private key(name: string, down: boolean): void {
    for (const handler of this.keys) handler(name, down);
  }
}
