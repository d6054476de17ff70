import type { InputPin, IrqLine } from '@pagurus/device-model';

/** A device's output pin. Connected after creation; passes on changes of level only. */
export class Wire implements IrqLine {
  private level = false;
  private readonly targets: InputPin[] = [];

  set(level: boolean): void {
    if (level === this.level) return;
    this.level = level;
    for (const target of this.targets) target(level);
  }

  connect(target: InputPin): void {
    this.targets.push(target);
  }
}

/** Several output pins on one input: high while any of them is (a shared, wired-or interrupt). */
export function wiredOr(target: InputPin): () => InputPin {
  let high = 0;
  return () => {
    let mine = false;
    return (level) => {
      if (level === mine) return;
      mine = level;
      const before = high;
      high += level ? 1 : -1;
      if (before === 0 || high === 0) target(high > 0);
    };
  };
}
