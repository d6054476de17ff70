/**
 * The instruction set as data: what each opcode is, in the notation of the SDM's opcode maps. The decoder's tables are generated from
 * these rows; so is the disassembler's. One row:
 *
 *     OPCODE[/REG][m|r][.RM] MNEMONIC [OPERANDS] [FLAGS] [@FEATURE]
 *
 * OPCODE    hex bytes after the prefixes; a mandatory prefix stands before it (`NP`, `66`, `F3`, `F2` and a space). A range `50-57` repeats.
 * /REG      the modrm byte's reg field selects; `m`, `r` = memory or register form only; `.RM` = its rm field selects.
 * OPERANDS  E modrm's r/m, G modrm's reg, M memory only, R register only (r/m), Z register in the opcode, I immediate (Is: a byte,
 *           sign-extended), J relative, O absolute offset, S C D segment, control, debug register; sizes b w d q, v = 16/32/64 by operand
 *           size, z = 16/32, y = 32/64. Fixed: AL rAX CL DX 1. Ap = far pointer.
 * FLAGS     L lock allowed with a memory destination; X not in 64-bit mode; O only there; D operand size 64 by default there; F always 64.
 * @FEATURE  #UD without this CPUID feature.
 */

import { simdRows } from './simd.mjs';

const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const SHIFT = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'shl', 'sar'];
const CONDITION = ['o', 'no', 'b', 'nb', 'z', 'nz', 'be', 'nbe', 's', 'ns', 'p', 'np', 'l', 'nl', 'le', 'nle'];
const hex = (n) => n.toString(16).toUpperCase().padStart(2, '0');

const rows = [];
const add = (text) => rows.push(...text.trim().split('\n').map((line) => line.trim()).filter((line) => line && !line.startsWith('#')));

ALU.forEach((name, i) => {
  const lock = name === 'cmp' ? '' : 'L';
  add(`
    ${hex(8 * i)} ${name} Eb,Gb ${lock}
    ${hex(8 * i + 1)} ${name} Ev,Gv ${lock}
    ${hex(8 * i + 2)} ${name} Gb,Eb
    ${hex(8 * i + 3)} ${name} Gv,Ev
    ${hex(8 * i + 4)} ${name} AL,Ib
    ${hex(8 * i + 5)} ${name} rAX,Iz
    80/${i} ${name} Eb,Ib ${lock}
    81/${i} ${name} Ev,Iz ${lock}
    82/${i} ${name} Eb,Ib ${lock}X
    83/${i} ${name} Ev,Is ${lock}
  `);
});
SHIFT.forEach((name, i) => {
  add(`
    C0/${i} ${name} Eb,Ib
    C1/${i} ${name} Ev,Ib
    D0/${i} ${name} Eb,1
    D1/${i} ${name} Ev,1
    D2/${i} ${name} Eb,CL
    D3/${i} ${name} Ev,CL
  `);
});
CONDITION.forEach((name, i) => {
  add(`
    ${hex(0x70 + i)} j${name} Jb F
    0F ${hex(0x80 + i)} j${name} Jz F
    0F ${hex(0x90 + i)} set${name} Eb
    0F ${hex(0x40 + i)} cmov${name} Gv,Ev @cmov
  `);
});

