export { drawState } from './arbitrary.js';
export { type SizeBounds, sizeBounds } from './bounds.js';
export { Path, Reader, Writer } from './bytes.js';
export { capture } from './capture.js';
export { breaks, type CheckOptions, checkSchemas, type Finding, type FindingCode } from './check.js';
export { checkEffective, type EffectiveSchema } from './check-effective.js';
export { cloneState, copyState } from './clone.js';
export { compareSchema } from './compare-schema.js';
export * from './description.js';
export { type Difference, diff, diffTrees, equals } from './diff.js';
export { abbreviate, type DynamicField, type DynamicSection, decodeWithVmdesc, hexOf, type PlainValue } from './dynamic.js';
export {
  type EffectiveDescription,
  type EffectiveField,
  effectiveSchema,
  type Presence as EffectivePresence,
} from './effective.js';
export {
  type Candidate,
  type Destination,
  type ExaminedSection,
  examineSection,
  examineSections,
  likelyCause,
  type Objection,
} from './examine.js';
export * from './fields.js';
export {
  applyFilters,
  type FieldPath,
  type Filter,
  type Filtered,
  type FilterStep,
  type Provenance,
  type SectionTree,
} from './filter.js';
export { bitsToDouble, doubleToBits, Float80, float80, float80ToNumber, numberToFloat80 } from './floats.js';
export { type DynamicDescription, type DynamicState, descriptionFromVmdesc } from './from-vmdesc.js';
export { fromJson, type Json, toJson, treeToJson } from './json.js';
export { jsonSchema, type Schema } from './json-schema.js';
export { type Decoded, decode, type LoadOptions, load } from './load.js';
export {
  type Bump,
  compareLocks,
  type Lock,
  type LockCompat,
  type LockDevice,
  type LockDifference,
  type LockedDevice,
  type LockVerdict,
  lockText,
  makeLock,
  minimumBump,
} from './lock.js';
export { compile, type Plan } from './plan.js';
export { restore } from './restore.js';
export { describe, type Saved, type SaveOptions, save, saveDescribed } from './save.js';
export {
  type MachineSchema,
  machineSchema,
  type SchemaDescription,
  type SchemaField,
  type SchemaSection,
  schemaFromVmdesc,
  sectionSchema,
} from './schema.js';
export { type Shape, type ShapeMember, type StructShape, shapeOf } from './shape.js';
export {
  type CustomValue,
  encodeTree,
  type FieldNode,
  isCustom,
  isStruct,
  type StructNode,
  type TreeEntry,
  type TreeValue,
} from './tree.js';
export type { Vmdesc, VmdescDevice, VmdescField, VmdescMembers } from './vmdesc.js';
