/**
 * The micro-operations: names, numbers and what the interpreter does for each, as text of one `case`. Operations on registers and memory of
 * all sizes are made from the functions of assembly/alu.ts; nothing is computed here.
 *
 * A record (16 bytes):
 *
 *     0         2     3     4      5       6      7        8                12               16
 *     +---------+-----+-----+------+-------+------+--------+----------------+----------------+
 *     | op      | dst | src | base | index | kind | length | displacement   | immediate      |
 *     +---------+-----+-----+------+-------+------+--------+----------------+----------------+
 *
 * dst, src, base, index: byte offsets in the register file. length: of the x86 instruction in its first record, 0 in further ones.
 * kind: how the address is made:
 *
 *     7    6   5           2   1   0
 *     +--------+-------------+-------+   width: 0 = 64, 1 = 32, 2 = 16 bits
 *     | width  | space       | scale |   space: 0 flat 32 bit, 1 flat 64 bit, 2 the same through the stack segment, 3 + n segment n
 *     +--------+-------------+-------+
 *
 * AssemblyScript widens a `load<u32>` in a 64-bit context before it adds: a sum that must wrap stands in u32(…).
 *
 * Branches: displacement = target relative to the block's start, immediate = the block there once known, base = width of the target.
 */

export const SIZES = [8, 16, 32, 64];
const T = { 8: 'u8', 16: 'u16', 32: 'u32', 64: 'u64' };
const CONDITIONS = [
  'overflow()', '!overflow()', 'below()', '!below()', 'zero()', '!zero()', 'belowEqual()', '!belowEqual()',
  'sign()', '!sign()', 'parity()', '!parity()', 'less()', '!less()', 'lessEqual()', '!lessEqual()',
];

const NEXT = 'rec += 16; continue;';
const dst = (t) => `get<${t}>(load<u8>(rec, 2))`;
const src = (t) => `get<${t}>(load<u8>(rec, 3))`;
const imm = (t) => (t === 'u64' ? 'u64(i64(load<i32>(rec, 12)))' : `load<${t}>(rec, 12)`);
const put = (t, value) => `put<${t}>(load<u8>(rec, 2), ${value});`;

/** `a` = linear address of the record's memory operand of `n` bytes. */
const address = (n, write) => `
      const k: u32 = load<u8>(rec, 6);
      let a: u64;
      if (k < 4) a = u64(u32(load<u32>(load<u8>(rec, 4), GPR) + (load<u32>(load<u8>(rec, 5), GPR) << k) + load<u32>(rec, 8)));
      else if (k < 12) a = load<u64>(load<u8>(rec, 4), GPR) + (load<u64>(load<u8>(rec, 5), GPR) << (k & 3)) + i64(load<i32>(rec, 8));
      else { store<u32>(CURRENT_RECORD, rec); a = segmentedAddress(rec, ${n}, ${write}); if (faulted()) break; }`;
const entry = `
      const e: u32 = load<u32>(TLB_SET) + ((u32(a >> 12) & (TLB_ENTRIES - 1)) << 4);`;
const hit = (n, kind) => `load<u64>(e, ${kind}) == ((${n === 1 ? 'a' : `a + ${n - 1}`}) & ~(<u64>0xfff))`;
const host = (kind) => `u32(a) + load<u32>(e, ${kind} + 8)`;

/** `v` = the value of type `t` at `a`. */
const read = (t, n) => `${entry}
      let v: ${t};
      if (${hit(n, 'TLB_READ')}) v = load<${t}>(${host('TLB_READ')});
      else { store<u32>(CURRENT_RECORD, rec); v = ${t}(readSlow(a, ${n})); if (faulted()) break; }`;
const write = (t, n, value) => `${entry}
      if (${hit(n, 'TLB_WRITE')}) store<${t}>(${host('TLB_WRITE')}, ${value});
      else { store<u32>(CURRENT_RECORD, rec); writeSlow(a, ${n}, u64(${value})); if (faulted()) break; }`;
/** Reads `v` for a change, with the write already allowed; `put back` writes. */
const modify = (t, n, operation) => `${entry}
      let h: u32 = 0;
      let v: ${t};
      if (${hit(n, 'TLB_WRITE')}) { h = ${host('TLB_WRITE')}; v = load<${t}>(h); }
      else { store<u32>(CURRENT_RECORD, rec); v = ${t}(readForWriteSlow(a, ${n})); if (faulted()) break; }
      const r: ${t} = ${operation};
      if (h) store<${t}>(h, r); else writeSlow(a, ${n}, u64(r));`;

