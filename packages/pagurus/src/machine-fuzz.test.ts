import type { AccessSize, BlockBackend, CharacterBackend, DeviceType, NetworkBackend } from '@pagurus/device-model';
import { Random } from '@pagurus/device-testkit';
import { type DeviceArguments, findMachineType, type Machine, type MachineConfig } from '@pagurus/machine';
import { describe, expect, it } from 'vitest';
import { createMachine } from './index.js';
import { loaded, saved } from './testing.js';

/* Random accesses to whole machines with everything plugged in: wires, buses and windows over each other included. */

const STEPS = Number(process.env.PAGURUS_FUZZ_STEPS ?? 4000);
const MACHINES = process.env.PAGURUS_FUZZ_STEPS
  ? ['pc-i440fx-10.0', 'pc-i440fx-2.4', 'pc-1.0', 'isapc']
  : ['pc-i440fx-10.0', 'isapc'];
const ROUND = 2000;
const MIB = 2 ** 20;
const SECOND = 1_000_000_000;
const CONFIG = { ADDRESS: 0xcf8, DATA: 0xcfc } as const;
const SIZES: readonly AccessSize[] = [1, 1, 2, 4];

const chardev = (): CharacterBackend => ({ write() {}, connect() {} });
const netdev = (): NetworkBackend => ({ send() {}, connect() {} });
const drive = (): BlockBackend => {
  const bytes = new Uint8Array(MIB);
  return {
    sectors: bytes.length / 512,
    readOnly: false,
    async read(sector, target) {
      target.set(bytes.subarray(sector * 512, sector * 512 + target.length));
    },
    async write(sector, source) {
      bytes.set(source, sector * 512);
    },
    async flush() {},
  };
};

const BACKENDS: Readonly<Record<string, () => object>> = { chardev, netdev, drive };

/** Configurations with one of every type that goes into the machine; those that do not go in are named. */
async function everything(name: string): Promise<{ config: () => MachineConfig; left: string[] }> {
  const types = findMachineType(name).packages.flatMap((entry) => entry.types) as DeviceType<Record<string, never>>[];
  const devices: DeviceArguments[] = [];
  const backends: [kind: string, id: string][] = [];
  const left: string[] = [];
  const make = (list: readonly DeviceArguments[]): MachineConfig => ({
    memory: 8 * MIB,
    firmware: new Uint8Array(0x20000),
    serial: [chardev(), chardev()],
    parallel: [chardev()],
    floppy: [{ image: drive() }],
    ide: [{ media: 'disk', image: drive() }, undefined, { media: 'cdrom' }],
    hostClock: { monotonic: () => 0n, wall: () => 1_577_836_800_000_000_000n },
    rtc: { base: 1_577_836_800_000_000_000n, clock: 'vm' },
    devices: list,
    backends: Object.fromEntries(
      Object.keys(BACKENDS).map((kind) => [
        kind,
        Object.fromEntries(backends.filter(([of]) => of === kind).map(([, id]) => [id, BACKENDS[kind]!()])),
      ]),
    ),
  });
  for (const type of types) {
    if (type.bus === 'system') continue;
    const properties: Record<string, string> = {};
    for (const { name: property } of Object.values(type.properties) as { name: string }[]) {
      if (!BACKENDS[property]) continue;
      properties[property] = `${property}${backends.length}`;
      backends.push([property, properties[property]]);
    }
    const device = { driver: type.type, properties };
    try {
      await createMachine(name, make([...devices, device]));
      devices.push(device);
    } catch (error) {
      left.push(`${type.type} (${(error as Error).message})`);
    }
  }
  return { config: () => make(devices), left };
}

class MachineFuzzer {
  readonly recent: string[] = [];

  constructor(
    private readonly machine: Machine,
    private readonly random: Random,
  ) {}

  step(): void {
    const { random } = this;
    const kind = random.below(100);
    if (kind < 10) this.advance();
    else if (kind < 60) this.port();
    else if (kind < 70) this.configSpace();
    else this.memory();
  }

  private note(text: string): void {
    this.recent.push(text);
    if (this.recent.length > 20) this.recent.shift();
  }

  private advance(): void {
    const { random, machine } = this;
    const step = random.oneIn(10) ? random.below(20) * SECOND : random.below(1_000_000);
    this.note(`advance ${step}`);
    machine.time.state.cpuClockOffset += BigInt(step);
    machine.clock.runDue();
  }

  private port(): void {
    const { random, machine } = this;
    const regions = machine.ports.flat();
    const { base, length } = random.oneIn(20) ? { base: 0, length: 0x10000 } : random.pick(regions);
    const [port, size] = [base + random.below(length), random.pick(SIZES)];
    if (port + size > 0x10000) return;
    if (random.oneIn(2)) {
      this.note(`in 0x${port.toString(16)}/${size}`);
      expect(machine.ports.read(port, size)).toBeGreaterThanOrEqual(0);
      return;
    }
    const value = random.register((size * 8) as 8 | 16 | 32);
    this.note(`out 0x${port.toString(16)}/${size} 0x${value.toString(16)}`);
    machine.ports.write(port, value, size);
  }

  private configSpace(): void {
    const { random, machine } = this;
    const address = (0x8000_0000 | (random.below(32) << 11) | (random.below(4) << 8) | (random.below(64) << 2)) >>> 0;
    machine.ports.write(CONFIG.ADDRESS, address, 4);
    const value = random.register(32);
    this.note(`config 0x${address.toString(16)} 0x${value.toString(16)}`);
    if (random.oneIn(2)) machine.ports.read(CONFIG.DATA, 4);
    else machine.ports.write(CONFIG.DATA, value, 4);
  }

  private memory(): void {
    const { random, machine } = this;
    const { base, length } = random.pick(machine.memory.pieces());
    const [address, size] = [base + random.below(Math.min(length, 0x1_0000)), random.pick(SIZES)];
    const value = random.register((size * 8) as 8 | 16 | 32);
    this.note(`memory 0x${address.toString(16)}/${size} 0x${value.toString(16)}`);
    if (random.oneIn(2)) machine.memory.mmioRead(address, size);
    else machine.memory.mmioWrite(address, value, size);
  }
}

describe('machines survive random accesses with everything plugged in', { timeout: 1_200_000 }, () => {
  it.each(MACHINES)('%s', async (name) => {
    const { config, left } = await everything(name);
    if (left.length > 0) console.log(`${name}: not plugged in: ${left.join('; ')}`);
    const machine = await createMachine(name, config());
    const fuzzer = new MachineFuzzer(machine, new Random(1));
    let at = '';
    machine.events.push({
      error: (error) => {
        throw error;
      },
    });
    try {
      for (let step = 0; step < STEPS; step++) {
        at = `step ${step}`;
        fuzzer.step();
        if (step % ROUND !== ROUND - 1) continue;
        await new Promise((resolve) => setImmediate(resolve));
        at = `saved after step ${step}`;
        const stream = await saved(machine);
        const twin = await createMachine(name, config());
        await loaded(twin, stream);
      }
      at = 'the reset at the end';
      machine.reset();
    } catch (error) {
      throw new Error(`${name}, ${at}: ${(error as Error).stack}\nlast:\n  ${fuzzer.recent.join('\n  ')}`);
    }
  });
});
