import type { NetworkBackend } from '@pagurus/device-model';

/** What comes out of a hub's socket has gone in at all others. */
class HubPort implements NetworkBackend {
  private receiver: ((frame: Uint8Array) => void) | undefined;

  constructor(private readonly hub: Hub) {}

  send(frame: Uint8Array): void {
    this.hub.deliver(this, frame);
  }

  connect(receive: (frame: Uint8Array) => void): void {
    this.receiver = receive;
  }

  /** @internal */
  receive(frame: Uint8Array): void {
    this.receiver?.(frame);
  }
}

/**
 * An Ethernet hub (`-netdev hubport`). Frames are delivered in the order in which they were sent, and one at a time: what a receiver
 * sends in answer goes out after the frame has reached everybody.
 */
export class Hub {
  private readonly ports: HubPort[] = [];
  private readonly queue: { readonly from: HubPort; readonly frame: Uint8Array }[] = [];
  private delivering = false;

  /** A new socket. */
  port(): NetworkBackend {
    const port = new HubPort(this);
    this.ports.push(port);
    return port;
  }

  /** @internal */
  deliver(from: HubPort, frame: Uint8Array): void {
    this.queue.push({ from, frame: frame.slice() });
    if (this.delivering) return;
    this.delivering = true;
    try {
      for (let next = this.queue.shift(); next; next = this.queue.shift()) {
        for (const port of this.ports) if (port !== next.from) port.receive(next.frame);
      }
    } finally {
      this.delivering = false;
    }
  }
}

/** A cable between two cards: two backends, each sending to the other. */
export function loopbackPair(): readonly [NetworkBackend, NetworkBackend] {
  const hub = new Hub();
  return [hub.port(), hub.port()];
}