/** Goes on at the branch target: directly where it is known and nothing waits, else through the look-up. */
const chain = `
      const link: u32 = load<u32>(rec, 12);
      if (link) {
        const count: i64 = load<i64>(INSTRUCTIONS) + i64(load<u32>(link));
        if (count <= load<i64>(STOP)) {
          store<i64>(INSTRUCTIONS, count);
          store<u32>(CURRENT_BLOCK, link);
          store<u64>(GPR, load<u64>(GPR, PSEUDO_RIP) + i64(load<i32>(rec, 8)), PSEUDO_RIP);
          rec = link + BLOCK_HEADER;
          continue;
        }
      }
      store<u32>(CURRENT_RECORD, rec);
      branch(rec);
      break;`;

/** Stack: `a` = address `offset` bytes from the top. */
const stack = (n, offset, write) => `
      const k: u32 = load<u8>(rec, 6);
      let a: u64;
      if (k == 0) a = u64(u32(load<u32>(RSP, GPR) ${offset}));
      else if (k == 8) a = load<u64>(RSP, GPR) ${offset};
      else { store<u32>(CURRENT_RECORD, rec); a = stackAddress(${offset || 0}, ${n}, ${write}); if (faulted()) break; }`;
const moveStack = (by) => `
      if (k == 0) store<u32>(RSP, load<u32>(RSP, GPR) ${by}, GPR);
      else if (k == 8) store<u64>(RSP, load<u64>(RSP, GPR) ${by}, GPR);
      else moveStack(${by});`;

/** Every micro-operation in order: `{ name, body }`. */
export const microOps = [];
const op = (name, body) => microOps.push({ name, body });

// ---------------------------------------------------------------- two operands

const TWO = [
  ['ADD', 'add', true],
  ['OR', 'or', true],
  ['ADC', 'adc', true],
  ['SBB', 'sbb', true],
  ['AND', 'and', true],
  ['SUB', 'sub', true],
  ['XOR', 'xor', true],
  ['CMP', 'sub', false],
  ['TEST', 'and', false],
];
/** Forms of a two-operand operation; the number of form f, size s is base + 4 f + s. */
export const FORM = { RR: 0, RI: 4, RM: 8, MR: 12, MI: 16 };
for (const [name, call, writes] of TWO) {
  for (const form of Object.keys(FORM)) {
    for (const size of SIZES) {
      const t = T[size];
      const n = size / 8;
      const f = (a, b) => `${call}<${t}>(${a}, ${b})`;
      const result = (value) => (writes ? put(t, value) : `${value};`);
      const second = form.endsWith('I') ? imm(t) : src(t);
      let body;
      if (form === 'RR' || form === 'RI') body = result(f(dst(t), second));
      else if (form === 'RM') body = `${address(n, 0)}${read(t, n)}\n      ${result(f(dst(t), 'v'))}`;
      else if (writes) body = `${address(n, 1)}${modify(t, n, f('v', second))}`;
      else body = `${address(n, 0)}${read(t, n)}\n      ${f('v', second)};`;
      op(`${name}${size}_${form}`, `${body} ${NEXT}`);
    }
  }
}

// ---------------------------------------------------------------- moves

for (const form of Object.keys(FORM)) {
  for (const size of SIZES) {
    const t = T[size];
    const n = size / 8;
    const second = form.endsWith('I') ? imm(t) : src(t);
    if (form === 'RR' || form === 'RI') op(`MOV${size}_${form}`, `${put(t, second)} ${NEXT}`);
    else if (form === 'RM') op(`MOV${size}_RM`, `${address(n, 0)}${read(t, n)}\n      ${put(t, 'v')} ${NEXT}`);
    else op(`MOV${size}_${form}`, `${address(n, 1)}${write(t, n, second)} ${NEXT}`);
  }
}
op('MOV64_RI64', `${put('u64', 'load<u64>(rec, 8)')} ${NEXT}`);