add(`
  06 push_es X
  07 pop_es X
  0E push_cs X
  16 push_ss X
  17 pop_ss X
  1E push_ds X
  1F pop_ds X
  27 daa X
  2F das X
  37 aaa X
  3F aas X
  40-47 inc Zv X
  48-4F dec Zv X
  50-57 push Zv D
  58-5F pop Zv D
  60 pusha X
  61 popa X
  62m bound Gv,M X
  63 arpl Ew,Gw X
  63 movsxd Gv,Ed O
  68 push Iz D
  69 imul3 Gv,Ev,Iz
  6A push Is D
  6B imul3 Gv,Ev,Is
  6C insb
  6D insv
  6E outsb
  6F outsv
  84 test Eb,Gb
  85 test Ev,Gv
  86 xchg Eb,Gb L
  87 xchg Ev,Gv L
  88 mov Eb,Gb
  89 mov Ev,Gv
  8A mov Gb,Eb
  8B mov Gv,Ev
  8C mov_from_seg Ev,Sw
  8D lea Gv,M
  8E mov_to_seg Sw,Ew
  8F/0 pop Ev D
  NP 90 xchg Zv,rAX
  66 90 xchg Zv,rAX
  F2 90 xchg Zv,rAX
  F3 90 pause
  91-97 xchg Zv,rAX
  98 cbw
  99 cwd
  9A callf Ap X
  9B wait
  9C pushf D
  9D popf D
  9E sahf
  9F lahf
  A0 mov AL,Ob
  A1 mov rAX,Ov
  A2 mov Ob,AL
  A3 mov Ov,rAX
  A4 movsb
  A5 movsv
  A6 cmpsb
  A7 cmpsv
  A8 test AL,Ib
  A9 test rAX,Iz
  AA stosb
  AB stosv
  AC lodsb
  AD lodsv
  AE scasb
  AF scasv
  B0-B7 mov Zb,Ib
  B8-BF mov Zv,Iv
  C2 ret Iw F
  C3 ret F
  C4m les Gv,M X
  C5m lds Gv,M X
  C6/0 mov Eb,Ib
  C7/0 mov Ev,Iz
  C8 enter Iw,Ib D
  C9 leave D
  CA retf Iw
  CB retf
  CC int3
  CD int Ib
  CE into X
  CF iret
  D4 aam Ib X
  D5 aad Ib X
  D6 salc X
  D7 xlat
  E0 loopnz Jb F
  E1 loopz Jb F
  E2 loop Jb F
  E3 jcxz Jb F
  E4 in AL,Ib
  E5 in rAX,Ib
  E6 out Ib,AL
  E7 out Ib,rAX
  E8 call Jz F
  E9 jmp Jz F
  EA jmpf Ap X
  EB jmp Jb F
  EC in AL,DX
  ED in rAX,DX
  EE out DX,AL
  EF out DX,rAX
  F1 int1
  F4 hlt
  F5 cmc
  F6/0 test Eb,Ib
  F6/1 test Eb,Ib
  F6/2 not Eb L
  F6/3 neg Eb L
  F6/4 mul Eb
  F6/5 imul1 Eb
  F6/6 div Eb
  F6/7 idiv Eb
  F7/0 test Ev,Iz
  F7/1 test Ev,Iz
  F7/2 not Ev L
  F7/3 neg Ev L
  F7/4 mul Ev
  F7/5 imul1 Ev
  F7/6 div Ev
  F7/7 idiv Ev
  F8 clc
  F9 stc
  FA cli
  FB sti
  FC cld
  FD std
  FE/0 inc Eb L
  FE/1 dec Eb L
  FF/0 inc Ev L
  FF/1 dec Ev L
  FF/2 call Ev F
  FF/3m callf M
  FF/4 jmp Ev F
  FF/5m jmpf M
  FF/6 push Ev D

  0F 00/0 sldt Ev
  0F 00/1 str Ev
  0F 00/2 lldt Ew
  0F 00/3 ltr Ew
  0F 00/4 verr Ew
  0F 00/5 verw Ew
  0F 01/0m sgdt M
  0F 01/1m sidt M
  0F 01/1r.0 monitor @monitor
  0F 01/1r.1 mwait @monitor
  0F 01/1r.2 clac @smap
  0F 01/1r.3 stac @smap
  0F 01/2m lgdt M
  0F 01/3m lidt M
  0F 01/4 smsw Ev
  0F 01/6 lmsw Ew
  0F 01/7m invlpg M
  0F 01/7r.0 swapgs O
  0F 01/7r.1 rdtscp @rdtscp
  0F 02 lar Gv,Ew
  0F 03 lsl Gv,Ew
  0F 05 syscall @syscall
  0F 06 clts
  0F 07 sysret @syscall
  0F 08 invd
  0F 09 wbinvd
  0F 0B ud2
  0F 0Dm nop Ev X @prefetchw
  # processors with 64-bit mode take it for a NOP there, whatever CPUID says
  0F 0Dm nop Ev O
  0F 18-1F nop Ev @nopl
  0F 20 mov_from_cr Ry,Cy
  0F 21 mov_from_dr Ry,Dy
  0F 22 mov_to_cr Cy,Ry
  0F 23 mov_to_dr Dy,Ry
  0F 30 wrmsr @msr
  0F 31 rdtsc @tsc
  0F 32 rdmsr @msr
  0F 33 rdpmc
  0F 34 sysenter @sep
  0F 35 sysexit @sep
  0F A0 push_fs D
  0F A1 pop_fs D
  0F A2 cpuid
  0F A3 bt Ev,Gv
  0F A4 shld Ev,Gv,Ib
  0F A5 shld Ev,Gv,CL
  0F A8 push_gs D
  0F A9 pop_gs D
  0F AA rsm
  0F AB bts Ev,Gv L
  0F AC shrd Ev,Gv,Ib
  0F AD shrd Ev,Gv,CL
  0F AE/5r nop @sse2
  0F AE/6r nop @sse2
  0F AE/7r nop @sse
  NP 0F AE/7m clflush M @clflush
  0F AF imul Gv,Ev
  0F B0 cmpxchg Eb,Gb L
  0F B1 cmpxchg Ev,Gv L
  0F B2m lss Gv,M
  0F B3 btr Ev,Gv L
  0F B4m lfs Gv,M
  0F B5m lgs Gv,M
  0F B6 movzxb Gv,Eb
  0F B7 movzxw Gv,Ew
  F3 0F B8 popcnt Gv,Ev @popcnt
  0F B9 ud1 Gv,Ev
  0F BA/4 bt Ev,Ib
  0F BA/5 bts Ev,Ib L
  0F BA/6 btr Ev,Ib L
  0F BA/7 btc Ev,Ib L
  0F BB btc Ev,Gv L
  NP 0F BC bsf Gv,Ev
  66 0F BC bsf Gv,Ev
  F2 0F BC bsf Gv,Ev
  F3 0F BC tzcnt Gv,Ev
  NP 0F BD bsr Gv,Ev
  66 0F BD bsr Gv,Ev
  F2 0F BD bsr Gv,Ev
  F3 0F BD lzcnt Gv,Ev
  0F BE movsxb Gv,Eb
  0F BF movsxw Gv,Ew
  0F C0 xadd Eb,Gb L
  0F C1 xadd Ev,Gv L
  NP 0F C3m mov Ey,Gy @sse2
  0F C7/1m cmpxchg8b M L @cx8
  0F C7/6r rdrand Rv @rdrand
  NP 0F C7/7r rdseed Rv @rdseed
  66 0F C7/7r rdseed Rv @rdseed
  66 0F AE/6m clflush M @clwb
  66 0F AE/7m clflush M @clflushopt
  0F C8-CF bswap Zv
  0F FF ud0 Gv,Ev
`);
for (let i = 0xd8; i < 0xe0; i++) add(`${hex(i)} esc Ed`);
rows.push(...simdRows);

