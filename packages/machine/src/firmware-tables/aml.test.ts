import { describe, expect, it } from 'vitest';
import {
  buffer,
  define,
  device,
  eisaId,
  field,
  integer,
  method,
  mutex,
  name,
  packageLength,
  packageOf,
  region,
  scope,
  text,
} from './aml.js';
import { dma, irq, memory32, ports, resources, sharedInterrupts, window } from './aml-resources.js';
import {
  and,
  arg,
  breaks,
  call,
  createDwordField,
  equal,
  findSetRightBit,
  lNot,
  local,
  locked,
  notify,
  otherwise,
  returns,
  shiftLeft,
  store,
  when,
  whilst,
} from './aml-statements.js';

const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
const ascii = (value: string): string => hex(new TextEncoder().encode(value));

describe('package length', () => {
  it.each([
    [0, '01'],
    [0x3e, '3f'],
    [0x3f, '41 04'],
    [0xffd, '4f ff'],
    [0xffe, '81 00 01'],
    [0xffffc, '8f ff ff'],
    [0xffffd, 'c1 00 00 01'],
  ])('of %i bytes', (contents, expected) => {
    expect(hex(packageLength(contents))).toBe(expected);
  });

  it('ends at 28 bits', () => {
    expect(hex(packageLength(0xfff_fffb))).toBe('cf ff ff ff');
    expect(() => packageLength(0xfff_fffc)).toThrow(RangeError);
  });
});

describe('names', () => {
  it.each([
    ['', '00'],
    ['\\', '5c 00'],
    ['_STA', ascii('_STA')],
    ['ISA', ascii('ISA_')],
    ['\\_SB', `5c ${ascii('_SB_')}`],
    ['^^LNKA', `5e 5e ${ascii('LNKA')}`],
    ['\\_SB.PCI0', `5c 2e ${ascii('_SB_PCI0')}`],
    ['A.B.C', `2f 03 ${ascii('A___B___C___')}`],
  ])('%s', (path, expected) => {
    expect(hex(name(path))).toBe(expected);
  });

  it.each(['TOOLONG', 'low', '1ABC', 'A..B', '.A', 'A B'])('%s is none', (path) => {
    expect(() => name(path)).toThrow(RangeError);
  });
});

describe('data', () => {
  it.each([
    [0, '00'],
    [1, '01'],
    [2, '0a 02'],
    [0xff, '0a ff'],
    [0x100, '0b 00 01'],
    [0xffff, '0b ff ff'],
    [0x1_0000, '0c 00 00 01 00'],
    [0xffff_ffff, '0c ff ff ff ff'],
    [0x1_0000_0000n, '0e 00 00 00 00 01 00 00 00'],
  ])('integer %s', (value, expected) => {
    expect(hex(integer(value))).toBe(expected);
  });

  it('negative or longer integers are refused', () => {
    expect(() => integer(-1)).toThrow(RangeError);
    expect(() => integer(1n << 64n)).toThrow(RangeError);
  });

  it('strings end with zero and are ASCII', () => {
    expect(hex(text('AB'))).toBe('0d 41 42 00');
    expect(() => text('ä')).toThrow(RangeError);
  });

  it('EISA ids as the specification shows them', () => {
    expect(hex(eisaId('PNP0A03'))).toBe('0c 41 d0 0a 03');
    expect(hex(eisaId('PNP0C0F'))).toBe('0c 41 d0 0c 0f');
    expect(() => eisaId('ACPI0007')).toThrow(RangeError);
  });

  it('buffers and packages', () => {
    expect(hex(buffer(Uint8Array.of(7, 8)))).toBe('11 05 0a 02 07 08');
    expect(hex(packageOf([integer(5), name('LNKA')]))).toBe(`12 08 02 0a 05 ${ascii('LNKA')}`);
  });
});