/** [to, from] in bits; 64-bit zero extension is the 32-bit one. */
const WIDEN = [[16, 8], [32, 8], [64, 8], [16, 16], [32, 16], [64, 16], [32, 32], [64, 32]];
for (const signed of [false, true]) {
  for (const [to, from] of WIDEN) {
    const t = T[to];
    const f = T[from];
    const n = from / 8;
    const extend = (value) => (signed ? `${t}(i${to}(i${from}(${value})))` : `${t}(${value})`);
    const name = `${signed ? 'MOVSX' : 'MOVZX'}${to}_${from}`;
    op(`${name}_RR`, `${put(t, extend(src(f)))} ${NEXT}`);
    op(`${name}_RM`, `${address(n, 0)}${read(f, n)}\n      ${put(t, extend('v'))} ${NEXT}`);
  }
}

/** The two halves of a read-modify-write around any register operation. */
for (const size of SIZES) {
  const t = T[size];
  const n = size / 8;
  op(
    `LOCKED${size}`,
    `${address(n, 1)}${entry}
      let v: ${t};
      if (${hit(n, 'TLB_WRITE')}) v = load<${t}>(${host('TLB_WRITE')});
      else { store<u32>(CURRENT_RECORD, rec); v = ${t}(readForWriteSlow(a, ${n})); if (faulted()) break; }
      store<u64>(GPR, a, PSEUDO_ADDRESS);
      ${put(t, 'v')} ${NEXT}`,
  );
}
for (const size of SIZES) {
  const t = T[size];
  const n = size / 8;
  op(`STORE${size}`, `const a: u64 = load<u64>(GPR, PSEUDO_ADDRESS);${write(t, n, dst(t))} ${NEXT}`);
}

for (const size of SIZES) {
  const t = T[size];
  op(`XCHG${size}_RR`, `const v = ${src(t)}; put<${t}>(load<u8>(rec, 3), ${dst(t)}); ${put(t, 'v')} ${NEXT}`);
}
for (const size of SIZES) {
  const t = T[size];
  op(`XCHG${size}_MR`, `${address(size / 8, 1)}${modify(t, size / 8, src(t))}\n      put<${t}>(load<u8>(rec, 3), v); ${NEXT}`);
}
for (const size of [16, 32, 64]) op(`LEA${size}`, `${put(T[size], `${T[size]}(offsetOf(rec))`)} ${NEXT}`);
op('LEA32_FLAT', `${put('u32', 'load<u32>(load<u8>(rec, 4), GPR) + (load<u32>(load<u8>(rec, 5), GPR) << load<u8>(rec, 6)) + load<u32>(rec, 8)')} ${NEXT}`);

// ---------------------------------------------------------------- one operand

for (const name of ['INC', 'DEC']) {
  for (const size of SIZES) op(`${name}${size}_R`, `${put(T[size], `${name.toLowerCase()}<${T[size]}>(${dst(T[size])})`)} ${NEXT}`);
  for (const size of SIZES) {
    const t = T[size];
    op(`${name}${size}_M`, `${address(size / 8, 1)}${modify(t, size / 8, `${name.toLowerCase()}<${t}>(v)`)} ${NEXT}`);
  }
}
for (const name of ['NOT', 'NEG']) {
  for (const size of SIZES) op(`${name}${size}`, `${put(T[size], `${name.toLowerCase()}<${T[size]}>(${dst(T[size])})`)} ${NEXT}`);
}

// ---------------------------------------------------------------- shifts: count = register src + immediate

for (const name of ['ROL', 'ROR', 'RCL', 'RCR', 'SHL', 'SHR', 'SAR']) {
  for (const size of SIZES) {
    const t = T[size];
    op(`${name}${size}`, `${put(t, `${name.toLowerCase()}<${t}>(${dst(t)}, u32(${src('u8')}) + load<u32>(rec, 12))`)} ${NEXT}`);
  }
}
/** dst, src, count = register index + immediate. No 8-bit forms. */
for (const name of ['SHLD', 'SHRD']) {
  op(`${name}8`, 'unreachable();');
  for (const size of [16, 32, 64]) {
    const t = T[size];
    const count = 'u32(get<u8>(load<u8>(rec, 5))) + load<u32>(rec, 12)';
    op(`${name}${size}`, `${put(t, `${name.toLowerCase()}<${t}>(${dst(t)}, ${src(t)}, ${count})`)} ${NEXT}`);
  }
}

// ---------------------------------------------------------------- bits: dst, bit number = register src + immediate

