/**
 * Operands in Intel's syntax. Forms are those of assembly/generate/isa.mjs and, for showing only:
 *
 *     X Y       a string's source DS:rSI, destination ES:rDI; XL: XLAT's table at DS:rBX
 *     B         the register that a VEX prefix names
 *     Evw Edb   a register of the first size, memory of the second
 *     Rs        a register as wide as the mode
 *     Mp Ma M2y memory of: a far pointer, two operands, twice y; M alone: of no size
 *     V W P Q   an XMM register, the same or memory; MMX likewise
 *     zAX       rAX of at most 32 bits; ST0 STi; es … gs, xmm0
 */
export interface Decoded {
  readonly bits: 16 | 32 | 64;
  readonly address: bigint;
  readonly length: number;
  readonly entry: number;
  /** It is an instruction, if one that LOCK may not be allowed with. */
  readonly named: boolean;
  /** Bytes. */
  readonly operandSize: number;
  readonly addressSize: number;
  /** Segment override or -1. */
  readonly segment: number;
  /** 0, 0xf2 or 0xf3. */
  readonly repeat: number;
  readonly lock: boolean;
  readonly opcode: number;
  readonly modrm: number;
  readonly rex: number;
  readonly thirdRegister: number;
  readonly sib: number;
  /** Signed; of RIP-relative operands relative to the instruction's start. */
  readonly displacement: number;
  readonly immediate: number;
  readonly immediateHigh: number;
  readonly immediate2: number;
}

const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', '?', '?'];
const BYTES = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'];
const BYTES_REX = ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil'];
const WORDS = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const PAIRS = ['bx+si', 'bx+di', 'bp+si', 'bp+di', 'si', 'di', 'bp', 'bx'];
const POINTERS: Readonly<Record<number, string>> = {
  1: 'BYTE PTR ',
  2: 'WORD PTR ',
  4: 'DWORD PTR ',
  6: 'FWORD PTR ',
  8: 'QWORD PTR ',
  10: 'TBYTE PTR ',
  16: 'XMMWORD PTR ',
};

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
const unsigned = (value: number, bytes: number): bigint => BigInt.asUintN(8 * bytes, BigInt(value));

export function formatOperands(forms: readonly string[], decoded: Decoded): string {
  let immediates = 0;
  const text = forms.map((form) => operand(form, decoded, form[0] === 'I' ? immediates++ : 0)).join(',');
  const relative = decoded.bits === 64 && forms.some((form) => 'EMWQ'.includes(form[0]!)) && (decoded.modrm & 0xc7) === 5;
  return relative
    ? `${text}        # ${hex(BigInt.asUintN(8 * decoded.addressSize, decoded.address + BigInt(decoded.displacement)))}`
    : text;
}

function general(number: number, size: number, rex: number): string {
  if (size === 1) return number < 8 ? (rex ? BYTES_REX : BYTES)[number]! : `r${number}b`;
  if (number < 8) return ({ 2: '', 4: 'e', 8: 'r' }[size] ?? '') + WORDS[number]!;
  return `r${number}${{ 2: 'w', 4: 'd', 8: '' }[size] ?? ''}`;
}

function bytesOf(code: string, { operandSize, bits }: Decoded): number {
  switch (code) {
    case 'b':
      return 1;
    case 'w':
      return 2;
    case 'd':
    case 'ss':
      return 4;
    case 'q':
    case 'sd':
      return 8;
    case 'x':
      return 16;
    case 't':
      return 10;
    case 'v':
      return operandSize;
    case 'z':
      return operandSize === 2 ? 2 : 4;
    case 'y':
      return operandSize === 8 ? 8 : 4;
    case '2y':
      return operandSize === 8 ? 16 : 8;
    case 'p':
      return operandSize + 2;
    case 'a':
      return 2 * operandSize;
    case 's':
      return bits === 64 ? 8 : 4;
    default:
      return 0;
  }
}

