/**
 * Where the CPU's decoder and objdump may differ, and why. `known`: objdump names what the CPU answers with #UD; `unknown`: the other way round; `renamed`: both
 * take the same bytes, by another name. Patterns are tried on `OURS | THEIRS`, with a single space for any number of them.
 *
 * [AMD] AMD64 Architecture Programmer's Manual, volume 3; "seen": tried on a Zen 4.
 */
export interface Difference {
  readonly kind: 'known' | 'unknown' | 'renamed';
  readonly pattern: RegExp;
  readonly reason: string;
}

const known = (reason: string, pattern: RegExp): Difference => ({ kind: 'known', pattern, reason });
const unknown = (reason: string, pattern: RegExp): Difference => ({ kind: 'unknown', pattern, reason });
const renamed = (reason: string, pattern: RegExp): Difference => ({ kind: 'renamed', pattern, reason });
/** objdump's mnemonic, with prefixes before it. */
const named = (names: string): RegExp => new RegExp(`\\| (?:[\\w.{}]+ )*?(?:${names})(?: |$|,)`);

export const DIFFERENCES: readonly Difference[] = [
  known(
    'AVX and its masks, which no model shows',
    named(
      'v(?!m|err|erw)\\w+|vm(ov|ul|ax|in|ask|psad|fun)\\w*|k(add|and|not|or|shift|test|unpck|xor|xnor|mov)\\w*|tile\\w+|tdp\\w+|ldtilecfg|sttilecfg',
    ),
  ),
  known(
    'virtualization: VMX, SVM, SEV',
    named(
      'vm(call|clear|func|gexit|launch|load|mcall|ptrld|ptrst|read|resume|run|save|write|xoff|xon)|inv(ept|vpid|lpga|lpgb)|skinit|stgi|clgi|psmash|pvalidate|rmp\\w+|tlbsync|mcommit',
    ),
  ),
  known('TDX, SGX, SMX', named('tdcall|seam\\w+|encl[suv]|getsec|pconfig')),
  known(
    '3DNow! and what VIA put in its place',
    named('femms|pf\\w+|pi2f[dw]|pavgusb|pmulhrw|pswapd|x(store|crypt|sha)[\\w-]*|montmul|ccs-\\w+'),
  ),
  known('SSE4a', named('extrq|insertq|movnts[sd]')),
  known('SHA, GFNI, Key Locker', named('sha(1|256)\\w+|gf2p8\\w+|aes(enc|dec)(wide)?(128|256)kl|encodekey\\d+|loadiwkey')),
  known('shadow stacks', named('wru?ss[dq]|rstorssp|saveprevssp|setssbsy|clrssbsy|incssp[dq]')),
  known('transactions', named('x(begin[wd]?|end|abort|test|susldtrk|resldtrk)')),
  known('XSAVEC, XSAVES', named('xsave[cs](64)?|xrstors(64)?')),
  known(
    'MOVDIR, ENQCMD, RAO-INT, WAITPKG, PTWRITE',
    named('movdir(i|64b)|enqcmds?|a(add|and|or|xor)|tpause|umonitor|umwait|ptwrite'),
  ),
  known(
    'protection keys, user interrupts, MSR lists, and other late ones',
    named(
      '(rd|wr)pkru|clui|stui|testui|uiret|senduipi|(rd|wr)msr(list|ns)|hreset|serialize|clzero|monitorx|mwaitx|rdpru|invpcid|clac|stac|cmp\\w+xadd',
    ),
  ),
  known('XOP, FMA4, LWP, TBM', named('\\w*lwp\\w*|t1mskc|tzmsk|blc\\w+|bls(fill|ic)|cvt\\w+x')),
  known(
    'registers that are not there: TR3…7 of the 486, control registers but 0, 2, 3, 4, 8, segment registers 6 and 7, CS as destination',
    / mov(abs)? .*(tr\d|db\d|dr\d+|cr\d+|\?|cs,)/,
  ),
  known('a prefix for which the opcode has no instruction: #UD, seen', /\| .*\b(repz|repnz|data16|data32)\b/),
  known('64-bit mode only', /^\(bad\) \| .*(swapgs|(rd|wr)[fg]sbase)/),
  known('8087 and 287 only', /\| .*frstpm/),
  known('an undefined group member', /\| .*\(bad\)/),

  unknown('SALC, which never was documented', /^salc \|/),
  unknown('forms of x87 instructions that never were documented: seen', /^(fstp[189]|fcom2|fcomp[35]|fxch[47]) /),
  unknown('F2 means nothing before BSF and BSR: seen', /^bs[fr] /),
  unknown('any rm of a fence: seen', /^[lms]fence \|/),
  unknown('hint NOPs: objdump takes them for MPX, the operands of which it finds bad', /^nop /),
  unknown('WBINVD takes any prefix: seen', /^wbinvd \|/),

  renamed('hint NOPs with a meaning on later processors', /^nop .*\| (bnd\w+|cldemote|rdssp[dq]|prefetchit[01]|endbr\d+) ?/),
  renamed('m16:64 far pointers, as Intel has and QEMU does; AMD has none', /TBYTE PTR .*\| .*(FWORD|DWORD) PTR/),
  renamed('a DS prefix before an indirect branch is NOTRACK to objdump', /^(call|jmp) .*\| (call|jmp) /),
  renamed('XCHG rAX,rAX with an operand size prefix that REX.W overrides', /^nop \| xchg rax,rax/),
  renamed('F3 before XCHG with R8 is no PAUSE: seen', /^xchg r8d?,.*\| pause/),
  renamed('the MMX operand of MOVQ2DQ behind a 66 that means nothing', /^movq2dq (.*),mm(\d) \| movq2dq \1,xmm\2/),
  renamed('LOCK selects CR8 on some processors of AMD; here it is #UD', /^mov .*cr\d.*\| mov .*cr/),
];
