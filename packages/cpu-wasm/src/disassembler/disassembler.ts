/**
 * The disassembler: decodes with the CPU's own decoder (in an instance of the module that runs nothing and has every feature) and writes what it found as
 * binutils' objdump does with `-M intel`.
 */
import { SHOWN, SHOWN_AT } from '../generated/shown.js';
import * as layout from '../layout.js';
import { type Decoded, formatOperands } from './operands.js';

export interface Instruction {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** `mov`, `rep movs`; `(bad)` for what is no instruction. */
  readonly mnemonic: string;
  /** `eax,DWORD PTR [ebx+ecx*4+0x10]`; empty where there are none. */
  readonly operands: string;
  /** Execution does not just go on behind it: jump, call, return, software interrupt, HLT, or no instruction. */
  readonly endsBlock: boolean;
}

/** Width of code in bits. */
export type CodeBits = 16 | 32 | 64;

const SIZES = { 16: layout.MODE_16, 32: layout.MODE_32, 64: layout.MODE_64 } as const;
const LONGEST = 15;
const WASM_PAGE = 65536;

const REPEATED = new Set(['movs', 'stos', 'lods', 'ins', 'outs']);
const COMPARED = new Set(['cmps', 'scas']);
const PREDICATES = ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'];
const HALVES = new Map([
  [0x00, 'lql'],
  [0x01, 'hql'],
  [0x10, 'lqh'],
  [0x11, 'hqh'],
]);
const ENDS = /^(j|call|ret|iret|loop|int|hlt|sys(call|ret|enter|exit)|rsm|ud|\(bad\))/;

interface ListingExports {
  initialize(): void;
  list(length: number, size: number): number;
}

export class Disassembler {
  private readonly memory: WebAssembly.Memory;
  private readonly exports: ListingExports;

  /** @param module the compiled `cpu.wasm`. */
  constructor(module: WebAssembly.Module) {
    const never = (): never => {
      throw new Error('the disassembler runs nothing');
    };
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(layout.RAM_BASE / WASM_PAGE), maximum: WASM_PAGE });
    const bus: Record<string, () => never> = {};
    for (const { module: space, name } of WebAssembly.Module.imports(module)) if (space === 'bus') bus[name] = never;
    const imports = { env: { memory: this.memory, abort: never }, bus };
    this.exports = new WebAssembly.Instance(module, imports).exports as unknown as ListingExports;
    this.exports.initialize();
    new Uint8Array(this.memory.buffer, layout.FEATURES, 32).fill(0xff);
  }

  /**
   * The instruction that `bytes` begin with, as it would be at `address` (the offset in its segment: jumps are relative to it).
   * Bytes that end too early or are no instruction give `(bad)`.
   */
  one(bytes: Uint8Array, address: bigint, bits: CodeBits): Instruction {
    const available = Math.min(bytes.length, LONGEST);
    const target = new Uint8Array(this.memory.buffer, layout.SCRATCH_BYTES, LONGEST + 1);
    target.fill(0).set(bytes.subarray(0, available));
    const length = this.exports.list(available, SIZES[bits]);
    const bad = (count: number): Instruction => ({
      address,
      bytes: bytes.slice(0, count),
      mnemonic: '(bad)',
      operands: '',
      endsBlock: true,
    });
    if (length === 0) return bad(available);
    const decoded = this.read(length, address, bits);
    const shown = SHOWN[SHOWN_AT[decoded.entry]!];
    if (shown === undefined || shown.startsWith('(bad)') || !decoded.named) return bad(length);
    const { mnemonic, operands } = write(shown, decoded);
    return { address, bytes: bytes.slice(0, length), mnemonic, operands, endsBlock: ENDS.test(mnemonic) };
  }

  /** Instruction after instruction until the bytes end; the last one may be `(bad)` because it does not end in them. */
  *all(bytes: Uint8Array, address: bigint, bits: CodeBits): Generator<Instruction> {
    for (let at = 0; at < bytes.length; ) {
      const instruction = this.one(bytes.subarray(at), address + BigInt(at), bits);
      yield instruction;
      at += instruction.bytes.length;
    }
  }

  private read(length: number, address: bigint, bits: CodeBits): Decoded {
    const view = new DataView(this.memory.buffer, layout.LISTING, 64);
    const byte = (at: number): number => view.getUint8(at);
    return {
      bits,
      address,
      length,
      entry: view.getUint16(0, true),
      named: byte(2) !== 0,
      operandSize: byte(3),
      addressSize: byte(4),
      segment: view.getInt8(5),
      repeat: byte(6),
      lock: byte(7) !== 0,
      opcode: byte(8),
      modrm: byte(9),
      rex: byte(10),
      thirdRegister: byte(11),
      sib: byte(12),
      displacement: view.getInt32(16, true),
      immediate: view.getInt32(20, true),
      immediateHigh: view.getInt32(24, true),
      immediate2: view.getUint32(28, true),
    };
  }
}

