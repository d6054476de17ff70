/**
 * The instruction set as data: what each opcode is, in the notation of the SDM's opcode maps. The decoder's tables are generated from
 * these rows; so is the disassembler's. One row:
 *
 *     OPCODE[/REG][m|r][.RM] MNEMONIC[=SHOWN] [OPERANDS] [FLAGS] [@FEATURE]
 *
 * OPCODE    hex bytes after the prefixes; a mandatory prefix stands before it (`NP`, `66`, `F3`, `F2` and a space). A range `50-57` repeats.
 * /REG      the modrm byte's reg field selects; `m`, `r` = memory or register form only; `.RM` = its rm field selects.
 * OPERANDS  E modrm's r/m, G modrm's reg, M memory only, R register only (r/m), Z register in the opcode, I immediate (Is: a byte,
 *           sign-extended), J relative, O absolute offset, S C D segment, control, debug register; sizes b w d q, v = 16/32/64 by operand
 *           size, z = 16/32, y = 32/64. Fixed: AL rAX CL DX 1. Ap = far pointer.
 * SHOWN     what the disassembler writes where that differs, `NAME[:OPERANDS]`: src/disassembler/operands.ts has its further forms. `A|B|C` = by operand
 *           size 16, 32, 64; behind the name `~`, `^`, `+` = a letter for the operand size,
 *           `%` in it = one for the address size (inflect in src/disassembler/disassembler.ts).
 * FLAGS     L lock allowed with a memory destination; X not in 64-bit mode; O only there; D operand size 64 by default there; F always 64;
 *           B what no other row of the opcode names.
 * @FEATURE  #UD without this CPUID feature.
 */

import { simdRows } from './simd.mjs';
import { x87Rows } from './x87.mjs';

const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const SHIFT = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'shl', 'sar'];
const CONDITION = ['o', 'no', 'b', 'nb', 'z', 'nz', 'be', 'nbe', 's', 'ns', 'p', 'np', 'l', 'nl', 'le', 'nle'];
/** The same as the disassembler writes them. */
const SHOWN_CONDITION = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
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
  const shown = SHOWN_CONDITION[i];
  add(`
    ${hex(0x70 + i)} j${name}=j${shown} Jb F
    0F ${hex(0x80 + i)} j${name}=j${shown} Jz F
    0F ${hex(0x90 + i)} set${name}=set${shown} Eb
    0F ${hex(0x40 + i)} cmov${name}=cmov${shown} Gv,Ev @cmov
  `);
});