function operand(form: string, decoded: Decoded, immediate: number): string {
  const { modrm, rex, bits } = decoded;
  const isRegister = modrm >> 6 === 3;
  const reg = ((modrm >> 3) & 7) | ((rex & 4) << 1);
  const rm = (modrm & 7) | ((rex & 1) << 3);
  const code = form.slice(1);
  switch (form) {
    case 'AL':
      return 'al';
    case 'AX':
      return 'ax';
    case 'CL':
      return 'cl';
    case 'DX':
      return 'dx';
    case '1':
      return '1';
    case 'rAX':
      return general(0, decoded.operandSize, 0);
    case 'zAX':
      return general(0, Math.min(decoded.operandSize, 4), 0);
    case 'ST0':
      return 'st';
    case 'STi':
      return `st(${modrm & 7})`;
    case 'XL':
      return `BYTE PTR ${segmentOf(decoded, 3)}:[${general(3, decoded.addressSize, 0)}]`;
    case 'Rs':
      return general(rm, bits === 64 ? 8 : 4, rex);
  }
  switch (form[0]) {
    case 'E':
      if (isRegister) return general(rm, bytesOf(code[0]!, decoded), rex);
      return memory(bytesOf(code.at(-1)!, decoded), decoded);
    case 'M':
      return form === 'M2y' && decoded.operandSize === 8
        ? `OWORD PTR ${memory(0, decoded)}`
        : memory(bytesOf(code, decoded), decoded);
    case 'W':
      return isRegister ? `xmm${rm}` : memory(bytesOf(code, decoded), decoded);
    case 'Q':
      return isRegister ? `mm${rm & 7}` : memory(bytesOf(code, decoded), decoded);
    case 'G':
      return general(reg, bytesOf(code, decoded), rex);
    case 'R':
      return general(rm, bytesOf(code, decoded), rex);
    case 'Z':
      return general((decoded.opcode & 7) | ((rex & 1) << 3), bytesOf(code, decoded), rex);
    case 'B':
      return general(decoded.thirdRegister, bytesOf(code, decoded), rex);
    case 'V':
      return `xmm${reg}`;
    case 'P':
      return `mm${reg & 7}`;
    case 'S':
      return SEGMENTS[(modrm >> 3) & 7]!;
    case 'C':
      return `cr${reg}`;
    case 'D':
      return `dr${reg}`;
    case 'I':
      return immediateText(code, decoded, immediate);
    case 'J': {
      const target = decoded.address + BigInt(decoded.length + decoded.immediate);
      return hex(BigInt.asUintN(8 * decoded.operandSize, target));
    }
    case 'A':
      return `${hex(decoded.immediate2)}:${hex(unsigned(decoded.immediate, decoded.operandSize))}`;
    case 'O':
      return `${segmentOf(decoded, 3)}:${hex(offset(decoded))}`;
    case 'X':
      return `${POINTERS[bytesOf(code, decoded)]}${segmentOf(decoded, 3)}:[${general(6, decoded.addressSize, 0)}]`;
    case 'Y':
      return `${POINTERS[bytesOf(code, decoded)]}es:[${general(7, decoded.addressSize, 0)}]`;
    default:
      return form;
  }
}

function immediateText(code: string, decoded: Decoded, which: number): string {
  const value = which === 1 ? decoded.immediate2 : decoded.immediate;
  if (code === 'b') return hex(value & 0xff);
  if (code === 'w') return hex(value & 0xffff);
  if (code === 'v' && decoded.operandSize === 8)
    return hex((unsigned(decoded.immediateHigh, 4) << 32n) | unsigned(decoded.immediate, 4));
  return hex(unsigned(value, decoded.operandSize));
}

function segmentOf({ segment }: Decoded, standard: number): string {
  return SEGMENTS[segment < 0 ? standard : segment]!;
}
/** Of MOV with an absolute offset. */
function offset({ displacement, immediateHigh, addressSize }: Decoded): bigint {
  if (addressSize !== 8) return unsigned(displacement, addressSize);
  return (unsigned(immediateHigh, 4) << 32n) | unsigned(displacement, 4);
}

function memory(size: number, decoded: Decoded): string {
  const { modrm, rex, addressSize, bits, displacement } = decoded;
  const mod = modrm >> 6;
  const rm = modrm & 7;
  const pointer = POINTERS[size] ?? '';
  const segment = decoded.segment < 0 ? '' : `${segmentOf(decoded, 3)}:`;
  const absolute = (value: bigint): string => `${pointer}${segmentOf(decoded, 3)}:${hex(value)}`;
  const sum = (parts: readonly string[], shown: boolean, value: number): string => {
    const end = shown ? `${value < 0 ? '-' : '+'}${hex(Math.abs(value))}` : '';
    return `${pointer}${segment}[${parts.join('+')}${end}]`;
  };
  if (addressSize === 2) {
    if (mod === 0 && rm === 6) return absolute(unsigned(displacement, 2));
    return sum([PAIRS[rm]!], mod !== 0, (displacement << 16) >> 16);
  }
  let base: number | undefined = rm;
  const parts: string[] = [];
  let index: string | undefined;
  if (rm === 4) {
    const { sib } = decoded;
    base = sib & 7;
    const number = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (number !== 4) index = `${general(number, addressSize, 0)}*${1 << (sib >> 6)}`;
  }
  const noBase = base === 5 && mod === 0;
  if (noBase && rm === 5 && bits === 64) {
    const relative = unsigned(displacement - decoded.length, addressSize);
    return `${pointer}${segment}[${addressSize === 8 ? 'rip' : 'eip'}+${hex(relative)}]`;
  }
  if (!noBase) parts.push(general(base | ((rex & 1) << 3), addressSize, 0));
  if (index !== undefined) parts.push(index);
  if (parts.length === 0) return absolute(unsigned(displacement, addressSize));
  return sum(parts, mod !== 0 || noBase, displacement);
}
