import { cpuWasmUrl } from '@pagurus/cpu-wasm';

let compiled: Promise<WebAssembly.Module> | undefined;

/** The CPU's WebAssembly module, compiled once. From a file in Node.js, over HTTP in a browser. */
export function loadCpuModule(): Promise<WebAssembly.Module> {
  compiled ??= load();
  return compiled;
}

async function load(): Promise<WebAssembly.Module> {
  if (cpuWasmUrl.protocol !== 'file:') return await WebAssembly.compileStreaming(fetch(cpuWasmUrl));
  const { readFile } = await import(/* @vite-ignore */ 'node:fs/promises');
  return await WebAssembly.compile(await readFile(cpuWasmUrl));
}
