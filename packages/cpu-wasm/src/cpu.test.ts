import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Cpu, type CpuOptions } from './cpu.js';
import * as layout from './layout.js';
import type { CpuBus } from './port.js';
import { cpuWasmUrl } from './wasm-url.js';

const module = new WebAssembly.Module(readFileSync(cpuWasmUrl));
const MEGABYTE = 0x100000;
const PAGE = 4096;

interface Call {
  readonly what: string;
  readonly address: number;
  readonly size: number;
  readonly value?: number;
}

/** A CPU with 2 MiB of RAM, I/O at 0xa0000 and above the RAM, and a log of what it asks of the machine. */
class Bench {
  readonly calls: Call[] = [];
  readonly cpu: Cpu;
  readonly ram;
  portRead: (port: number, size: number) => number = () => 0;
  onPortWrite: (port: number, value: number) => void = () => {};
  mmioRead: (address: number, size: number) => number = () => 0;
  onMmioWrite: (address: number, value: number) => void = () => {};
  vector = 0x20;

  constructor(options: Partial<CpuOptions> = {}) {
    const bus: CpuBus = {
      portRead: (port, size) => {
        this.calls.push({ what: 'in', address: port, size });
        return this.portRead(port, size);
      },
      portWrite: (port, value, size) => {
        this.calls.push({ what: 'out', address: port, size, value });
        this.onPortWrite(port, value);
      },
      mmioRead: (address, size) => {
        this.calls.push({ what: 'read', address, size });
        return this.mmioRead(address, size);
      },
      mmioWrite: (address, value, size) => {
        this.calls.push({ what: 'write', address, size, value });
        this.onMmioWrite(address, value);
      },
      acknowledgeInterrupt: () => {
        this.calls.push({ what: 'acknowledge', address: 0, size: 0 });
        this.cpu.setInterrupt(false);
        return this.vector;
      },
      timestamp: () => 0x1122334455667788n,
    };
    this.cpu = Cpu.create({ module, bus, ...options });
    this.ram = this.cpu.allocate('ram', 2 * MEGABYTE);
    this.map();
  }

  map(): void {
    this.cpu.setMemoryMap([
      { base: 0, length: 0xa0000, kind: 'ram', block: this.ram, offset: 0 },
      { base: 0xc0000, length: 0x10000, kind: 'rom', block: this.ram, offset: 0xc0000 },
      { base: MEGABYTE, length: MEGABYTE, kind: 'ram', block: this.ram, offset: MEGABYTE },
    ]);
  }

  write(address: number, ...bytes: number[]): void {
    this.ram.write(address, Uint8Array.from(bytes));
  }

  read(address: number, length: number): number[] {
    const bytes = new Uint8Array(length);
    this.ram.read(address, bytes);
    return [...bytes];
  }

  /** 16-bit real mode: all segments 0, stack below 0x8000. */
  real(address: number, ...code: number[]): void {
    const { view } = this.cpu;
    this.cpu.reset();
    view.setUint32(layout.SEGMENTS + layout.CS * layout.SEGMENT_STRIDE + layout.SEG_SELECTOR, 0, true);
    view.setBigUint64(layout.SEGMENTS + layout.CS * layout.SEGMENT_STRIDE + layout.SEG_BASE, 0n, true);
    this.rip = address;
    this.set(4, 0x8000);
    this.cpu.refresh();
    this.write(address, ...code);
  }

  /** 32-bit protected mode, flat, ring 0. */
  flat(address: number, ...code: number[]): void {
    this.cpu.reset();
    const { view } = this.cpu;
    view.setBigUint64(layout.CR0, 0x11n, true);
    for (let i = 0; i < 6; i++) {
      const at = layout.SEGMENTS + i * layout.SEGMENT_STRIDE;
      view.setUint32(at + layout.SEG_SELECTOR, i === layout.CS ? 8 : 16, true);
      view.setBigUint64(at + layout.SEG_BASE, 0n, true);
      view.setUint32(at + layout.SEG_LIMIT, 0xffffffff, true);
      view.setUint32(at + layout.SEG_FLAGS, i === layout.CS ? 0xcf9b00 : 0xcf9300, true);
    }
    this.rip = address;
    this.set(4, 0x8000);
    this.cpu.refresh();
    this.write(address, ...code);
  }

