import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BlockImage, openImage, SECTOR } from '@pagurus/block';
import { DISK_WRITER, diskWriter } from '@pagurus/guests/disk-writer';
import { nodeImageHost } from '@pagurus/host-node';
import { afterAll, describe, expect, it } from 'vitest';
import { Monitor } from './monitor.js';
import { withParts } from './parts.js';
import { command, PAGURUS } from './process.js';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-disks-'));
afterAll(() => rmSync(folder, { recursive: true }));

const host = nodeImageHost({ warn: () => {}, noFlush: true });
const qemuImg = (...args: string[]): string => execFileSync('qemu-img', args, { encoding: 'utf8', cwd: folder });
const path = (name: string): string => join(folder, name);
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Numbers that are the same every time. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const SIZE = 4 * 2 ** 20;
const OPTIONS = [
  'compat=1.1',
  'compat=0.10',
  'compat=1.1,lazy_refcounts=on',
  'cluster_size=512',
  'cluster_size=512,refcount_bits=64',
  'cluster_size=4096,refcount_bits=1',
  'cluster_size=1024,refcount_bits=8',
  'cluster_size=8192,refcount_bits=32,preallocation=metadata',
  'cluster_size=2M',
];
const KINDS = ['empty', 'backing', 'compressed', 'snapshots'] as const;

/** An image that qemu-img makes, and what is in it. */
function make(
  options: string,
  kind: (typeof KINDS)[number],
  random: (below: number) => number,
): { file: string; model: Uint8Array } {
  const file = path('disk.qcow2');
  const model = new Uint8Array(SIZE);
  rmSync(file, { force: true });
  if (kind === 'backing') {
    const base = Uint8Array.from({ length: 700 * SECTOR }, () => random(256));
    writeFileSync(path('base.raw'), base);
    model.set(base);
    // Nothing can be allocated in advance over a backing file.
    const plain = options.replace(/,?preallocation=\w+/, '');
    qemuImg('create', '-q', '-f', 'qcow2', '-o', plain, '-b', 'base.raw', '-F', 'raw', file, String(SIZE));
  } else if (kind === 'compressed') {
    for (let at = 0; at < SIZE; at += SECTOR) model.fill(random(256), at, at + SECTOR);
    writeFileSync(path('source.raw'), model);
    qemuImg(
      'convert',
      '-q',
      '-c',
      '-f',
      'raw',
      '-O',
      'qcow2',
      '-o',
      options.replace(/,?preallocation=\w+/, ''),
      'source.raw',
      file,
    );
  } else qemuImg('create', '-q', '-f', 'qcow2', '-o', options, file, String(SIZE));
  if (kind === 'snapshots') qemuImg('snapshot', '-c', 'one', file);
  return { file, model };
}

