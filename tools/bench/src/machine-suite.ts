import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { type Cpu, cpuWasmUrl } from '@pagurus/cpu-wasm';
import { embeddedGuest } from '@pagurus/guests';
import { channelPair, type HostTimer, incoming, migrate } from '@pagurus/migration';
import { createMachine, type MachineConfig } from 'pagurus';

const BIOS = '/usr/share/seabios/bios-256k.bin';
const MIB = 2 ** 20;

const timer: HostTimer = {
  now: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

export interface WasmSize {
  readonly bytes: number;
  readonly gzip: number;
}

export function wasmSize(): WasmSize {
  const bytes = readFileSync(cpuWasmUrl);
  return { bytes: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
}

export interface FirmwareBoot {
  /** Host seconds, median of the runs, composition of the machine included. */
  readonly seconds: number;
  readonly instructions: number;
  /** Bytes of the decode cache for each decoded instruction. */
  readonly bytesPerDecoded: number;
}

/** SeaBIOS from power-on to "No bootable device"; undefined where SeaBIOS is not installed. */
export async function seabiosBoot(runs = 5): Promise<FirmwareBoot | undefined> {
  if (!existsSync(BIOS)) return undefined;
  const firmware = readFileSync(BIOS);
  const results: FirmwareBoot[] = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    let log = '';
    const chardev = {
      write(bytes: Uint8Array) {
        log += String.fromCharCode(...bytes);
      },
      connect() {},
    };
    const machine = await createMachine('pc-i440fx-7.2', {
      memory: 64 * MIB,
      noDefaults: true,
      firmware,
      icount: { shift: 3, sleep: false },
      devices: [{ driver: 'isa-debugcon', properties: { iobase: 0x402, chardev: 'log' } }],
      backends: { chardev: { log: chardev } },
    });
    while (!log.includes('No bootable device')) {
      const before = machine.cpu.instructions;
      machine.runUntil(before + 200_000);
      if (machine.cpu.instructions === before) throw new Error(`SeaBIOS stopped:\n${log}`);
    }
    const { decoded } = machine.cpu as Cpu;
    results.push({
      seconds: (performance.now() - start) / 1000,
      instructions: machine.cpu.instructions,
      bytesPerDecoded: decoded.bytes / decoded.instructions,
    });
  }
  results.sort((a, b) => a.seconds - b.seconds);
  return results[results.length >> 1]!;
}

/** Loops of one access and a jump back, in real mode, as firmware. */
const EXIT_LOOPS = {
  /** in al, 0x92; jmp */
  port: [0xe4, 0x92, 0xeb, 0xfc],
  /** mov ax, 0xb800; mov ds, ax; mov al, [0]; jmp */
  mmio: [0xb8, 0x00, 0xb8, 0x8e, 0xd8, 0xa0, 0x00, 0x00, 0xeb, 0xfb],
} as const;

/** Accesses a second that leave the CPU for a device and come back: port 92, and the screen's window of the VGA. */
export async function exitsPerSecond(kind: keyof typeof EXIT_LOOPS, runs = 5): Promise<number> {
  const firmware = new Uint8Array(0x10000);
  firmware.set(EXIT_LOOPS[kind]);
  // jmp 0xf000:0
  firmware.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0);
  const machine = await createMachine('pc-i440fx-7.2', {
    memory: MIB,
    noDefaults: true,
    vga: 'std',
    firmware,
    icount: { shift: 0, sleep: false },
  });
  const exits = 500_000;
  const rates: number[] = [];
  for (let run = 0; run <= runs; run++) {
    const start = performance.now();
    machine.runUntil(machine.cpu.instructions + 2 * exits);
    rates.push(exits / ((performance.now() - start) / 1000));
  }
  // The first one warms up.
  return rates.slice(1).sort((a, b) => a - b)[runs >> 1]!;
}

export interface MigrationResult {
  /** Milliseconds from the source's stop to the destination's start, median. */
  readonly pause: number;
  readonly megabytes: number;
  readonly rounds: number;
  readonly milliseconds: number;
}

/** A 32 MiB guest that rewrites 2 MiB a second moves within this process, both ends on one thread. */
export async function migrationPause(runs = 5): Promise<MigrationResult> {
  const results: MigrationResult[] = [];
  for (let run = 0; run < runs; run++) {
    const config: MachineConfig = {
      memory: 32 * MIB,
      kernel: { image: embeddedGuest(), commandLine: 'dirty=2' },
      noDefaults: true,
    };
    const source = await createMachine('pc-i440fx-7.2', config);
    const destination = await createMachine('pc-i440fx-7.2', config);
    let stopped = 0;
    source.events.push({
      state: (state) => {
        if (state !== 'running') stopped = performance.now();
      },
    });
    source.start();
    await timer.sleep(500);
    const [there, here] = channelPair();
    const arriving = incoming(destination, here, { timer });
    const [info] = await Promise.all([migrate(source, there, { timer, parameters: { maxBandwidth: 0 } }).done, arriving]);
    destination.start();
    const pause = performance.now() - stopped;
    destination.stop();
    await destination.whenStopped();
    results.push({
      pause,
      megabytes: (info.ram?.transferred ?? 0) / 1e6,
      rounds: info.ram?.['dirty-sync-count'] ?? 0,
      milliseconds: info['total-time'] ?? 0,
    });
  }
  results.sort((a, b) => a.pause - b.pause);
  return results[results.length >> 1]!;
}