/** Name and operands of a row of the instruction set for one instruction. */
function write(shown: string, decoded: Decoded): { mnemonic: string; operands: string } {
  const [name = '', forms = ''] = shown.split(' ');
  const list = forms === '' ? [] : forms.split(',');
  let mnemonic = inflect(name, decoded);
  if (name === 'xchg' && decoded.opcode === 0x90 && !(decoded.rex & 1)) {
    if (decoded.bits === 64 ? decoded.operandSize !== 2 : decoded.operandSize * 8 === decoded.bits)
      return { mnemonic: 'nop', operands: '' };
  }
  if (list.some((form) => form.startsWith('O')) && decoded.addressSize === 8) mnemonic = 'movabs';
  const choice = mnemonic.indexOf('?');
  if (choice >= 0) {
    const texts = name.startsWith('cmp') ? PREDICATES[decoded.immediate & 0xff] : HALVES.get(decoded.immediate & 0xff);
    mnemonic = mnemonic.replace('?', texts ?? (name.startsWith('cmp') ? '' : 'l').slice(1));
    if (texts !== undefined) list.pop();
  }
  let prefix = decoded.lock ? 'lock ' : '';
  if (decoded.repeat !== 0) {
    if (REPEATED.has(name)) prefix += decoded.repeat === 0xf3 ? 'rep ' : 'repnz ';
    else if (COMPARED.has(name)) prefix += decoded.repeat === 0xf3 ? 'repz ' : 'repnz ';
  }
  return { mnemonic: prefix + mnemonic, operands: formatOperands(list, decoded) };
}

const LETTER: Readonly<Record<number, string>> = { 2: 'w', 4: 'd', 8: 'q' };

/**
 * A|B|C by operand size. A letter for it: `~` where it is not the mode's own (`~~` in 64-bit mode for 64 bits, too), `^` always but in 64-bit mode,
 * `+` only there. `%` = a letter for the address size.
 */
function inflect(name: string, { operandSize, addressSize, bits }: Decoded): string {
  if (name.includes('|')) return name.split('|')[operandSize === 2 ? 0 : operandSize === 4 ? 1 : 2]!;
  if (name.includes('%')) return name.replace('%', { 2: '', 4: 'e', 8: 'r' }[addressSize]!);
  if (name.endsWith('^')) return name.replace('^', bits === 64 ? '' : LETTER[operandSize]!);
  if (name.endsWith('+')) return name.replace('+', bits === 64 ? (operandSize === 8 ? 'q' : 'd') : '');
  if (!name.endsWith('~')) return name;
  const plain = name.replace(/~+$/, '');
  const usual = bits === 64 ? operandSize >= 4 && (operandSize === 4 || !name.endsWith('~~')) : operandSize * 8 === bits;
  return usual ? plain : plain + LETTER[operandSize]!;
}

/** A line as objdump writes it: bytes, then the instruction. */
export function instructionText({ mnemonic, operands }: Instruction): string {
  return operands === '' ? mnemonic : `${mnemonic.padEnd(6)} ${operands}`;
}
