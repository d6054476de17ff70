import type { MigrationRamBlock, MigrationTarget, RunState } from '@pagurus/device-model';
import type { ByteChannel, ByteSink, HostTimer } from './channel.js';
import { writeCommand } from './command.js';
import { DirtyPages } from './dirty.js';
import { StreamError } from './errors.js';
import { PAGE_SIZE } from './format.js';
import { globalStateSection } from './global-state.js';
import { checkedParameters, DEFAULT_PARAMETERS, type MigrationParameters } from './parameters.js';
import { message, StreamReader } from './reader.js';
import { readReturnMessage } from './return-path.js';
import { blocksInOrder, StateWriter } from './state-writer.js';
import { type MigrationInfo, Statistics, WINDOW_MILLISECONDS } from './statistics.js';
import { StreamWriter } from './writer.js';

export interface MigrateOptions {
  readonly timer: HostTimer;
  /** Default: QEMU's. */
  readonly parameters?: Partial<MigrationParameters>;
  /** Capability `return-path`: the other side answers, and its word decides. Needs a duplex channel. */
  readonly returnPath?: boolean;
  /** Called at every change of status and ten times a second. */
  readonly onProgress?: (info: MigrationInfo) => void;
  /** Longest time in milliseconds for which pages are sent before the host gets a turn. Default 10. */
  readonly slice?: number;
}

/** A migration under way. */
export interface Migration {
  /** Resolves when the other side has everything; rejects with a {@link StreamError}, and the machine goes on as before. */
  readonly done: Promise<MigrationInfo>;
  info(): MigrationInfo;
  /** Gives up. Without effect when there is no return path and the last byte has left: the other side may be running. */
  cancel(): void;
  /** @throws {RangeError} */
  setParameters(changes: Partial<MigrationParameters>): void;
}

/** Time is looked at every so many pages. */
const PAGES_PER_LOOK = 64;
/** What the other side has to repeat. */
const PING_VALUE = 1;

/**
 * Sends a machine, running or not, down a channel. A running one is stopped only when what is still dirty can be sent within the
 * downtime limit; it is left stopped (`postmigrate`) when the migration completes and goes on when it fails. On success the channel is
 * left half-closed, for its owner to close when the other side has; on failure it is closed.
 */
export function migrate(target: MigrationTarget, channel: ByteChannel, options: MigrateOptions): Migration {
  const outgoing = new Outgoing(target, channel, options);
  return {
    done: outgoing.run(),
    info: () => outgoing.statistics.info(),
    cancel: () => outgoing.cancel(),
    setParameters: (changes) => outgoing.setParameters(changes),
  };
}

/**
 * Writes the state of a machine in one pass, with the machine stopped for as long as it takes; it then goes on as before.
 * The same state always gives the same bytes.
 * @throws {StreamError}
 */
export async function saveSnapshot(target: MigrationTarget, sink: ByteSink): Promise<{ readonly bytes: number }> {
  const before = target.runState;
  const sections = [...target.sections, globalStateSection(target.settings, before)];
  const writer = new StreamWriter(sink);
  const state = new StateWriter(target, writer);
  const blocks = blocksInOrder(target.ramBlocks);
  target.stop('save-vm');
  try {
    await target.drained?.();
    state.header();
    state.ramStart(blocks);
    const pages = new DirtyPages(blocks);
    pages.markAll();
    state.ramHeader('PART');
    while (state.page(pages)) if (writer.full) await writer.flush();
    state.ramEnd();
    state.switchover();
    state.ramHeader('END');
    state.ramEnd();
    state.devices(sections);
    await writer.end();
    return { bytes: writer.offset };
  } finally {
    restore(target, before);
  }
}

class Outgoing {
  readonly statistics: Statistics;
  private parameters: MigrationParameters;
  private readonly writer: StreamWriter;
  private readonly state: StateWriter;
  private readonly dirty: DirtyPages;
  private readonly before: RunState;
  private readonly blocks: readonly MigrationRamBlock[];
  /** As announced. */
  private readonly lengths: readonly number[];
  private readonly timer: HostTimer;
  private readonly slice: number;
  private stopped = false;
  /** Nothing may be given up any more: the other side may be running. */
  private handedOver = false;
  private failure: StreamError | undefined;
  private accepted: Promise<void> | undefined;

