/**
 * What a device's state is: a value, typed against the state class it describes. Nothing here knows a byte of any encoding.
 * Vocabulary and rules: QEMU's VMState (docs/devel/migration); sections refer to QEMU 7.2.
 */

/** Fixed-width scalar types and their names on the wire description (`vmdesc`). */
export type ScalarType = 'u8' | 'u16' | 'u32' | 'u64' | 'i8' | 'i16' | 'i32' | 'i64';

/** The TypeScript type of a scalar: 64-bit values are bigint. */
export type ScalarValue<T extends ScalarType> = T extends 'u64' | 'i64' ? bigint : number;

export type NumberScalar = Exclude<ScalarType, 'u64' | 'i64'>;

/** When a field is present. A `when` test overrules `since`, as in QEMU (`field_exists` before `version_id`). */
export interface Presence<S> {
  /** First version of the description that has the field. Default 0. */
  readonly since?: number;
  /** `version` is the one being loaded; on save, the description's own. */
  readonly when?: (state: S, version: number) => boolean;
}

/**
 * State that cannot be declared by the other kinds. Still visited like any other: the codec states its size bounds and its JSON form.
 */
export interface Codec<V> {
  /** QEMU's info name, shown as `type` in the description JSON. */
  readonly type: string;
  /** Encoded size in bytes. */
  readonly minSize: number;
  readonly maxSize: number;
  /** Reads from `reader`; throws through {@link ByteReader.fail}. */
  get(reader: ByteReader, current: V): V;
  put(writer: ByteWriter, value: V): void;
  /** JSON form and back. */
  toJson(value: V): unknown;
  fromJson(json: unknown, current: V): V;
  /** `size` in schemas, where it is not the encoded size: QEMU shows that of the C type. */
  readonly hostSize?: number;
  /** JSON Schema of the JSON form; without it any value passes. */
  readonly jsonSchema?: object;
  /** Values for tests; {@link drawState} picks from them. */
  readonly examples?: readonly V[];
}

/** Bounded big-endian input. Every method throws {@link StateError} (code `truncated`) at the end of the data. */
export interface ByteReader {
  readonly offset: number;
  readonly remaining: number;
  u8(): number;
  u16(): number;
  u32(): number;
  u64(): bigint;
  i8(): number;
  i16(): number;
  i32(): number;
  i64(): bigint;
  /** Copies `length` bytes. */
  bytes(length: number): Uint8Array;
  /** Byte at `offset + ahead` without consuming, or undefined at the end. */
  peek(ahead: number): number | undefined;
  /** Throws a StateError that carries the current path and offset. */
  fail(code: StateErrorCode, message: string, details?: { expected?: string; got?: string }): never;
}

/** Growing big-endian output. */
export interface ByteWriter {
  readonly length: number;
  u8(value: number): void;
  u16(value: number): void;
  u32(value: number): void;
  u64(value: bigint): void;
  i8(value: number): void;
  i16(value: number): void;
  i32(value: number): void;
  i64(value: bigint): void;
  bytes(value: Uint8Array): void;
  zeros(length: number): void;
}

/** Stable codes; a code's meaning never changes. */
export type StateErrorCode =
  | 'truncated'
  | 'version-too-new'
  | 'version-too-old'
  | 'unknown-subsection'
  | 'not-equal'
  | 'out-of-range'
  | 'invalid'
  | 'trailing-data'
  | 'hook-failed'
  | 'unmigratable'
  | 'json';

/** A state that cannot be loaded or saved: where, what, expected and found. */
export class StateError extends Error {
  override readonly name: string = 'StateError';
  constructor(
    readonly code: StateErrorCode,
    /** e.g. `ps2kbd.queue.count`, `fdc/drives[1].track` */
    readonly path: string,
    /** Byte offset in the input, or -1 where there is none (save, JSON). */
    readonly offset: number,
    message: string,
    readonly expected?: string,
    readonly got?: string,
  ) {
    super(`${path}${offset >= 0 ? ` at offset ${offset}` : ''}: ${message}`);
  }
}

/** How a variable array knows its length: a key of the same state, already loaded when the array is. */
export interface ElementCount<S> {
  readonly count: { [K in keyof S]-?: S[K] extends number ? K : never }[keyof S] & string;
  /** Bound before allocation; a larger count (after `multiply`) is an error. */
  readonly max: number;
}

/** The erased form that visitors walk. Build them with {@link fieldsOf}. */
// biome-ignore lint/suspicious/noExplicitAny: erased on purpose; the builders in fields.ts are typed.
type Any = any;

