import { describe, expect, it } from 'vitest';
import { MemoryFile } from '../byte-file.js';
import { BlockError } from '../errors.js';
import { SECTOR } from '../image.js';
import { LoggedFile, MemoryHost, randomBytes, randomNumbers } from '../testing.js';
import { type CreateQcow2Options, createQcow2, type Qcow2Image } from './index.js';
import { HEADER } from './spec.js';
import { verifyQcow2 } from './testing.js';

const SIZE = 256 * 1024;

async function image(options: Partial<CreateQcow2Options> = {}, file = new MemoryFile(), name = 'disk.qcow2') {
  await createQcow2(file, { size: SIZE, ...options });
  const host = new MemoryHost().add(name, file);
  return { host, file, open: () => host.open(name, { format: 'qcow2' }) };
}

const SHAPES: readonly Partial<CreateQcow2Options>[] = [
  {},
  { version: 2 },
  { clusterBits: 9 },
  { clusterBits: 9, refcountOrder: 6 },
  { clusterBits: 12, refcountOrder: 0 },
  { clusterBits: 10, refcountOrder: 1 },
  { clusterBits: 10, refcountOrder: 3 },
  { clusterBits: 13, refcountOrder: 5 },
];

describe('qcow2', () => {
  it.each(SHAPES)('%o: keeps what is written, through flushes and reopening, and counts right', async (shape) => {
    const random = randomNumbers(1);
    const { open, file } = await image(shape);
    const model = new Uint8Array(SIZE);
    let disk = await open();
    for (let n = 0; n < 300; n++) {
      const sector = random(SIZE / SECTOR);
      const count = Math.min(1 + random(random(3) ? 8 : 100), SIZE / SECTOR - sector);
      const kind = random(20);
      if (kind === 0) await disk.flush();
      else if (kind === 1) {
        await disk.close();
        expect(await verifyQcow2(file)).toEqual({ errors: [], leaks: [] });
        disk = await open();
      } else if (kind < 12) {
        const bytes = randomBytes(random, count * SECTOR);
        await disk.write(sector, bytes);
        model.set(bytes, sector * SECTOR);
      } else {
        const bytes = new Uint8Array(count * SECTOR);
        await disk.read(sector, bytes);
        expect(Buffer.compare(bytes, model.subarray(sector * SECTOR, (sector + count) * SECTOR))).toBe(0);
      }
    }
  });

  it('reads its backing file where nothing was written, zeros behind its end', async () => {
    const base = new MemoryFile(randomBytes(randomNumbers(2), 10 * SECTOR));
    const { host, open } = await image({ backing: { name: 'base.raw', format: 'raw' }, clusterBits: 12 });
    host.add('base.raw', base);
    const disk = await open();
    await disk.write(3, new Uint8Array(SECTOR).fill(7));
    const all = new Uint8Array(20 * SECTOR);
    await disk.read(0, all);
    const expected = new Uint8Array(20 * SECTOR);
    expected.set(base.bytes);
    expected.fill(7, 3 * SECTOR, 4 * SECTOR);
    expect(all).toEqual(expected);
    expect(disk.details.backing?.name).toBe('memory');
  });

  it('a full disk of the host: the write fails, what was there stays, and it goes on when there is room', async () => {
    class Limited extends MemoryFile {
      room = Number.POSITIVE_INFINITY;
      override async write(offset: number, source: Uint8Array): Promise<void> {
        if (offset + source.length > this.room) throw new BlockError('no-space', 'disk full');
        await super.write(offset, source);
      }
    }
    const file = new Limited();
    const { open } = await image({ clusterBits: 10 }, file);
    const disk = await open();
    const random = randomNumbers(3);
    const model = new Uint8Array(SIZE);
    file.room = file.length + 40 * 1024;
    let failures = 0;
    for (let n = 0; n < 200; n++) {
      if (n === 150) file.room = Number.POSITIVE_INFINITY;
      const sector = random(SIZE / SECTOR);
      const bytes = randomBytes(random, SECTOR);
      try {
        await disk.write(sector, bytes);
        model.set(bytes, sector * SECTOR);
        if (n % 10 === 0) await disk.flush();
      } catch (error) {
        expect(error).toMatchObject({ name: 'BlockError', code: 'no-space' });
        failures++;
        // Whether a failed write took effect is open, and is asked.
        await disk.read(sector, model.subarray(sector * SECTOR, (sector + 1) * SECTOR));
      }
    }
    expect(failures).toBeGreaterThan(10);
    await disk.close();
    expect(await verifyQcow2(file)).toEqual({ errors: [], leaks: [] });
    const again = await open();
    const all = new Uint8Array(SIZE);
    await again.read(0, all);
    expect(Buffer.compare(all, model)).toBe(0);
  });
});