  constructor(
    private readonly target: MigrationTarget,
    private readonly channel: ByteChannel,
    private readonly options: MigrateOptions,
  ) {
    this.timer = options.timer;
    this.slice = options.slice ?? 10;
    this.parameters = checkedParameters(options.parameters ?? {}, DEFAULT_PARAMETERS);
    this.statistics = new Statistics(() => this.timer.now(), this.parameters.downtimeLimit);
    this.blocks = blocksInOrder(target.ramBlocks);
    this.lengths = this.blocks.map((block) => block.usedLength);
    this.dirty = new DirtyPages(this.blocks);
    this.writer = new StreamWriter(channel);
    this.state = new StateWriter(target, this.writer);
    this.before = target.runState;
  }

  setParameters(changes: Partial<MigrationParameters>): void {
    this.parameters = checkedParameters(changes, this.parameters);
  }

  cancel(): void {
    const { statistics } = this;
    if (this.handedOver || this.failure || (statistics.status !== 'setup' && statistics.status !== 'active')) return;
    statistics.status = 'cancelling';
    this.fail(new StreamError('cancelled', 'the migration was cancelled', { offset: this.writer.offset }));
    this.progress();
  }

  async run(): Promise<MigrationInfo> {
    try {
      this.setup();
      await this.iterate();
      await this.complete();
      this.target.setDirtyLogging(false);
      this.target.stop('postmigrate');
      this.statistics.finish('completed');
    } catch (error) {
      const failure = this.failure ?? asStreamError(error, this.writer.offset);
      this.abandon(failure);
      this.progress();
      throw failure;
    }
    this.progress();
    return this.statistics.info();
  }

  private setup(): void {
    const { target, statistics, writer } = this;
    statistics.status = 'setup';
    statistics.total = this.dirty.total * PAGE_SIZE;
    this.progress();
    this.check();
    if (this.before === 'inmigrate' || this.before === 'postmigrate') {
      const why = this.before === 'inmigrate' ? 'it waits for an incoming migration' : 'it has been migrated away';
      throw new StreamError('command-order', `the machine cannot be migrated: ${why}`, { got: this.before });
    }
    target.setDirtyLogging(true);
    this.dirty.markAll();
    this.dirty.sync(target);
    statistics.synced(this.dirty.total);
    this.state.header();
    if (this.options.returnPath) {
      if (!this.channel.duplex) throw new StreamError('command-order', 'a return path needs a connection that goes both ways');
      writeCommand(writer, { name: 'OPEN_RETURN_PATH' });
      writeCommand(writer, { name: 'PING', value: PING_VALUE });
      this.accepted = this.listen();
      this.accepted.catch((error: unknown) => this.fail(asStreamError(error, writer.offset)));
    }
    this.ram(() => this.state.ramStart(this.blocks));
    statistics.setupTime = this.timer.now() - statistics.started;
    if (statistics.status === 'setup') statistics.status = 'active';
    this.progress();
  }

  /** Rounds of dirty pages, until the rest fits into the downtime. */
  private async iterate(): Promise<void> {
    const { statistics, dirty, target } = this;
    const live = this.before === 'running';
    let threshold = 0;
    await this.flush();
    for (;;) {
      this.check();
      if (statistics.turnWindow()) {
        threshold = statistics.bandwidth * this.parameters.downtimeLimit;
        this.progress();
      }
      if (live && dirty.count * PAGE_SIZE <= threshold) {
        statistics.synced(dirty.sync(target));
        if (dirty.count * PAGE_SIZE <= threshold) return;
      } else if (dirty.count === 0) return;
      await this.part(live);
    }
  }

  /** One PART: ends when the slice or the rate's budget is used up. A machine that stands still gets one for everything. */
  private async part(live: boolean): Promise<void> {
    const { statistics, dirty, state } = this;
    this.ram(() => state.ramHeader('PART'));
    let sliceEnd = this.timer.now() + this.slice;
    let more = true;
    while (more) {
      const budget = this.budget();
      for (let i = 0; i < PAGES_PER_LOOK && more && statistics.bytesInWindow < budget; i++) more = this.page();
      if (this.writer.full) await this.flush();
      this.check();
      const exhausted = statistics.bytesInWindow >= budget;
      const late = this.timer.now() >= sliceEnd;
      if (!exhausted && !late) continue;
      if (live) break;
      await this.flush();
      await this.timer.sleep(exhausted ? Math.max(statistics.windowLeft, 0) : 0);
      this.check();
      if (statistics.turnWindow()) this.progress();
      sliceEnd = this.timer.now() + this.slice;
    }
    this.ram(() => state.ramEnd());
    statistics.remaining = dirty.count * PAGE_SIZE;
    await this.flush();
    if (live) await this.timer.sleep(statistics.bytesInWindow >= this.budget() ? Math.max(statistics.windowLeft, 0) : 0);
  }