withParts('qcow2 against qemu-img', ['qemu-img'], () => {
  describe.each(OPTIONS)('%s', (options) => {
    it.each(KINDS.filter((kind) => kind !== 'snapshots' || !options.includes('refcount_bits=1')))(
      '%s: what we write is what QEMU reads, and its check is content',
      async (kind) => {
        const random = randomNumbers(options.length * 10 + KINDS.indexOf(kind));
        const { file, model } = make(options, kind, random);
        let image: BlockImage = await openImage(host, file, { format: 'qcow2' });
        for (let n = 0; n < 250; n++) {
          const action = random(25);
          const sector = random(SIZE / SECTOR);
          const count = Math.min(1 + random(random(4) ? 16 : 300), SIZE / SECTOR - sector);
          const bytes = Uint8Array.from({ length: count * SECTOR }, () => random(256));
          if (action === 0) await image.flush();
          else if (action === 1 && n % 3 === 0) {
            await image.close();
            if (kind === 'snapshots') qemuImg('snapshot', '-c', `s${n}`, file);
            image = await openImage(host, file, { format: 'qcow2' });
          } else if (action < 15) {
            await image.write(sector, bytes);
            model.set(bytes, sector * SECTOR);
          } else {
            await image.read(sector, bytes);
            expect(Buffer.compare(bytes, model.subarray(sector * SECTOR, (sector + count) * SECTOR))).toBe(0);
          }
        }
        await image.close();
        // Errors and leaks alike give a status that is not zero.
        qemuImg('check', '-q', file);
        writeFileSync(path('model.raw'), model);
        qemuImg('compare', '-q', '-f', 'qcow2', '-F', 'raw', file, 'model.raw');
      },
    );
  });

  it('lists internal snapshots; what is beneath them stays as it was', async () => {
    const { file } = make('compat=1.1', 'empty', randomNumbers(1));
    const write = async (value: number): Promise<void> => {
      const image = await openImage(host, file);
      await image.write(100, new Uint8Array(300 * SECTOR).fill(value));
      await image.close();
    };
    await write(1);
    qemuImg('snapshot', '-c', 'first crab', file);
    await write(2);
    qemuImg('snapshot', '-c', 'second', file);
    await write(3);
    const image = await openImage(host, file);
    expect(image.details.snapshots?.map(({ id, name }) => [id, name])).toEqual([
      ['1', 'first crab'],
      ['2', 'second'],
    ]);
    await image.close();
    qemuImg('snapshot', '-a', 'first crab', file);
    const back = await openImage(host, file);
    const bytes = new Uint8Array(SECTOR);
    await back.read(250, bytes);
    expect(bytes[0]).toBe(1);
    await back.close();
    qemuImg('check', '-q', file);
  });

  it('a chain of relative backing files; a part of it by the name of its format', async () => {
    mkdirSync(path('sub'), { recursive: true });
    writeFileSync(path('bottom.raw'), new Uint8Array(64 * SECTOR).fill(1));
    qemuImg('create', '-q', '-f', 'qcow2', '-b', '../bottom.raw', '-F', 'raw', 'sub/middle.qcow2');
    qemuImg('create', '-q', '-f', 'qcow2', '-b', 'sub/middle.qcow2', '-F', 'qcow2', 'top.qcow2', '1M');
    const top = await openImage(host, path('top.qcow2'));
    const bytes = new Uint8Array(128 * SECTOR);
    await top.read(0, bytes);
    expect([bytes[0], bytes[63 * SECTOR], bytes[64 * SECTOR]]).toEqual([1, 1, 0]);
    expect(top.details.backing?.details.backing?.name).toBe(path('bottom.raw'));
    await top.close();
  });

  it('a dirty image (lazy refcounts, not closed) is read, and written only after a repair', async () => {
    const { file } = make('lazy_refcounts=on', 'empty', randomNumbers(2));
    const bytes = readFileSync(file);
    bytes[79]! |= 1;
    writeFileSync(file, bytes);
    await expect(openImage(host, file)).rejects.toThrow('qemu-img check -r all');
    await (await openImage(host, file, { readOnly: true })).close();
    qemuImg('check', '-q', '-r', 'all', file);
    await (await openImage(host, file)).close();
  });

  it.each([
    ['extended_l2=on', 'extended L2 entries'],
    ['compression_type=zstd', "compression type 'zstd'"],
    [`data_file=${path('data.raw')},data_file_raw=on`, 'external data file'],
  ])('%s is refused by name', async (options, name) => {
    const file = path('feature.qcow2');
    rmSync(file, { force: true });
    qemuImg('create', '-q', '-f', 'qcow2', '-o', options, file, '1M');
    await expect(openImage(host, file)).rejects.toThrow(name);
  });

  it.each(['vmdk', 'vdi', 'vhdx', 'vpc', 'qed', 'qcow'])('a %s image is known and refused', async (format) => {
    const file = path(`other.${format}`);
    qemuImg('create', '-q', '-f', format, file, '1M');
    // Of a dynamic VHD the copy of its footer is at the start.
    await expect(openImage(host, file)).rejects.toThrow(`format '${format}' is not available`);
  });

  it('killed while it writes: QEMU finds no error', async () => {
    const file = path('killed.qcow2');
    const program = path('writer.mjs');
    const built = (name: string): string => JSON.stringify(new URL(`../../packages/${name}/dist/index.js`, import.meta.url).href);
    writeFileSync(
      program,
      `import { openImage } from ${built('block')};
import { nodeImageHost } from ${built('host-node')};
const image = await openImage(nodeImageHost({ warn() {} }), ${JSON.stringify(file)});
for (let n = 0; ; n++) {
  await image.write((n * 7919 * 3) % 7000, new Uint8Array(5 * 512).fill(n));
  if (n % 20 === 0) await image.flush();
  if (n === 50) console.log('writing');
}
`,
    );
    for (let round = 0; round < 5; round++) {
      rmSync(file, { force: true });
      qemuImg('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4096', file, '4M');
      const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, 10 + 37 * round));
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('close', resolve));
      const { status } = spawnSync('qemu-img', ['check', '-q', file]);
      // 3: leaked clusters, which a crash may leave; 2: errors, which it may not.
      expect([0, 3]).toContain(status);
    }
  });
});

