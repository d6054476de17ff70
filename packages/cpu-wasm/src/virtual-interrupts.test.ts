import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Cpu } from './cpu.js';
import { cpuidTable } from './cpuid.js';
import { CR4, SEGMENT } from './flags.js';
import * as layout from './layout.js';
import { parseCpu } from './models.js';
import { cpuWasmUrl } from './wasm-url.js';

/* Virtual-8086 extensions and protected-mode virtual interrupts: QEMU's TCG has neither. [SDM 3B:20.3, 20.4] */

const module = new WebAssembly.Module(readFileSync(cpuWasmUrl));
const [IF, IOPL, VM, VIF, VIP, TF] = [0x200, 0x3000, 0x20000, 0x80000, 0x100000, 0x100];
const PE = 1;
/** Where things lie; the monitor's handlers are HLTs, one byte for each vector. */
const AT = { idt: 0x1000, gdt: 0x2000, tss: 0x3000, handlers: 0x4000, code: 0x10000, stack: 0x8000, service: 0x6000 };
const TSS_LIMIT = 0x68 + 32 + 0x2000;
const MAP = 0x68 + 32;

interface Setup {
  readonly flags: number;
  readonly cr4?: number;
  /** Interrupts that go to the monitor: set bits of the redirection map. */
  readonly redirected?: readonly number[];
  /** Ring 3 of protected mode instead of virtual-8086 mode. */
  readonly ring3?: boolean;
  readonly stack?: readonly number[];
}

