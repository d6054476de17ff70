import { deflateSync, inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FakeBlock, FakeMachine, FakeTime, PAGE } from '../test/fake-machine.js';
import {
  bytesChannel,
  collectingChannel,
  convertToQemu,
  type IncomingOptions,
  incoming,
  parseStream,
  RamReader,
  type RamReaderOptions,
  type RamRecord,
  StreamEncoder,
  StreamError,
  type StreamEvent,
  StreamReader,
} from './index.js';

const hex = (text: string) =>
  Uint8Array.from(text.replaceAll(/\s/g, '').match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
const ascii = (text: string) => Buffer.from(text, 'latin1').toString('hex');
const u64 = (value: number | bigint) => value.toString(16).padStart(16, '0');
const ONE_BLOCK = `${u64(0x10000 | 4)} 06${ascii('pc.ram')} ${u64(0x10000)}`;
const EOS = u64(0x10);

/** Records as plain data; views are copied. */
async function records(text: string, options: Partial<RamReaderOptions> = {}): Promise<RamRecord[]> {
  const found: RamRecord[] = [];
  const reader = new RamReader(new StreamReader(bytesChannel(hex(text), 1000)), options);
  await reader.readSection((record) => {
    const copy: Record<string, unknown> = { ...record };
    for (const key of ['bytes', 'delta', 'data'])
      if (copy[key] instanceof Uint8Array) copy[key] = (copy[key] as Uint8Array).slice();
    found.push(copy as unknown as RamRecord);
  });
  return found;
}

describe('RAM records', () => {
  it('reads the start that QEMU was recorded with', async () => {
    const list = await records(`
      ${u64(0x882004)}
      06 ${ascii('pc.ram')} ${u64(0x800000)}  14 ${ascii('/rom@etc/acpi/tables')} ${u64(0x20000)}  07 ${ascii('pc.bios')} ${u64(0x40000)}
      06 ${ascii('pc.rom')} ${u64(0x20000)}  15 ${ascii('/rom@etc/table-loader')} ${u64(0x1000)}  12 ${ascii('/rom@etc/acpi/rsdp')} ${u64(0x1000)}
      ${EOS}`);
    expect(list[0]).toEqual({ kind: 'ram-total', total: 0x882000 });
    expect(
      list.slice(1, -1).map((record) => record.kind === 'ram-block' && [record.block.name, record.block.usedLength]),
    ).toEqual([
      ['pc.ram', 0x800000],
      ['/rom@etc/acpi/tables', 0x20000],
      ['pc.bios', 0x40000],
      ['pc.rom', 0x20000],
      ['/rom@etc/table-loader', 0x1000],
      ['/rom@etc/acpi/rsdp', 0x1000],
    ]);
    expect(list.at(-1)).toEqual({ kind: 'ram-eos' });
  });

  it('reads pages of every kind, named and continued', async () => {
    const page = '5a'.repeat(PAGE);
    const list = await records(`${ONE_BLOCK}
      ${u64(0x0002)} 06${ascii('pc.ram')} 00
      ${u64(0x1022)} 07
      ${u64(0x2028)} ${page}
      ${u64(0x3060)} 01 0008 10 01 bc ef 03 02 bc aa
      ${u64(0x4120)} 00000003 789c03
      ${u64(0x200)}
      ${EOS}`);
    const block = { name: 'pc.ram', usedLength: 0x10000 };
    expect(list.slice(2)).toEqual([
      { kind: 'ram-zero', block, offset: 0, continued: false, byte: 0 },
      { kind: 'ram-zero', block, offset: 0x1000, continued: true, byte: 7 },
      { kind: 'ram-page', block, offset: 0x2000, continued: true, bytes: hex(page) },
      { kind: 'ram-xbzrle', block, offset: 0x3000, continued: true, delta: hex('1001bcef0302bcaa') },
      { kind: 'ram-compressed', block, offset: 0x4000, continued: true, data: hex('789c03') },
      { kind: 'ram-multifd-flush' },
      { kind: 'ram-eos' },
    ]);
  });

  it('carries the last block over the end of a section', async () => {
    const found: RamRecord[] = [];
    const reader = new RamReader(
      new StreamReader(bytesChannel(hex(`${ONE_BLOCK} ${u64(2)} 06${ascii('pc.ram')} 00 ${EOS} ${u64(0x1022)} 00 ${EOS}`))),
    );
    await reader.readSection(() => {});
    await reader.readSection((record) => void found.push(record));
    expect(found[0]).toMatchObject({ kind: 'ram-zero', offset: 0x1000, block: { name: 'pc.ram' } });
  });

  it('reads addresses with x-ignore-shared, and page sizes with postcopy of large pages', async () => {
    const [, shared] = await records(`${ONE_BLOCK} ${u64(0xfffc0000n)} ${EOS}`, { ignoreShared: true });
    expect(shared).toMatchObject({ block: { name: 'pc.ram', address: 0xfffc0000n } });
    const large = `${u64(0x204000 | 4)} 04${ascii('huge')} ${u64(0x200000)} ${u64(0x200000)} 05${ascii('small')} ${u64(0x4000)} ${EOS}`;
    const list = await records(large, { postcopyPageSizes: 0x201000n });
    expect(list.slice(1, 3)).toMatchObject([
      { block: { name: 'huge', pageSize: 0x200000n } },
      { block: { name: 'small', usedLength: 0x4000 } },
    ]);
    expect((list[2] as { block: object }).block).not.toHaveProperty('pageSize');
  });

  it.each([
    ['a continued page first', `${ONE_BLOCK} ${u64(0x22)} 00`, 'ram-no-block', 32],
    ['a block that was not announced', `${ONE_BLOCK} ${u64(2)} 02 ${ascii('xy')} 00`, 'ram-unknown-block', 23],
    ['an offset behind the block', `${ONE_BLOCK} ${u64(0x10002)} 06${ascii('pc.ram')} 00`, 'ram-address', 23],
    ['an enormous offset', `${ONE_BLOCK} ${u64(0xfffffffffffff002n)} 06${ascii('pc.ram')} 00`, 'ram-address', 23],
    ['no kind at all', `${ONE_BLOCK} ${u64(0x20)}`, 'ram-flags', 23],
    ['two kinds', `${ONE_BLOCK} ${u64(0x0a)}`, 'ram-flags', 23],
    ['the obsolete flag FULL', `${ONE_BLOCK} ${u64(1)}`, 'ram-flags', 23],
    ['flag 0x400', `${ONE_BLOCK} ${u64(0x400)}`, 'ram-flags', 23],
    ['another XBZRLE encoding', `${ONE_BLOCK} ${u64(0x40)} 06${ascii('pc.ram')} 02 0001 00`, 'ram-xbzrle', 23],
    ['an XBZRLE delta longer than a page', `${ONE_BLOCK} ${u64(0x40)} 06${ascii('pc.ram')} 01 1001`, 'ram-xbzrle', 23],
    ['a compressed page of 4 GiB', `${ONE_BLOCK} ${u64(0x100)} 06${ascii('pc.ram')} ffffffff`, 'ram-compressed', 23],
    ['blocks that are more than the total', `${u64(0x1004)} 06${ascii('pc.ram')} ${u64(0x2000)}`, 'ram-total', 0],
    ['a block of half a page', `${u64(0x1004)} 06${ascii('pc.ram')} ${u64(0x800)}`, 'ram-block-size', 8],
    ['a block of 2^60 bytes', `${u64(0x1004)} 06${ascii('pc.ram')} ${u64(2n ** 60n)}`, 'ram-block-size', 8],
    ['an end inside a record', `${ONE_BLOCK} 0000`, 'truncated', 25],
  ])('refuses %s', async (_, text, code, offset) => {
    const error = await records(text).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StreamError);
    expect(error).toMatchObject({ code });
    if (code !== 'ram-no-block') expect((error as StreamError).offset).toBe(offset);
  });
});

