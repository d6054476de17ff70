import type { RunState } from '@pagurus/device-model';
import type {
  CallMessage,
  CallName,
  EventMessage,
  MachineCalls,
  MachineRequest,
  MessageEnd,
  MigrationSummary,
  ReplyMessage,
  ScreenContents,
} from './protocol.js';

/** What the page hears from its machine. */
export interface MachineListener {
  serial?(bytes: Uint8Array): void;
  state?(state: RunState): void;
  shutdown?(reason: string, exitCode: number | undefined): void;
  log?(line: string): void;
}

/**
 * A machine in a worker, seen from the page.
 *
 *     const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
 *     const machine = new WebMachine(worker, { serial: (bytes) => terminal.write(bytes) });
 *     await machine.create({ type: 'pc-i440fx-7.2', kernel: { image } });
 *     await machine.start();
 *
 * Calls reject with an `Error` whose message is the machine's own line.
 */
export class WebMachine {
  private readonly waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  private calls = 0;

  constructor(
    private readonly worker: MessageEnd,
    listener: MachineListener = {},
  ) {
    worker.addEventListener('message', ({ data }) => {
      const message = data as ReplyMessage | EventMessage;
      if ('event' in message) this.announce(message, listener);
      else this.settle(message);
    });
  }

  create(request: MachineRequest): Promise<void> {
    return this.call('create', request);
  }
  start(): Promise<void> {
    return this.call('start');
  }
  stop(): Promise<void> {
    return this.call('stop');
  }
  reset(): Promise<void> {
    return this.call('reset');
  }
  save(): Promise<Uint8Array> {
    return this.call('save');
  }
  load(stream: Uint8Array): Promise<void> {
    return this.call('load', stream);
  }
  migrate(url: string): Promise<MigrationSummary> {
    return this.call('migrate', url);
  }
  incoming(url: string): Promise<void> {
    return this.call('incoming', url);
  }
  serial(bytes: Uint8Array): Promise<void> {
    return this.call('serial', bytes);
  }
  key(qcode: string, down: boolean): Promise<void> {
    return this.call('key', qcode, down);
  }
  screen(): Promise<ScreenContents | undefined> {
    return this.call('screen');
  }
  runState(): Promise<RunState> {
    return this.call('runState');
  }

  private call<N extends CallName>(call: N, ...parameters: Parameters<MachineCalls[N]>): Promise<ReturnType<MachineCalls[N]>> {
    const id = this.calls++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      const message: CallMessage = { call, id, parameters };
      this.worker.postMessage(message, []);
    });
  }

  private settle(reply: ReplyMessage): void {
    const waiting = this.waiting.get(reply.id);
    if (!waiting) return;
    this.waiting.delete(reply.id);
    if ('error' in reply) waiting.reject(new Error(reply.error));
    else waiting.resolve(reply.result);
  }

  private announce(message: EventMessage, listener: MachineListener): void {
    switch (message.event) {
      case 'serial':
        return listener.serial?.(message.bytes);
      case 'state':
        return listener.state?.(message.state);
      case 'shutdown':
        return listener.shutdown?.(message.reason, message.exitCode);
      case 'log':
        return listener.log?.(message.line);
    }
  }
}
