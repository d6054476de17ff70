export { Path, Reader, Writer } from './bytes.js';
export { cloneState, copyState } from './clone.js';
export * from './description.js';
export * from './fields.js';
export { type Decoded, decode, type LoadOptions, load } from './load.js';
export { describe, type Saved, type SaveOptions, save, saveDescribed } from './save.js';
export type { Vmdesc, VmdescDevice, VmdescField, VmdescMembers } from './vmdesc.js';