describe('a crash at any point', () => {
  it.each([{ clusterBits: 9 }, { clusterBits: 9, refcountOrder: 6 }, { clusterBits: 12, version: 2 as const }])(
    '%o leaves a good image with all that was flushed',
    async (shape) => {
      const file = new LoggedFile();
      const { open } = await image(shape, file);
      const start = file.bytes.slice();
      file.log.length = 0;
      const disk = await open();
      const random = randomNumbers(4);
      const model = new Uint8Array(SIZE);
      /** Position in the log -> what must be there from then on, until it is written over. */
      const flushed: { readonly at: number; readonly contents: Uint8Array; readonly touched: Set<number> }[] = [];
      let touched = new Set<number>();
      for (let n = 0; n < 120; n++) {
        const sector = random(SIZE / SECTOR);
        const count = Math.min(1 + random(6), SIZE / SECTOR - sector);
        const bytes = randomBytes(random, count * SECTOR);
        await disk.write(sector, bytes);
        model.set(bytes, sector * SECTOR);
        for (let i = 0; i < count; i++) touched.add(sector + i);
        if (random(8) !== 0) continue;
        await disk.flush();
        touched = new Set();
        flushed.push({ at: file.log.length, contents: model.slice(), touched });
      }
      await disk.close();
      // Writes between two flushes may reach the disk in any order: each prefix, and each with one of its last writes missing.
      let cut = new MemoryFile(start.slice());
      const sinceFlush: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
      let base = start.slice();
      for (const [position, entry] of file.log.entries()) {
        if (entry === 'flush') {
          base = cut.bytes.slice();
          sinceFlush.length = 0;
          continue;
        }
        sinceFlush.push(entry);
        cut.writeNow(entry.offset, entry.bytes);
        expect((await verifyQcow2(cut)).errors, `after write ${position}`).toEqual([]);
        for (const missing of sinceFlush.slice(-6)) {
          const partial = new MemoryFile(base.slice());
          for (const other of sinceFlush) if (other !== missing) partial.writeNow(other.offset, other.bytes);
          // A file that is shorter than its tables say is longer after a power cut only by a hole.
          if (partial.length < cut.length) partial.writeNow(cut.length - 1, new Uint8Array(1));
          expect((await verifyQcow2(partial)).errors, `after write ${position} without one at ${missing.offset}`).toEqual([]);
        }
        const known = flushed.findLast(({ at }) => at <= position);
        if (known && position % 7 === 0) {
          const reopened = await new MemoryHost()
            .add('x', new MemoryFile(cut.bytes.slice()))
            .open('x', { format: 'qcow2', readOnly: true });
          const all = new Uint8Array(SIZE);
          await reopened.read(0, all);
          for (let sector = 0; sector < SIZE / SECTOR; sector++) {
            if (known.touched.has(sector)) continue;
            const [from, to] = [sector * SECTOR, (sector + 1) * SECTOR];
            expect(
              Buffer.compare(all.subarray(from, to), known.contents.subarray(from, to)),
              `sector ${sector} after write ${position}`,
            ).toBe(0);
          }
        }
      }
      cut = new MemoryFile();
    },
  );
});

