import type { BlockBackend } from '@pagurus/device-model';
import type { DriveActivity } from './activity.js';
import { BlockError } from './errors.js';
import type { BlockImage } from './image.js';

/** QEMU's `werror=` and `rerror=`; `enospc`: stop when the host's disk is full, report anything else. */
export type ErrorPolicy = 'report' | 'ignore' | 'stop' | 'enospc';

export type DriveOperation = 'read' | 'write' | 'flush';

/** A request that failed, and what came of it. */
export interface DriveFailure {
  readonly drive: string;
  readonly operation: DriveOperation;
  readonly action: 'report' | 'ignore' | 'stop';
  readonly error: unknown;
}

export interface DriveOptions {
  readonly id: string;
  readonly activity: DriveActivity;
  /** Of reads; default `report`. */
  readonly readErrors?: ErrorPolicy;
  /** Of writes and flushes; default `enospc`. */
  readonly writeErrors?: ErrorPolicy;
  /** The machine is still to come from elsewhere. */
  readonly inactive?: boolean;
  /** See `BlockBackend`. */
  readonly firstSector?: Uint8Array;
  /** Called for each failure before anything else happens; where the action is `stop`, it stops the machine. */
  failed?(failure: DriveFailure): void;
}

/**
 * What a device sees of an image: a backend that decides about errors. A request that failed with `stop` waits, as if the disk were
 * slow, and is asked again by {@link retry}; so a device sends it with its state as any other request on its way.
 */
export class Drive implements BlockBackend {
  readonly id: string;
  private active: boolean;
  private activation: Promise<void> | undefined;
  private readonly requests = new Set<Promise<void>>();
  private readonly parked: { readonly again: () => void; readonly drop: () => void }[] = [];

  constructor(
    readonly image: BlockImage,
    private readonly options: DriveOptions,
  ) {
    this.id = options.id;
    this.active = options.inactive !== true;
    options.activity.drives.add(this);
  }

  get sectors(): number {
    return this.image.sectors;
  }

  get firstSector(): Uint8Array | undefined {
    return this.options.firstSector;
  }

  get readOnly(): boolean {
    return this.image.readOnly;
  }

  readNow(sector: number, target: Uint8Array): boolean {
    return this.active && now(() => this.image.readNow?.(sector, target));
  }

  writeNow(sector: number, source: Uint8Array): boolean {
    return this.active && now(() => this.image.writeNow?.(sector, source));
  }

  flushNow(): boolean {
    return this.active && now(() => this.image.flushNow?.());
  }

  read(sector: number, target: Uint8Array): Promise<void> {
    return this.ask('read', () => this.image.read(sector, target));
  }

  write(sector: number, source: Uint8Array): Promise<void> {
    return this.ask('write', () => this.image.write(sector, source));
  }

  flush(): Promise<void> {
    return this.ask('flush', () => this.image.flush());
  }

  /** The machine goes on: what waited is asked again. */
  retry(): void {
    for (const { again } of this.parked.splice(0)) again();
  }

  /** The device was reset, or its state replaced: nobody waits any more. */
  cancelWaiting(): void {
    for (const { drop } of this.parked.splice(0)) drop();
  }

  /** Waits for an error to be put right. */
  get stopped(): boolean {
    return this.parked.length > 0;
  }

  /** What the guest has written is safe. */
  async settle(): Promise<void> {
    if (this.active) await this.image.flush();
  }

  /** Another process may have the image. The next request takes it back. */
  async inactivate(): Promise<void> {
    if (!this.active) return;
    await this.image.inactivate();
    this.active = false;
  }

  async close(): Promise<void> {
    this.cancelWaiting();
    this.options.activity.drives.delete(this);
    // What is on its way still needs the file.
    await Promise.allSettled(this.requests);
    await this.image.close();
  }

  private async ask(operation: DriveOperation, work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        const request = this.active ? work() : this.activate().then(work);
        this.requests.add(request);
        try {
          await this.options.activity.during(request);
        } finally {
          this.requests.delete(request);
        }
        return;
      } catch (error) {
        // A range that the device let through is no failure of the host.
        const action = error instanceof RangeError ? 'report' : this.active ? this.decide(operation, error) : 'stop';
        if (!(error instanceof RangeError)) this.options.failed?.({ drive: this.id, operation, action, error });
        if (action === 'ignore') return;
        if (action === 'report') throw error;
        const again = await new Promise<boolean>((resolve) => {
          this.parked.push({ again: () => resolve(true), drop: () => resolve(false) });
        });
        if (!again) throw error;
      }
    }
  }

  private activate(): Promise<void> {
    this.activation ??= this.image.activate().then(
      () => {
        this.active = true;
        this.activation = undefined;
      },
      (error: unknown) => {
        this.activation = undefined;
        throw error;
      },
    );
    return this.activation;
  }

  private decide(operation: DriveOperation, error: unknown): 'report' | 'ignore' | 'stop' {
    const policy = operation === 'read' ? (this.options.readErrors ?? 'report') : (this.options.writeErrors ?? 'enospc');
    if (policy !== 'enospc') return policy;
    return error instanceof BlockError && error.code === 'no-space' ? 'stop' : 'report';
  }
}

/** What fails at once is asked again through the promise, which decides about errors. */
function now(work: () => boolean | undefined): boolean {
  try {
    return work() ?? false;
  } catch {
    return false;
  }
}