for (const name of ['BT', 'BTS', 'BTR', 'BTC']) {
  op(`${name}8`, 'unreachable();');
  for (const size of [16, 32, 64]) {
    const t = T[size];
    const value = `${name.toLowerCase()}<${t}>(${dst(t)}, u32(${src(t)}) + load<u32>(rec, 12))`;
    op(`${name}${size}`, `${name === 'BT' ? `${value};` : put(t, value)} ${NEXT}`);
  }
}
/** dst, src; two-operand register forms without 8-bit size. IMUL's third operand is the immediate (src = zero, product of src and immediate otherwise). */
for (const [name, call] of [['BSF', 'bsf'], ['BSR', 'bsr'], ['TZCNT', 'tzcnt'], ['LZCNT', 'lzcnt'], ['POPCNT', 'popcount'], ['IMUL', 'imul']]) {
  op(`${name}8`, 'unreachable();');
  for (const size of [16, 32, 64]) {
    const t = T[size];
    // without a bit set the destination stays as it is, its upper half included
    if (call === 'bsf' || call === 'bsr') op(`${name}${size}`, `const v = ${src(t)}; const r = ${call}<${t}>(${dst(t)}, v); if (v) ${put(t, 'r')} ${NEXT}`);
    else op(`${name}${size}`, `${put(t, `${call}<${t}>(${dst(t)}, ${src(t)})`)} ${NEXT}`);
  }
}
op('IMUL8_RI', 'unreachable();');
for (const size of [16, 32, 64]) op(`IMUL${size}_RI`, `${put(T[size], `imul<${T[size]}>(${src(T[size])}, ${imm(T[size])})`)} ${NEXT}`);
/** Condition in the immediate. */
op('CMOV8', 'unreachable();');
for (const size of [16, 32, 64]) op(`CMOV${size}`, `${put(T[size], `choose<${T[size]}>(${dst(T[size])}, ${src(T[size])}, load<u32>(rec, 12))`)} ${NEXT}`);
op('SETCC', `${put('u8', 'u8(condition(load<u32>(rec, 12)))')} ${NEXT}`);
op('BSWAP16', `${put('u16', '0')} ${NEXT}`);
op('BSWAP32', `${put('u32', `bswap<u32>(${dst('u32')})`)} ${NEXT}`);
op('BSWAP64', `${put('u64', `bswap<u64>(${dst('u64')})`)} ${NEXT}`);
/** dst = memory or register, src = register: exchange and add; compare with the accumulator and exchange. */
for (const size of SIZES) {
  const t = T[size];
  op(`XADD${size}`, `const v = ${dst(t)}; const s = ${src(t)}; put<${t}>(load<u8>(rec, 3), v); ${put(t, `add<${t}>(v, s)`)} ${NEXT}`);
}
for (const size of SIZES) {
  const t = T[size];
  op(
    `CMPXCHG${size}`,
    `const v = ${dst(t)}; const s = ${src(t)}; const c = get<${t}>(RAX);
      sub<${t}>(c, v);
      if (c == v) ${put(t, 's')} else put<${t}>(RAX, v);
      ${NEXT}`,
  );
}
op('CBW', `put<u16>(RAX, u16(i16(get<i8>(RAX)))); ${NEXT}`);
op('CWDE', `put<u32>(RAX, u32(i32(get<i16>(RAX)))); ${NEXT}`);
op('CDQE', `put<u64>(RAX, u64(i64(get<i32>(RAX)))); ${NEXT}`);
op('CWD', `put<u16>(RDX, u16(get<i16>(RAX) >> 15)); ${NEXT}`);
op('CDQ', `put<u32>(RDX, u32(get<i32>(RAX) >> 31)); ${NEXT}`);
op('CQO', `put<u64>(RDX, u64(get<i64>(RAX) >> 63)); ${NEXT}`);

// ---------------------------------------------------------------- stack

for (const size of [16, 32, 64]) {
  const t = T[size];
  const n = size / 8;
  op(`PUSH${size}_R`, `${stack(n, `- ${n}`, 1)}${write(t, n, src(t))}${moveStack(`- ${n}`)} ${NEXT}`);
}
for (const size of [16, 32, 64]) {
  const t = T[size];
  const n = size / 8;
  op(`PUSH${size}_I`, `${stack(n, `- ${n}`, 1)}${write(t, n, imm(t))}${moveStack(`- ${n}`)} ${NEXT}`);
}
for (const size of [16, 32, 64]) {
  const t = T[size];
  const n = size / 8;
  op(`POP${size}_R`, `${stack(n, '', 0)}${read(t, n)}${moveStack(`+ ${n}`)}\n      ${put(t, 'v')} ${NEXT}`);
}

