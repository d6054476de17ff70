export { compat } from './compat.js';
export { Cpu, type CpuOptions } from './cpu.js';
export { addressBits, type CpuidEntry, cpuidLookup, cpuidTable, signature } from './cpuid.js';
export { type CodeBits, Disassembler, type Instruction, instructionText } from './disassembler/disassembler.js';
export { FEATURE_BITS, type FeatureBit, type FeatureWord, FeatureWords, findFeature, isImplemented } from './features.js';
export * as layout from './layout.js';
export {
  CPU_MODELS,
  type CpuConfiguration,
  type CpuListEntry,
  type CpuModel,
  CpuModelError,
  cpus,
  defaultCpuModel,
  parseCpu,
  type Vendor,
} from './models.js';
export type * from './port.js';
export { registerLines } from './registers.js';
export { CpuCommonState, CpuState, cpuCommonDescription, cpuDescription, type Target } from './state.js';
export { type CpuAccess, computeHflags, syncFromCpu, syncToCpu } from './state-sync.js';
export { apicIdOf, type CpuTopology, cpuidOfProcessor, ONE_PROCESSOR } from './topology.js';
export { codeBits, codeLine, DEBUG_ITEMS, type DebugItem, type DebugLogOptions, debugLog } from './trace/debug-log.js';
export { type CpuObserver, DELIVERY, type Delivery, together } from './trace/observer.js';
export { compareTrace, recordTrace, type TraceDifference } from './trace/trace.js';
export { TraceError, TraceReader, TraceWriter } from './trace/trace-file.js';
export { cpuWasmUrl } from './wasm-url.js';
