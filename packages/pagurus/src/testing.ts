/** For this package's tests: the embedded guest in a deterministic machine, and what it prints. */
import { embeddedGuest } from '@pagurus/guests';
import type { Machine, MachineConfig, MachineType } from '@pagurus/machine';
import { bytesChannel, collectingChannel, type HostTimer, incoming, saveSnapshot } from '@pagurus/migration';
import { createMachine } from './index.js';

export const timer: HostTimer = {
  now: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

export interface Console {
  readonly machine: Machine;
  text(): string;
  type(text: string): void;
}

/** A machine whose first serial port is kept as text. */
// biome-ignore lint/suspicious/noExplicitAny: a machine type of any properties.
export async function withConsole(type: string | MachineType<any>, config: MachineConfig): Promise<Console> {
  let text = '';
  let frontend: { canReceive(): number; receive(bytes: Uint8Array): void } | undefined;
  const typed: number[] = [];
  const feed = () => {
    while (frontend && typed.length > 0) {
      const room = frontend.canReceive();
      if (room === 0) return;
      frontend.receive(Uint8Array.from(typed.splice(0, room)));
    }
  };
  const machine = await createMachine(type, {
    icount: { shift: 3, sleep: false },
    ...config,
    serial: [
      {
        write: (bytes: Uint8Array) => {
          text += String.fromCharCode(...bytes);
        },
        connect: (device) => {
          frontend = device;
        },
        ready: feed,
      } as NonNullable<MachineConfig['serial']>[number],
    ],
  });
  return {
    machine,
    text: () => text,
    type: (characters) => {
      typed.push(...[...characters].map((character) => character.charCodeAt(0)));
      feed();
    },
  };
}

/** The embedded guest on a small machine. */
export function guest(config: MachineConfig = {}, type = 'pc-i440fx-7.2'): Promise<Console> {
  return withConsole(type, { memory: 8 * 2 ** 20, kernel: { image: embeddedGuest(), commandLine: 'region=2' }, ...config });
}

export async function saved(machine: Machine): Promise<Uint8Array> {
  const channel = collectingChannel();
  await saveSnapshot(machine, channel);
  return channel.bytes();
}

export async function loaded(machine: Machine, stream: Uint8Array): Promise<void> {
  await incoming(machine, bytesChannel(stream), { timer });
}