  get(register: number): number {
    return this.cpu.view.getUint32(layout.GPR + register * layout.GPR_STRIDE, true);
  }
  set(register: number, value: number): void {
    this.cpu.view.setBigUint64(layout.GPR + register * layout.GPR_STRIDE, BigInt(value), true);
  }
  get rip(): number {
    return Number(this.cpu.rip);
  }
  set rip(value: number) {
    this.cpu.view.setBigUint64(layout.RIP, BigInt(value), true);
  }
  run(count = 1000) {
    return this.cpu.run(this.cpu.instructions + count);
  }
}

const [AX, CX, , BX, SP, , SI, DI] = [0, 1, 2, 3, 4, 5, 6, 7];
const HLT = 0xf4;

describe('reset', () => {
  it('leaves the registers as after power-on and RAM alone', () => {
    const bench = new Bench({ resetEdx: 0x663 });
    bench.write(0x1234, 0x56);
    bench.cpu.reset();
    expect(bench.rip).toBe(0xfff0);
    expect(bench.cpu.view.getBigUint64(layout.SEGMENTS + layout.CS * layout.SEGMENT_STRIDE + layout.SEG_BASE, true)).toBe(
      0xffff0000n,
    );
    expect(bench.get(2)).toBe(0x663);
    expect(bench.cpu.getFlags()).toBe(2);
    expect(bench.read(0x1234, 1)).toEqual([0x56]);
  });

  it('begins at 0xfffffff0', () => {
    const bench = new Bench();
    const rom = bench.cpu.allocate('rom', 0x10000);
    rom.write(0xfff0, Uint8Array.from([0xb0, 0x42, HLT])); // mov al, 0x42; hlt
    bench.cpu.setMemoryMap([{ base: 0xffff0000, length: 0x10000, kind: 'rom', block: rom, offset: 0 }]);
    expect(bench.run()).toBe('halted');
    expect(bench.get(AX)).toBe(0x42);
  });

  it('refuses while the CPU runs', () => {
    const bench = new Bench();
    bench.real(0x1000, 0xe6, 0x80); // out 0x80, al
    bench.onPortWrite = () => bench.cpu.reset();
    expect(() => bench.run()).toThrow(/running/);
  });
});

