import { checkGolden, loadSection, propertiesOfMachine, realize, saveBench } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { golden } from '../../test/recorded.js';
import { compat } from '../compat.js';
import { type FwCfgProperties, type FwCfgService, fwCfg } from './fw-cfg.js';

type Bench = ReturnType<typeof realize>;

const text = (bytes: ArrayLike<number>) => String.fromCharCode(...Array.from(bytes));
const bytesOf = (characters: string) => Uint8Array.from(characters, (c) => c.charCodeAt(0));

function filled(properties: Partial<FwCfgProperties> = {}): Bench & { fw: FwCfgService } {
  const bench = realize(fwCfg, { properties });
  const fw = bench.device.services as FwCfgService;
  fw.addBytes(0x03, Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0));
  fw.addFile('etc/zeta', bytesOf('last'));
  fw.addFile('etc/alpha', bytesOf('first file'));
  return Object.assign(bench, { fw });
}

function readItem({ context }: Bench, key: number, length: number): number[] {
  context.outw(0x510, key);
  return Array.from({ length }, () => context.inb(0x511));
}

/** Puts an access structure at 0x1000 and starts it; answers its control word afterwards. */
function dma({ context }: Bench, control: number, length: number, address: number): number {
  const view = new DataView(context.memory.bytes.buffer, context.memory.bytes.byteOffset);
  view.setUint32(0x1000, control);
  view.setUint32(0x1004, length);
  view.setBigUint64(0x1008, BigInt(address));
  context.outl(0x514, 0);
  context.outl(0x518, 0x0010_0000); // 0x1000, big-endian
  return view.getUint32(0x1000);
}

describe('fw_cfg by ports', () => {
  it('shows its signature after reset and its features', () => {
    const bench = filled();
    expect(text([bench.context.inb(0x511), bench.context.inb(0x511), bench.context.inb(0x511), bench.context.inb(0x511)])).toBe(
      'QEMU',
    );
    expect(bench.context.inb(0x511)).toBe(0);
    expect(readItem(bench, 1, 4)).toEqual([3, 0, 0, 0]);
    expect(readItem(filled({ dmaEnabled: false }), 1, 4)).toEqual([1, 0, 0, 0]);
  });

  it('lists files by name, with keys in that order', () => {
    const bench = filled();
    const directory = readItem(bench, 0x19, 4 + 2 * 64);
    expect(directory.slice(0, 12)).toEqual([0, 0, 0, 2, 0, 0, 0, 10, 0, 0x20, 0, 0]);
    expect(text(directory.slice(12, 22))).toBe('etc/alpha\0');
    expect(directory.slice(68, 76)).toEqual([0, 0, 0, 4, 0, 0x21, 0, 0]);
    expect(text(readItem(bench, 0x21, 5))).toBe('last\0');
  });

  it('lists files as QEMU did on machines up to 2.5', () => {
    const bench = realize(fwCfg, { properties: propertiesOfMachine(fwCfg, compat, '2.5') });
    const fw = bench.device.services as FwCfgService;
    // What `pc-i440fx-2.5 -device vmcoreinfo -device pvpanic -device vmgenid` has, in another order.
    const expected = [
      ...['etc/boot-fail-wait', 'etc/smbios/smbios-tables', 'etc/smbios/smbios-anchor', 'etc/e820', 'genroms/kvmvapic.bin'],
      ...['etc/system-states', 'opt/aa', 'etc/vmcoreinfo', 'etc/pvpanic-port', 'etc/acpi/tables', 'etc/table-loader'],
      ...['etc/tpm/log', 'etc/acpi/rsdp', 'bootorder', 'etc/vmgenid_guid', 'etc/vmgenid_addr'],
    ];
    for (const name of ['etc/vmgenid_guid', 'etc/vmgenid_addr', 'etc/vmcoreinfo', 'etc/pvpanic-port'])
      fw.addFile(name, new Uint8Array());
    for (const name of expected) if (!/vmgenid|vmcore|pvpanic/.test(name)) fw.addFile(name, new Uint8Array());
    const directory = readItem(bench, 0x19, 4 + 16 * 64);
    const names = expected.map((_, i) => text(directory.slice(4 + 64 * i + 8, 4 + 64 * (i + 1))).replaceAll('\0', ''));
    expect(names).toEqual(expected);
  });

  it('answers zeros for keys that are not there', () => {
    const bench = filled();
    expect(readItem(bench, 0x0c, 2)).toEqual([0, 0]);
    expect(readItem(bench, 0x3fff, 2)).toEqual([0, 0]);
    expect(readItem(bench, 0xffff, 2)).toEqual([0, 0]);
  });

  it('ignores the old write channel’s bit', () => {
    expect(readItem(filled(), 0x4003, 4)).toEqual([0, 0, 0, 4]);
  });

  it('answers bytes at both ports and takes keys as words only, as QEMU does', () => {
    const { context } = filled();
    expect([context.inb(0x510), context.inw(0x510), context.inb(0x511)]).toEqual([0x51, 0, 0x45]);
    context.outb(0x510, 1);
    context.outb(0x511, 1);
    expect(context.log.guestErrors).toHaveLength(2);
    expect(context.inb(0x511)).toBe(0x4d);
  });

  it('serves contents that lie elsewhere, as they are when read', () => {
    const bench = filled();
    const block = Uint8Array.of(1, 2, 3, 4, 5);
    bench.fw.addFile('etc/block', {
      length: 5,
      read: (offset, target) => target.set(block.subarray(offset, offset + target.length)),
    });
    block[1] = 9;
    expect(readItem(bench, 0x21, 6)).toEqual([1, 9, 3, 4, 5, 0]);
    bench.fw.modifyFile('etc/block', Uint8Array.of(7));
    expect(readItem(bench, 0x21, 2)).toEqual([7, 0]);
    expect(readItem(bench, 0x19, 4 + 2 * 64).slice(68, 72)).toEqual([0, 0, 0, 1]);
  });
});