// ---------------------------------------------------------------- control

for (const size of [16, 32, 64]) {
  // the return address is that of the record behind (an END)
  const t = T[size];
  const n = size / 8;
  op(
    `CALL${size}`,
    `${stack(n, `- ${n}`, 1)}
      store<u32>(CURRENT_RECORD, rec);
      if (!load<u32>(rec, 12) && !branchAllowed(rec)) break;
      const back: ${t} = ${t}(load<u64>(GPR, PSEUDO_RIP) + i64(load<i32>(rec, 24)));${write(t, n, 'back')}${moveStack(`- ${n}`)}
      {${chain}
      }`,
  );
}
for (const size of [16, 32, 64]) {
  const t = T[size];
  const n = size / 8;
  op(
    `CALL${size}_R`,
    `store<u32>(CURRENT_RECORD, rec);
      const target: u64 = u64(${src(t)});
      if (!targetAllowed(target)) break;${stack(n, `- ${n}`, 1)}
      const back: ${t} = ${t}(load<u64>(GPR, PSEUDO_RIP) + i64(load<i32>(rec, 24)));${write(t, n, 'back')}${moveStack(`- ${n}`)}
      store<u64>(RIP, target);
      break;`,
  );
}
for (const size of [16, 32, 64]) {
  const t = T[size];
  op(`JMP${size}_R`, `store<u32>(CURRENT_RECORD, rec); const target: u64 = u64(${src(t)}); if (targetAllowed(target)) store<u64>(RIP, target); break;`);
}
for (const size of [16, 32, 64]) {
  // immediate = bytes to drop besides
  const t = T[size];
  const n = size / 8;
  op(
    `RET${size}`,
    `${stack(n, '', 0)}${read(t, n)}
      store<u32>(CURRENT_RECORD, rec);
      if (!targetAllowed(u64(v))) break;${moveStack(`+ ${n} + load<u32>(rec, 12)`)}
      store<u64>(RIP, u64(v));
      break;`,
  );
}
op('JMP', chain);
op('END', chain);
CONDITIONS.forEach((condition, i) => {
  op(`JCC${i}`, `if (!(${condition})) rec += 16;${chain}`);
});
/** LOOPNE, LOOPE, LOOP, JCXZ by address size (src = 2, 4, 8): taken or the record behind. */
op('LOOP', `if (!loopTaken(rec)) rec += 16;${chain}`);
op('NOP', NEXT);
/** The record is the end of a block whose successor must be looked up. */
op('LEAVE_BLOCK', 'store<u32>(CURRENT_RECORD, rec); leave(rec); break;');
/** Put in the place of an instruction's first record to stop before it. */
op('BREAK', 'stopAt(rec); break;');

// ---------------------------------------------------------------- what blocks.ts makes of records when a block is complete

/** Shifts by a constant that is not 0. */
const SHIFTS = { SHL: '<<', SHR: '>>', SAR: '>>' };
for (const name of Object.keys(SHIFTS)) {
  for (const size of [32, 64]) {
    const t = T[size];
    op(`${name}${size}_I`, `${put(t, `${name.toLowerCase()}By<${t}>(${dst(t)}, load<u32>(rec, 12))`)} ${NEXT}`);
  }
}

/** Without flags, where the next operations overwrite them all before anybody can see them. INC, DEC and the like become LEA. */
const PLAIN = { ADD: '+', SUB: '-', AND: '&', OR: '|', XOR: '^' };
export const quiet = [];
for (const size of [32, 64]) {
  const t = T[size];
  for (const [name, operator] of Object.entries(PLAIN)) {
    for (const form of ['RR', 'RI']) {
      op(`${name}${size}_${form}_QUIET`, `${put(t, `(${dst(t)} ${operator} ${form === 'RR' ? src(t) : imm(t)})`)} ${NEXT}`);
      quiet.push([`${name}${size}_${form}`, `${name}${size}_${form}_QUIET`]);
    }
  }
  for (const [name, operator] of Object.entries(SHIFTS)) {
    const value = name === 'SAR' ? `${t}(get<i${size}>(load<u8>(rec, 2)) >> (load<i32>(rec, 12) as i${size}))` : `${dst(t)} ${operator} (load<u32>(rec, 12) as ${t})`;
    op(`${name}${size}_I_QUIET`, `${put(t, value)} ${NEXT}`);
    quiet.push([`${name}${size}_I`, `${name}${size}_I_QUIET`]);
  }
  op(`INC${size}_QUIET`, `${put(t, `${dst(t)} + 1`)} ${NEXT}`);
  op(`DEC${size}_QUIET`, `${put(t, `${dst(t)} - 1`)} ${NEXT}`);
  quiet.push([`INC${size}_R`, `INC${size}_QUIET`], [`DEC${size}_R`, `DEC${size}_QUIET`]);
}

