import {
  type CompatTable,
  compareVersions,
  type Device,
  type DeviceType,
  PropertyError,
  parseProperty,
} from '@pagurus/device-model';
import { StateError } from '@pagurus/vmstate';
import { loadSection, type SavedSection, saveSections } from './codec.js';
import { FakeContext, type FakeContextOptions } from './context.js';

/** A device on its fake machine. */
export interface Bench {
  readonly context: FakeContext;
  readonly device: Device;
}

export interface BenchOptions<P extends object> {
  /** Values that differ from the defaults of the property table, by TypeScript name. */
  properties?: Partial<P>;
  /** Called for each instance, because backends can't be shared. */
  context?: () => FakeContextOptions;
}

/** Defaults of the newest machine, then `changes`. */
export function defaultProperties<P extends object>(type: DeviceType<P>, changes: Partial<P> = {}): P {
  const table = type.properties as { readonly [key: string]: { readonly default: unknown } };
  const defaults = Object.fromEntries(Object.entries(table).map(([key, property]) => [key, property.default]));
  return { ...defaults, ...changes } as P;
}

/**
 * Properties as machine version `version` has them: the defaults, changed by the rows of the package's compat table for that
 * version and every newer one, newest first, so that the oldest row wins.
 */
export function propertiesOfMachine<P extends object>(type: DeviceType<P>, compat: CompatTable, version: string): P {
  const properties = defaultProperties(type) as Record<string, unknown>;
  const rows = Object.keys(compat)
    .filter((row) => compareVersions(row, version) >= 0)
    .sort((a, b) => compareVersions(b, a));
  for (const row of rows) {
    for (const driver of [...(type.parents ?? []), type.type]) {
      for (const [name, text] of Object.entries(compat[row]![driver] ?? {})) {
        const entry = Object.entries(type.properties as Record<string, { name: string }>).find(([, p]) => p.name === name);
        if (!entry) throw new PropertyError(type.type, name, `compat row ${row} sets a property that does not exist`);
        properties[entry[0]] = parseProperty(type.type, entry[1] as Parameters<typeof parseProperty>[1], text);
      }
    }
  }
  return properties as P;
}

/** Creates and resets a device, as a machine does at power-on. */
export function realize<P extends object>(type: DeviceType<P>, options: BenchOptions<P> = {}, time?: bigint): Bench {
  const base = options.context?.() ?? {};
  const context = new FakeContext(time === undefined ? base : { ...base, time });
  const device = type.create(context, defaultProperties(type, options.properties));
  device.reset();
  return { context, device };
}

/** Everything of a bench that a migration moves. */
export interface SavedBench {
  readonly time: bigint;
  readonly sections: readonly (SavedSection | undefined)[];
  readonly blocks: ReadonlyMap<string, Uint8Array>;
  readonly memory: Uint8Array;
}

export function saveBench({ context, device }: Bench): SavedBench {
  return {
    time: context.clock.now(),
    sections: saveSections(device.sections),
    blocks: new Map([...context.mmio.blocks].map(([name, block]) => [name, block.bytes.slice()])),
    memory: context.memory.bytes.slice(),
  };
}

/**
 * A new instance that goes on where `saved` stood: RAM first, then all sections, then `resume`, as a machine loads a stream.
 * @throws {StateError} if a section is refused.
 */
export function restore<P extends object>(type: DeviceType<P>, options: BenchOptions<P>, saved: SavedBench): Bench {
  const bench = realize(type, options, saved.time);
  const { context, device } = bench;
  context.memory.bytes.set(saved.memory);
  for (const [name, bytes] of saved.blocks) {
    const block = context.mmio.blocks.get(name);
    if (!block || block.length !== bytes.length)
      throw new StateError('invalid', name, -1, 'the RAM block is missing or has another size');
    block.write(0, bytes);
  }
  for (const [i, section] of saved.sections.entries())
    if (section) loadSection(device.sections[i]!, section.bytes, section.version);
  device.resume?.();
  return bench;
}
