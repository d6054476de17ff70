import { rename, rm } from 'node:fs/promises';
import { inflateSync } from 'node:zlib';
import type { MigrationTarget } from '@pagurus/device-model';
import {
  type ByteChannel,
  DEFAULT_PARAMETERS,
  type HostTimer,
  type IncomingResult,
  incoming,
  type Migration,
  type MigrationInfo,
  type MigrationParameters,
  migrate,
  PARAMETERS,
  saveSnapshot,
} from '@pagurus/migration';
import { openFileForReading, openFileForWriting, openIncoming, openOutgoing } from './channel/index.js';
import { realTimer } from './clock.js';
import { errorLine, HostError } from './errors.js';
import type { MonitorMigration, MonitorMigrationInfo } from './hmp/target.js';
import { parseSize } from './options.js';

export interface MigrationControllerOptions {
  readonly timer?: HostTimer;
  /** Of this machine; compared with an incoming stream's. */
  readonly uuid?: string;
  /** Every change of status and ten times a second of an outgoing migration. */
  readonly onProgress?: (info: MigrationInfo) => void;
  /** An incoming migration was loaded: the machine stands in the source's run state, or in `paused` where that was `running`. */
  readonly onLoaded?: (result: IncomingResult) => void;
  readonly onIncomingFailed?: (error: unknown) => void;
}

/** What works here; the others of QEMU's are refused by name. */
const CAPABILITIES = ['return-path'] as const;
type Capability = (typeof CAPABILITIES)[number];

/** A machine's migrations on this host: opens the channels, keeps parameters and capabilities, answers the monitor. */
export class MigrationController implements MonitorMigration {
  private outgoing: Migration | undefined;
  private last: MonitorMigrationInfo = { status: 'none' };
  private chosen: MigrationParameters = DEFAULT_PARAMETERS;
  private readonly on = new Set<Capability>();
  private waiting: { readonly uri: string; close(): void } | undefined;
  /** The channel of an incoming migration, once it has arrived. */
  private arrived: ByteChannel | undefined;
  private loading: Promise<unknown> | undefined;
  /** Between the command and the open channel. */
  private opening = false;
  private cancelled = false;

  constructor(
    private readonly target: MigrationTarget,
    private readonly options: MigrationControllerOptions = {},
  ) {}

  info(): MonitorMigrationInfo {
    const info = this.outgoing?.info() ?? this.last;
    return this.waiting ? { ...info, 'socket-address': this.waiting.uri } : info;
  }

  /** @throws if it fails or is cancelled; the machine then goes on as before. */
  async migrate(uri: string): Promise<void> {
    this.requireIdle();
    const { runState } = this.target;
    if (runState === 'inmigrate') throw new HostError('unsupported', 'Guest is waiting for an incoming migration');
    if (runState === 'postmigrate')
      throw new HostError('unsupported', "Can't migrate the vm that was paused due to previous migration");
    this.opening = true;
    this.cancelled = false;
    let channel: ByteChannel | undefined;
    try {
      channel = await openOutgoing(uri);
      if (this.cancelled) throw new HostError('closed', `the migration to ${uri} was cancelled`);
      this.outgoing = migrate(this.target, channel, {
        timer: this.options.timer ?? realTimer,
        parameters: this.chosen,
        returnPath: this.on.has('return-path'),
        ...(this.options.onProgress ? { onProgress: this.options.onProgress } : {}),
      });
      this.opening = false;
      this.last = await this.outgoing.done;
      if (channel.duplex) channel.close();
    } catch (error) {
      this.last = this.outgoing?.info() ?? { status: this.cancelled ? 'cancelled' : 'failed', 'error-desc': errorLine(error) };
      if (!this.outgoing) this.options.onProgress?.(this.last);
      channel?.close();
      throw error;
    } finally {
      this.opening = false;
      this.outgoing = undefined;
    }
  }

  cancel(): void {
    if (this.opening) this.cancelled = true;
    this.outgoing?.cancel();
  }

  /** Listens and comes back; what arrives is reported by `onLoaded` or `onIncomingFailed`. */
  async incoming(uri: string): Promise<void> {
    await this.startIncoming(uri);
  }

