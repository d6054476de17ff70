import type { Section } from './device.js';

/**
 * Host side of a serial port, debug console or monitor. Bytes for the guest wait in the host until `frontend.receive` takes them.
 */
export interface CharacterBackend {
  /** Guest to host. Never blocks. */
  write(bytes: Uint8Array): void;
  /** The device plugs itself in. Called once, at realize. */
  connect(frontend: CharacterFrontend): void;
}

export interface CharacterFrontend {
  /** How many bytes the device can take now. */
  canReceive(): number;
  /** At most `canReceive()` bytes. */
  receive(bytes: Uint8Array): void;
}

/** Extra service of a backend whose frontend became ready again. */
export interface FlowControlledBackend extends CharacterBackend {
  /** The device has room again; the host offers what it kept. */
  ready(): void;
}

/** Key and pointer events for the guest, by QEMU's QKeyCode names (`a`, `ret`, `shift`, …). */
export interface InputSource {
  onKey(handler: (qcode: string, down: boolean) => void): void;
  onPointer(handler: (event: PointerEvent) => void): void;
}

export type PointerEvent =
  /** Movement in screen coordinates (y downwards); a positive `dz` is the wheel turned towards the user. */
  | { readonly kind: 'move'; readonly dx: number; readonly dy: number; readonly dz: number }
  /** Position on the screen, each 0 to 0x7fff; devices that know only movements ignore it. */
  | { readonly kind: 'position'; readonly x: number; readonly y: number }
  | { readonly kind: 'button'; readonly button: 'left' | 'middle' | 'right'; readonly down: boolean };

/** A disk image. Sectors of 512 bytes. Operations complete later, in any order. */
export interface BlockBackend {
  readonly sectors: number;
  readonly readOnly: boolean;
  read(sector: number, target: Uint8Array): Promise<void>;
  write(sector: number, source: Uint8Array): Promise<void>;
  flush(): Promise<void>;
  /**
   * The same where the backend has the bytes at hand (memory): true = done. False, or no such method: ask through the promise.
   * With a backend that always says true a machine stays deterministic.
   */
  readNow?(sector: number, target: Uint8Array): boolean;
  writeNow?(sector: number, source: Uint8Array): boolean;
  flushNow?(): boolean;
  /** The first sector as it was when the image was opened; for backends that cannot read at once. */
  readonly firstSector?: Uint8Array;
  /** Forgets requests that wait for the machine to go on after an error: their device was reset. */
  cancelWaiting?(): void;
}

/** What the host works on for the guest (requests to disk images). A machine that knows of it lets the host have its turn sooner. */
export interface HostWork {
  /** Requests on their way. */
  readonly pending: number;
  /** Called whenever a request begins. One listener. */
  onStart(listener: () => void): void;
  /**
   * The machine stands still: resolves when nothing is on its way and all of it is safe. `handOver`: another process goes on with the
   * machine, and may have the images from then on.
   */
  settle(handOver: boolean): Promise<void>;
}

/** An Ethernet segment. Frames without FCS. */
export interface NetworkBackend {
  send(frame: Uint8Array): void;
  connect(receive: (frame: Uint8Array) => void): void;
  /** State of the segment itself that moves with the machine (QEMU's `slirp`); a segment on the host has none. */
  readonly sections?: readonly Section[];
}

/** A connection of the host's own network, as a user-mode network uses it. Bytes that come in are told to {@link HostStreamEvents}. */
export interface HostStream {
  write(bytes: Uint8Array): void;
  /** Bytes written that have not left yet. */
  readonly buffered: number;
  /** Incoming bytes wait. */
  pause(): void;
  resume(): void;
  /** No more will be written; what comes in still does. */
  end(): void;
  /** At once, both ways. */
  destroy(): void;
}

export interface HostStreamEvents {
  connected(): void;
  /** Nobody there; the stream is gone. */
  refused(): void;
  data(bytes: Uint8Array): void;
  /** All that was written has left. */
  drained(): void;
  /** The other side writes no more. */
  ended(): void;
  /** Broken or closed, both ways. */
  closed(): void;
}

export interface HostDatagrams {
  /** @param address dotted IPv4. */
  send(bytes: Uint8Array, address: string, port: number): void;
  close(): void;
}

/** What a user-mode network may do on the host. */
export interface HostNetwork {
  /** @param address dotted IPv4. */
  connect(address: string, port: number, events: HostStreamEvents): HostStream;
  datagrams(receive: (bytes: Uint8Array, address: string, port: number) => void): HostDatagrams;
  /** Dotted IPv4 of a name server, or undefined where the host has none. */
  nameServer(): string | undefined;
  /** @returns what cancels it. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** Entropy for virtio-rng; deterministic machines give a seeded one. */
export interface EntropySource {
  fill(target: Uint8Array): void;
}

/** What the text or graphics screen shows now; pulled by a display, never pushed. */
export interface Screen {
  /** Text mode: rows of characters (code page 437 decoded) and attributes; undefined in graphics modes. */
  text(): TextScreen | undefined;
  /** Pixels of any mode as RGBA. */
  image(): { readonly width: number; readonly height: number; readonly rgba: Uint8Array };
  /** Of the picture, in pixels, without drawing it; undefined while the screen is off. */
  size(): { readonly width: number; readonly height: number } | undefined;
}

export interface TextScreen {
  readonly columns: number;
  readonly rows: number;
  readonly lines: readonly string[];
  /** columns × rows attribute bytes as in text memory. */
  readonly attributes: Uint8Array;
  /** Undefined when hidden. */
  readonly cursor: { readonly column: number; readonly row: number } | undefined;
}
