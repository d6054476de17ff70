import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cpuWasmUrl } from '../wasm-url.js';
import { type CodeBits, Disassembler, instructionText } from './disassembler.js';

const disassembler = new Disassembler(new WebAssembly.Module(readFileSync(cpuWasmUrl)));
const text = (hex: string, bits: CodeBits, address = 0x1000n): string =>
  instructionText(disassembler.one(Uint8Array.from(Buffer.from(hex, 'hex')), address, bits)).replace(/ +/g, ' ');

/** Everything else is compared with objdump: test/interop/decoder.test.ts. */
describe('the disassembler', () => {
  it.each<[CodeBits, string, string]>([
    [16, 'b80d00', 'mov ax,0xd'],
    [16, '668b4402', 'mov eax,DWORD PTR [si+0x2]'],
    [16, 'ea5be000f0', 'jmp 0xf000:0xe05b'],
    [16, '9b', 'fwait'],
    [32, '8b04cb', 'mov eax,DWORD PTR [ebx+ecx*8]'],
    [32, '648b0d00000000', 'mov ecx,DWORD PTR fs:0x0'],
    [32, 'f3a4', 'rep movs BYTE PTR es:[edi],BYTE PTR ds:[esi]'],
    [32, 'f0830001', 'lock add DWORD PTR [eax],0x1'],
    [32, 'ebfe', 'jmp 0x1000'],
    [32, 'dcc1', 'fadd st(1),st'],
    [64, '4889e5', 'mov rbp,rsp'],
    [64, '8b05f0ffffff', 'mov eax,DWORD PTR [rip+0xfffffffffffffff0] # 0xff6'],
    [64, '48b8887766554433ff00', 'movabs rax,0xff334455667788'],
    [64, '660f6fc1', 'movdqa xmm0,xmm1'],
    [64, 'c4e270f2c1', 'andn eax,ecx,ecx'],
    [64, 'f390', 'pause'],
    [64, '0f01f8', 'swapgs'],
    [64, '06', '(bad)'],
    [64, '48', '(bad)'],
    [32, '0f05', 'syscall'],
    [32, '666666666666666666666666666666', '(bad)'],
  ])('%i bit, %s: %s', (bits, hex, expected) => {
    expect(text(hex, bits)).toBe(expected);
  });

  it('goes through code until its bytes end', () => {
    const code = Uint8Array.of(0x90, 0xc3, 0xb8);
    const list = [...disassembler.all(code, 0x10n, 32)];
    expect(list.map(({ address, mnemonic, endsBlock }) => [address, mnemonic, endsBlock])).toEqual([
      [0x10n, 'nop', false],
      [0x11n, 'ret', true],
      [0x12n, '(bad)', true],
    ]);
  });
});
