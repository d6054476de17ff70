import type { Codec, Description, ElementCount, Field, Presence, ScalarType, ScalarValue } from './description.js';

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

    /** Fixed array of booleans sent as integers. */
    boolArray: (type: ScalarType, key: KeysOf<S, boolean[]>, wire?: WireName, presence?: Presence<S>): Field => ({
      ...base(key, wire, presence),
      kind: 'array',
      type,
      start: 0,
      length: undefined,
      bool: true,
    }),

    /** Array whose length stands in another key that was loaded before. A plain array is resized on load. */
    varArray: <T extends ScalarType>(
      type: T,
      key: KeysOf<S, ScalarValue<T>[]>,
      wire: WireName | undefined,
      count: ElementCount<S>,
      presence?: Presence<S>,
    ): Field => ({ ...base(key, wire, presence), kind: 'varArray', type, count: count.count, max: count.max }),

    struct: <K extends KeysOf<S, object>>(
      key: K,
      wire: WireName | undefined,
      description: Description<S[K] & object>,
      presence?: Presence<S> & { /** QEMU's VSTRUCT: visited at this version on both sides. */ atVersion?: number },
    ): Field => ({ ...base(key, wire, presence), kind: 'struct', description, atVersion: presence?.atVersion }),

    /** Fields of `description` run over the same object, as if written in place; QEMU uses it to nest without a member. */
    inline: (wire: WireName, description: Description<S>, presence?: Presence<S>): Field => ({
      ...base('', wire, presence),
      kind: 'struct',
      description,
      atVersion: undefined,
    }),

    /** Fixed array of structs; as many as the state's array has. */
    structArray: <E extends object>(
      key: KeysOf<S, readonly E[]>,
      wire: WireName | undefined,
      description: Description<E>,
      presence?: Presence<S>,
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'structArray',
      description,
    }),

    varStructArray: <E extends object>(
      key: KeysOf<S, E[]>,
      wire: WireName | undefined,
      description: Description<E>,
      count: ElementCount<S> & { create: () => E },
      presence?: Presence<S>,
    ): Field => ({
      ...base(key, wire, presence),
      kind: 'varStructArray',
      description,
      count: count.count,
      max: count.max,
      create: count.create,
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
