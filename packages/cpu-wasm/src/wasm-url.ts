/** Where the compiled module lies beside this package: a file URL in Node.js, an asset that a bundler copies on the web. */
export const cpuWasmUrl = new URL('../wasm/cpu.wasm', import.meta.url);
