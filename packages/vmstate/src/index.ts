export { Path, Reader, Writer } from './bytes.js';
export { cloneState, copyState } from './clone.js';
export * from './description.js';
export { abbreviate, type DynamicField, type DynamicSection, decodeWithVmdesc, hexOf, type PlainValue } from './dynamic.js';
export * from './fields.js';
export { type Decoded, decode, type LoadOptions, load } from './load.js';
export { describe, type Saved, type SaveOptions, save, saveDescribed } from './save.js';
export { encodeTree, type FieldNode, isStruct, type StructNode, type TreeEntry, type TreeValue } from './tree.js';
export type { Vmdesc, VmdescDevice, VmdescField, VmdescMembers } from './vmdesc.js';