interface FieldBase {
  /** Key in the state; '' for fields without one (unused, validate). */
  readonly key: string;
  /** QEMU's field name. */
  readonly wire: string;
  readonly since: number;
  readonly when: ((state: Any, version: number) => boolean) | undefined;
}

/** What an array of pointers points to. */
export type PointerItem =
  | { readonly kind: 'scalar'; readonly type: ScalarType }
  | { readonly kind: 'struct'; readonly description: Description<Any>; readonly create: () => object };

export type Field = FieldBase &
  /** `info` names the type in the description JSON where it is not the scalar's own. */
  (
    | { readonly kind: 'scalar'; readonly type: ScalarType; readonly bool: boolean; readonly info?: string }
    /** Wire `bool`: one byte. */
    | { readonly kind: 'bool' }
    /** Must equal the local value. */
    | { readonly kind: 'equal'; readonly type: ScalarType; readonly hint: string | undefined }
    /** QEMU's `int32 le`: 0 ≤ value ≤ the local value, which it replaces. */
    | { readonly kind: 'lessOrEqual' }
    /** Deadline in nanoseconds of virtual time, −1 = not pending. */
    | { readonly kind: 'timer' }
    /** Raw bytes of fixed length: the length of the state's own array. `start`/`length` for partial buffers. */
    | { readonly kind: 'bytes'; readonly start: number; readonly length: number | undefined; readonly info?: string }
    /** Raw bytes whose length is another key (times `multiply`). */
    | { readonly kind: 'sizedBytes'; readonly size: string; readonly multiply: number; readonly max: number }
    /** A u32 length, then that many bytes. */
    | { readonly kind: 'byteArray'; readonly max: number }
    /** Bits in 64-bit words; bit i is bit i%8 of byte i/8 of the state's array. The number of bits is fixed or another key. */
    | { readonly kind: 'bitmap'; readonly bits: number | string; readonly max: number }
    /** Fixed array of scalars: the length of the state's own array. */
    | {
        readonly kind: 'array';
        readonly type: ScalarType | 'bool';
        readonly start: number;
        readonly length: number | undefined;
        readonly bool: boolean;
        readonly info?: string;
      }
    | {
        readonly kind: 'varArray';
        readonly type: ScalarType;
        readonly count: string;
        readonly max: number;
        readonly multiply: number;
      }
    /** `nullable`: a pointer; saving null is an error, so that it needs a `when`. */
    | {
        readonly kind: 'struct';
        readonly description: Description<Any>;
        readonly atVersion: number | undefined;
        readonly nullable?: boolean;
        readonly info?: string;
      }
    | {
        readonly kind: 'structArray';
        readonly description: Description<Any>;
        readonly start: number;
        readonly length: number | undefined;
        readonly atVersion: number | undefined;
      }
    | {
        readonly kind: 'varStructArray';
        readonly description: Description<Any>;
        readonly count: string;
        readonly max: number;
        readonly create: () => object;
        readonly atVersion: number | undefined;
      }
    /**
     * Elements may be null. `marks` 'null': byte 0x30 stands for a null, and what is null here must be null there;
     * 'each': 0x30 or 0x31 before every element, which is created on load (QEMU 11).
     */
    | { readonly kind: 'pointerArray'; readonly item: PointerItem; readonly marks: 'null' | 'each' }
    /** A list of unknown length: 1 before each element, 0 at the end. Elements are loaded at version `since`. */
    | {
        readonly kind: 'list';
        readonly info: 'qtailq' | 'qlist';
        readonly description: Description<Any>;
        readonly create: () => object;
        readonly max: number;
      }
    /** A u32 count, then 1, key, value for each node, 0 at the end. Without `keyDescription` the key is a u64. */
    | {
        readonly kind: 'tree';
        readonly keyDescription: Description<Any> | undefined;
        readonly createKey: (() => object) | undefined;
        readonly description: Description<Any>;
        readonly create: () => object;
        readonly max: number;
      }
    /** A scratch object: filled by its preSave from the parent, copied back by its postLoad (QEMU's WITH_TMP). */
    | { readonly kind: 'tmp'; readonly description: Description<Any>; readonly create: (parent: Any) => object }
    /** `count` names a key that says how many times. */
    | { readonly kind: 'unused'; readonly length: number; readonly count?: string; readonly max?: number }
    | { readonly kind: 'validate'; readonly test: (state: Any, version: number) => boolean }
    | { readonly kind: 'custom'; readonly codec: Codec<Any> }
  );

/** A node of a tree field. Nodes stand in the tree's order. */
export interface TreeNode<K, V> {
  key: K;
  value: V;
}

