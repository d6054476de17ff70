export { cpuLoops, type LoopResult } from './cpu-loops.js';
export { type BenchSection, type VmstateRow, vmstateSuite } from './vmstate-suite.js';