describe('instruction count', () => {
  it('stops exactly at the limit, wherever it falls in a block', () => {
    const bench = new Bench();
    bench.flat(0x1000, ...Array<number>(20).fill(0x40), HLT); // inc eax
    for (let limit = 1; limit <= 20; limit++) {
      expect(bench.cpu.run(limit)).toBe('limit');
      expect([bench.cpu.instructions, bench.get(AX), bench.rip]).toEqual([limit, limit, 0x1000 + limit]);
    }
    expect(bench.cpu.run(100)).toBe('halted');
    expect(bench.cpu.instructions).toBe(21);
  });

  it('is exact inside callbacks, the current instruction not counted', () => {
    const bench = new Bench();
    const seen: number[] = [];
    bench.onPortWrite = () => seen.push(bench.cpu.instructions);
    bench.onMmioWrite = () => seen.push(bench.cpu.instructions);
    // nop; out 0x80, al; nop; nop; mov [0xa0000], al; nop; out 0x80, al; hlt
    bench.flat(0x1000, 0x90, 0xe6, 0x80, 0x90, 0x90, 0xa2, 0, 0, 0x0a, 0, 0x90, 0xe6, 0x80, HLT);
    bench.run();
    expect(seen).toEqual([1, 4, 6]);
    expect(bench.cpu.instructions).toBe(8);
  });

  it('can be set, and the limit moved from a callback, both ways', () => {
    const bench = new Bench();
    bench.cpu.instructions = 5_000_000_000;
    bench.flat(0x1000, 0xe6, 0x80, ...Array<number>(20).fill(0x40), HLT);
    bench.onPortWrite = () => bench.cpu.setLimit(5_000_000_004);
    expect(bench.cpu.run(5_000_000_100)).toBe('limit');
    expect([bench.cpu.instructions, bench.get(AX)]).toEqual([5_000_000_004, 3]);
    bench.rip = 0x1000;
    bench.onPortWrite = () => bench.cpu.setLimit(5_000_000_014);
    expect(bench.cpu.run(5_000_000_006)).toBe('limit');
    expect([bench.cpu.instructions, bench.get(AX)]).toEqual([5_000_000_014, 3 + 9]);
  });

  it('does not count an instruction that faults', () => {
    const bench = new Bench();
    bench.real(0x1000, 0x90, 0xf7, 0xf1, HLT); // nop; div cx
    bench.write(0, 0x00, 0x20, 0, 0); // vector 0 at 0000:2000
    bench.write(0x2000, HLT);
    expect(bench.run()).toBe('halted');
    expect(bench.cpu.instructions).toBe(2); // nop, hlt
    expect(bench.read(0x8000 - 6, 2)).toEqual([0x01, 0x10]); // IP of the DIV
  });

  it('is the same for the same start', () => {
    const counts = [0, 1].map(() => {
      const bench = new Bench();
      bench.flat(0x1000, 0xb9, 0, 0x10, 0, 0, 0x41, 0xe2, 0xfd, HLT); // mov ecx, 0x1000; inc ecx; loop (for ever)
      bench.cpu.run(12_345);
      return [bench.get(CX), bench.rip];
    });
    expect(counts[0]).toEqual(counts[1]);
  });
});

describe('leaving', () => {
  it('comes back behind the instruction whose callback asked for it', () => {
    const bench = new Bench();
    bench.flat(0x1000, 0x40, 0xa2, 0, 0, 0x0a, 0, 0x40, 0x40, HLT); // inc eax; mov [0xa0000], al; inc eax …
    bench.onMmioWrite = () => bench.cpu.requestExit();
    expect(bench.run()).toBe('requested');
    expect([bench.get(AX), bench.rip, bench.cpu.instructions]).toEqual([1, 0x1006, 2]);
    bench.onMmioWrite = () => {};
    expect(bench.run()).toBe('halted');
    expect(bench.get(AX)).toBe(3);
  });

  it('does so between the parts of a repeated instruction', () => {
    const bench = new Bench();
    bench.real(0x1000, 0xf3, 0x6e, HLT); // rep outsb
    bench.set(CX, 5);
    bench.set(2, 0x80);
    bench.onPortWrite = () => bench.cpu.requestExit();
    expect(bench.run()).toBe('requested');
    expect([bench.get(CX), bench.rip]).toEqual([4, 0x1000]);
  });

  it('reports shutdown after a triple fault', () => {
    const bench = new Bench();
    bench.flat(0x1000, 0x0f, 0x0b); // ud2 without an IDT
    bench.cpu.view.setUint32(layout.SEGMENTS + layout.IDTR * layout.SEGMENT_STRIDE + layout.SEG_LIMIT, 0, true);
    expect(bench.run()).toBe('shutdown');
    expect(bench.rip).toBe(0x1000);
  });

  it('lets errors of the machine through, at the instruction that met them', () => {
    const bench = new Bench();
    bench.flat(0x1000, 0x90, 0xe6, 0x80, HLT);
    bench.onPortWrite = () => {
      throw new Error('no such port');
    };
    expect(() => bench.run()).toThrow('no such port');
    expect([bench.rip, bench.cpu.instructions]).toEqual([0x1001, 1]);
    bench.onPortWrite = () => {};
    expect(bench.run()).toBe('halted');
    expect(bench.cpu.instructions).toBe(3);
  });
});