/** One VMStateDescription. `S` is the state class it describes. */
export interface Description<S extends object> {
  /** QEMU's name, frozen for ever. */
  readonly name: string;
  readonly version: number;
  /** Oldest version that can be loaded. */
  readonly minVersion: number;
  readonly fields: readonly Field[];
  readonly subsections: readonly Description<S>[];
  /** Top level and subsections: sent only if true. Evaluated by the sender alone. */
  readonly needed: ((state: S) => boolean) | undefined;
  /** Set what an absent subsection or field means. Return or throw an error text to refuse. */
  readonly preLoad: ((state: S) => void) | undefined;
  /** Clamp and recompute, nothing else. Throw {@link StateError} to refuse. `version` is the one on the wire. */
  readonly postLoad: ((state: S, version: number) => void) | undefined;
  readonly preSave: ((state: S) => void) | undefined;
  readonly postSave: ((state: S) => void) | undefined;
  /** Higher is saved earlier. Default 0. */
  readonly priority: number;
  /** Sent before RAM, in the setup phase, and never again (QEMU 8.0 and newer: virtio-mem). */
  readonly earlySetup: boolean;
  /** Reason why a machine with this device cannot be saved. */
  readonly unmigratable: string | undefined;
  /** Keys that are recomputed and therefore not in any field. */
  readonly derived: readonly (keyof S & string)[];
}

/** QEMU's order of saving, highest first. 11.x inserted APIC; the numbers are ours, only their order is on the wire. */
export const PRIORITY = { LOW: -1, DEFAULT: 0, IOMMU: 1, PCI_BUS: 2, VIRTIO_MEM: 3, APIC: 4, GICV3_ITS: 5, GICV3: 6 } as const;

/** A description whose state class is not known here: for lists of different ones. */
// biome-ignore lint/suspicious/noExplicitAny: any state class.
export type AnyDescription = Description<any>;

/** What an author writes; everything but name, version and fields has a default. */
export interface DescriptionInput<S extends object> {
  name: string;
  version: number;
  /** Default: `version`. */
  minVersion?: number;
  fields: readonly Field[];
  subsections?: readonly Description<S>[];
  needed?: (state: S) => boolean;
  preLoad?: (state: S) => void;
  postLoad?: (state: S, version: number) => void;
  preSave?: (state: S) => void;
  postSave?: (state: S) => void;
  /** One of {@link PRIORITY} or any number. */
  priority?: number;
  earlySetup?: boolean;
  unmigratable?: string;
  derived?: readonly (keyof S & string)[];
}

/** Typed arrays that a state may hold. */
type TypedArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

type Primitive = number | bigint | boolean | string | null | undefined;

/** True for numbers, texts, typed arrays, and arrays, maps and objects of such. Functions, promises, timers, lines and symbols are not. */
export type IsPlain<T, Depth extends readonly unknown[] = []> = [T] extends [Primitive | TypedArray]
  ? true
  : Depth['length'] extends 6
    ? true
    : [HandleOf<T, Depth>] extends [never]
      ? true
      : false;

/** Distributes over unions; `never` where every member is plain. */
type HandleOf<T, Depth extends readonly unknown[]> = T extends Primitive | TypedArray
  ? never
  : T extends symbol | ((...values: never[]) => unknown)
    ? T
    : T extends readonly (infer E)[] | ReadonlySet<infer E>
      ? IsPlain<E, [...Depth, 0]> extends true
        ? never
        : T
      : T extends ReadonlyMap<infer K, infer V>
        ? IsPlain<K | V, [...Depth, 0]> extends true
          ? never
          : T
        : [HostKeys<T, [...Depth, 0]>] extends [never]
          ? never
          : T;

/** Keys of a state class that hold something of the host: a function, a line, a promise. A state has none. */
export type HostKeys<S, Depth extends readonly unknown[] = []> = {
  [K in keyof S]-?: IsPlain<S[K], Depth> extends true ? never : K;
}[keyof S];

/** Demands of a description's input that its state class holds nothing of the host; the error names the key that does. */
export type PlainOnly<S> = [HostKeys<S>] extends [never] ? unknown : { readonly hostHandleInState: HostKeys<S> };

/** Declares a description. `S` is given explicitly: `vmstate<Ps2KeyboardState>({ … })`. */
export function vmstate<S extends object>(input: DescriptionInput<S> & PlainOnly<S>): Description<S> {
  return {
    minVersion: input.version,
    subsections: [],
    needed: undefined,
    preLoad: undefined,
    postLoad: undefined,
    preSave: undefined,
    postSave: undefined,
    priority: PRIORITY.DEFAULT,
    earlySetup: false,
    unmigratable: undefined,
    derived: [],
    ...input,
  };
}
