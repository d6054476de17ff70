import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { HostError, systemError } from './errors.js';

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** Where `@pagurus/cpu-wasm` has its built module. @throws {HostError} if it has not been built. */
function installedModule(): string {
  try {
    return createRequire(import.meta.url).resolve('@pagurus/cpu-wasm/cpu.wasm');
  } catch (error) {
    throw new HostError('not-found', "the CPU module of @pagurus/cpu-wasm is missing; 'npm run build:wasm' makes it", {
      cause: error,
    });
  }
}

/**
 * The CPU's WebAssembly module, compiled once per process.
 * @param path of another build.
 * @throws {HostError} if it is missing or broken.
 */
export async function loadCpuModule(path: string = installedModule()): Promise<WebAssembly.Module> {
  let module = compiled.get(path);
  if (!module) {
    module = compile(path);
    compiled.set(path, module);
  }
  return await module;
}

async function compile(path: string): Promise<WebAssembly.Module> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw systemError(`cannot read the CPU module '${path}'`, error);
  });
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    throw new HostError('system', `the CPU module '${path}' is not a WebAssembly module`, { cause: error });
  }
}
