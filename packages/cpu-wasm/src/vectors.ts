/**
 * Reader of instruction-vector files ("CPUVEC01"): one instruction each, the machine before it, and what a real processor made of it.
 * Everything in the file is little-endian. See `fixtures/README.md` for where ours come from.
 */

/** Linear address and size of the data arena; 0x20000..0x2ffff is never mapped. */
export const ARENA = { base: 0x10000, length: 0x10000 } as const;
/** Linear address and size of the code area: HLT (F4) everywhere but for the instruction; nothing is mapped behind it. */
export const CODE = { base: 0x30000, length: 0x2000 } as const;
/** The EFLAGS bits a vector states: CF PF AF ZF SF IF DF OF. */
export const STATED_FLAGS = 0xed5;
/** `trap` of an outcome that reached the HLT behind the instruction. */
export const NO_TRAP = 0xff;

export type VectorMode = 16 | 32 | 64;

export interface VectorForm {
  readonly index: number;
  /** e.g. `add Eb,Gb`. */
  readonly name: string;
  /** `int`, `seg`, `priv`, `x87`, `mmx`, `sse`, … */
  readonly group: string;
  /** The result is transcendental: equal only within a bound. */
  readonly approximate: boolean;
  readonly undocumented: boolean;
}

/** Registers as a vector knows them. */
export interface VectorRegisters {
  /** RAX RCX RDX RBX RSP RBP RSI RDI R8..R15. */
  readonly general: BigUint64Array;
  flags: number;
  fpuControl: number;
  fpuStatus: number;
  /** One bit per physical register: 1 = in use (FXSAVE form). */
  fpuTag: number;
  /** Physical x87 registers 0..7, 10 bytes each; not rotated by TOP. */
  readonly fpu: Uint8Array;
  mxcsr: number;
  /** XMM0..15, 16 bytes each. */
  readonly xmm: Uint8Array;
}

export interface ByteRun {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface Vector {
  /** Position in the file. */
  readonly index: number;
  readonly form: VectorForm;
  readonly mode: VectorMode;
  readonly approximate: boolean;
  readonly code: Uint8Array;
  /** Offset of the instruction in the code area. */
  readonly codeOffset: number;
  /** Number of the initial state; `before` has the overridden registers already in place. */
  readonly state: number;
  readonly before: VectorRegisters;
  /** Written to the arena first. */
  readonly patches: readonly ByteRun[];
  /** Arena ranges whose contents are not compared. */
  readonly ignored: readonly { readonly offset: number; readonly length: number }[];
  readonly outcome: VectorOutcome;
  /** The record in the file, for re-packing. */
  readonly raw: Uint8Array;
}

export interface VectorOutcome {
  /** Exception number or {@link NO_TRAP}. */
  readonly trap: number;
  readonly errorCode: number;
  /** CR2, for trap 14. */
  readonly address: bigint;
  /** Instruction pointer minus the instruction's own (signed). */
  readonly advance: bigint;
  /** Flags that are not stated here. */
  readonly undefinedFlags: number;
  readonly after: VectorRegisters;
  /** Arena bytes that differ from before the instruction. */
  readonly memory: readonly ByteRun[];
}

export class VectorFormatError extends Error {
  override readonly name = 'VectorFormatError';
}

const MAGIC = 'CPUVEC01';

class Cursor {
  offset = 0;
  private readonly view: DataView;
  constructor(readonly data: Uint8Array) {
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }
  private take(length: number): number {
    const at = this.offset;
    if (at + length > this.data.length)
      throw new VectorFormatError(`vector file ends at byte ${this.data.length}, wanted ${length} bytes at ${at}`);
    this.offset = at + length;
    return at;
  }
  u8 = () => this.view.getUint8(this.take(1));
  u16 = () => this.view.getUint16(this.take(2), true);
  u32 = () => this.view.getUint32(this.take(4), true);
  u64 = () => this.view.getBigUint64(this.take(8), true);
  word = (wide: boolean) => (wide ? this.u64() : BigInt(this.u32()));
  bytes = (length: number) => {
    const at = this.take(length);
    return this.data.subarray(at, at + length);
  };
  text = () => String.fromCharCode(...this.bytes(this.u8()));
}

function registers(): VectorRegisters {
  return {
    general: new BigUint64Array(16),
    flags: 0,
    fpuControl: 0,
    fpuStatus: 0,
    fpuTag: 0,
    fpu: new Uint8Array(80),
    mxcsr: 0,
    xmm: new Uint8Array(256),
  };
}

export function copyRegisters(from: VectorRegisters): VectorRegisters {
  return { ...from, general: from.general.slice(), fpu: from.fpu.slice(), xmm: from.xmm.slice() };
}

function readState(cursor: Cursor): VectorRegisters {
  const state = registers();
  for (let i = 0; i < 16; i++) state.general[i] = cursor.u64();
  state.flags = cursor.u32();
  state.fpuControl = cursor.u16();
  state.fpuStatus = cursor.u16();
  state.fpuTag = cursor.u8();
  state.fpu.set(cursor.bytes(80));
  state.mxcsr = cursor.u32();
  state.xmm.set(cursor.bytes(256));
  return state;
}

/** A parsed header and an iterator over the vectors. */
export class VectorFile implements Iterable<Vector> {
  readonly seed: bigint;
  /** Number of vectors. */
  readonly count: number;
  readonly forms: readonly VectorForm[];
  /** 64 KiB: what the arena holds before each vector's patches. */
  readonly arena: Uint8Array;
  readonly states: readonly VectorRegisters[];
  /** Everything in front of the first vector. */
  readonly header: Uint8Array;