/** A whole stream with given RAM records in a PART, written by the encoder. */
async function streamWith(
  pages: readonly RamRecord[],
  capabilities: readonly string[] = [],
  block = { name: 'pc.ram', usedLength: 4 * PAGE },
): Promise<Uint8Array> {
  const section = { kind: 'section', sectionId: 2, idstr: 'ram', instance: 0, version: 4, offset: -1 } as const;
  const end = { kind: 'section-end', length: -1, footer: true, sectionId: 2 } as const;
  const subsections = capabilities.length > 0 ? [{ name: 'configuration/capabilities' as const, version: 1, capabilities }] : [];
  const events: StreamEvent[] = [
    { kind: 'header', version: 3 },
    { kind: 'configuration', configuration: { machine: 'pc-i440fx-7.2', subsections }, offset: -1, length: -1 },
    { ...section, type: 'START' },
    { kind: 'ram-total', total: block.usedLength },
    { kind: 'ram-block', block, streamOffset: -1 },
    ...(capabilities.includes('mapped-ram') ? pages : []),
    { kind: 'ram-eos' },
    end,
    { ...section, type: 'PART' },
    ...(capabilities.includes('mapped-ram') ? [] : pages),
    { kind: 'ram-eos' },
    end,
    { kind: 'eof', offset: -1 },
  ];
  const file = collectingChannel();
  const encoder = new StreamEncoder(file);
  for (const event of events) await encoder.write(event);
  await encoder.end();
  return file.bytes();
}

const machine = () => {
  const target = new FakeMachine({ blocks: [new FakeBlock('pc.ram', 4)], sections: [] });
  return target;
};

async function loaded(bytes: Uint8Array, options: Partial<IncomingOptions> = {}): Promise<FakeMachine> {
  const target = machine();
  await incoming(target, bytesChannel(bytes), { timer: new FakeTime(), ...options });
  return target;
}

