import type { NetworkBackend } from '@pagurus/device-model';
import { HostError } from '../errors.js';

/** Frames that wait for a guest that is stopped, or busy; more are lost, as on a wire. */
const WAITING_MOST = 512;

/**
 * Stands between a network and a card: frames reach the card between two turns of the machine, never from inside its own sending, and only
 * while the machine runs.
 */
export class NetworkGate implements NetworkBackend {
  private receiver: ((frame: Uint8Array) => void) | undefined;
  private readonly waiting: Uint8Array[] = [];
  private open = false;
  private scheduled = false;

  constructor(
    private readonly id: string,
    private readonly network: NetworkBackend,
  ) {
    network.connect((frame) => {
      if (this.waiting.length >= WAITING_MOST) return;
      this.waiting.push(frame);
      this.schedule();
    });
  }

  get sections() {
    return this.network.sections ?? [];
  }

  send(frame: Uint8Array): void {
    this.network.send(frame);
  }

  /** @throws {HostError} `busy`: a network has one card. */
  connect(receive: (frame: Uint8Array) => void): void {
    if (this.receiver) throw new HostError('busy', `network '${this.id}' is in use by another card`);
    this.receiver = receive;
  }

  /** Whether the machine runs. */
  setOpen(open: boolean): void {
    this.open = open;
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || !this.open || this.waiting.length === 0) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      if (!this.open) return;
      for (const frame of this.waiting.splice(0)) this.receiver?.(frame);
    });
  }
}
