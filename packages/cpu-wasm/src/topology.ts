/** How several processors appear in CPUID, as QEMU 7.2 answers it. [SDM] volume 2A, CPUID; [APM] volume 3, appendix E. */
import type { CpuidEntry } from './cpuid.js';

/** Sockets of cores of threads. Processor n is thread n % threads of core n / threads % cores of socket n / threads / cores. */
export interface CpuTopology {
  readonly sockets: number;
  readonly cores: number;
  readonly threads: number;
}

export const ONE_PROCESSOR: CpuTopology = { sockets: 1, cores: 1, threads: 1 };

const HYPER_THREADING = 1 << 28;
const LEGACY_MULTICORE = 1 << 1;

const bitsFor = (count: number): number => 32 - Math.clz32(count - 1);

/** Bits of an APIC id below the number of the socket, and below that of the core. */
function widths({ cores, threads }: CpuTopology): { readonly socket: number; readonly core: number } {
  const core = bitsFor(threads);
  return { core, socket: core + bitsFor(cores) };
}

/** APIC id of processor `index`. Threads, cores and sockets have a field of whole bits each, so ids may have gaps. */
export function apicIdOf(index: number, topology: CpuTopology): number {
  const { core, socket } = widths(topology);
  const thread = index % topology.threads;
  const coreNumber = Math.floor(index / topology.threads) % topology.cores;
  return (Math.floor(index / topology.threads / topology.cores) << socket) | (coreNumber << core) | thread;
}

/** The CPUID table of processor `index` of several, from that of a single one. */
export function cpuidOfProcessor(table: readonly CpuidEntry[], index: number, topology: CpuTopology): CpuidEntry[] {
  const apicId = apicIdOf(index, topology);
  const { core, socket } = widths(topology);
  const inSocket = topology.cores * topology.threads;
  const several = inSocket > 1;
  const amd = table.find(({ leaf }) => leaf === 0)?.ecx === 0x444d4163; // "cAMD"
  /** Processors that share a cache; cores of the socket. */
  const cache = (sharing: number): number => (((topology.cores - 1) << 26) | (sharing << 14)) >>> 0;
  return table.map((entry) => {
    switch (entry.leaf) {
      case 1:
        return {
          ...entry,
          ebx: ((apicId << 24) | (several ? inSocket << 16 : 0) | entry.ebx) >>> 0,
          edx: (several ? entry.edx | HYPER_THREADING : entry.edx) >>> 0,
        };
      case 4: {
        const level = (entry.eax >> 5) & 7;
        const sharing = level === 3 ? (1 << socket) - 1 : level === 2 ? topology.threads - 1 : 0;
        return { ...entry, eax: (entry.eax | cache(sharing)) >>> 0 };
      }
      case 0xb: {
        if (entry.subleaf === 0) return { ...entry, eax: core, ebx: topology.threads, edx: apicId };
        if (entry.subleaf === 1) return { ...entry, eax: socket, ebx: inSocket, edx: apicId };
        return { ...entry, edx: apicId };
      }
      case 0x80000001:
        return several && amd ? { ...entry, ecx: (entry.ecx | LEGACY_MULTICORE) >>> 0 } : entry;
      case 0x80000008:
        return several ? { ...entry, ecx: (socket << 12) | (inSocket - 1) } : entry;
      default:
        return entry;
    }
  });
}