describe('interrupts', () => {
  const handler = (bench: Bench) => {
    bench.write(0x20 * 4, 0x00, 0x20, 0, 0); // vector 0x20 at 0000:2000
    bench.write(0x2000, 0x43, 0xcf); // inc bx; iret
  };

  it('are taken at the first boundary where IF is set', () => {
    const bench = new Bench();
    bench.real(0x1000, 0x40, 0x40, 0xfb, 0x40, 0x40, HLT); // inc ax ×2; sti; inc ax ×2; hlt
    handler(bench);
    bench.write(0x2000, 0x89, 0xc3, 0xcf); // mov bx, ax; iret
    bench.cpu.setInterrupt(true);
    expect(bench.run()).toBe('halted');
    expect(bench.get(BX)).toBe(3); // the instruction behind STI ran first
    expect(bench.get(AX)).toBe(4);
  });

  it('raised by a device are taken behind the instruction that touched it', () => {
    const bench = new Bench();
    bench.real(0x1000, 0xfb, 0x90, 0x40, 0xe6, 0x80, 0x40, 0x40, HLT); // sti; nop; inc ax; out 0x80, al; inc ax ×2
    handler(bench);
    bench.write(0x2000, 0x89, 0xc3, 0xcf);
    bench.onPortWrite = () => bench.cpu.setInterrupt(true);
    expect(bench.run()).toBe('halted');
    expect([bench.get(BX), bench.get(AX)]).toEqual([1, 3]);
  });

  it('wait behind MOV SS and CLI', () => {
    const bench = new Bench();
    bench.real(0x1000, 0xfb, 0xfa, 0x90, HLT); // sti; cli; nop; hlt
    handler(bench);
    bench.cpu.setInterrupt(true);
    bench.run();
    expect(bench.get(BX)).toBe(0);
    bench.real(0x1000, 0xfb, 0x8e, 0xd0, 0x40, 0x40, HLT); // sti; mov ss, ax; inc ax; inc ax
    bench.write(0x2000, 0x89, 0xc3, 0xcf);
    bench.cpu.setInterrupt(true);
    bench.run();
    expect(bench.get(BX)).toBe(1);
  });

  it('wake from HLT, masked ones do not', () => {
    const bench = new Bench();
    bench.real(0x1000, HLT, 0x40, HLT); // hlt; inc ax; hlt
    handler(bench);
    expect(bench.run()).toBe('halted');
    bench.cpu.setInterrupt(true);
    expect(bench.run()).toBe('halted');
    expect([bench.cpu.halted, bench.get(AX)]).toEqual([true, 0]);
    bench.cpu.setFlags(0x202);
    bench.cpu.refresh();
    expect(bench.run()).toBe('halted');
    expect([bench.get(BX), bench.get(AX)]).toEqual([1, 1]);
  });

  it('NMI comes through, once until IRET', () => {
    const bench = new Bench();
    bench.real(0x1000, 0x40, HLT, 0x40, HLT);
    bench.write(2 * 4, 0x00, 0x20, 0, 0);
    bench.write(0x2000, 0x43, 0xe6, 0x80, 0x43, 0xcf); // inc bx; out 0x80, al; inc bx; iret
    let again = true;
    bench.onPortWrite = () => {
      if (again) bench.cpu.nmi();
      again = false;
    };
    bench.run();
    bench.cpu.nmi();
    expect(bench.run()).toBe('halted');
    expect([bench.get(BX), bench.get(AX)]).toEqual([4, 2]);
  });

  it('interrupt a repeated string instruction and go on with it', () => {
    const bench = new Bench();
    bench.flat(0x1000, 0xf3, 0xa4, HLT); // rep movsb
    bench.set(SI, MEGABYTE);
    bench.set(DI, 0x9f000);
    bench.set(CX, 0x1100); // the last 0x100 bytes go to I/O
    bench.onMmioWrite = () => bench.cpu.requestExit();
    expect(bench.run()).toBe('requested');
    expect([bench.get(CX), bench.get(DI), bench.rip]).toEqual([0xff, 0xa0001, 0x1000]);
  });
});

