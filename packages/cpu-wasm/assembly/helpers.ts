/** All complex instructions, by the names that generate/micro-ops.mjs calls them. */
export * from './instructions/arithmetic';
export * from './instructions/control';
export * from './instructions/flags';
export * from './instructions/ports';
export * from './instructions/stack';
export * from './instructions/strings';
export * from './instructions/control-registers';
export * from './instructions/debug-registers';
export * from './instructions/identification';
export * from './instructions/msrs';
export * from './instructions/system-calls';
export * from './instructions/segments';
export * from './instructions/misc';
export * from './x87/escape';
export * from './simd/simd';
export { rsm } from './smm';
