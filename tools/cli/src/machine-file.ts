import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { errorLine } from '@pagurus/host-node';
import type { MachineType } from '@pagurus/machine';
import { UsageError } from './usage-error.js';

// biome-ignore lint/suspicious/noExplicitAny: a machine type of any properties.
type AnyMachine = MachineType<any>;

/** Whether `-M` names a file with a machine type and not one of ours. */
export const isMachineFile = (name: string): boolean => /\.[mc]?js$/.test(name);

function isMachineType(value: unknown): value is AnyMachine {
  const type = value as Partial<AnyMachine> | null | undefined;
  return (
    typeof type === 'object' &&
    type !== null &&
    typeof type.name === 'string' &&
    typeof type.build === 'function' &&
    typeof type.properties === 'object' &&
    Array.isArray(type.packages)
  );
}

/**
 * The machine type that a module exports: by default, or the only one.
 * @throws {UsageError} for a file that is not there, cannot be run, or has none.
 */
export async function loadMachineFile(file: string): Promise<AnyMachine> {
  const path = resolve(file);
  if (!existsSync(path)) throw new UsageError(`-M ${file}: no such file`);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`-M ${file}: cannot load it: ${errorLine(error)}`, { cause: error });
  }
  if (isMachineType(module.default)) return module.default;
  const found = Object.entries(module).filter(([, value]) => isMachineType(value));
  if (found.length === 1) return found[0]![1] as AnyMachine;
  throw new UsageError(
    found.length === 0
      ? `-M ${file}: exports no machine type (see defineMachine)`
      : `-M ${file}: exports several machine types (${found.map(([name]) => name).join(', ')}); export one as default`,
  );
}