describe('self-modifying code', () => {
  it('takes effect for the next instruction of the same block', () => {
    const bench = new Bench();
    // mov byte [0x100a], 0x43 (inc ebx); nop; nop; nop; inc eax -> inc ebx; hlt
    bench.flat(0x1000, 0xc6, 0x05, 0x0a, 0x10, 0, 0, 0x43, 0x90, 0x90, 0x90, 0x40, HLT);
    expect(bench.run()).toBe('halted');
    expect([bench.get(AX), bench.get(BX)]).toEqual([0, 1]);
  });

  it('drops code that a device or the host writes', () => {
    const bench = new Bench();
    bench.flat(0x1000, 0x40, HLT);
    bench.run();
    bench.write(0x1000, 0x43);
    bench.rip = 0x1000;
    bench.cpu.view.setUint32(layout.HALTED, 0, true);
    bench.cpu.refresh();
    bench.run();
    expect([bench.get(AX), bench.get(BX)]).toEqual([1, 1]);
  });

  it('is seen through another mapping of the same page', () => {
    const bench = new Bench();
    bench.cpu.setMemoryMap([
      { base: 0, length: MEGABYTE, kind: 'ram', block: bench.ram, offset: 0 },
      { base: MEGABYTE, length: MEGABYTE, kind: 'ram', block: bench.ram, offset: 0 },
    ]);
    // mov byte [0x101009], 0x43; nop; nop; inc eax; hlt
    bench.flat(0x1000, 0xc6, 0x05, 0x09, 0x10, 0x10, 0, 0x43, 0x90, 0x90, 0x40, HLT);
    bench.run();
    expect([bench.get(AX), bench.get(BX)]).toEqual([0, 1]);
  });

  it('data beside code drops nothing', () => {
    const bench = new Bench();
    // mov ecx, 1000; inc dword [0x1800]; loop; hlt
    bench.flat(0x1000, 0xb9, 0xe8, 3, 0, 0, 0xff, 0x05, 0x00, 0x18, 0, 0, 0xe2, 0xf8, HLT);
    bench.run(10_000);
    expect(bench.read(0x1800, 2)).toEqual([0xe8, 3]);
    expect(bench.cpu.view.getBigUint64(layout.STAT_DROPPED, true)).toBe(0n);
  });

  it('survives a pool of decoded code that runs full', () => {
    const bench = new Bench();
    bench.flat(0x1000, 0x40, HLT);
    bench.cpu.view.setUint32(layout.POOL_NEXT, layout.POOL_END - 64, true);
    expect(bench.run()).toBe('halted');
    expect(bench.get(AX)).toBe(1);
    expect(bench.cpu.view.getUint32(layout.POOL_NEXT, true)).toBeLessThan(layout.POOL + 4096);
  });
});

