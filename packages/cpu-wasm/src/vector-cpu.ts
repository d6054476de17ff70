/** A CPU for instruction vectors: every optional feature on, no devices. */
import { Cpu } from './cpu.js';
import type { CpuBus } from './port.js';

const nothing: CpuBus = {
  portRead: () => 0xffffffff,
  portWrite: () => {},
  mmioRead: () => 0xffffffff,
  mmioWrite: () => {},
  acknowledgeInterrupt: () => 0xff,
  timestamp: () => 0n,
};

export function createVectorCpu(module: WebAssembly.Module): Cpu {
  const all = 0xffffffff;
  const zeros = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
  return Cpu.create({
    module,
    bus: nothing,
    ramBytes: 0x200000,
    cpuid: [
      { ...zeros, leaf: 0, subleaf: undefined, eax: 0xd },
      { ...zeros, leaf: 1, subleaf: undefined, ecx: all, edx: all },
      { ...zeros, leaf: 7, subleaf: undefined, ebx: all, ecx: all, edx: all },
      { ...zeros, leaf: 0xd, subleaf: undefined, eax: all },
      { ...zeros, leaf: 0x80000001, subleaf: undefined, ecx: all, edx: all },
      { ...zeros, leaf: 0x80000008, subleaf: undefined, eax: 0x3028 },
    ],
  });
}
