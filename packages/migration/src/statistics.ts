import { PAGE_SIZE } from './format.js';

/** QEMU's status values that occur here, as `query-migrate` names them. */
export type MigrationStatus = 'none' | 'setup' | 'active' | 'completed' | 'failed' | 'cancelling' | 'cancelled';

/** `ram` of `query-migrate`. */
export interface MigrationRamInfo {
  readonly transferred: number;
  readonly remaining: number;
  readonly total: number;
  /** Zero pages sent. */
  readonly duplicate: number;
  readonly skipped: number;
  /** Whole pages sent. */
  readonly normal: number;
  readonly 'normal-bytes': number;
  readonly 'dirty-pages-rate': number;
  /** Megabits per second in the last window, or overall once completed. */
  readonly mbps: number;
  readonly 'dirty-sync-count': number;
  readonly 'postcopy-requests': number;
  readonly 'page-size': number;
  readonly 'multifd-bytes': number;
  readonly 'pages-per-second': number;
  readonly 'precopy-bytes': number;
  readonly 'downtime-bytes': number;
  readonly 'postcopy-bytes': number;
  readonly 'dirty-sync-missed-zero-copy': number;
}

/** What `query-migrate` returns; times in milliseconds. Members are absent when QEMU leaves them out. */
export interface MigrationInfo {
  readonly status: MigrationStatus;
  readonly ram?: MigrationRamInfo;
  readonly 'total-time'?: number;
  readonly 'setup-time'?: number;
  readonly downtime?: number;
  readonly 'expected-downtime'?: number;
  readonly 'error-desc'?: string;
}

/** Window in which speed is measured and limited. */
export const WINDOW_MILLISECONDS = 100;
const DIRTY_RATE_PERIOD = 1000;

/** Counts what an outgoing migration does. Times are those of the host's timer. */
export class Statistics {
  status: MigrationStatus = 'none';
  duplicate = 0;
  normal = 0;
  remaining = 0;
  total = 0;
  dirtySyncCount = 0;
  dirtyPagesRate = 0;
  mbps = 0;
  pagesPerSecond = 0;
  /** Bytes per millisecond in the last window. */
  bandwidth = 0;
  setupTime: number | undefined;
  downtime: number | undefined;
  totalTime: number | undefined;
  expectedDowntime: number;
  errorDescription: string | undefined;
  /** All bytes written, of RAM sections alone, and those of RAM before the machine was stopped. */
  bytes = 0;
  ramBytes = 0;
  precopyBytes: number | undefined;
  private windowStart: number;
  private windowBytes = 0;
  private windowPages = 0;
  private dirtySince: number;
  private dirtied = 0;

  constructor(
    private readonly now: () => number,
    downtimeLimit: number,
  ) {
    this.started = now();
    this.windowStart = this.started;
    this.dirtySince = this.started;
    this.expectedDowntime = downtimeLimit;
  }

  readonly started: number;

  get pages(): number {
    return this.duplicate + this.normal;
  }

  /** Bytes since the window began. */
  get bytesInWindow(): number {
    return this.bytes - this.windowBytes;
  }

  /** Milliseconds until the window ends; at most 0 when it has. */
  get windowLeft(): number {
    return this.windowStart + WINDOW_MILLISECONDS - this.now();
  }

  /** Closes the window if its time is over. @returns true if so: `bandwidth` is new. */
  turnWindow(): boolean {
    const now = this.now();
    const elapsed = now - this.windowStart;
    if (elapsed < WINDOW_MILLISECONDS) return false;
    const bytes = this.bytesInWindow;
    this.bandwidth = bytes / elapsed;
    this.mbps = (bytes * 8) / (elapsed / 1000) / 1e6;
    this.pagesPerSecond = (this.pages - this.windowPages) / (elapsed / 1000);
    if (this.dirtyPagesRate > 0 && bytes > 10_000) this.expectedDowntime = Math.round(this.remaining / this.bandwidth);
    this.windowStart = now;
    this.windowBytes = this.bytes;
    this.windowPages = this.pages;
    return true;
  }

  /** After a dirty sync that found `pages` newly dirty ones. */
  synced(pages: number): void {
    this.dirtySyncCount++;
    this.dirtied += pages;
    const elapsed = this.now() - this.dirtySince;
    if (elapsed < DIRTY_RATE_PERIOD) return;
    this.dirtyPagesRate = Math.round((this.dirtied * 1000) / elapsed);
    this.dirtied = 0;
    this.dirtySince = this.now();
  }

  /** Final figures. */
  finish(status: MigrationStatus): void {
    this.status = status;
    this.totalTime = this.now() - this.started;
    if (status !== 'completed') return;
    this.remaining = 0;
    this.dirtyPagesRate = 0;
    const seconds = Math.max(this.totalTime - (this.setupTime ?? 0), 1) / 1000;
    this.mbps = (this.bytes * 8) / seconds / 1e6;
    this.pagesPerSecond = this.pages / seconds;
  }

  info(): MigrationInfo {
    const { status } = this;
    if (status === 'none') return { status };
    const running = status === 'setup' || status === 'active' || status === 'cancelling';
    return {
      status,
      'total-time': Math.round(this.totalTime ?? this.now() - this.started),
      ...(this.setupTime === undefined ? {} : { 'setup-time': Math.round(this.setupTime) }),
      ...(this.downtime === undefined ? {} : { downtime: Math.round(this.downtime) }),
      ...(running ? { 'expected-downtime': this.expectedDowntime } : {}),
      ...(this.errorDescription === undefined ? {} : { 'error-desc': this.errorDescription }),
      ram: {
        transferred: this.ramBytes,
        remaining: this.remaining,
        total: this.total,
        duplicate: this.duplicate,
        skipped: 0,
        normal: this.normal,
        'normal-bytes': this.normal * PAGE_SIZE,
        'dirty-pages-rate': this.dirtyPagesRate,
        mbps: this.mbps,
        'dirty-sync-count': this.dirtySyncCount,
        'postcopy-requests': 0,
        'page-size': PAGE_SIZE,
        'multifd-bytes': 0,
        'pages-per-second': Math.round(this.pagesPerSecond),
        'precopy-bytes': this.precopyBytes ?? this.ramBytes,
        'downtime-bytes': this.precopyBytes === undefined ? 0 : this.ramBytes - this.precopyBytes,
        'postcopy-bytes': 0,
        'dirty-sync-missed-zero-copy': 0,
      },
    };
  }
}