/**
 * A comparison of registers and constants together with the conditional jump behind it, whose own record stays where it is: the pair
 * counts as two instructions and is executed as one operation.
 */
const COMPARE = {
  2: (s) => `u${s}(a) < u${s}(b)`, 3: (s) => `u${s}(a) >= u${s}(b)`, 4: () => 'a == b', 5: () => 'a != b',
  6: (s) => `u${s}(a) <= u${s}(b)`, 7: (s) => `u${s}(a) > u${s}(b)`,
  8: (s) => `i${s}(a - b) < 0`, 9: (s) => `i${s}(a - b) >= 0`,
  12: (s) => `i${s}(a) < i${s}(b)`, 13: (s) => `i${s}(a) >= i${s}(b)`, 14: (s) => `i${s}(a) <= i${s}(b)`, 15: (s) => `i${s}(a) > i${s}(b)`,
};
const TEST_RESULT = {
  4: () => 'r == 0', 5: () => 'r != 0', 8: (s) => `i${s}(r) < 0`, 9: (s) => `i${s}(r) >= 0`, 14: (s) => `i${s}(r) <= 0`, 15: (s) => `i${s}(r) > 0`,
};
const STEP_RESULT = { 4: () => 'r == 0', 5: () => 'r != 0', 8: (s) => `i${s}(r) < 0`, 9: (s) => `i${s}(r) >= 0` };
/** [first operation, condition, operation for both] */
export const fused = [];
for (const size of [32, 64]) {
  const t = T[size];
  for (const form of ['RR', 'RI']) {
    for (const [code, compare] of Object.entries(COMPARE)) {
      const name = `CMP${size}_${form}_J${code}`;
      op(name, `const a: ${t} = ${dst(t)}; const b: ${t} = ${form === 'RR' ? src(t) : imm(t)}; sub<${t}>(a, b); rec += ${compare(size)} ? 16 : 32;${chain}`);
      fused.push([`CMP${size}_${form}`, code, name]);
    }
  }
  for (const [code, compare] of Object.entries(TEST_RESULT)) {
    const name = `TEST${size}_RR_J${code}`;
    op(name, `const r: ${t} = and<${t}>(${dst(t)}, ${src(t)}); rec += ${compare(size)} ? 16 : 32;${chain}`);
    fused.push([`TEST${size}_RR`, code, name]);
  }
  for (const step of ['INC', 'DEC']) {
    for (const [code, compare] of Object.entries(STEP_RESULT)) {
      const name = `${step}${size}_R_J${code}`;
      op(name, `const r: ${t} = ${step.toLowerCase()}<${t}>(${dst(t)}); ${put(t, 'r')} rec += ${compare(size)} ? 16 : 32;${chain}`);
      fused.push([`${step}${size}_R`, code, name]);
    }
  }
}

/** What each operation means for flags before it: `o` overwrites all six, `n` neither reads nor writes them and cannot fault. Others: a barrier. */
export const flagUse = new Map();
for (const size of SIZES) {
  for (const name of ['ADD', 'OR', 'AND', 'SUB', 'XOR', 'CMP', 'TEST']) {
    for (const form of ['RR', 'RI']) flagUse.set(`${name}${size}_${form}`, 'o');
  }
  flagUse.set(`NEG${size}`, 'o');
  flagUse.set(`NOT${size}`, 'n');
  flagUse.set(`XCHG${size}_RR`, 'n');
  for (const form of ['RR', 'RI']) flagUse.set(`MOV${size}_${form}`, 'n');
}
for (const size of [32, 64]) for (const name of Object.keys(SHIFTS)) flagUse.set(`${name}${size}_I`, 'o');
for (const [to, from] of WIDEN) for (const name of ['MOVSX', 'MOVZX']) flagUse.set(`${name}${to}_${from}_RR`, 'n');
for (const name of ['MOV64_RI64', 'LEA16', 'LEA32', 'LEA64', 'LEA32_FLAT', 'BSWAP32', 'BSWAP64', 'CBW', 'CWDE', 'CDQE', 'CWD', 'CDQ', 'CQO', 'NOP']) flagUse.set(name, 'n');

