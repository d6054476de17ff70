import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from './main.js';
import { TestFolder } from './testing.js';

let folder: TestFolder;
beforeEach(() => {
  folder = new TestFolder();
});
afterEach(() => folder.remove());

/** 64 KiB of firmware that counts to two with an INT in between, then ends the run with `mov al,EXIT; out 0xf4,al`. */
function firmware(exit: number): string {
  const image = new Uint8Array(0x10000).fill(0xf4);
  // f000:0000  mov word [4*0x20],0x0030; mov word [4*0x20+2],cs; inc bx; int 0x20; inc bx; mov al,exit; out 0xf4,al; hlt
  image.set([0xc7, 0x06, 0x80, 0, 0x30, 0, 0x8c, 0x0e, 0x82, 0, 0x43, 0xcd, 0x20, 0x43, 0xb0, exit, 0xe6, 0xf4, 0xf4]);
  image.set([0x41, 0xcf], 0x30); // inc cx; iret
  image.set([0xea, 0, 0, 0, 0xf0], 0xfff0); // jmp f000:0000
  const path = folder.file('bios.bin');
  writeFileSync(path, image);
  return path;
}

/** A run without consoles, up to its end. */
async function run(...args: string[]): Promise<{ code: number; out: string; errors: string }> {
  let out = '';
  let errors = '';
  const machine =
    '-M isapc -cpu 486 -m 1 -nodefaults -display none -no-reboot -icount shift=3 -device isa-debug-exit,iobase=0xf4';
  const code = await main(['run', ...machine.split(' '), ...args], {
    out: (text) => {
      out += text;
    },
    error: (line) => {
      errors += `${line}\n`;
    },
  });
  return { code, out, errors };
}

describe('-d', () => {
  it('in_asm shows each block once, in order', async () => {
    const log = folder.file('log');
    expect((await run('-bios', firmware(1), '-d', 'in_asm', '-D', log)).code).toBe(3);
    const lines = readFileSync(log, 'utf8').split('\n');
    const code = lines.filter((line) => line.startsWith('0x')).map((line) => line.replace(/:.{27}/, ' '));
    expect(code).toEqual([
      '0xfffffff0 jmp    0xf000:0x0',
      '0x000f0000 mov    WORD PTR ds:0x80,0x30',
      '0x000f0006 mov    WORD PTR ds:0x82,cs',
      '0x000f000a inc    bx',
      '0x000f000b int    0x20',
      '0x000f0030 inc    cx',
      '0x000f0031 iret',
      '0x000f000d inc    bx',
      '0x000f000e mov    al,0x1',
      '0x000f0010 out    0xf4,al',
      '0x000f0012 hlt',
    ]);
    expect(lines[0]).toBe('----------------');
    expect(lines[1]).toBe('IN: ');
  });

  it('int and cpu show interrupts, and registers before each block', async () => {
    const log = folder.file('log');
    await run('-bios', firmware(1), '-d', 'int,cpu,exec', '-D', log);
    const text = readFileSync(log, 'utf8');
    expect(text).toMatch(/^ {5}0: v=20 e=0000 i=1 cpl=0 IP=f000:000000000000000d pc=00000000000f000d SP=0000:/m);
    const blocks = text.split(/^(?=Trace 0: )/m);
    expect(blocks.map((block) => /EIP=(\w+)/.exec(block)?.[1])).toEqual(['0000fff0', '00000000', '00000030', '0000000d']);
    expect(blocks[2]).toContain('EBX=00000001');
    expect(text).not.toContain('FCW=');
  });

  it('-singlestep shows them before each instruction; fpu adds its registers', async () => {
    const log = folder.file('log');
    await run('-bios', firmware(1), '-d', 'cpu,fpu', '-singlestep', '-D', log);
    const places = [...readFileSync(log, 'utf8').matchAll(/EIP=0000(\w+)[\s\S]*?FCW=/g)].map(([, place]) => place);
    expect(places).toEqual(['fff0', '0000', '0006', '000a', '000b', '0030', '0031', '000d', '000e', '0010']);
  });

  it('lists its items, and refuses others', async () => {
    expect((await run('-d', 'help')).out).toMatch(/^in_asm +guest code/m);
    const { code, errors } = await run('-d', 'in_asm,page');
    expect(code).not.toBe(0);
    expect(errors).toContain("-d in_asm,page: unknown item 'page'");
    expect((await run('-bios', firmware(1), '-d', 'cpu', '-D', folder.file('no/where'))).errors).toMatch(/-D .*cannot write it/);
  });
});

describe('-trace-record and -trace-compare', () => {
  it('find the first difference, and none in the same run', async () => {
    const trace = folder.file('trace');
    expect((await run('-bios', firmware(1), '-trace-record', trace)).code).toBe(3);
    const same = await run('-bios', firmware(1), '-trace-compare', trace);
    expect([same.code, same.errors]).toEqual([3, '']);

    const other = await run('-bios', firmware(2), '-trace-compare', trace);
    expect(other.code).toBe(1);
    expect(other.errors).toContain('the trace differs before instruction 10: rax');
    expect(other.errors).toMatch(/=> 0x000f0010: {2}e6 f4 +out {4}0xf4,al/);
    expect(other.errors).toMatch(/^\* rax +0000000000000002 {2}0000000000000001$/m);
  });

  it('a trace that ends first is no difference; a damaged one is an error', async () => {
    const trace = folder.file('trace');
    await run('-bios', firmware(1), '-trace-record', trace);
    const bytes = readFileSync(trace);
    // the last record: RIP and RAX changed
    writeFileSync(trace, bytes.subarray(0, bytes.length - 11));
    const shorter = await run('-bios', firmware(1), '-trace-compare', trace);
    expect([shorter.code, shorter.errors]).toEqual([0, `-trace-compare ${trace}: 9 instructions, all the same\n`]);

    appendFileSync(trace, Uint8Array.of(5, 0x7f));
    expect((await run('-bios', firmware(1), '-trace-compare', trace)).errors).toMatch(/trace damaged at offset \d+/);
    writeFileSync(trace, 'no trace');
    expect((await run('-bios', firmware(1), '-trace-compare', trace)).errors).toMatch(/not a trace/);
  });
});

describe('the monitor', () => {
  it('disassembles: x /i and xp /i, at an address or a register', async () => {
    const machine = folder.run(...'-M isapc -cpu 486 -m 1 -nodefaults -display none -S'.split(' '), '-bios', firmware(1));
    expect(await machine.monitor('x /2i 0xf000a')).toBe(
      ['0x000f000a:  43                       inc    bx', '0x000f000b:  cd 20                    int    0x20'].join('\n'),
    );
    expect(await machine.monitor('xp /1i 0xfffffff0')).toBe('0xfffffff0:  ea 00 00 00 f0           jmp    0xf000:0x0');
    expect(await machine.monitor('x /1i $pc')).toMatch(/^0xfffffff0: .*jmp/);
    expect(await machine.monitor('x /1xh $eip-0xfff0')).toMatch(/^00000000: 0x/);
    await machine.stop();
  });
});
