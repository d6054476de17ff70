import type { Codec, Description, ElementCount, Field, Presence, ScalarType, ScalarValue, TreeNode } from './description.js';

/** Keys of `S` whose value is assignable to `V`, both ways for scalars so that a string is no number and a number no bigint. */
export type KeysOf<S, V> = { [K in keyof S]-?: S[K] extends V ? K : never }[keyof S] & string;

/** Arrays that may hold scalars of type `T`: a plain array or the typed array of exactly that width and sign. */
export type ScalarArray<T extends ScalarType> =
  | ScalarValue<T>[]
  | {
      u8: Uint8Array;
      u16: Uint16Array;
      u32: Uint32Array;
      u64: BigUint64Array;
      i8: Int8Array;
      i16: Int16Array;
      i32: Int32Array;
      i64: BigInt64Array;
    }[T];

type WireName = string;

/**
 * Field builders for a state class. The first argument is the TypeScript key, the second QEMU's field name (default: the key).
 *
 *     const f = fieldsOf<Ps2Queue>();
 *     [f.i32('rptr', 'queue.rptr'), f.bytes('data', 'queue.data')]
 */
export function fieldsOf<S extends object>() {
  const base = (key: string, wire: WireName | undefined, presence: Presence<S> | undefined) => ({
    key,
    wire: wire ?? key,
    since: presence?.since ?? 0,
    when: presence?.when as ((state: unknown, version: number) => boolean) | undefined,
  });
  const scalar =
    <T extends ScalarType>(type: T) =>
    (key: KeysOf<S, ScalarValue<T>>, wire?: WireName, presence?: Presence<S>): Field => ({
      ...base(key, wire, presence),
      kind: 'scalar',
      type,
      bool: false,
    });

  return {
    u8: scalar('u8'),
    u16: scalar('u16'),
    u32: scalar('u32'),
    u64: scalar('u64'),
    i8: scalar('i8'),
    i16: scalar('i16'),
    i32: scalar('i32'),
    i64: scalar('i64'),

    /** QEMU's `bool`: one byte, any non-zero is true. */
    bool: (key: KeysOf<S, boolean>, wire?: WireName, presence?: Presence<S>): Field => ({
      ...base(key, wire, presence),
      kind: 'bool',
    }),

    /** A boolean that QEMU sends as an integer (0 or 1; any non-zero loads as true). */
    boolAs: (type: ScalarType, key: KeysOf<S, boolean>, wire?: WireName, presence?: Presence<S>): Field => ({
      ...base(key, wire, presence),
      kind: 'scalar',
      type,
      bool: true,
    }),

    /** Sent as `type`; a load whose value differs from the local one is refused. */
    equal: <T extends ScalarType>(
      type: T,
      key: KeysOf<S, ScalarValue<T>>,
      wire?: WireName,
      presence?: Presence<S> & { hint?: string },
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'equal',
      type,
      hint: presence?.hint,
    }),

    /** i32; accepted from 0 up to the local value, kept as loaded. */
    lessOrEqual: (key: KeysOf<S, number>, wire?: WireName, presence?: Presence<S>): Field => ({
      ...base(key, wire, presence),
      kind: 'lessOrEqual',
    }),

    /** A deadline on the virtual clock in nanoseconds; -1n = not pending. */
    timer: (key: KeysOf<S, bigint>, wire?: WireName, presence?: Presence<S>): Field => ({
      ...base(key, wire, presence),
      kind: 'timer',
    }),

    /** Deadlines, one per element. */
    timers: (
      key: KeysOf<S, ScalarArray<'i64'>>,
      wire?: WireName,
      presence?: Presence<S> & { start?: number; length?: number },
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'array',
      type: 'i64',
      start: presence?.start ?? 0,
      length: presence?.length,
      bool: false,
      info: 'timer',
    }),

    /** An IEEE-754 double, kept as its 64 bits so that no NaN changes; see `doubleToBits`. */
    double: (key: KeysOf<S, bigint>, wire?: WireName, presence?: Presence<S>): Field => ({
      ...base(key, wire, presence),
      kind: 'scalar',
      type: 'u64',
      bool: false,
      info: 'CPU_Double_U',
    }),

    /**
     * An open file's number (QEMU 10.0), -1 = none, as a process leaves it to the one that takes its place. The other way of 10.0, beside
     * the stream through a UNIX socket, puts nothing on the wire; no host of ours has it.
     */
    fd: (key: KeysOf<S, number>, wire?: WireName, presence?: Presence<S>): Field => ({
      ...base(key, wire, presence),
      kind: 'scalar',
      type: 'i32',
      bool: false,
      info: 'fd',
    }),

    /** Raw bytes; as many as the state's array has, or a part of it. */
    bytes: (
      key: KeysOf<S, Uint8Array>,
      wire?: WireName,
      presence?: Presence<S> & { start?: number; length?: number },
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'bytes',
      start: presence?.start ?? 0,
      length: presence?.length,
    }),

    /** Raw bytes whose length stands in another key, times `multiply`. A length above `max` is refused before allocation. */
    sizedBytes: (
      key: KeysOf<S, Uint8Array>,
      wire: WireName | undefined,
      size: { size: KeysOf<S, number>; max: number; multiply?: number },
      presence?: Presence<S>,
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'sizedBytes',
      size: size.size,
      multiply: size.multiply ?? 1,
      max: size.max,
    }),

    /** A u32 length on the wire, then that many bytes: QEMU 11's GByteArray. */
    byteArray: (
      key: KeysOf<S, Uint8Array>,
      wire: WireName | undefined,
      limit: { max: number },
      presence?: Presence<S>,
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'byteArray',
      max: limit.max,
    }),

    /**
     * Bits, least significant first in the state's bytes, whole 64-bit words on the wire. `bits` is their number or the key that has it;
     * the state's array holds whole words (8 bytes each).
     */
    bitmap: (
      key: KeysOf<S, Uint8Array>,
      wire: WireName | undefined,
      size: { bits: number; max?: number } | { bits: KeysOf<S, number>; max: number },
      presence?: Presence<S>,
    ): Field => ({ ...base(key, wire, presence), kind: 'bitmap', bits: size.bits, max: size.max ?? (size.bits as number) }),

    /** Fixed array of scalars; as many as the state's array has, or a part of it. */
    array: <T extends ScalarType>(
      type: T,
      key: KeysOf<S, ScalarArray<T>>,
      wire?: WireName,
      presence?: Presence<S> & { start?: number; length?: number },
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'array',
      type,
      start: presence?.start ?? 0,
      length: presence?.length,
      bool: false,
    }),

    /** Fixed array of booleans sent as integers or, `bool`, as one byte each. */
    boolArray: (type: ScalarType | 'bool', key: KeysOf<S, boolean[]>, wire?: WireName, presence?: Presence<S>): Field => ({
      ...base(key, wire, presence),
      kind: 'array',
      type,
      start: 0,
      length: undefined,
      bool: true,
    }),

    /** Array whose length stands in another key that was loaded before. A plain array is resized on load, a typed one only grows. */
    varArray: <T extends ScalarType>(
      type: T,
      key: KeysOf<S, ScalarArray<T>>,
      wire: WireName | undefined,
      count: ElementCount<S> & { /** Elements per counted unit. */ multiply?: number },
      presence?: Presence<S>,
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'varArray',
      type,
      count: count.count,
      max: count.max,
      multiply: count.multiply ?? 1,
    }),

    struct: <K extends KeysOf<S, object>>(
      key: K,
      wire: WireName | undefined,
      description: Description<S[K] & object>,
      presence?: Presence<S> & { /** QEMU's VSTRUCT: visited at this version on both sides. */ atVersion?: number },
    ): Field => ({ ...base(key, wire, presence), kind: 'struct', description, atVersion: presence?.atVersion }),

    /** A struct behind a pointer. Null cannot be sent, so that a key that may be null needs a `when` for it. */
    pointer: <E extends object>(
      key: KeysOf<S, E | null>,
      wire: WireName | undefined,
      description: Description<E>,
      presence?: Presence<S> & { atVersion?: number },
    ): Field => ({ ...base(key, wire, presence), kind: 'struct', description, atVersion: presence?.atVersion, nullable: true }),

    /** Fields of `description` run over the same object, as if written in place; QEMU uses it to nest without a member. */
    inline: (wire: WireName, description: Description<S>, presence?: Presence<S>): Field => ({
      ...base('', wire, presence),
      kind: 'struct',
      description,
      atVersion: undefined,
    }),

    /** Fixed array of structs; as many as the state's array has, or a part of it. */
    structArray: <E extends object>(
      key: KeysOf<S, readonly E[]>,
      wire: WireName | undefined,
      description: Description<E>,
      presence?: Presence<S> & { start?: number; length?: number; atVersion?: number },
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'structArray',
      description,
      start: presence?.start ?? 0,
      length: presence?.length,
      atVersion: presence?.atVersion,
    }),

    varStructArray: <E extends object>(
      key: KeysOf<S, E[]>,
      wire: WireName | undefined,
      description: Description<E>,
      count: ElementCount<S> & { create: () => E },
      presence?: Presence<S> & { atVersion?: number },
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'varStructArray',
      description,
      count: count.count,
      max: count.max,
      create: count.create,
      atVersion: presence?.atVersion,
    }),

    /** Array of pointers to scalars; null is 0x30 on the wire, and must be null here to be recognised (`each`: see {@link structPointers}). */
    scalarPointers: <T extends ScalarType>(
      type: T,
      key: KeysOf<S, (ScalarValue<T> | null)[]>,
      wire?: WireName,
      presence?: Presence<S> & { marks?: 'null' | 'each' },
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'pointerArray',
      item: { kind: 'scalar', type },
      marks: presence?.marks ?? 'null',
    }),

    /**
     * Array of pointers to structs. `marks` 'null' (default): a null is the byte 0x30, and an element that is null here is expected to be
     * null there. `marks` 'each' (QEMU 11's auto-alloc arrays): every element is preceded by 0x30 or 0x31, elements are made on load.
     */
    structPointers: <E extends object>(
      key: KeysOf<S, (E | null)[]>,
      wire: WireName | undefined,
      description: Description<E>,
      pointers: { create: () => E; marks?: 'null' | 'each' },
      presence?: Presence<S>,
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'pointerArray',
      item: { kind: 'struct', description, create: pointers.create },
      marks: pointers.marks ?? 'null',
    }),

    /** A list of unknown length (QTAILQ, QLIST). Elements are loaded at version `since` of this field, as QEMU does. */
    list: <E extends object>(
      key: KeysOf<S, E[]>,
      wire: WireName | undefined,
      description: Description<E>,
      list: { create: () => E; max: number; info?: 'qtailq' | 'qlist' },
      presence?: Presence<S>,
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'list',
      info: list.info ?? 'qtailq',
      description,
      create: list.create,
      max: list.max,
    }),

    /** A balanced tree (GTree), kept as its nodes in order. Keys are structs with a description of their own, or plain u64. */
    tree: <K extends object | bigint, V extends object>(
      key: KeysOf<S, TreeNode<K, V>[]>,
      wire: WireName | undefined,
      description: Description<V>,
      tree: { create: () => V; max: number } & (K extends object
        ? { keys: { description: Description<K>; create: () => K } }
        : { keys?: undefined }),
      presence?: Presence<S>,
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'tree',
      keyDescription: tree.keys?.description,
      createKey: tree.keys?.create,
      description,
      create: tree.create,
      max: tree.max,
    }),

    /** QEMU's WITH_TMP: a scratch object whose preSave reads the parent and whose postLoad writes back to it. */
    tmp: <T extends object>(
      wire: WireName,
      description: Description<T>,
      create: (parent: S) => T,
      presence?: Presence<S>,
    ): Field => ({
      ...base('', wire, presence),
      kind: 'tmp',
      description,
      create,
    }),

    /** Written as zeros, ignored on load. */
    unused: (length: number, presence?: Presence<S> & { wire?: string }): Field => ({
      ...base('', presence?.wire ?? 'unused', presence),
      kind: 'unused',
      length,
    }),

    /** `length` zeros for each unit that `count` says. */
    unusedArray: (length: number, count: ElementCount<S>, presence?: Presence<S> & { wire?: string }): Field => ({
      ...base('', presence?.wire ?? 'unused', presence),
      kind: 'unused',
      length,
      count: count.count,
      max: count.max,
    }),

    /** A condition over what has been loaded so far; false refuses the stream. Not on the wire. */
    validate: (text: string, test: (state: S, version: number) => boolean): Field => ({
      ...base('', text, undefined),
      kind: 'validate',
      test: test as (state: unknown, version: number) => boolean,
    }),

    custom: <K extends keyof S & string>(
      key: K,
      wire: WireName | undefined,
      codec: Codec<S[K]>,
      presence?: Presence<S>,
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'custom',
      codec,
    }),
  };
}