// ---------------------------------------------------------------- helpers: complex instructions, one micro-operation each
// `sized`: four in a row for 8, 16, 32, 64 bits, called with the type. A helper answers 0 = go on, 1 = the block is left; `void`: always 0.

const HELPERS = [
  ['mul', 'sized void'],
  ['imul1', 'sized void'],
  ['div', 'sized void'],
  ['idiv', 'sized void'],
  ['bitString', 'sized void'],
  ['movs', 'sized'],
  ['stos', 'sized'],
  ['lods', 'sized'],
  ['cmps', 'sized'],
  ['scas', 'sized'],
  ['ins', 'sized'],
  ['outs', 'sized'],
  ['portIn', 'sized void'],
  ['portOut', 'sized void'],
  ['popMemory', 'sized void'],
  ['enter', 'sized void'],
  ['leaveFrame', 'sized void'],
  ['pusha', 'sized void'],
  ['popa', 'sized void'],
  ['pushf', 'sized void'],
  ['popf', 'sized'],
  ['pushSegment', 'sized void'],
  ['popSegment', 'sized'],
  ['loadFarPointer', 'sized'],
  ['bound', 'sized void'],
  ['farJump', 'sized'],
  ['farCall', 'sized'],
  ['farJumpMemory', 'sized'],
  ['farCallMemory', 'sized'],
  ['farReturn', 'sized'],
  ['interruptReturn', 'sized'],
  ['lar', 'sized void'],
  ['lsl', 'sized void'],
  ['random', 'sized void'],
  ['cmpxchg8b', 'sized void'],
  ['sysret', 'sized'],
  ['sysexit', 'sized'],
  ['segmentStore', 'sized void'],
  ['segmentLoad', ''],
  ['interruptN', ''],
  ['int3', ''],
  ['int1', ''],
  ['into', ''],
  ['daa', 'void'],
  ['das', 'void'],
  ['aaa', 'void'],
  ['aas', 'void'],
  ['aam', 'void'],
  ['aad', 'void'],
  ['salc', 'void'],
  ['xlat', 'void'],
  ['lahf', 'void'],
  ['sahf', 'void'],
  ['clc', 'void'],
  ['stc', 'void'],
  ['cmc', 'void'],
  ['cld', 'void'],
  ['std', 'void'],
  ['clac', 'void'],
  ['stac', 'void'],
  ['cli', ''],
  ['sti', ''],
  ['hlt', ''],
  ['pause', ''],
  ['mwait', ''],
  ['monitor', 'void'],
  ['wait', 'void'],
  ['escape', 'void'],
  ['simd', 'void'],
  ['arpl', 'void'],
  ['sldt', 'void'],
  ['str', 'void'],
  ['smsw', 'void'],
  ['lldt', 'void'],
  ['ltr', 'void'],
  ['verr', 'void'],
  ['verw', 'void'],
  ['lmsw', ''],
  ['sgdt', 'void'],
  ['sidt', 'void'],
  ['lgdt', 'void'],
  ['lidt', 'void'],
  ['invlpg', ''],
  ['swapgs', 'void'],
  ['clts', 'void'],
  ['cacheControl', 'void'],
  ['controlRead', 'void'],
  ['controlWrite', ''],
  ['debugRead', 'void'],
  ['debugWrite', ''],
  ['cpuid', 'void'],
  ['rdtsc', 'void'],
  ['rdtscp', 'void'],
  ['rdpmc', 'void'],
  ['rdmsr', 'void'],
  ['wrmsr', ''],
  ['syscall', ''],
  ['sysenter', ''],
  ['rsm', ''],
  ['clflush', 'void'],
  ['invpcid', 'i32'],
  ['invalid', 'void'],
  ['tooLong', 'void'],
];
export const helpers = [];
for (const [name, traits] of HELPERS) {
  const sized = traits.includes('sized');
  const isVoid = traits.includes('void');
  for (const size of sized ? SIZES : [0]) {
    helpers.push({ name: `H_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}${size || ''}`, call: `${name}${size ? `<${T[size]}>` : ''}(rec)`, isVoid, helper: name });
  }
}
