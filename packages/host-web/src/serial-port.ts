import type { CharacterBackend, CharacterFrontend } from '@pagurus/device-model';

/** Bytes that wait for the guest at most; more are dropped, as on a line without flow control. */
const LIMIT = 1 << 16;

/** A serial line between the guest and the page. */
export class PageSerial implements CharacterBackend {
  private frontend: CharacterFrontend | undefined;
  private readonly waiting: number[] = [];

  constructor(private readonly output: (bytes: Uint8Array) => void) {}

  write(bytes: Uint8Array): void {
    this.output(bytes.slice());
  }

  connect(frontend: CharacterFrontend): void {
    this.frontend = frontend;
  }

  /** The guest has room again. */
  ready(): void {
    while (this.frontend && this.waiting.length > 0) {
      const room = this.frontend.canReceive();
      if (room === 0) return;
      this.frontend.receive(Uint8Array.from(this.waiting.splice(0, room)));
    }
  }

  /** The user typed. */
  send(bytes: Uint8Array): void {
    for (const byte of bytes) if (this.waiting.length < LIMIT) this.waiting.push(byte);
    this.ready();
  }
}

/** Keys from the page to the PS/2 keyboard. */
export class PageKeyboard {
  private handler: ((qcode: string, down: boolean) => void) | undefined;

  onKey(handler: (qcode: string, down: boolean) => void): void {
    this.handler = handler;
  }

  /** Pointer events are not sent by the page yet; the mouse stands still. */
  onPointer(): void {}

  press(qcode: string, down: boolean): void {
    this.handler?.(qcode, down);
  }
}
