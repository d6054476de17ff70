import type { BlockBackend } from '@pagurus/device-model';

/** What came of a request; an error is the host's, the guest sees it as a bad sector. */
export type Completion = (error: unknown) => void;

/**
 * Requests of one device to its backend. Where the backend can do it at once (`readNow`, `writeNow`), the completion is called
 * before the method returns; else later. After {@link cancel} nothing that was asked before completes any more.
 */
export class BlockRequests {
  private generation = 0;

  constructor(readonly backend: BlockBackend) {}

  read(sector: number, target: Uint8Array, done: Completion): void {
    this.run(
      () => this.backend.readNow?.(sector, target),
      () => this.backend.read(sector, target),
      done,
    );
  }

  write(sector: number, source: Uint8Array, done: Completion): void {
    this.run(
      () => this.backend.writeNow?.(sector, source),
      () => this.backend.write(sector, source),
      done,
    );
  }

  flush(done: Completion): void {
    this.run(
      () => this.backend.flushNow?.(),
      () => this.backend.flush(),
      done,
    );
  }

  cancel(): void {
    this.generation++;
    this.backend.cancelWaiting?.();
  }

  private run(now: () => boolean | undefined, later: () => Promise<void>, done: Completion): void {
    const { generation } = this;
    const finish = (error: unknown): void => {
      if (generation === this.generation) done(error);
    };
    let complete: boolean | undefined;
    let pending: Promise<void> | undefined;
    try {
      complete = now();
      if (!complete) pending = later();
    } catch (error) {
      done(error ?? new Error('unknown error'));
      return;
    }
    if (complete) done(undefined);
    else
      pending!.then(
        () => finish(undefined),
        (error: unknown) => finish(error ?? new Error('unknown error')),
      );
  }
}