/** CPUID features that rows name: word of FEATURES (see src/layout.ts) and bit. */
export const FEATURES = {
  tsc: ['FEATURE_1_EDX', 4],
  msr: ['FEATURE_1_EDX', 5],
  cx8: ['FEATURE_1_EDX', 8],
  sep: ['FEATURE_1_EDX', 11],
  cmov: ['FEATURE_1_EDX', 15],
  clflush: ['FEATURE_1_EDX', 19],
  mmx: ['FEATURE_1_EDX', 23],
  fxsr: ['FEATURE_1_EDX', 24],
  sse: ['FEATURE_1_EDX', 25],
  sse2: ['FEATURE_1_EDX', 26],
  sse3: ['FEATURE_1_ECX', 0],
  pclmulqdq: ['FEATURE_1_ECX', 1],
  monitor: ['FEATURE_1_ECX', 3],
  ssse3: ['FEATURE_1_ECX', 9],
  cx16: ['FEATURE_1_ECX', 13],
  sse41: ['FEATURE_1_ECX', 19],
  sse42: ['FEATURE_1_ECX', 20],
  movbe: ['FEATURE_1_ECX', 22],
  popcnt: ['FEATURE_1_ECX', 23],
  aes: ['FEATURE_1_ECX', 25],
  xsave: ['FEATURE_1_ECX', 26],
  rdrand: ['FEATURE_1_ECX', 30],
  fsgsbase: ['FEATURE_7_EBX', 0],
  bmi1: ['FEATURE_7_EBX', 3],
  bmi2: ['FEATURE_7_EBX', 8],
  invpcid: ['FEATURE_7_EBX', 10],
  rdseed: ['FEATURE_7_EBX', 18],
  rdpid: ['FEATURE_7_ECX', 22],
  xsaveopt: ['FEATURE_D_1_EAX', 0],
  adx: ['FEATURE_7_EBX', 19],
  smap: ['FEATURE_7_EBX', 20],
  clflushopt: ['FEATURE_7_EBX', 23],
  clwb: ['FEATURE_7_EBX', 24],
  syscall: ['FEATURE_80000001_EDX', 11],
  rdtscp: ['FEATURE_80000001_EDX', 27],
  lahf64: ['FEATURE_80000001_ECX', 0],
  lzcnt: ['FEATURE_80000001_ECX', 5],
  prefetchw: ['FEATURE_80000001_ECX', 8],
};

