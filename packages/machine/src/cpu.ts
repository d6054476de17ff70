import type { CpuBus, CpuPort } from '@pagurus/cpu-wasm';
import type { Device } from '@pagurus/device-model';

export interface MachineCpu {
  readonly cpu: CpuPort;
  /** Sections `cpu_common` and `cpu`, reset, resume. */
  readonly device: Device;
  registersText(): string;
}
export interface MachineCpuOptions {
  bus: CpuBus;
  memorySize: number;
  model: string;
}
export type MakeCpu = (options: MachineCpuOptions) => MachineCpu;
export async function prepareCpu(_module: WebAssembly.Module): Promise<MakeCpu> {
  throw new Error('wip');
}