describe('named objects', () => {
  it('names, scopes, devices', () => {
    expect(hex(define('_UID', integer(3)))).toBe(`08 ${ascii('_UID')} 0a 03`);
    expect(hex(scope('\\_SB', device('DEV0')))).toBe(`10 0d 5c ${ascii('_SB_')} 5b 82 05 ${ascii('DEV0')}`);
  });

  it('methods', () => {
    expect(hex(method('MTH0', { args: 2, serialized: true }, returns(arg(1))))).toBe(`14 08 ${ascii('MTH0')} 0a a4 69`);
    expect(() => method('MTH0', { args: 8 })).toThrow(RangeError);
  });

  it('regions and fields', () => {
    expect(hex(region('REG0', 'io', 0xae00, 0x18))).toBe(`5b 80 ${ascii('REG0')} 01 0b 00 ae 0a 18`);
    expect(hex(region('REG0', 'pci-config', 0x60, 4))).toBe(`5b 80 ${ascii('REG0')} 02 0a 60 0a 04`);
    expect(hex(field('REG0', { access: 8, update: 'write-as-zeros' }, ['F001', 1], [null, 7], ['F064', 64]))).toBe(
      `5b 81 13 ${ascii('REG0')} 41 ${ascii('F001')} 01 00 07 ${ascii('F064')} 40 04`,
    );
    expect(hex(mutex('MUT0'))).toBe(`5b 01 ${ascii('MUT0')} 00`);
  });
});

describe('statements', () => {
  it('expressions have a target, which may be nothing', () => {
    expect(hex(and(arg(0), integer(0x80)))).toBe('7b 68 0a 80 00');
    expect(hex(shiftLeft(integer(1), local(0), local(7)))).toBe('79 01 60 67');
    expect(hex(findSetRightBit(local(0), local(1)))).toBe('82 60 61');
    expect(() => local(8)).toThrow(RangeError);
    expect(() => arg(7)).toThrow(RangeError);
  });

  it('conditions and loops', () => {
    expect(hex(when(equal(local(0), integer(1)), breaks()))).toBe('a0 05 93 60 01 a5');
    expect(hex(otherwise(store(integer(0), local(0))))).toBe('a1 04 70 00 60');
    expect(hex(whilst(lNot(local(0))))).toBe('a2 03 92 60');
  });

  it('calls, notifications, fields of buffers', () => {
    expect(hex(call('MTH0', local(0)))).toBe(`${ascii('MTH0')} 60`);
    expect(hex(notify('S18', integer(1)))).toBe(`86 ${ascii('S18_')} 01`);
    expect(hex(createDwordField(arg(0), 5, 'NIRQ'))).toBe(`8a 68 0a 05 ${ascii('NIRQ')}`);
  });

  it('a mutex is taken without end of patience, and given back', () => {
    expect(hex(locked('MUT0', breaks()))).toBe(`5b 23 ${ascii('MUT0')} ff ff a5 5b 27 ${ascii('MUT0')}`);
  });
});

describe('resources', () => {
  it('small ones', () => {
    expect(hex(irq(12))).toBe('22 00 10');
    expect(hex(dma(2))).toBe('2a 04 00');
    expect(hex(ports(0x3f8, 8))).toBe('47 01 f8 03 f8 03 01 08');
  });

  it('large ones', () => {
    expect(hex(memory32(0xfed0_0000, 0x400))).toBe('86 09 00 01 00 00 d0 fe 00 04 00 00');
    expect(hex(sharedInterrupts(5, 10))).toBe('89 0a 00 09 02 05 00 00 00 0a 00 00 00');
    expect(hex(window('bus', 2, 0, 0xff))).toBe('88 0d 00 02 0c 00 00 00 00 00 ff 00 00 00 00 01');
    expect(hex(window('memory', 4, 0xa0000, 0xbffff))).toBe(
      '87 17 00 00 0c 01 00 00 00 00 00 00 0a 00 ff ff 0b 00 00 00 00 00 00 00 02 00',
    );
    expect(hex(window('memory', 8, 0x1_0000_0000, 0x1_ffff_ffff)).slice(0, 17)).toBe('8a 2b 00 00 0c 01');
    expect(() => window('io', 2, 5, 4)).toThrow(RangeError);
    expect(() => window('io', 2, 0, 0xffff)).toThrow(RangeError);
  });

  it('a template ends with its tag', () => {
    expect(hex(resources(irq(1)))).toBe('11 08 0a 05 22 02 00 79 00');
  });
});
