import type { CharacterFrontend, FlowControlledBackend } from '@pagurus/device-model';
import { type GreetingFrontend, type HostCharacter, InputQueue } from './host-character.js';

/** What the escape key can ask for. */
export interface MuxActions {
  /** Ctrl-A x */
  quit(): void;
  /** Ctrl-A b: serial break, given to the frontend in focus where it can. */
  sendBreak?(port: number): void;
}

const CTRL_A = 1;
const text = (string: string): Uint8Array => new TextEncoder().encode(string);

const HELP = [
  '',
  'C-a h    this help',
  'C-a x    end the emulator',
  'C-a c    next console (serial, monitor)',
  'C-a b    send break',
  'C-a t    time stamps on or off',
  'C-a C-a  send C-a',
  '',
].join('\r\n');

/**
 * Several frontends (serial ports, a monitor) on one character backend, as QEMU's mux: output of all is shown, input goes to the one in
 * focus, Ctrl-A c moves the focus.
 */
export class CharacterMux {
  private readonly ports: InputQueue[] = [];
  private readonly connected: CharacterFrontend[] = [];
  private focus = 0;
  private escaped = false;
  private stamps = false;
  private lineStart = true;
  private readonly started = performance.now();

  constructor(
    private readonly backend: HostCharacter,
    private readonly actions: MuxActions,
  ) {
    const frontend: GreetingFrontend = {
      canReceive: () => 4096,
      receive: (bytes) => this.receive(bytes),
      opened: () => this.ports[this.focus]?.opened(),
    };
    backend.connect(frontend);
  }

  /** A further frontend's side. The first one has the focus. */
  addPort(): FlowControlledBackend {
    const queue = new InputQueue();
    const port = this.ports.push(queue) - 1;
    return {
      write: (bytes) => this.write(bytes),
      connect: (frontend) => {
        this.connected[port] = frontend;
        queue.connect(frontend);
      },
      ready: () => queue.deliver(),
    };
  }

  /** Moves the input to a port, e.g. the monitor. */
  setFocus(port: number): void {
    this.focus = port;
    const frontend = this.connected[port] as (CharacterFrontend & { focused?(): void }) | undefined;
    frontend?.focused?.();
  }

  private write(bytes: Uint8Array): void {
    if (!this.stamps) {
      this.backend.write(bytes);
      if (bytes.length > 0) this.lineStart = bytes.at(-1) === 10;
      return;
    }
    const pieces: number[] = [];
    for (const byte of bytes) {
      if (this.lineStart) pieces.push(...text(`[${((performance.now() - this.started) / 1000).toFixed(3)}] `));
      pieces.push(byte);
      this.lineStart = byte === 10;
    }
    this.backend.write(Uint8Array.from(pieces));
  }

  private receive(bytes: Uint8Array): void {
    const plain: number[] = [];
    const flush = (): void => {
      if (plain.length > 0) this.ports[this.focus]?.push(Uint8Array.from(plain));
      plain.length = 0;
    };
    for (const byte of bytes) {
      if (!this.escaped) {
        if (byte === CTRL_A) this.escaped = true;
        else plain.push(byte);
        continue;
      }
      this.escaped = false;
      if (byte === CTRL_A) {
        plain.push(CTRL_A);
        continue;
      }
      flush();
      this.command(String.fromCharCode(byte));
    }
    flush();
  }

  private command(key: string): void {
    switch (key) {
      case 'x':
        this.backend.write(text('\r\npagurus: ended by C-a x\r\n'));
        this.actions.quit();
        break;
      case 'c':
        this.setFocus((this.focus + 1) % Math.max(1, this.ports.length));
        break;
      case 'b':
        this.actions.sendBreak?.(this.focus);
        break;
      case 't':
        this.stamps = !this.stamps;
        break;
      case 'h':
      case '?':
        this.backend.write(text(HELP));
    }
  }
}