  /** @throws {VectorFormatError} */
  constructor(private readonly data: Uint8Array) {
    const cursor = new Cursor(data);
    const magic = String.fromCharCode(...cursor.bytes(8));
    if (magic !== MAGIC)
      throw new VectorFormatError(`not a vector file: begins with ${JSON.stringify(magic)}, expected ${MAGIC}`);
    this.seed = cursor.u64();
    this.count = cursor.u32();
    const states = cursor.u32();
    const forms = cursor.u32();
    cursor.u32();
    this.forms = Array.from({ length: forms }, (_, index) => {
      const name = cursor.text();
      const group = cursor.text();
      const bits = cursor.u8();
      return { index, name, group, approximate: (bits & 1) !== 0, undocumented: (bits & 2) !== 0 };
    });
    this.arena = cursor.bytes(ARENA.length);
    this.states = Array.from({ length: states }, () => readState(cursor));
    this.header = data.subarray(0, cursor.offset);
  }

  *[Symbol.iterator](): Iterator<Vector> {
    const cursor = new Cursor(this.data);
    cursor.offset = this.header.length;
    for (let index = 0; index < this.count; index++) yield this.readVector(cursor, index);
    if (cursor.offset !== this.data.length)
      throw new VectorFormatError(`${this.data.length - cursor.offset} bytes behind the last vector`);
  }

