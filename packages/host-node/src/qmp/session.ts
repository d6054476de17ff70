import type { CharacterBackend } from '@pagurus/device-model';
import { type GreetingFrontend, signalReady } from '../chardev/host-character.js';
import { errorLine } from '../errors.js';
import type { MonitorTarget } from '../hmp/target.js';
import { Arguments, isObject, QmpError, type QmpErrorClass } from './arguments.js';
import { QEMU_VERSION, QMP_COMMANDS, QMP_EVENTS } from './commands.js';
import { type JsonMessage, JsonStream } from './json-stream.js';

/**
 * A program at a character device: QEMU's machine protocol. One command at a time, answers in order; events between them once the client
 * has negotiated. [QEMU docs/interop/qmp-spec]
 */
export class QmpSession implements GreetingFrontend {
  private readonly stream = new JsonStream();
  private readonly waiting: JsonMessage[] = [];
  private negotiated = false;
  private busy = false;
  /** Answers to a client that has left are dropped. */
  private client = 0;

  constructor(
    private readonly target: MonitorTarget,
    private readonly backend: CharacterBackend,
  ) {
    backend.connect(this);
    this.greet();
  }

  /** A new client at a socket. */
  opened(): void {
    this.client++;
    this.stream.reset();
    this.waiting.length = 0;
    this.negotiated = false;
    this.greet();
  }

  /** While a command runs, what comes waits in the backend. */
  canReceive(): number {
    return this.busy ? 0 : 4096;
  }

  receive(bytes: Uint8Array): void {
    this.waiting.push(...this.stream.push(bytes));
    this.next();
  }

  /** Told to a client that has negotiated, if the protocol has such an event. */
  event(name: string, data?: object): void {
    if (!this.negotiated || !(QMP_EVENTS as readonly string[]).includes(name)) return;
    const now = performance.timeOrigin + performance.now();
    const seconds = Math.floor(now / 1000);
    const timestamp = { seconds, microseconds: Math.floor((now - seconds * 1000) * 1000) };
    this.send({ timestamp, event: name, ...(data === undefined ? {} : { data }) });
  }

  private greet(): void {
    const version = { qemu: QEMU_VERSION, package: `Pagurus ${this.target.version}` };
    this.send({ QMP: { version, capabilities: [] } });
  }

  private next(): void {
    if (this.busy) return;
    const message = this.waiting.shift();
    if (message === undefined) return;
    this.busy = true;
    const { client } = this;
    this.answer(message)
      .then((answer) => {
        if (client === this.client) this.send(answer);
      })
      .finally(() => {
        this.busy = false;
        this.next();
        if (!this.busy) signalReady(this.backend);
      });
  }

  private async answer(message: JsonMessage): Promise<object> {
    let id: { id?: unknown } = {};
    try {
      if ('error' in message) throw new QmpError('GenericError', message.error);
      const { value } = message;
      if (!isObject(value)) throw new QmpError('GenericError', 'QMP input must be a JSON object');
      if ('id' in value) id = { id: value.id };
      return { return: await this.execute(value), ...id };
    } catch (error) {
      const errorClass: QmpErrorClass = error instanceof QmpError ? error.errorClass : 'GenericError';
      return { error: { class: errorClass, desc: errorLine(error) }, ...id };
    }
  }

  private async execute(request: Readonly<Record<string, unknown>>): Promise<unknown> {
    const { execute, arguments: given = {} } = request;
    for (const key of Object.keys(request))
      if (!['execute', 'arguments', 'id'].includes(key))
        throw new QmpError('GenericError', `QMP input member '${key}' is unexpected`);
    if (typeof execute !== 'string') throw new QmpError('GenericError', "QMP input lacks member 'execute'");
    if (!isObject(given)) throw new QmpError('GenericError', "QMP input member 'arguments' must be an object");
    if (!this.negotiated) {
      if (execute !== 'qmp_capabilities')
        throw new QmpError('CommandNotFound', "Expecting capabilities negotiation with 'qmp_capabilities'");
      const enable = given.enable ?? [];
      if (!Array.isArray(enable) || enable.length > 0)
        throw new QmpError('GenericError', `Parameter 'enable' does not accept value '${String(enable)}'`);
      this.negotiated = true;
      return {};
    }
    const command = QMP_COMMANDS.find(({ name }) => name === execute);
    if (!command) {
      throw new QmpError(
        'CommandNotFound',
        execute === 'qmp_capabilities'
          ? 'Capabilities negotiation is already complete, command ignored'
          : `The command ${execute} has not been found`,
      );
    }
    const args = new Arguments(given);
    const result = (await command.run(this.target, args)) ?? {};
    args.done();
    return result;
  }

  private send(message: object): void {
    this.backend.write(new TextEncoder().encode(`${JSON.stringify(message)}\r\n`));
  }
}