withParts('locks beside QEMU', ['qemu-img', 'qemu'], () => {
  it('an image that QEMU writes to is refused, for reading, too; two of ours exclude each other', async () => {
    const file = path('locked.raw');
    writeFileSync(file, new Uint8Array(2 ** 20));
    const monitor = new Monitor();
    const qemu = command(
      'qemu-system-i386',
      ...'-display none -nodefaults -S'.split(' '),
      ...monitor.options,
      '-drive',
      `file=${file},format=raw`,
    );
    try {
      expect(await monitor.run('info block')).toContain(file);
      await expect(openImage(host, file, { format: 'raw' })).rejects.toMatchObject({ code: 'locked' });
      await expect(openImage(host, file, { format: 'raw', readOnly: true })).rejects.toMatchObject({ code: 'locked' });
    } finally {
      await qemu.stop();
    }
    const first = await openImage(host, file, { format: 'raw' });
    await expect(openImage(host, file, { format: 'raw' })).rejects.toThrow('another drive writes to the image');
    await first.close();
    const readers = [
      await openImage(host, file, { format: 'raw', readOnly: true }),
      await openImage(host, file, { format: 'raw', readOnly: true }),
    ];
    await expect(openImage(host, file, { format: 'raw' })).rejects.toThrow('another drive reads the image');
    for (const reader of readers) await reader.close();
  });
});

withParts('a host disk that is full', ['nasm', 'seabios'], () => {
  it('stops the machine; it goes on when there is room, and nothing is lost', async () => {
    const file = path('full.raw');
    writeFileSync(file, diskWriter());
    truncateSync(file, 32 * 2 ** 20);
    const monitor = new Monitor();
    const run = ['run', '-M', 'pc-i440fx-7.2', '-m', '32', '-display', 'none', '-serial', 'stdio', '-device', 'isa-debug-exit'];
    const args = [PAGURUS, ...run, ...monitor.options, '-drive', `file=${file},format=raw`];
    // No file larger than 8 MiB, as far as this process is concerned.
    const machine = command('bash', '-c', 'ulimit -S -f 8192; exec "$@"', 'x', process.execPath, ...args);
    await machine.waitFor(/S/);
    for (let tries = 0; tries < 300 && !/machine is stopped/.test(machine.errors); tries++) await pause(200);
    expect(machine.errors).toContain('drive ide0-hd0: write failed, the machine is stopped');
    expect(await monitor.run('info status')).toBe('VM status: paused (io-error)');
    expect(await monitor.run('cont')).toBe('');
    await pause(1000);
    expect(await monitor.run('info status')).toBe('VM status: paused (io-error)');
    expect(machine.output).toBe('S');
    execFileSync('prlimit', ['--pid', String(machine.child.pid), '--fsize=unlimited']);
    await monitor.run('cont');
    expect(await machine.ended).toBe(1);
    expect(machine.output).toBe('SWRQ');
    const bytes = readFileSync(file);
    for (
      let sector: number = DISK_WRITER.FIRST;
      sector * SECTOR < DISK_WRITER.FIRST * SECTOR + DISK_WRITER.BYTES;
      sector += DISK_WRITER.CHUNK / SECTOR
    )
      expect(bytes.readUInt32LE(sector * SECTOR)).toBe(sector);
  });

  it('werror=report: the guest sees the error', async () => {
    const file = path('report.raw');
    writeFileSync(file, diskWriter());
    truncateSync(file, 32 * 2 ** 20);
    const run = ['run', '-M', 'pc-i440fx-7.2', '-m', '32', '-display', 'none', '-serial', 'stdio', '-device', 'isa-debug-exit'];
    const args = [PAGURUS, ...run, '-drive', `file=${file},format=raw,werror=report`];
    const machine = command('bash', '-c', 'ulimit -S -f 8192; exec "$@"', 'x', process.execPath, ...args);
    expect(await machine.ended).toBe(1);
    expect(machine.output).toMatch(/^S(E.)+W/s);
  });
});
