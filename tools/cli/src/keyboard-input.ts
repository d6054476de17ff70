import type { Clock, InputSource, PointerEvent } from '@pagurus/device-model';

/** Keys typed at most ahead of the guest; what comes then is lost, as on a real keyboard. */
const STROKES_MOST = 1024;
/** Of the guest's time, between two strokes: an i8042 takes few bytes at once. */
const STROKE_NANOSECONDS = 10_000_000n;

const BUTTONS = [
  [1, 'left'],
  [2, 'right'],
  [4, 'middle'],
] as const;

/** Keys and pointer for a guest, from the monitor and the display. */
export class KeyboardInput implements InputSource {
  private readonly keys: ((qcode: string, down: boolean) => void)[] = [];
  private readonly pointers: ((event: PointerEvent) => void)[] = [];
  private buttons = 0;
  private readonly strokes: (readonly string[])[] = [];

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

  /** Presses and releases keys together, after what was typed before. */
  type(names: readonly string[], clock: Clock): void {
    if (this.strokes.length >= STROKES_MOST) return;
    this.strokes.push(names);
    if (this.strokes.length > 1) return;
    const timer = clock.timer(() => {
      const stroke = this.strokes[0] ?? [];
      for (const name of stroke) this.key(name, true);
      for (const name of stroke.toReversed()) this.key(name, false);
      this.strokes.shift();
      if (this.strokes.length > 0) timer.arm(clock.now() + STROKE_NANOSECONDS);
    });
    timer.arm(clock.now());
  }

  point(event: PointerEvent): void {
    for (const handler of this.pointers) handler(event);
  }

  /** Which mouse buttons are held from now on: 1 left, 2 right, 4 middle. */
  hold(state: number): void {
    for (const [bit, button] of BUTTONS) {
      const down = (state & bit) !== 0;
      if (down !== ((this.buttons & bit) !== 0)) this.point({ kind: 'button', button, down });
    }
    this.buttons = state;
  }

  private key(name: string, down: boolean): void {
    for (const handler of this.keys) handler(name, down);
  }
}