describe('loading pages', () => {
  const block = { name: 'pc.ram', usedLength: 4 * PAGE };
  const content = Uint8Array.from({ length: PAGE }, (_, i) => (i * 7) & 0xff);

  it('fills with any byte, writes, and applies differences to what is there', async () => {
    const bytes = await streamWith([
      { kind: 'ram-zero', block, offset: 0, continued: false, byte: 9 },
      { kind: 'ram-page', block, offset: PAGE, continued: true, bytes: content },
      { kind: 'ram-xbzrle', block, offset: PAGE, continued: true, delta: hex('1001bc') },
    ]);
    const { ram } = await loaded(bytes);
    expect(ram.pageIs(0, 9)).toBe(true);
    const changed = content.slice();
    changed[0x10] = 0xbc;
    expect(ram.page(PAGE)).toEqual(changed);
  });

  it('unpacks compressed pages if it is given the means', async () => {
    const bytes = await streamWith([{ kind: 'ram-compressed', block, offset: 0, continued: false, data: deflateSync(content) }]);
    const inflate = (data: Uint8Array, maxLength: number) => inflateSync(data, { maxOutputLength: maxLength });
    expect((await loaded(bytes, { inflate })).ram.page(0)).toEqual(content);
    await expect(loaded(bytes)).rejects.toMatchObject({ code: 'ram-compressed', path: 'pc.ram+0x0' });
  });

  it.each([
    ['no zlib stream', hex('00112233')],
    ['half a page', deflateSync(new Uint8Array(PAGE / 2))],
    ['two pages (a bomb)', deflateSync(new Uint8Array(2 * PAGE))],
  ])('refuses a compressed page that is %s', async (_, data) => {
    const bytes = await streamWith([{ kind: 'ram-compressed', block, offset: 0, continued: false, data }]);
    const inflate = (packed: Uint8Array, maxLength: number) => inflateSync(packed, { maxOutputLength: maxLength });
    await expect(loaded(bytes, { inflate })).rejects.toMatchObject({
      code: 'ram-compressed',
      section: 'ram',
      path: 'pc.ram+0x0',
    });
  });

  it('names the byte of a broken difference', async () => {
    const bytes = await streamWith([{ kind: 'ram-xbzrle', block, offset: PAGE, continued: false, delta: hex('1000') }]);
    const delta = Buffer.from(bytes).indexOf('010002' + '1000', 'hex') + 3;
    await expect(loaded(bytes)).rejects.toMatchObject({ code: 'ram-xbzrle', path: 'pc.ram+0x1000', offset: delta + 1 });
  });
});

describe('mapped-ram files', () => {
  const content = new Uint8Array(PAGE).fill(0x5a);
  const bitmapOffset = 8 + 5 + 13 + (2 + 26 + 4 + 4 + 11) + 18 + 8 + 7 + 8 + 28;
  const block = {
    name: 'pc.ram',
    usedLength: 4 * PAGE,
    mapped: { version: 1, pageSize: PAGE, bitmapOffset, pagesOffset: 1 << 20, bitmap: hex('0500000000000000') },
  };
  const pages: RamRecord[] = [
    { kind: 'ram-mapped', block, offset: 0, bytes: content, stored: true },
    { kind: 'ram-mapped', block, offset: PAGE, bytes: new Uint8Array(PAGE).fill(0xee), stored: false },
    { kind: 'ram-mapped', block, offset: 2 * PAGE, bytes: content, stored: true },
  ];

  it('have their pages at fixed places, and load without the stale ones', async () => {
    const bytes = await streamWith(pages, ['mapped-ram'], block);
    expect(Buffer.from(bytes.subarray(1 << 20, (1 << 20) + 4)).toString('hex')).toBe('5a5a5a5a');
    const copy = collectingChannel();
    await convertToQemu(bytesChannel(bytes), copy);
    expect(Buffer.from(copy.bytes()).equals(bytes)).toBe(true);
    const { ram } = await loaded(bytes, { capabilities: ['mapped-ram'] });
    expect([0, 1, 2, 3].map((page) => ram.page(page * PAGE)[0])).toEqual([0x5a, 0, 0x5a, 0]);
  });

  it('need the capability at both ends', async () => {
    await expect(loaded(await streamWith(pages, ['mapped-ram'], block))).rejects.toMatchObject({
      code: 'capability-mismatch',
      expected: 'off',
      got: 'on',
    });
    const plain = await streamWith([]);
    await expect(loaded(plain, { capabilities: ['mapped-ram'] })).rejects.toMatchObject({
      code: 'capability-mismatch',
      expected: 'on',
      got: 'off',
    });
  });

  it('refuse offsets that lie', async () => {
    const bytes = Buffer.from(await streamWith(pages, ['mapped-ram'], block));
    bytes.writeBigUInt64BE(10n, bytes.indexOf(`06${ascii('pc.ram')}`, 'hex') + 7 + 8 + 20); // pages before the bitmap
    await expect(parseStream(bytesChannel(bytes), () => {})).rejects.toMatchObject({ code: 'ram-mapped' });
  });
});
