export {
  type Bench,
  type BenchOptions,
  defaultProperties,
  propertiesOfMachine,
  realize,
  restore,
  type SavedBench,
  saveBench,
} from './bench.js';
export { Budget, BudgetError } from './budget.js';
export { DEFAULT_WALL_CLOCK, FakeClock } from './clock.js';
export { describeDifference, hex, loadSection, type SavedSection, sameBytes, saveSection, saveSections } from './codec.js';
export { type ConformanceOptions, conformance, type Step } from './conformance.js';
export { FakeContext, type FakeContextOptions, FakeLine, FakeLog, fakeContext, type TraceEntry } from './context.js';
export { Fuzzer, type FuzzOptions, type HostEvent } from './fuzz.js';
export { checkGolden, type GoldenSection, goldenSection } from './golden.js';
export { differences, hostValues, undescribedKeys } from './inspect-state.js';
export { FakeGuestMemory, FakeRamBlock } from './memory.js';
export { Random } from './random.js';
export { type ConformanceCase, ConformanceError, type ConformanceResult, runCases } from './report.js';
export { type FakeRegion, FakeSpace } from './space.js';