/** Not a bit of CPUID: multi-byte NOPs came with the family 6. Taken from CMOV. */
FEATURES.nopl = FEATURES.cmov;

const ROW =
  /^((?:VEX )?)(?:(NP|66|F3|F2) )?((?:0F (?:38 |3A )?)?)([0-9A-F]{2})(?:-([0-9A-F]{2}))?(?:\/(\d))?([mr])?(?:\.(\d))?\s+([a-z0-9_]+)(?:\s+((?:[A-Zr1][A-Za-z0-9]*)(?:,[A-Zr1][A-Za-z0-9]*)*))?(?:\s+([LXODF]+))?(?:\s+@(\w+))?$/;
/** Maps 4 and 5: 0F 38 and 0F 3A behind a VEX prefix. */
const MAP = { '': 0, '0F ': 1, '0F 38 ': 2, '0F 3A ': 3, 'VEX 0F 38 ': 4, 'VEX 0F 3A ': 5 };
const FLAGS_ONLY = /^[LXODF]+$/;

/** The rows as objects: `{ prefix, map, opcode, reg, mod, rm, mnemonic, operands, flags, feature }`. */
export const instructions = rows.flatMap((text) => {
  const match = ROW.exec(text);
  if (!match) throw new Error(`isa.mjs: cannot read row '${text}'`);
  let [, vex, prefix, escape, from, to, reg, mod, rm, mnemonic, operands, flags, feature] = match;
  if (operands !== undefined && flags === undefined && FLAGS_ONLY.test(operands)) [operands, flags] = [undefined, operands];
  if (feature !== undefined && !(feature in FEATURES)) throw new Error(`isa.mjs: unknown feature in '${text}'`);
  const first = Number.parseInt(from, 16);
  const last = to === undefined ? first : Number.parseInt(to, 16);
  return Array.from({ length: last - first + 1 }, (_, i) => ({
    prefix,
    map: MAP[vex + escape],
    opcode: first + i,
    reg: reg === undefined ? undefined : Number(reg),
    mod,
    rm: rm === undefined ? undefined : Number(rm),
    mnemonic,
    operands: operands?.split(',') ?? [],
    flags: flags ?? '',
    feature,
  }));
});