function execute(code: readonly number[], setup: Setup) {
  const cpu = Cpu.create({
    module,
    cpuid: cpuidTable(parseCpu('max', 'i386')),
    bus: {
      portRead: () => 0,
      portWrite() {},
      mmioRead: () => 0,
      mmioWrite() {},
      acknowledgeInterrupt: () => 0x20,
      timestamp: () => 0n,
    },
  });
  const ram = cpu.allocate('ram', 1 << 20);
  cpu.setMemoryMap([{ base: 0, length: 1 << 20, kind: 'ram', block: ram, offset: 0 }]);
  const bytes = new Uint8Array(1 << 20);
  const memory = new DataView(bytes.buffer);
  for (let vector = 0; vector < 256; vector++) {
    memory.setUint32(AT.idt + vector * 8, (0x08 << 16) | (AT.handlers + vector), true);
    memory.setUint32(AT.idt + vector * 8 + 4, 0xee00, true);
    memory.setUint32(vector * 4, (AT.service << 12) | vector, true); // 8086: segment 0x6000, offset = the vector
  }
  bytes.fill(0xf4, AT.handlers, AT.handlers + 256);
  memory.setBigUint64(AT.gdt + 8, 0x00cf9b000000ffffn, true);
  memory.setBigUint64(AT.gdt + 16, 0x00cf93000000ffffn, true);
  memory.setBigUint64(AT.gdt + 24, 0x00cffb000000ffffn, true);
  memory.setBigUint64(AT.gdt + 32, 0x00cff3000000ffffn, true);
  memory.setUint32(AT.tss + 4, 0x9000, true);
  memory.setUint32(AT.tss + 8, 0x10, true);
  memory.setUint16(AT.tss + 0x66, MAP, true);
  for (const vector of setup.redirected ?? []) bytes[AT.tss + MAP - 32 + (vector >> 3)]! |= 1 << (vector & 7);
  bytes.fill(0xf4, AT.code, AT.code + 64);
  bytes.set(code, AT.code);
  (setup.stack ?? []).forEach((word, i) => void memory.setUint16(AT.stack + i * 2, word, true));
  ram.write(0, bytes);
  const view = new DataView(cpu.memory.buffer);
  const segment = (index: number, selector: number, base: number, limit: number, flags: number) => {
    const at = layout.SEGMENTS + index * layout.SEGMENT_STRIDE;
    view.setUint32(at + layout.SEG_SELECTOR, selector, true);
    view.setUint32(at + layout.SEG_LIMIT, limit, true);
    view.setBigUint64(at + layout.SEG_BASE, BigInt(base), true);
    view.setUint32(at + layout.SEG_FLAGS, flags, true);
  };
  const { PRESENT, S, WRITABLE, ACCESSED, CODE, DPL, G, B } = SEGMENT;
  const data = PRESENT | S | WRITABLE | ACCESSED | DPL;
  for (let index = 0; index < 6; index++) {
    if (setup.ring3) segment(index, index === 1 ? 0x1b : 0x23, 0, 0xffffffff, data | G | B | (index === 1 ? CODE : 0));
    else segment(index, index === 1 ? AT.code >> 4 : 0, index === 1 ? AT.code : 0, 0xffff, data | (index === 1 ? CODE : 0));
  }
  segment(layout.TR, 0x28, AT.tss, TSS_LIMIT, PRESENT | 0xb00);
  segment(layout.GDTR, 0, AT.gdt, 0x2f, 0);
  segment(layout.IDTR, 0, AT.idt, 0x7ff, 0);
  view.setBigUint64(layout.CR0, BigInt(PE | 0x10), true);
  view.setBigUint64(layout.CR4, BigInt(setup.cr4 ?? CR4.VME), true);
  view.setBigUint64(layout.RIP, BigInt(setup.ring3 ? AT.code : 0), true);
  view.setBigUint64(layout.GPR + 4 * 8, BigInt(AT.stack), true);
  cpu.setFlags(setup.flags | 2 | (setup.ring3 ? 0 : VM));
  cpu.refresh();
  cpu.run(20);
  const selector = view.getUint32(layout.SEGMENTS + layout.SEGMENT_STRIDE, true);
  const rip = Number(view.getBigUint64(layout.RIP, true));
  const sp = Number(view.getBigUint64(layout.GPR + 4 * 8, true) & 0xffffffffn);
  const word = (at: number) => new DataView(cpu.memory.buffer).getUint16(ram.address + at, true);
  const long = (at: number) => new DataView(cpu.memory.buffer).getUint32(ram.address + at, true);
  // in the monitor: which vector, and the flags it found; behind an error code for #GP
  const vector = selector === 8 ? rip - 1 - AT.handlers : undefined;
  const frame = vector === 13 ? sp + 4 : sp;
  return {
    vector,
    flags: vector === undefined ? cpu.getFlags() : long(frame + 8),
    selector,
    rip,
    sp,
    word,
    eax: Number(view.getBigUint64(layout.GPR, true)),
  };
}
const [CLI, STI, PUSHF, POPF, IRET, INT] = [0xfa, 0xfb, 0x9c, 0x9d, 0xcf, 0xcd];