  private readVector(cursor: Cursor, index: number): Vector {
    const start = cursor.offset;
    const head = cursor.u8();
    const code = cursor.bytes(head & 15);
    const mode = ([16, 32, 64] as const)[(head >> 4) & 3];
    const form = this.forms[cursor.u16()];
    const state = cursor.u8();
    const initial = this.states[state];
    if (!mode || !form || !initial) throw new VectorFormatError(`vector ${index} at byte ${start}: unknown mode, form or state`);
    const wide = mode === 64;
    const codeOffset = cursor.u16();
    const overridden = cursor.u16();
    const before = copyRegisters(initial);
    for (let i = 0; i < 16; i++) if ((overridden >> i) & 1) before.general[i] = cursor.word(wide);
    if (!wide) for (let i = 0; i < 16; i++) before.general[i] = i < 8 ? before.general[i]! & 0xffff_ffffn : 0n;
    const patches: ByteRun[] = [];
    const ignored: { offset: number; length: number }[] = [];
    if (head & 0x80) {
      const counts = cursor.u8();
      for (let i = 0; i < (counts & 15); i++) patches.push({ offset: cursor.u16(), bytes: cursor.bytes(cursor.u8()) });
      for (let i = 0; i < counts >> 4; i++) ignored.push({ offset: cursor.u16(), length: cursor.u16() });
    }
    const outcome = readOutcome(cursor, before, wide);
    const raw = this.data.subarray(start, cursor.offset);
    return {
      index,
      form,
      mode,
      approximate: (head & 0x40) !== 0,
      code,
      codeOffset,
      state,
      before,
      patches,
      ignored,
      outcome,
      raw,
    };
  }
}

function readOutcome(cursor: Cursor, before: VectorRegisters, wide: boolean): VectorOutcome {
  const trap = cursor.u8();
  const errorCode = trap === NO_TRAP ? 0 : cursor.u16();
  const address = trap === 14 ? cursor.word(wide) : 0n;
  const advance = BigInt.asIntN(wide ? 64 : 32, cursor.word(wide));
  const after = copyRegisters(before);
  after.flags = cursor.u32();
  const undefinedFlags = cursor.u16();
  const changed = cursor.u16();
  for (let i = 0; i < 16; i++) if ((changed >> i) & 1) after.general[i] = cursor.word(wide);
  const parts = cursor.u8();
  if (parts & 1) {
    after.fpuControl = cursor.u16();
    after.fpuStatus = cursor.u16();
    after.fpuTag = cursor.u8();
  }
  if (parts & 2) {
    const mask = cursor.u8();
    for (let i = 0; i < 8; i++) if ((mask >> i) & 1) after.fpu.set(cursor.bytes(10), i * 10);
  }
  if (parts & 4) {
    const mask = cursor.u16();
    for (let i = 0; i < 16; i++) if ((mask >> i) & 1) after.xmm.set(cursor.bytes(16), i * 16);
  }
  if (parts & 8) after.mxcsr = cursor.u32();
  const memory = Array.from({ length: cursor.u16() }, () => ({ offset: cursor.u16(), bytes: cursor.bytes(cursor.u8()) }));
  return { trap, errorCode, address, advance, undefinedFlags, after, memory };
}

/** Where the outcome's instruction pointer is, relative to the code area; `start` is {@link Vector.codeOffset}. */
export function startPointer(vector: Vector): bigint {
  return BigInt(vector.mode === 16 ? vector.codeOffset : CODE.base + vector.codeOffset);
}

/** Writes a file with some of the vectors of another; header, arena and states stay as they are. */
export function packVectors(file: VectorFile, vectors: readonly Vector[]): Uint8Array {
  const length = vectors.reduce((sum, vector) => sum + vector.raw.length, file.header.length);
  const result = new Uint8Array(length);
  result.set(file.header);
  new DataView(result.buffer).setUint32(16, vectors.length, true);
  let at = file.header.length;
  for (const vector of vectors) {
    result.set(vector.raw, at);
    at += vector.raw.length;
  }
  return result;
}

/**
 * At most `limit` vectors of each (form, mode) for which `wanted` holds, spread evenly over those the file has, so that rare outcomes stay in.
 */
export function selectVectors(file: VectorFile, limit: number, wanted: (vector: Vector) => boolean): Vector[] {
  const groups = new Map<string, Vector[]>();
  for (const vector of file) {
    if (!wanted(vector)) continue;
    const key = `${vector.form.index}/${vector.mode}`;
    const group = groups.get(key);
    if (group) group.push(vector);
    else groups.set(key, [vector]);
  }
  return [...groups.values()].flatMap((group) =>
    group.length <= limit ? group : Array.from({ length: limit }, (_, i) => group[Math.floor((i * group.length) / limit)]!),
  );
}