add(`
  06 push_es=push~:es X
  07 pop_es=pop~:es X
  0E push_cs=push~:cs X
  16 push_ss=push~:ss X
  17 pop_ss=pop~:ss X
  1E push_ds=push~:ds X
  1F pop_ds=pop~:ds X
  27 daa X
  2F das X
  37 aaa X
  3F aas X
  40-47 inc Zv X
  48-4F dec Zv X
  50-57 push Zv D
  58-5F pop Zv D
  60 pusha=pusha~ X
  61 popa=popa~ X
  62m bound=:Gv,Ma Gv,M X
  63 arpl Ew,Gw X
  63 movsxd Gv,Ed O
  68 push=push~ Iz D
  69 imul3=imul Gv,Ev,Iz
  6A push=push~ Is D
  6B imul3=imul Gv,Ev,Is
  6C insb=ins:Yb,DX
  6D insv=ins:Yz,DX
  6E outsb=outs:DX,Xb
  6F outsv=outs:DX,Xz
  84 test Eb,Gb
  85 test Ev,Gv
  86 xchg Eb,Gb L
  87 xchg Ev,Gv L
  88 mov Eb,Gb
  89 mov Ev,Gv
  8A mov Gb,Eb
  8B mov Gv,Ev
  8C mov_from_seg=mov:Evw,Sw Ev,Sw
  8D lea Gv,M
  8E mov_to_seg=mov:Sw,Evw Sw,Ew
  8F/0 pop Ev D
  NP 90 xchg Zv,rAX
  66 90 xchg Zv,rAX
  F2 90 xchg Zv,rAX
  F3 90 pause
  91-97 xchg Zv,rAX
  98 cbw=cbw|cwde|cdqe
  99 cwd=cwd|cdq|cqo
  9A callf=call Ap X
  9B wait=fwait
  9C pushf=pushf~ D
  9D popf=popf~ D
  9E sahf
  9F lahf
  A0 mov AL,Ob
  A1 mov rAX,Ov
  A2 mov Ob,AL
  A3 mov Ov,rAX
  A4 movsb=movs:Yb,Xb
  A5 movsv=movs:Yv,Xv
  A6 cmpsb=cmps:Xb,Yb
  A7 cmpsv=cmps:Xv,Yv
  A8 test AL,Ib
  A9 test rAX,Iz
  AA stosb=stos:Yb,AL
  AB stosv=stos:Yv,rAX
  AC lodsb=lods:AL,Xb
  AD lodsv=lods:rAX,Xv
  AE scasb=scas:AL,Yb
  AF scasv=scas:rAX,Yv
  B0-B7 mov Zb,Ib
  B8-BF mov=mov|mov|movabs Zv,Iv
  C2 ret=ret~ Iw F
  C3 ret=ret~ F
  C4m les=:Gv,Mp Gv,M X
  C5m lds=:Gv,Mp Gv,M X
  C6/0 mov Eb,Ib
  C7/0 mov Ev,Iz
  C8 enter=enter~ Iw,Ib D
  C9 leave=leave~ D
  CA retf=retf~~ Iw
  CB retf=retf~~
  CC int3
  CD int Ib
  CE into X
  CF iret=iret~~
  D4 aam Ib X
  D5 aad Ib X
  D6 salc X
  D7 xlat=:XL
  E0 loopnz=loopne Jb F
  E1 loopz=loope Jb F
  E2 loop Jb F
  E3 jcxz=j%cxz Jb F
  E4 in AL,Ib
  E5 in=:zAX,Ib rAX,Ib
  E6 out Ib,AL
  E7 out=:Ib,zAX Ib,rAX
  E8 call=call~ Jz F
  E9 jmp=jmp~ Jz F
  EA jmpf=jmp Ap X
  EB jmp Jb F
  EC in AL,DX
  ED in=:zAX,DX rAX,DX
  EE out DX,AL
  EF out=:DX,zAX DX,rAX
  F1 int1
  F4 hlt
  F5 cmc
  F6/0 test Eb,Ib
  F6/1 test Eb,Ib
  F6/2 not Eb L
  F6/3 neg Eb L
  F6/4 mul Eb
  F6/5 imul1=imul Eb
  F6/6 div Eb
  F6/7 idiv Eb
  F7/0 test Ev,Iz
  F7/1 test Ev,Iz
  F7/2 not Ev L
  F7/3 neg Ev L
  F7/4 mul Ev
  F7/5 imul1=imul Ev
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
  FF/3m callf=call:Mp M
  FF/4 jmp Ev F
  FF/5m jmpf=jmp:Mp M
  FF/6 push Ev D

  0F 00/0 sldt=:Evw Ev
  0F 00/1 str=:Evw Ev
  0F 00/2 lldt Ew
  0F 00/3 ltr Ew
  0F 00/4 verr Ew
  0F 00/5 verw Ew
  0F 01/0m sgdt=sgdt^ M
  0F 01/1m sidt=sidt^ M
  0F 01/1r.0 monitor @monitor
  0F 01/1r.1 mwait @monitor
  NP 0F 01/1r.2 clac @smap
  NP 0F 01/1r.3 stac @smap
  0F 01/2m lgdt=lgdt^ M
  0F 01/3m lidt=lidt^ M
  0F 01/4 smsw=:Evw Ev
  0F 01/6 lmsw Ew
  0F 01/7m invlpg=:Mb M
  66 0F 38 82m invpcid=:Gs,M Gv,M @invpcid
  0F 01/7r.0 swapgs O
  0F 01/7r.1 rdtscp @rdtscp
  0F 02 lar=:Gv,Evw Gv,Ew
  0F 03 lsl=:Gv,Evw Gv,Ew
  0F 05 syscall @syscall
  0F 06 clts
  0F 07 sysret=sysret+ @syscall
  0F 08 invd
  F3 0F 09 wbinvd=wbnoinvd
  0F 09 wbinvd B
  0F 0B ud2
  0F 0D/0m nop=prefetch:Mb Ev X @prefetchw
  0F 0D/1m nop=prefetchw:Mb Ev X @prefetchw
  0F 0D/2m nop=prefetchwt1:Mb Ev X @prefetchw
  0F 0Dm nop=prefetch:Mb Ev XB @prefetchw
  # processors with 64-bit mode take it for a NOP there, whatever CPUID says
  0F 0D/0m nop=prefetch:Mb Ev O
  0F 0D/1m nop=prefetchw:Mb Ev O
  0F 0D/2m nop=prefetchwt1:Mb Ev O
  0F 0Dm nop=prefetch:Mb Ev OB
  0F 18/0m nop=prefetchnta:Mb Ev @nopl
  0F 18/1m nop=prefetcht0:Mb Ev @nopl
  0F 18/2m nop=prefetcht1:Mb Ev @nopl
  0F 18/3m nop=prefetcht2:Mb Ev @nopl
  F3 0F 1E/7r.2 nop=endbr64: Ev @nopl
  F3 0F 1E/7r.3 nop=endbr32: Ev @nopl
  0F 18-1F nop Ev B @nopl
  0F 20 mov_from_cr=mov:Rs,Cy Ry,Cy
  0F 21 mov_from_dr=mov:Rs,Dy Ry,Dy
  0F 22 mov_to_cr=mov:Cy,Rs Cy,Ry
  0F 23 mov_to_dr=mov:Dy,Rs Dy,Ry
  0F 30 wrmsr @msr
  0F 31 rdtsc @tsc
  0F 32 rdmsr @msr
  0F 33 rdpmc
  0F 34 sysenter @sep
  0F 35 sysexit=sysexit+ @sep
  0F A0 push_fs=push~:fs D
  0F A1 pop_fs=pop~:fs D
  0F A2 cpuid
  0F A3 bt Ev,Gv
  0F A4 shld Ev,Gv,Ib
  0F A5 shld Ev,Gv,CL
  0F A8 push_gs=push~:gs D
  0F A9 pop_gs=pop~:gs D
  0F AA rsm
  0F AB bts Ev,Gv L
  0F AC shrd Ev,Gv,Ib
  0F AD shrd Ev,Gv,CL
  NP 0F AE/5r nop=lfence @sse2
  NP 0F AE/6r nop=mfence @sse2
  NP 0F AE/7r nop=sfence @sse
  NP 0F AE/7m clflush=:Mb M @clflush
  0F AF imul Gv,Ev
  0F B0 cmpxchg Eb,Gb L
  0F B1 cmpxchg Ev,Gv L
  0F B2m lss=:Gv,Mp Gv,M
  0F B3 btr Ev,Gv L
  0F B4m lfs=:Gv,Mp Gv,M
  0F B5m lgs=:Gv,Mp Gv,M
  0F B6 movzxb=movzx Gv,Eb
  0F B7 movzxw=movzx Gv,Ew
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
  0F BE movsxb=movsx Gv,Eb
  0F BF movsxw=movsx Gv,Ew
  0F C0 xadd Eb,Gb L
  0F C1 xadd Ev,Gv L
  NP 0F C3m mov=movnti Ey,Gy @sse2
  0F C7/1m cmpxchg8b=cmpxchg8b|cmpxchg8b|cmpxchg16b:M2y M L @cx8
  NP 0F C7/6r rdrand Rv @rdrand
  66 0F C7/6r rdrand Rv @rdrand
  NP 0F C7/7r rdseed Rv @rdseed
  66 0F C7/7r rdseed Rv @rdseed
  66 0F AE/6m clflush=clwb:Mb M @clwb
  66 0F AE/7m clflush=clflushopt:Mb M @clflushopt
  0F C8-CF bswap Zv
  0F FF ud0 Gv,Ev
`);
for (let i = 0xd8; i < 0xe0; i++) add(`${hex(i)} esc=(bad): Ed B`);
rows.push(...x87Rows, ...simdRows);

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
  /^((?:VEX )?)(?:(NP|66|F3|F2) )?((?:0F (?:38 |3A )?)?)([0-9A-F]{2})(?:-([0-9A-F]{2}))?(?:\/(\d))?([mr])?(?:\.(\d))?\s+([a-z0-9_]+)(?:=([^\s:]*)(?::(\S*))?)?(?:\s+((?:[A-Zr1][A-Za-z0-9]*)(?:,[A-Zr1][A-Za-z0-9]*)*))?(?:\s+([LXODFB]+))?(?:\s+@(\w+))?$/;
/** Maps 4 and 5: 0F 38 and 0F 3A behind a VEX prefix. */
const MAP = { '': 0, '0F ': 1, '0F 38 ': 2, '0F 3A ': 3, 'VEX 0F 38 ': 4, 'VEX 0F 3A ': 5 };
const FLAGS_ONLY = /^[LXODFB]+$/;

/** The rows as objects: `{ prefix, map, opcode, reg, mod, rm, mnemonic, operands, shown, flags, feature }`. */
export const instructions = rows.flatMap((text) => {
  const match = ROW.exec(text);
  if (!match) throw new Error(`isa.mjs: cannot read row '${text}'`);
  let [, vex, prefix, escape, from, to, reg, mod, rm, mnemonic, shown, shownOperands, operands, flags, feature] = match;
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
    shown: `${shown || mnemonic} ${shownOperands ?? operands ?? ''}`.trim(),
    flags: flags ?? '',
    feature,
  }));
});
