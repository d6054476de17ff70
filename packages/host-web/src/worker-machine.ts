import { DriveActivity } from '@pagurus/block';
import type { Screen } from '@pagurus/device-model';
import { createMachine, findMachineType, type Machine } from '@pagurus/machine';
import { bytesChannel, collectingChannel, type HostTimer, incoming, migrate, saveSnapshot } from '@pagurus/migration';
import { openPageDrives } from './images.js';
import type {
  CallMessage,
  EventMessage,
  MachineCalls,
  MachineRequest,
  MessageEnd,
  ReplyMessage,
  ScreenContents,
} from './protocol.js';
import { PageKeyboard, PageSerial } from './serial-port.js';
import { openWebSocket } from './websocket-channel.js';

type Handlers = { [N in keyof MachineCalls]: (...parameters: Parameters<MachineCalls[N]>) => unknown };

/** Real time for migration, in a worker. */
const timer: HostTimer = {
  now: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

/**
 * Serves one machine to the page at the other end of a worker's message port. The whole content of a worker file:
 *
 *     serveMachine(self, await WebAssembly.compileStreaming(fetch(cpuWasmUrl)));
 */
export function serveMachine(scope: MessageEnd, cpuModule: WebAssembly.Module): void {
  const announce = (message: EventMessage) => scope.postMessage(message, []);
  const serial = new PageSerial((bytes) => announce({ event: 'serial', bytes }));
  const keyboard = new PageKeyboard();
  let current: Machine | undefined;
  let activity = new DriveActivity();

  const machine = (): Machine => {
    if (!current) throw new Error('there is no machine yet; call create first');
    return current;
  };

  const handlers: Handlers = {
    async create(request) {
      current?.stop('shutdown');
      for (const drive of [...activity.drives]) await drive.close();
      activity = new DriveActivity();
      current = await build(request, cpuModule, serial, keyboard, activity, (line) => announce({ event: 'log', line }));
      current.events.push({
        state: (state) => announce({ event: 'state', state }),
        shutdown: ({ reason, exitCode }) => announce({ event: 'shutdown', reason, exitCode }),
        error: (error) => announce({ event: 'log', line: error instanceof Error ? error.message : String(error) }),
      });
    },
    start: () => machine().start(),
    stop: () => machine().stop('paused'),
    reset: () => machine().requestReset('page'),
    async save() {
      const channel = collectingChannel();
      await saveSnapshot(machine(), channel);
      return channel.bytes();
    },
    async load(stream) {
      const target = machine();
      target.stop('restore-vm');
      await target.whenStopped();
      const { runState } = await incoming(target, bytesChannel(stream), { timer });
      if (runState === 'running') target.start();
    },
    async migrate(url) {
      const channel = await openWebSocket(url);
      const info = await migrate(machine(), channel, { timer }).done;
      return {
        transferred: info.ram?.transferred ?? 0,
        rounds: info.ram?.['dirty-sync-count'] ?? 0,
        downtime: info.downtime ?? 0,
      };
    },
    async incoming(url) {
      const { runState } = await incoming(machine(), await openWebSocket(url), { timer });
      if (runState === 'running') machine().start();
    },
    serial(bytes) {
      serial.send(bytes);
      current?.wake();
    },
    key(qcode, down) {
      keyboard.press(qcode, down);
      current?.wake();
    },
    screen: () => contents(machine()),
    runState: () => machine().runState,
  };

  scope.addEventListener('message', ({ data }) => {
    const { call, id, parameters } = data as CallMessage;
    const reply = (message: ReplyMessage) => scope.postMessage(message, []);
    const handler = handlers[call] as ((...all: unknown[]) => unknown) | undefined;
    Promise.resolve()
      .then(() => {
        if (!handler) throw new Error(`no call '${call}'`);
        return handler(...parameters);
      })
      .then(
        (result) => reply({ id, result }),
        (error: unknown) => reply({ id, error: error instanceof Error ? error.message : String(error) }),
      );
  });
}

async function build(
  request: MachineRequest,
  cpuModule: WebAssembly.Module,
  serial: PageSerial,
  keyboard: PageKeyboard,
  activity: DriveActivity,
  log: (line: string) => void,
): Promise<Machine> {
  const { type, drives, ...rest } = request;
  const ide = await openPageDrives(drives ?? [], activity, log);
  const config = { ...rest, ide, hostWork: activity, serial: [serial], input: keyboard, log };
  return await createMachine(findMachineType(type), config, { cpuModule });
}

function contents(machine: Machine): ScreenContents | undefined {
  const screen = machine.screen();
  if (!screen) return undefined;
  const text = screen.text();
  return text ? { kind: 'text', screen: text } : { kind: 'image', ...(screen as Screen).image() };
}
