export { cpuLoops, type LoopResult } from './cpu-loops.js';
