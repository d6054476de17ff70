/**
 * What the decoder emits for each mnemonic of isa.mjs: an emission class (assembly/emit.ts) and its arguments.
 *
 *     emit    class, EMIT_* below
 *     op      first micro-operation of its family
 *     access  to the first operand: r read, w written, rw both
 *     arg     a constant for the immediate (condition, segment)
 *     stops   the block ends behind it
 */

import { simdNames } from './simd.mjs';

export const CLASSES = [
  'INVALID', 'ALU', 'MOV', 'INCDEC', 'REG', 'PLAIN', 'RAW', 'RAW_PLAIN', 'PUSH', 'POP', 'CALL', 'JMP', 'JCC', 'RET', 'LOOP', 'WIDEN', 'XCHG', 'LEA',
  'STRING', 'PORT', 'SYSREG', 'BIT', 'FAR', 'BY_SIZE', 'NOP', 'SIMD',
];

const CONDITION = ['o', 'no', 'b', 'nb', 'z', 'nz', 'be', 'nbe', 's', 'ns', 'p', 'np', 'l', 'nl', 'le', 'nle'];
const SEGMENT = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];

export const semantics = {};
const define = (emit, op, names, more = {}) => {
  for (const name of names.split(' ')) semantics[name] = { emit, op: op.replace('*', name.toUpperCase()), access: 'r', arg: 0, stops: false, ...more };
};

define('ALU', '*8_RR', 'add or adc sbb and sub xor', { access: 'rw' });
define('ALU', '*8_RR', 'cmp test');
define('MOV', 'MOV8_RR', 'mov', { access: 'w' });
define('INCDEC', '*8_R', 'inc dec', { access: 'rw' });
define('REG', '*8', 'not neg rol ror rcl rcr shl shr sar shld shrd xadd cmpxchg', { access: 'rw' });
define('REG', '*8', 'bsf bsr tzcnt lzcnt popcnt imul', { access: 'rw' });
define('REG', 'IMUL8_RI', 'imul3', { access: 'w' });
define('BIT', '*8', 'bt');
define('BIT', '*8', 'bts btr btc', { access: 'rw' });
define('BY_SIZE', 'BSWAP16', 'bswap', { access: 'rw' });
define('BY_SIZE', 'CBW', 'cbw');
define('BY_SIZE', 'CWD', 'cwd');
define('WIDEN', 'MOVZX16_8_RR', 'movzxb movzxw', { access: 'w' });
define('WIDEN', 'MOVSX16_8_RR', 'movsxb movsxw movsxd', { access: 'w' });
define('XCHG', 'XCHG8_RR', 'xchg', { access: 'rw' });
define('LEA', 'LEA16', 'lea', { access: 'w' });
define('PUSH', 'PUSH16_R', 'push');
define('POP', 'POP16_R', 'pop', { access: 'w' });
define('CALL', 'CALL16', 'call', { stops: true });
define('JMP', 'JMP', 'jmp', { stops: true });
define('RET', 'RET16', 'ret', { stops: true });
define('NOP', 'NOP', 'nop');
CONDITION.forEach((name, i) => {
  define('JCC', `JCC${i}`, `j${name}`, { arg: i, stops: true });
  define('PLAIN', 'SETCC', `set${name}`, { arg: i, access: 'w' });
  define('REG', 'CMOV8', `cmov${name}`, { arg: i, access: 'rw' });
});
['loopnz', 'loopz', 'loop', 'jcxz'].forEach((name, i) => {
  define('LOOP', 'LOOP', name, { arg: i, stops: true });
});
SEGMENT.forEach((name, i) => {
  define('REG', 'H_PUSH_SEGMENT8', `push_${name}`, { arg: i });
  define('REG', 'H_POP_SEGMENT8', `pop_${name}`, { arg: i });
  define('RAW', 'H_LOAD_FAR_POINTER8', `l${name}`, { arg: i, access: 'w' });
});
for (const name of ['movs', 'stos', 'lods', 'cmps', 'scas', 'ins', 'outs']) {
  define('STRING', `H_${name.toUpperCase()}8`, `${name}b ${name}v`);
}
define('STRING', 'H_XLAT', 'xlat');
define('PORT', 'H_PORT_IN8', 'in');
define('PORT', 'H_PORT_OUT8', 'out');
define('REG', 'H_*8', 'mul imul1 div idiv enter pusha popa pushf popf lar lsl');
define('REG', 'H_LEAVE_FRAME8', 'leave');
define('RAW', 'H_*8', 'bound cmpxchg8b');
define('REG', 'H_RANDOM8', 'rdrand rdseed', { access: 'w' });
define('REG', 'H_*8', 'sysret sysexit', { stops: true });
define('REG', 'H_FAR_RETURN8', 'retf', { stops: true });
define('REG', 'H_INTERRUPT_RETURN8', 'iret', { stops: true });
define('FAR', 'H_FAR_JUMP8', 'jmpf', { stops: true });
define('FAR', 'H_FAR_CALL8', 'callf', { stops: true });
define('SYSREG', 'H_SEGMENT_STORE8', 'mov_from_seg', { access: 'w' });
define('SYSREG', 'H_*', 'sldt str smsw', { access: 'w' });
define('PLAIN', 'H_SEGMENT_LOAD', 'mov_to_seg');
define('PLAIN', 'H_INTERRUPT_N', 'int', { stops: true });
define('PLAIN', 'H_INVALID', 'ud2', { stops: true });
// their operand is not touched
define('RAW_PLAIN', 'H_INVALID', 'ud0 ud1', { stops: true });
define('PLAIN', 'H_*', 'hlt mwait int1 int3 syscall sysenter rsm', { stops: true });
define('PLAIN', 'H_*', 'into daa das aaa aas aam aad salc lahf sahf clc stc cmc cld std cli sti wait verr verw');
define('PLAIN', 'H_*', 'monitor clac stac swapgs clts cpuid pause rdtsc rdtscp rdpmc rdmsr wrmsr');
define('PLAIN', 'H_CACHE_CONTROL', 'invd wbinvd');
define('PLAIN', 'H_CONTROL_READ', 'mov_from_cr', { access: 'w' });
define('PLAIN', 'H_CONTROL_WRITE', 'mov_to_cr');
define('PLAIN', 'H_DEBUG_READ', 'mov_from_dr', { access: 'w' });
define('PLAIN', 'H_DEBUG_WRITE', 'mov_to_dr');
define('RAW_PLAIN', 'H_*', 'sgdt sidt lgdt lidt invlpg invpcid clflush arpl lldt ltr');
define('RAW_PLAIN', 'H_LMSW', 'lmsw');
define('RAW_PLAIN', 'H_ESCAPE', 'esc');
define('SIMD', 'H_SIMD', simdNames.join(' '));
