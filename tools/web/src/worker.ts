import { cpuWasmUrl } from '@pagurus/cpu-wasm';
import { type MessageEnd, serveMachine } from '@pagurus/host-web';

serveMachine(self as unknown as MessageEnd, await WebAssembly.compile(await (await fetch(cpuWasmUrl)).arrayBuffer()));
self.postMessage({ event: 'ready' });