describe('code at odd places', () => {
  it('crosses pages', () => {
    const bench = new Bench();
    bench.flat(0x1ffe, 0xb8, 0x78, 0x56, 0x34, 0x12, HLT); // mov eax, 0x12345678
    bench.run();
    expect(bench.get(AX)).toBe(0x12345678);
  });

  it('runs from I/O memory, byte by byte', () => {
    const bench = new Bench();
    const code = [0x40, 0x40, HLT, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bench.mmioRead = (address) => code[address - 0xa0000]!;
    bench.flat(0x1000, 0xe9, ...[0xfb, 0xef, 0x09, 0]); // jmp 0xa0000
    expect(bench.run()).toBe('halted');
    expect(bench.get(AX)).toBe(2);
  });

  it('stops at the segment limit', () => {
    const bench = new Bench();
    bench.real(0xfffe, 0x40, 0xb8); // inc ax; mov ax, … cut off by the end of the segment
    bench.write(13 * 4, 0x00, 0x20, 0, 0);
    bench.write(0x2000, HLT);
    expect(bench.run()).toBe('halted');
    expect([bench.rip, bench.get(AX)]).toEqual([0x2001, 1]);
    expect(bench.read(0x8000 - 6, 2)).toEqual([0xff, 0xff]);
  });
});

describe('memory', () => {
  it('splits wide and crossing accesses to I/O, low address first', () => {
    const bench = new Bench();
    // mov [0xa0000], eax; mov ax, [0xa0001]; mov [0x9fffe], eax
    bench.flat(0x1000, 0xa3, 0, 0, 0x0a, 0, 0x66, 0xa1, 1, 0, 0x0a, 0, 0xa3, 0xfe, 0xff, 0x09, 0, HLT);
    bench.set(AX, 0x44332211);
    bench.mmioRead = () => 0x6655;
    bench.run();
    expect(bench.calls).toEqual([
      { what: 'write', address: 0xa0000, size: 4, value: 0x44332211 },
      { what: 'read', address: 0xa0001, size: 2 },
      { what: 'write', address: 0xa0000, size: 1, value: 0x33 },
      { what: 'write', address: 0xa0001, size: 1, value: 0x44 },
    ]);
    expect(bench.read(0x9fffe, 2)).toEqual([0x55, 0x66]);
  });

  it('drops writes to ROM', () => {
    const bench = new Bench();
    bench.write(0xc0000, 0x12);
    bench.flat(0x1000, 0xa2, 0, 0, 0x0c, 0, 0xa0, 0, 0, 0x0c, 0, HLT); // mov [0xc0000], al; mov al, [0xc0000]
    bench.run();
    expect(bench.get(AX)).toBe(0x12);
    expect(bench.calls).toEqual([]);
  });

  it('forces address bit 20 to 0 with the A20 gate shut', () => {
    const bench = new Bench();
    bench.write(0x500, 0xaa);
    bench.write(MEGABYTE + 0x500, 0xbb);
    bench.flat(0x1000, 0xa0, 0, 5, 0x10, 0, HLT); // mov al, [0x100500]
    bench.run();
    expect(bench.get(AX)).toBe(0xbb);
    bench.flat(0x1000, 0xa0, 0, 5, 0x10, 0, HLT);
    bench.cpu.setA20(false);
    bench.run();
    expect(bench.get(AX)).toBe(0xaa);
  });

  it('follows a new memory map at once, in the middle of a block', () => {
    const bench = new Bench();
    bench.write(MEGABYTE, 0x11);
    bench.write(MEGABYTE + PAGE, 0x22);
    // mov al, [0x100000]; out 0x80, al; mov al, [0x100000]; hlt
    bench.flat(0x1000, 0xa0, 0, 0, 0x10, 0, 0xe6, 0x80, 0xa0, 0, 0, 0x10, 0, HLT);
    bench.onPortWrite = () =>
      bench.cpu.setMemoryMap([
        { base: 0, length: 0xa0000, kind: 'ram', block: bench.ram, offset: 0 },
        { base: MEGABYTE, length: PAGE, kind: 'ram', block: bench.ram, offset: MEGABYTE + PAGE },
      ]);
    bench.run();
    expect(bench.calls[0]!.value! & 0xff).toBe(0x11);
    expect(bench.get(AX) & 0xff).toBe(0x22);
  });

  it('refuses maps that overlap or point outside of their block', () => {
    const bench = new Bench();
    const { ram, cpu } = bench;
    const range = (base: number, length: number, offset = 0) => ({ base, length, kind: 'ram' as const, block: ram, offset });
    expect(() => cpu.setMemoryMap([range(0, 2 * PAGE), range(PAGE, PAGE)])).toThrow(RangeError);
    expect(() => cpu.setMemoryMap([range(0, 100)])).toThrow(RangeError);
    expect(() => cpu.setMemoryMap([range(0, 3 * MEGABYTE)])).toThrow(RangeError);
    expect(() => cpu.setMemoryMap([range(0, PAGE, -PAGE)])).toThrow(RangeError);
  });
});

describe('RAM blocks', () => {
  const dirtyPages = (words: Uint32Array) =>
    [...words].flatMap((word, w) =>
      Array.from({ length: 32 }, (_, i) => i)
        .filter((i) => (word >>> i) & 1)
        .map((i) => w * 32 + i),
    );

  it('report pages the guest wrote, once for each client', () => {
    const bench = new Bench();
    bench.flat(0x1000, 0xa2, 0, 0x50, 0, 0, 0xa2, 0xff, 0x5f, 0, 0, 0xa3, 0xfe, 0x7f, 0, 0, HLT); // [0x5000], [0x5fff] bytes, [0x7ffe] dword
    bench.ram.takeDirty('display');
    bench.ram.takeMigrationDirty();
    bench.run();
    expect(dirtyPages(bench.ram.takeDirty('display'))).toEqual([5, 7, 8]);
    expect(dirtyPages(bench.ram.takeDirty('display'))).toEqual([]);
    expect(dirtyPages(bench.ram.takeMigrationDirty())).toEqual([5, 7, 8]);
    expect(bench.ram.takeDirty('display')).toHaveLength((2 * MEGABYTE) / PAGE / 32);
  });

  it('see the next write to a page that was taken', () => {
    const bench = new Bench();
    bench.flat(0x1000, 0xa2, 0, 0x50, 0, 0, 0xe6, 0x80, 0xeb, 0xf7); // mov [0x5000], al; out 0x80, al; jmp
    const taken: number[][] = [];
    bench.onPortWrite = () => taken.push(dirtyPages(bench.ram.takeMigrationDirty()).filter((page) => page === 5));
    bench.run(12);
    expect(taken).toEqual([[5], [5], [5], [5]]);
  });

  it('count host writes, and all pages when logging begins', () => {
    const bench = new Bench();
    bench.ram.takeMigrationDirty();
    bench.write(0x3fff, 1, 2);
    expect(dirtyPages(bench.ram.takeMigrationDirty())).toEqual([3, 4]);
    bench.cpu.setDirtyLogging(true);
    expect(dirtyPages(bench.ram.takeMigrationDirty())).toHaveLength((2 * MEGABYTE) / PAGE);
  });

  it('compare, fill and replace pages', () => {
    const { ram } = new Bench();
    expect(ram.pageIs(PAGE, 0)).toBe(true);
    ram.write(2 * PAGE - 1, Uint8Array.of(1));
    expect([ram.pageIs(PAGE, 0), ram.pageIs(2 * PAGE, 0)]).toEqual([false, true]);
    ram.takeMigrationDirty();
    ram.fillPage(2 * PAGE, 0);
    expect(dirtyPages(ram.takeMigrationDirty())).toEqual([]);
    ram.fillPage(PAGE, 0xab);
    expect(ram.pageIs(PAGE, 0xab)).toBe(true);
    expect(dirtyPages(ram.takeMigrationDirty())).toEqual([1]);
    ram.writePage(PAGE, new Uint8Array(PAGE).fill(7));
    expect(ram.page(PAGE)[4095]).toBe(7);
  });

  it('name what is wrong', () => {
    const { ram, cpu } = new Bench();
    expect(() => ram.read(2 * MEGABYTE - 1, new Uint8Array(2))).toThrow(/ram: 2 bytes at 2097151/);
    expect(() => ram.page(100)).toThrow(RangeError);
    expect(() => ram.writePage(0, new Uint8Array(100))).toThrow(RangeError);
    expect(() => cpu.allocate('ram', PAGE)).toThrow(/exists/);
    expect(() => cpu.allocate('odd', 100)).toThrow(/whole pages/);
    expect(() => cpu.allocate('huge', 4 * 1024 * MEGABYTE)).toThrow(/no room/);
  });

  it('grow up to their maximum', () => {
    const { cpu } = new Bench();
    const block = cpu.allocate('table', PAGE, 4 * PAGE);
    expect([block.usedLength, block.maxLength]).toEqual([PAGE, 4 * PAGE]);
    block.resize(3 * PAGE);
    block.write(2 * PAGE, Uint8Array.of(1));
    expect(block.length).toBe(3 * PAGE);
    expect(() => block.resize(5 * PAGE)).toThrow(RangeError);
  });
});

describe('time and identification', () => {
  it('reads the time-stamp from the machine, offset by what was written', () => {
    const bench = new Bench({ cpuid: [{ leaf: 1, subleaf: undefined, eax: 0, ebx: 0, ecx: 0, edx: 0x30 }] });
    bench.flat(0x1000, 0x0f, 0x31, HLT); // rdtsc
    bench.run();
    expect([bench.get(AX), bench.get(2)]).toEqual([0x55667788, 0x11223344]);
    // mov ecx, 0x10; xor eax, eax; xor edx, edx; wrmsr; rdtsc
    bench.flat(0x1000, 0xb9, 0x10, 0, 0, 0, 0x31, 0xc0, 0x31, 0xd2, 0x0f, 0x30, 0x0f, 0x31, HLT);
    bench.run();
    expect([bench.get(AX), bench.get(2)]).toEqual([0, 0]);
  });

  it('answers CPUID from its table and refuses instructions that the table lacks', () => {
    const bench = new Bench({
      cpuid: [
        { leaf: 0, subleaf: undefined, eax: 4, ebx: 1, ecx: 2, edx: 3 },
        { leaf: 4, subleaf: 1, eax: 0x41, ebx: 0, ecx: 0, edx: 0 },
      ],
    });
    const cpuid = (leaf: number, subleaf: number) => {
      bench.flat(0x1000, 0x0f, 0xa2, HLT);
      bench.set(AX, leaf);
      bench.set(CX, subleaf);
      bench.run();
      return [bench.get(AX), bench.get(BX), bench.get(CX), bench.get(2)];
    };
    expect(cpuid(0, 7)).toEqual([4, 1, 2, 3]);
    expect(cpuid(4, 1)).toEqual([0x41, 0, 0, 0]);
    expect(cpuid(4, 2)).toEqual([0, 0, 0, 0]);
    expect(cpuid(3, 0)).toEqual([0, 0, 0, 0]);
    expect(cpuid(0x40000000, 1)).toEqual([0x41, 0, 0, 0]); // as the highest basic leaf

    bench.real(0x1000, 0x0f, 0x44, 0xc1, HLT); // cmovz ax, cx
    bench.write(6 * 4, 0x00, 0x20, 0, 0);
    bench.write(0x2000, HLT);
    bench.run();
    expect(bench.rip).toBe(0x2001);
  });
});

describe('flags from outside', () => {
  it.each([0, 1, 4, 0x10, 0x40, 0x80, 0x800, 0x8d5, 0x44, 0xc5, 0x8c1, 0x91])('keeps any combination (%s)', (flags) => {
    const { cpu } = new Bench();
    cpu.setFlags(flags | 2);
    expect(cpu.getFlags()).toBe(flags | 2);
  });
});

describe('PREFETCHW', () => {
  it.each([
    ['nothing', 0, 0, false],
    ['its own bit', 0, 1 << 8, true],
    ['long mode, also outside of it', 1 << 29, 0, true],
    ['3DNow!', 1 << 31, 0, true],
  ])('with %s', (_, edx, ecx, there) => {
    const bench = new Bench({
      cpuid: [{ leaf: 0x80000001, subleaf: undefined, eax: 0, ebx: 0, ecx: ecx >>> 0, edx: edx >>> 0 }],
    });
    bench.real(0x1000, 0x0f, 0x0d, 0x0f, HLT); // prefetchw [bx]; hlt
    bench.write(6 * 4, 0x00, 0x20, 0, 0);
    bench.write(0x2000, HLT);
    expect(bench.run()).toBe('halted');
    expect(bench.rip).toBe(there ? 0x1004 : 0x2001);
  });
});

describe('debug helpers', () => {
  it('read through the mapping in force, and say where there is nothing', () => {
    const bench = new Bench();
    bench.flat(0x1000, HLT);
    bench.write(0x2ffe, 1, 2, 3, 4);
    expect([...bench.cpu.readLinear(0x2ffen, 4)]).toEqual([1, 2, 3, 4]);
    expect(bench.cpu.translate(0xa0000n)).toBeUndefined();
    expect(bench.cpu.readLinear(0x9fffen, 4)).toHaveLength(2);
    expect(bench.get(SP)).toBe(0x8000);
  });
});