  /**
   * Waits for a machine from elsewhere.
   * @returns when listening: where, and a promise of the load.
   */
  async startIncoming(uri: string): Promise<{ readonly uri: string; readonly done: Promise<IncomingResult> }> {
    this.requireIdle();
    if (this.waiting || this.loading) throw new HostError('busy', 'The incoming migration has already been started');
    if (this.target.runState !== 'inmigrate')
      throw new HostError('unsupported', "'-incoming' was not specified on the command line");
    const place = await openIncoming(uri);
    this.waiting = place;
    const done = this.load(place);
    this.loading = done.catch(() => {});
    done.then(
      (result) => this.options.onLoaded?.(result),
      (error: unknown) => this.options.onIncomingFailed?.(error),
    );
    return { uri: place.uri, done };
  }

  private async load(place: { accept(): Promise<ByteChannel> }): Promise<IncomingResult> {
    try {
      this.arrived = await place.accept();
      this.waiting = undefined;
      return await this.receive(this.arrived);
    } finally {
      this.waiting = undefined;
      this.loading = undefined;
      this.arrived?.close();
      this.arrived = undefined;
    }
  }

  private receive(channel: ByteChannel): Promise<IncomingResult> {
    return incoming(this.target, channel, {
      timer: this.options.timer ?? realTimer,
      inflate: (data, maxLength) => inflateSync(data, { maxOutputLength: maxLength }),
      ...(this.options.uuid === undefined ? {} : { uuid: this.options.uuid }),
      onProgress: ({ status }) => {
        this.last = { status };
      },
    });
  }

  /** Writes the machine into a file; it appears under its name only when it is complete. */
  async saveSnapshot(path: string): Promise<void> {
    this.requireIdle();
    const partial = `${path}.partial`;
    const file = await openFileForWriting(partial);
    try {
      await saveSnapshot(this.target, file);
      await rename(partial, path);
    } catch (error) {
      file.close();
      await rm(partial, { force: true });
      throw error;
    }
  }

  /** Replaces the machine's state by a file's; it goes on if it ran before. If the file is bad, the machine is stopped and reset. */
  async loadSnapshot(path: string): Promise<IncomingResult> {
    this.requireIdle();
    const file = await openFileForReading(path);
    const running = this.target.runState === 'running';
    try {
      this.target.stop('restore-vm');
      const result = await this.receive(file);
      if (running) this.target.start();
      return result;
    } catch (error) {
      this.target.stop('paused');
      throw error;
    } finally {
      file.close();
    }
  }

  /** Stops listening and gives up what is under way: this process is about to end. Resolves when nothing touches the machine any more. */
  async close(): Promise<void> {
    const outgoing = this.outgoing?.done.catch(() => {});
    const { loading } = this;
    this.cancel();
    this.waiting?.close();
    this.arrived?.close();
    await Promise.all([outgoing, loading]);
  }

  parameters(): ReadonlyMap<string, string> {
    return new Map(Object.entries(PARAMETERS).map(([name, { key, unit }]) => [name, `${this.chosen[key]} ${unit}`]));
  }

  /** @param value as QEMU's monitor takes it: `max-bandwidth` counts MiB unless it has a letter. */
  setParameter(name: string, value: string): void {
    const parameter = PARAMETERS[name];
    if (!parameter)
      throw new HostError(
        'unsupported',
        `migration parameter '${name}' is not available; there are: ${Object.keys(PARAMETERS).join(', ')}`,
      );
    const number = parseSize(value, parameter.unit.startsWith('bytes') ? 2 ** 20 : 1);
    if (number === undefined || number > parameter.maximum)
      throw new HostError(
        'syntax',
        `migration parameter '${name}' takes 0 to ${parameter.maximum} ${parameter.unit}, not '${value}'`,
      );
    const change: Partial<MigrationParameters> = { [parameter.key]: number };
    this.chosen = { ...this.chosen, ...change };
    this.outgoing?.setParameters(change);
  }

  capabilities(): ReadonlyMap<string, boolean> {
    return new Map(CAPABILITIES.map((name) => [name, this.on.has(name)]));
  }

  setCapability(name: string, on: boolean): void {
    const known = CAPABILITIES.find((capability) => capability === name);
    if (!known)
      throw new HostError(
        'unsupported',
        `migration capability '${name}' is not available; there are: ${CAPABILITIES.join(', ')}`,
      );
    this.requireIdle();
    if (on) this.on.add(known);
    else this.on.delete(known);
  }

  private requireIdle(): void {
    if (this.outgoing || this.opening) throw new HostError('busy', "There's a migration process in progress");
  }
}
