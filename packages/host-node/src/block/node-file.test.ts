import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openImage, SECTOR } from '@pagurus/block';
import { afterAll, describe, expect, it } from 'vitest';
import { nodeImageHost, resolveBacking, scratchFile } from './image-host.js';
import { NodeFile } from './node-file.js';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-files-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string): string => join(folder, name);
const host = nodeImageHost({ warn: () => {} });

describe('files', () => {
  it('read, write, grow, are zero behind the end', async () => {
    writeFileSync(path('a'), 'hello');
    const file = await NodeFile.open(path('a'), { readOnly: false });
    await file.write(10, Buffer.from('crab'));
    await file.flush();
    expect(file.length).toBe(14);
    const bytes = Buffer.alloc(20, 1);
    await file.read(0, bytes);
    expect(bytes.toString('latin1')).toBe('hello\0\0\0\0\0crab\0\0\0\0\0\0');
    await file.close();
    expect(readFileSync(path('a'), 'latin1')).toBe('hello\0\0\0\0\0crab');
  });

  it('of a deterministic machine complete at once', async () => {
    writeFileSync(path('b'), Buffer.alloc(SECTOR));
    const file = await NodeFile.open(path('b'), { readOnly: false, synchronous: true });
    expect(file.writeNow?.(3, Buffer.from('x'))).toBe(true);
    const bytes = Buffer.alloc(5);
    expect(file.readNow?.(1, bytes)).toBe(true);
    expect(bytes.toString('latin1')).toBe('\0\0x\0\0');
    await file.close();
  });

  it.each([
    ['missing', () => path('nowhere'), 'not-found'],
    ['below a file', () => path('a/b'), 'not-found'],
    ['a folder', () => folder, 'unsupported'],
  ])('%s', async (_what, name, code) => {
    await expect(NodeFile.open(name(), { readOnly: true })).rejects.toMatchObject({ name: 'BlockError', code });
  });

  it('a disk that is full', async () => {
    // Nothing fits there; it is no regular file, so that it takes the place of one.
    writeFileSync(path('full'), '');
    const file = await NodeFile.open(path('full'), { readOnly: false });
    Object.assign(file, { descriptor: (await import('node:fs')).openSync('/dev/full', 'w') });
    await expect(file.write(0, Buffer.alloc(10))).rejects.toMatchObject({ code: 'no-space' });
    await expect(file.write(0, Buffer.alloc(10))).rejects.toThrow('no space left on the device');
    await file.close();
  });

  it('read-only means it', async () => {
    writeFileSync(path('c'), 'x');
    const file = await NodeFile.open(path('c'), { readOnly: true });
    await expect(file.write(0, Buffer.from('y'))).rejects.toMatchObject({ code: 'read-only' });
    await file.close();
  });

  it('a scratch file has no name and takes what it is given', async () => {
    const scratch = await scratchFile();
    await scratch.write(2 ** 32, Buffer.from('far'));
    const bytes = Buffer.alloc(4);
    await scratch.read(2 ** 32 - 1, bytes);
    expect(bytes.toString('latin1')).toBe('\0far');
    await scratch.close();
  });
});

describe('locks', () => {
  const image = path('locked');
  const open = (readOnly: boolean, more = {}) => NodeFile.open(image, { readOnly, ...more });

  it('one writer or many readers, under any name; given up and taken back', async () => {
    writeFileSync(image, 'x');
    symlinkSync(image, path('alias'));
    const writer = await open(false);
    await expect(open(false)).rejects.toMatchObject({ code: 'locked' });
    await expect(NodeFile.open(path('alias'), { readOnly: true })).rejects.toMatchObject({ code: 'locked' });
    await (await open(false, { locking: false })).close();
    const later = await open(false, { inactive: true });
    await expect(later.claim()).rejects.toMatchObject({ code: 'locked' });
    await writer.release();
    await later.claim();
    await expect(writer.claim()).rejects.toMatchObject({ code: 'locked' });
    await Promise.all([later.close(), writer.close()]);
    const readers = await Promise.all([open(true), open(true)]);
    await expect(open(false)).rejects.toThrow('reads the image');
    await Promise.all(readers.map((reader) => reader.close()));
    await (await open(false)).close();
  });

  it('of a process that is gone do not count', async () => {
    const { mkdirSync, readdirSync, statSync } = await import('node:fs');
    const { dev, ino } = statSync(image, { bigint: true });
    const locks = join(tmpdir(), 'pagurus-image-locks');
    mkdirSync(locks, { recursive: true });
    // No process has this number: it is above the kernel's limit.
    writeFileSync(join(locks, `${dev}-${ino}.4194999.0.w`), '');
    await (await open(false)).close();
    expect(readdirSync(locks).filter((name) => name.startsWith(`${dev}-${ino}.`))).toEqual([]);
  });
});

describe('names', () => {
  it.each([
    ['/a/b.qcow2', 'c.raw', '/a/c.raw'],
    ['/a/b.qcow2', '../c.raw', '/c.raw'],
    ['/a/b.qcow2', '/d/c.raw', '/d/c.raw'],
    ['b.qcow2', 'c.raw', 'c.raw'],
    ['http://h/a/b.qcow2', '../c.raw', 'http://h/c.raw'],
    ['/a/b.qcow2', 'http://h/c', 'http://h/c'],
  ])('backing file of %s: %s is %s', (base, name, expected) => {
    expect(resolveBacking(base, name)).toBe(expected);
  });

  it.each(['nbd://h/x', 'json:{}', 'ssh://h/x', 'rbd:pool/x'])('%s is refused by its protocol', async (name) => {
    await expect(openImage(host, name)).rejects.toThrow(/protocol '\w+' is not available/);
  });

  it('a real HTTP server with ranges', async () => {
    const contents = Buffer.from(Array.from({ length: 3000 }, (_, i) => i & 0xff));
    const server = createServer((request, response) => {
      const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range!)!.map(Number) as [number, number, number];
      const part = contents.subarray(from, to + 1);
      response
        .writeHead(206, { 'content-range': `bytes ${from}-${from + part.length - 1}/${contents.length}`, etag: '"1"' })
        .end(part);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const image = await openImage(host, `http://127.0.0.1:${(server.address() as AddressInfo).port}/disk.img`, {
      readOnly: true,
    });
    expect(image.sectors).toBe(6);
    const bytes = Buffer.alloc(2 * SECTOR);
    await image.read(4, bytes);
    expect(bytes.subarray(0, 952).equals(contents.subarray(4 * SECTOR))).toBe(true);
    expect(bytes.subarray(952).every((byte) => byte === 0)).toBe(true);
    await image.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