describe('fw_cfg by DMA', () => {
  it('is found by its signature', () => {
    const { context } = filled();
    expect([context.inl(0x514), context.inl(0x518)]).toEqual([0x554d4551, 0x47464320]);
    expect(filled({ dmaEnabled: false }).context.inl(0x514)).toBe(0xffffffff);
  });

  it('selects and reads, padding with zeros', () => {
    const bench = filled();
    bench.context.memory.bytes.fill(0xee, 0x2000, 0x2010);
    expect(dma(bench, (0x20 << 16) | 0x08 | 0x02, 12, 0x2000)).toBe(0);
    expect(text(bench.context.memory.bytes.subarray(0x2000, 0x200d))).toBe('first file\0\0\xee');
  });

  it('skips, then reads on', () => {
    const bench = filled();
    dma(bench, (0x20 << 16) | 0x08 | 0x04, 6, 0);
    dma(bench, 0x02, 4, 0x2000);
    expect(text(bench.context.memory.bytes.subarray(0x2000, 0x2004))).toBe('file');
  });

  it('writes only what allows it', () => {
    const bench = filled();
    const seen: number[] = [];
    bench.fw.addFile('etc/writable', new Uint8Array(4), { written: (_, offset, length) => seen.push(offset, length) });
    bench.context.memory.bytes.set([1, 2, 3, 4], 0x2000);
    expect(dma(bench, (0x21 << 16) | 0x08 | 0x10, 4, 0x2000)).toBe(0);
    expect(seen).toEqual([0, 4]);
    expect(readItem(bench, 0x21, 4)).toEqual([1, 2, 3, 4]);
    expect(dma(bench, (0x20 << 16) | 0x08 | 0x10, 4, 0x2000)).toBe(1);
    expect(bench.context.inb(0x511)).toBe('t'.charCodeAt(0)); // it was skipped
    expect(dma(bench, (0x21 << 16) | 0x08 | 0x10, 5, 0x2000)).toBe(1);
  });

  it('goes on in another machine when its memory had not arrived', () => {
    const bench = filled();
    bench.context.memory.withhold();
    dma(bench, (0x20 << 16) | 0x08 | 0x02, 10, 0x2000);
    const saved = saveBench(bench);
    expect(text(saved.memory.subarray(0x2000, 0x2005))).toBe('\0\0\0\0\0');
    const second = realize(fwCfg);
    (second.device.services as FwCfgService).addFile('etc/alpha', bytesOf('first file'));
    second.context.memory.bytes.set(saved.memory);
    loadSection(second.device.sections[0]!, saved.sections[0]!.bytes);
    second.device.resume!();
    expect(text(second.context.memory.bytes.subarray(0x2000, 0x200a))).toBe('first file');
  });

  it('reports an address beyond the space', () => {
    const bench = filled();
    const view = new DataView(bench.context.memory.bytes.buffer, bench.context.memory.bytes.byteOffset);
    view.setBigUint64(0x1008, 1n << 60n);
    view.setUint32(0x1000, 0x02);
    view.setUint32(0x1004, 4);
    bench.context.outl(0x518, 0x0010_0000);
    expect(view.getUint32(0x1000)).toBe(1);
  });
});

describe('fw_cfg for the machine', () => {
  it('refuses what cannot be', () => {
    const { fw } = filled({ fileSlots: 2 });
    expect(() => fw.addFile('etc/third', new Uint8Array())).toThrow("no slot for file 'etc/third'; x-file-slots is 2");
    expect(() => fw.addFile('etc/alpha', new Uint8Array())).toThrow('exists');
    expect(() => fw.addFile('n'.repeat(56), new Uint8Array())).toThrow('56 characters');
    expect(() => fw.addBytes(0x03, new Uint8Array())).toThrow('taken');
    expect(() => fw.addBytes(0x22, new Uint8Array())).toThrow('out of range');
    expect(() => fw.modifyFile('nope', new Uint8Array())).toThrow("no file 'nope'");
  });
});

describe('machine 2.4', () => {
  it.each(golden('fw_cfg').filter(({ origin }) => origin.includes('-2.4-')))(
    'has the section without subsections: $origin',
    (section) => {
      checkGolden(fwCfg, { properties: propertiesOfMachine(fwCfg, compat, '2.4') }, section);
    },
  );
});

describeConformance(fwCfg, {
  sections: [{ name: 'fw_cfg', version: 2, size: 30 }],
  ports: [[0x510, 12]],
  keptOnReset: ['fw_cfg.tableMrSize', 'fw_cfg.linkerMrSize', 'fw_cfg.rsdpMrSize'],
  golden: golden('fw_cfg').filter(({ origin }) => !origin.includes('-2.4-')),
  script: [
    ({ context }) => context.outw(0x510, 0x01),
    ({ context }) => context.inb(0x511),
    ({ context }) => context.inb(0x511),
    ({ context }) => void context.memory.read(0x1000, new Uint8Array(1)),
    ({ context }) => context.memory.write(0x1000, Uint8Array.of(0, 1, 0, 0x0a, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0x20, 0)),
    ({ context }) => context.outl(0x514, 0),
    ({ context }) => context.outl(0x518, 0x0010_0000),
    ({ context }) => context.readl(0x2000),
  ],
});