  /** Machine stopped: the last pages, all devices, the end. */
  private async complete(): Promise<void> {
    const { target, statistics, dirty, state } = this;
    this.check();
    const stoppedAt = this.timer.now();
    this.stopped = true;
    target.stop('finish-migrate');
    await target.drained?.();
    this.check();
    statistics.precopyBytes = statistics.ramBytes;
    statistics.synced(dirty.sync(target));
    for (const [i, block] of this.blocks.entries()) {
      if (block.usedLength !== this.lengths[i]) {
        throw new StreamError('ram-block-size', `RAM block '${block.name}' changed its size during the migration`, {
          section: 'ram',
          path: block.name,
        });
      }
    }
    state.switchover();
    this.ram(() => state.ramHeader('END'));
    while (this.page()) {
      if (!this.writer.full) continue;
      await this.flush();
      this.check();
    }
    this.ram(() => state.ramEnd());
    statistics.remaining = 0;
    state.devices([...target.sections, globalStateSection(target.settings, this.before)]);
    this.check();
    // From the last flush on the other side may have all it needs. With a return path nothing is settled before its verdict.
    this.handedOver = !this.accepted;
    await this.flush();
    await this.writer.end();
    statistics.bytes = this.writer.offset;
    if (this.accepted) await this.accepted;
    statistics.downtime = this.timer.now() - stoppedAt;
  }

  private page(): boolean {
    const before = this.writer.offset;
    const sent = this.state.page(this.dirty);
    if (!sent) return false;
    if (sent === 'zero') this.statistics.duplicate++;
    else this.statistics.normal++;
    this.statistics.ramBytes += this.writer.offset - before;
    this.statistics.bytes = this.writer.offset;
    return true;
  }

  /** Does something that writes a part of a RAM section, and counts its bytes. */
  private ram(write: () => void): void {
    const before = this.writer.offset;
    write();
    this.statistics.ramBytes += this.writer.offset - before;
  }

  /** Bytes allowed in a window. */
  private budget(): number {
    const { maxBandwidth } = this.parameters;
    return maxBandwidth === 0 ? Number.POSITIVE_INFINITY : (maxBandwidth * WINDOW_MILLISECONDS) / 1000;
  }

  private async flush(): Promise<void> {
    await this.writer.flush();
    this.statistics.bytes = this.writer.offset;
  }

  private check(): void {
    if (this.failure) throw this.failure;
  }

  private fail(error: StreamError): void {
    if (this.failure) return;
    this.failure = error;
    // Whoever waits for the channel is woken by this.
    this.channel.close();
  }

  /** Reads the other side's messages up to its verdict. */
  private async listen(): Promise<void> {
    const reader = new StreamReader(this.channel);
    for (;;) {
      const answer = await readReturnMessage(reader);
      if (!answer)
        throw new StreamError('peer-failed', 'the other side closed the return path without a verdict', {
          section: 'return path',
        });
      if (answer.type === 'PONG' || answer.type === 'SWITCHOVER_ACK') continue;
      if (answer.type === 'SHUT' && answer.value === 0) return;
      if (answer.type === 'SHUT') {
        throw new StreamError('peer-failed', 'the other side could not load the state', {
          section: 'return path',
          expected: 'SHUT 0',
          got: `SHUT ${answer.value}`,
        });
      }
      throw new StreamError('command-order', `unexpected ${answer.type} on the return path`, {
        section: 'return path',
        got: answer.type,
      });
    }
  }

  private abandon(failure: StreamError): void {
    const { target, statistics, channel } = this;
    this.failure = failure;
    statistics.errorDescription = failure.message;
    statistics.finish(failure.code === 'cancelled' ? 'cancelled' : 'failed');
    channel.close();
    target.setDirtyLogging(false);
    if (this.stopped) restore(target, this.before);
  }

  private progress(): void {
    this.options.onProgress?.(this.statistics.info());
  }
}

/** The machine goes on as it was before it was stopped. */
function restore(target: MigrationTarget, before: RunState): void {
  if (before === 'running') target.start();
  else target.stop(before);
}

function asStreamError(error: unknown, offset: number): StreamError {
  return error instanceof StreamError ? error : new StreamError('channel', message(error), { offset, cause: error });
}