describe('virtual-8086 extensions, IOPL below 3', () => {
  it('STI and CLI work on VIF, and leave IF alone', () => {
    // the HLT behind is #GP in virtual-8086 mode: the monitor's frame shows the flags
    expect(execute([STI], { flags: 0 })).toMatchObject({
      vector: 13,
      flags: expect.toSatisfy((f: number) => (f & (VIF | IF)) === VIF),
    });
    expect(execute([CLI], { flags: IF | VIF })).toMatchObject({
      flags: expect.toSatisfy((f: number) => (f & (VIF | IF)) === IF),
    });
  });

  it('STI with an interrupt pending is #GP', () => {
    const pending = execute([STI, 0x40], { flags: VIP });
    expect([pending.vector, pending.word(pending.sp + 4), pending.flags & VIF]).toEqual([13, 0, 0]);
    // CLI is not
    const cleared = execute([CLI, 0x40], { flags: VIP | VIF });
    expect([cleared.vector, cleared.word(cleared.sp + 4), cleared.flags & VIF]).toEqual([13, 2, 0]);
  });

  it('PUSHF shows VIF as IF, and IOPL 3', () => {
    for (const [flags, expected] of [
      [VIF, IF | IOPL | 2],
      [IF, IOPL | 2],
    ] as const) {
      const { word } = execute([PUSHF], { flags });
      expect(word(AT.stack - 2)).toBe(expected);
    }
  });

  it('POPF sets VIF from IF; TF, and IF with an interrupt pending, are #GP', () => {
    expect(execute([POPF], { flags: 0, stack: [IF] }).flags & (VIF | IF)).toBe(VIF);
    expect(execute([POPF], { flags: VIF | IF, stack: [0] }).flags & (VIF | IF)).toBe(IF);
    for (const [flags, image] of [
      [0, TF],
      [VIP, IF],
    ] as const) {
      const { vector, word, sp } = execute([POPF], { flags, stack: [image] });
      expect([vector, word(sp + 4)]).toEqual([13, 0]);
    }
  });

  it('32-bit PUSHF, POPF and IRET are #GP', () => {
    for (const opcode of [PUSHF, POPF, IRET]) {
      const { vector, word, sp } = execute([0x66, opcode], { flags: 0 });
      expect([vector, word(sp + 4)]).toEqual([13, 0]);
    }
  });

  it('IRET sets VIF from IF', () => {
    const returned = execute([IRET], { flags: 0, stack: [0x20, AT.code >> 4, IF | 0x41] });
    expect([returned.vector, returned.word(returned.sp + 4), returned.flags & (VIF | IF | 0x41)]).toEqual([13, 0x20, VIF | 0x41]);
  });

  it('INT n goes to the 8086 handler, or, where the map says so, is #GP', () => {
    const direct = execute([INT, 0x21], { flags: VIF | IF });
    // the handler at 6000:0021 is a zero byte; whatever comes next, the frame is on the 8086 stack
    expect([direct.word(AT.stack - 2), direct.word(AT.stack - 4), direct.word(AT.stack - 6)]).toEqual([
      IF | IOPL | 2,
      AT.code >> 4,
      2,
    ]);
    expect(direct.flags & VIF).toBe(0);
    const { vector, word, sp } = execute([INT, 0x21], { flags: 0, redirected: [0x21] });
    expect([vector, word(sp), word(sp + 4)]).toEqual([13, 0, 0]);
  });

  it('without CR4.VME all of them are #GP', () => {
    for (const code of [[CLI], [STI], [PUSHF], [POPF], [IRET], [INT, 0x21]]) {
      const { vector, word, sp } = execute(code, { flags: 0, cr4: 0 });
      expect([vector, word(sp + 4)]).toEqual([13, 0]);
    }
  });
});

describe('virtual-8086 extensions, IOPL 3', () => {
  it('CLI and STI work on IF; INT n follows the map', () => {
    expect(execute([STI], { flags: IOPL }).flags & (VIF | IF)).toBe(IF);
    const monitor = execute([INT, 0x21], { flags: IOPL | IF, redirected: [0x21] });
    expect(monitor.vector).toBe(0x21);
    const direct = execute([INT, 0x21], { flags: IOPL | IF });
    expect([direct.word(AT.stack - 2), direct.word(AT.stack - 6)]).toEqual([IOPL | IF | 2, 2]);
  });
});

describe('protected-mode virtual interrupts', () => {
  const pvi = { ring3: true, cr4: CR4.PVI } as const;

  it('CLI and STI of ring 3 work on VIF', () => {
    expect(execute([STI], { ...pvi, flags: 0 }).flags & (VIF | IF)).toBe(VIF);
    expect(execute([CLI], { ...pvi, flags: VIF | IF }).flags & (VIF | IF)).toBe(IF);
  });

  it('STI with an interrupt pending is #GP, and so are both without CR4.PVI', () => {
    for (const [code, cr4, flags] of [
      [STI, CR4.PVI, VIP],
      [STI, 0, 0],
      [CLI, 0, 0],
    ] as const) {
      const { vector, word, sp } = execute([code], { ring3: true, cr4, flags });
      expect([vector, word(sp + 4)]).toEqual([13, AT.code & 0xffff]);
    }
  });
});