describe('damaged and hostile images', () => {
  const word = (offset: number, value: number) => (bytes: Uint8Array) => new DataView(bytes.buffer).setUint32(offset, value);
  const both =
    (...changes: ((bytes: Uint8Array) => void)[]) =>
    (bytes: Uint8Array) => {
      for (const change of changes) change(bytes);
    };
  const CLUSTER = 4096;
  /** Of an image with one cluster written: header, refcount table, block, L1, L2, data. */
  async function damaged(...changes: ((bytes: Uint8Array) => void)[]): Promise<MemoryHost> {
    const { host, open, file } = await image({ clusterBits: 12 });
    const disk = await open();
    await disk.write(0, new Uint8Array(CLUSTER).fill(1));
    await disk.write(64, new Uint8Array(CLUSTER).fill(2));
    await disk.close();
    const bytes = file.bytes.slice();
    for (const change of changes) change(bytes);
    return host.add('disk.qcow2', new MemoryFile(bytes, { name: 'disk.qcow2' }));
  }
  const L1 = 3 * CLUSTER;
  const L2 = 4 * CLUSTER;

  it.each([
    ['magic', word(0, 0x12345678), 'format'],
    ['version 1', word(4, 1), 'unsupported'],
    ['version 4', word(4, 4), 'unsupported'],
    ['clusters of 2 GiB', word(HEADER.CLUSTER_BITS, 31), 'format'],
    ['clusters of one byte', word(HEADER.CLUSTER_BITS, 0), 'format'],
    ['16 EiB', word(HEADER.SIZE, 0xffff_ffff), 'format'],
    ['an L1 table of 32 GiB', word(HEADER.L1_ENTRIES, 0xffff_ffff), 'format'],
    ['an L1 table that is too short', word(HEADER.L1_ENTRIES, 0), 'format'],
    ['an L1 table behind the end', word(HEADER.L1_OFFSET, 1), 'corrupt'],
    ['an L1 table between clusters', word(HEADER.L1_OFFSET + 4, 12345), 'format'],
    ['a refcount table of 16 TiB', word(HEADER.REFCOUNT_TABLE_CLUSTERS, 0xffff_ffff), 'format'],
    ['no refcount table', word(HEADER.REFCOUNT_TABLE_CLUSTERS, 0), 'corrupt'],
    ['a refcount table behind the end', word(HEADER.REFCOUNT_TABLE_OFFSET, 1), 'corrupt'],
    ['a refcount table over the L1 table', word(HEADER.REFCOUNT_TABLE_OFFSET + 4, L1), 'corrupt'],
    ['counts of 128 bits', word(HEADER.REFCOUNT_ORDER, 7), 'format'],
    ['a header of 1 MiB', word(HEADER.LENGTH, 2 ** 20), 'format'],
    ['encryption', word(HEADER.ENCRYPTION, 1), 'unsupported'],
    ['4 billion snapshots', word(HEADER.SNAPSHOTS, 0xffff_ffff), 'format'],
    ['snapshots behind the end', both(word(HEADER.SNAPSHOTS, 3), word(HEADER.SNAPSHOTS_OFFSET, 1)), 'corrupt'],
    ['a backing name of 4 GiB', both(word(HEADER.BACKING_OFFSET + 4, 512), word(HEADER.BACKING_LENGTH, 0xffff_ffff)), 'format'],
    ['an unknown feature', word(HEADER.INCOMPATIBLE, 0x80), 'unsupported'],
    ['an external data file', word(HEADER.INCOMPATIBLE + 4, 4), 'unsupported'],
    ['subclusters', word(HEADER.INCOMPATIBLE + 4, 16), 'unsupported'],
    ['an L2 table behind the end', word(L1, 0x8000_0001), 'corrupt'],
    ['an L2 table between clusters', word(L1 + 4, L2 + 512), 'corrupt'],
    ['the corrupt bit', word(HEADER.INCOMPATIBLE + 4, 2), 'corrupt'],
    ['the dirty bit', word(HEADER.INCOMPATIBLE + 4, 1), 'corrupt'],
    ['an extension of 4 GiB', both(word(104, 0x1234), word(108, 0xffff_ffff)), 'format'],
    ['a refcount block behind the end', word(CLUSTER, 1), 'corrupt'],
  ] as const)('%s is refused when it is opened', async (_what, change, code) => {
    const host = await damaged(change);
    await expect(host.open('disk.qcow2', { format: 'qcow2' })).rejects.toMatchObject({ name: 'BlockError', code });
    await expect(host.open('disk.qcow2', { format: 'qcow2' })).rejects.not.toThrow('\n');
  });

  it('names the feature that is missing', async () => {
    const host = await damaged(word(HEADER.INCOMPATIBLE + 4, 16));
    await expect(host.open('disk.qcow2', { format: 'qcow2' })).rejects.toThrow("'extended L2 entries' is not available");
  });

  it.each([
    ['behind the end', word(L2, 0x8000_0100)],
    ['between clusters', word(L2 + 4, 5 * CLUSTER + 512)],
    ['compressed, behind the end', word(L2, 0x4000_0100)],
    ['compressed, of noise', both(word(L2, 0x4000_0000), word(L2 + 4, 5 * CLUSTER))],
  ])('a cluster %s cannot be read; others can', async (_what, change) => {
    const disk = await (await damaged(change)).open('disk.qcow2', { format: 'qcow2' });
    await expect(disk.read(0, new Uint8Array(SECTOR))).rejects.toMatchObject({ code: 'corrupt' });
    const bytes = new Uint8Array(SECTOR);
    await disk.read(64, bytes);
    expect(bytes[0]).toBe(2);
  });

  it.each([
    ['the header', 0],
    ['the refcount table', 1],
    ['a refcount block', 2],
    ['the L1 table', 3],
    ['an L2 table', 4],
  ])('data over %s is not written; the image is marked corrupt', async (kind, cluster) => {
    // The first entry's offset must not be 0, which means nothing: the header is reached by freeing it below.
    const change = cluster === 0 ? word(2 * CLUSTER, 0) : both(word(L2, 0x8000_0000), word(L2 + 4, cluster * CLUSTER));
    const host = await damaged(change);
    const disk = (await host.open('disk.qcow2', { format: 'qcow2' })) as Qcow2Image;
    const before = host.files.get('disk.qcow2')!.bytes.slice();
    const sector = cluster === 0 ? 8 : 0;
    await expect(disk.write(sector, new Uint8Array(SECTOR))).rejects.toThrow(kind);
    await expect(disk.write(64, new Uint8Array(SECTOR))).rejects.toMatchObject({ code: 'corrupt' });
    const after = host.files.get('disk.qcow2')!.bytes;
    expect(after[HEADER.INCOMPATIBLE + 7]).toBe(2);
    before[HEADER.INCOMPATIBLE + 7] = 2;
    expect(Buffer.compare(after, before)).toBe(0);
  });

  it('backing files in a loop', async () => {
    const { host } = await image({ backing: { name: 'b', format: 'qcow2' } });
    const other = new MemoryFile(undefined, { name: 'b' });
    await createQcow2(other, { size: SIZE, backing: { name: 'disk.qcow2', format: 'qcow2' } });
    host.add('b', other);
    await expect(host.open('disk.qcow2')).rejects.toThrow('backing files form a loop');
    await expect(host.open('b')).rejects.toThrow('backing files form a loop');
  });

  it('a missing backing file, a backing format that is not available', async () => {
    const { host } = await image({ backing: { name: 'b', format: 'raw' } });
    await expect(host.open('disk.qcow2')).rejects.toMatchObject({ code: 'not-found' });
    const second = await image({ backing: { name: 'b', format: 'vmdk' } });
    await expect(second.host.open('disk.qcow2')).rejects.toThrow("format 'vmdk' is not available");
  });

  it('any byte of header and tables changed: opens, reads and writes, or says why not', async () => {
    const random = randomNumbers(5);
    let refused = 0;
    for (let n = 0; n < 600; n++) {
      const at = random(3) === 0 ? random(128) : random(5 * CLUSTER);
      const host = await damaged((bytes) => {
        bytes[at]! ^= 1 << random(8);
      });
      try {
        const disk = await host.open('disk.qcow2', { format: 'qcow2' });
        const bytes = new Uint8Array(16 * SECTOR);
        for (let i = 0; i < 8; i++) {
          const sector = random(disk.sectors - 16);
          if (!Number.isSafeInteger(sector) || sector < 0) break;
          await disk.read(sector, bytes);
          await disk.write(sector, bytes);
        }
        await disk.close();
      } catch (error) {
        refused++;
        expect(error, `byte ${at}`).toBeInstanceOf(BlockError);
      }
      expect(host.files.get('disk.qcow2')!.length).toBeLessThan(4 * 2 ** 20);
    }
    expect(refused).toBeGreaterThan(50);
  });
});
