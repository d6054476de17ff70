import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { drivesOfNodes, parseBlockdev } from './block-nodes.js';
import { cdrom, type DriveSpec, floppyDisk, hardDisk, parseDrive } from './drive-spec.js';
import { Drives } from './drives.js';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-drives-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'disk.raw');
writeFileSync(file, new Uint8Array(8192));

const warnings: string[] = [];
const open = (specs: readonly DriveSpec[], more = {}) =>
  Drives.open(specs, { snapshot: false, inactive: false, synchronous: false, warn: (line) => warnings.push(line), ...more });

describe('-drive', () => {
  it.each([
    ['file=x', { interface: 'ide', file: 'x', media: 'disk', readOnly: false, format: undefined, index: undefined }],
    ['file=x,format=raw,if=floppy,index=1', { interface: 'floppy', format: 'raw', index: 1 }],
    ['file=x,if=ide,bus=1,unit=1', { index: 3 }],
    ['file=a,,b,media=cdrom', { file: 'a,b', media: 'cdrom', readOnly: true }],
    ['file=x,if=none,id=d,snapshot=on,readonly=on', { interface: 'none', id: 'd', snapshot: true, readOnly: true }],
    ['file=x,werror=stop,rerror=ignore', { writeErrors: 'stop', readErrors: 'ignore' }],
    ['file=x,cache=unsafe,aio=native,discard=unmap', { noFlush: true }],
    ['driver=qcow2,file.driver=file,file.filename=x,file.locking=off', { format: 'qcow2', file: 'x', locking: false }],
    ['driver=null-co,size=1M', { nullSize: 2 ** 20, file: undefined }],
    ['file=null-co://,if=none,id=n', { nullSize: 2 ** 30 }],
    ['if=ide,media=cdrom', { file: undefined }],
  ])('%s', (text, expected) => {
    expect(parseDrive(text)).toMatchObject(expected);
  });

  it.each([
    ['file=x,if=scsi', 'if=scsi: expected ide, floppy, virtio, none'],
    ['file=x,format=vmdk', 'format=vmdk: expected raw, qcow2'],
    ['file=x,media=tape', 'media=tape: expected disk, cdrom'],
    ['file=x,index=1,bus=0', 'expected index, or bus and unit'],
    ['file=x,werror=maybe', 'werror=maybe: expected report, ignore, stop, enospc'],
    ['file=x,rerror=enospc', 'rerror=enospc: expected report, ignore, stop'],
    ['file=x,if=floppy,werror=stop', 'floppy drives have no werror'],
    ['file=x,snapsot=on', "unknown option 'snapsot'"],
    ['file=x,copy-on-read=on', 'copy-on-read is not available'],
    ['file=x,cache=fast', 'cache=fast: expected none'],
  ])('%s is refused in one line', (text, message) => {
    expect(() => parseDrive(text)).toThrow(message);
    expect(() => parseDrive(text)).not.toThrow('\n');
  });
});

describe('-blockdev', () => {
  const drives = (...texts: string[]) => drivesOfNodes(texts.map(parseBlockdev));

  it('a format over a protocol, nested, by name or as JSON', () => {
    const expected = { id: 'f', file: 'x', format: 'qcow2', interface: 'none', readOnly: true };
    const nested = 'driver=qcow2,node-name=f,read-only=on,file.driver=file,file.filename=x';
    const asJson = '{"driver":"qcow2","node-name":"f","read-only":true,"file":{"driver":"file","filename":"x"}}';
    expect(drives(nested)).toMatchObject([expected]);
    expect(drives(asJson)).toMatchObject([expected]);
    expect(drives('driver=file,node-name=p,filename=x', 'driver=qcow2,node-name=f,read-only=on,file=p')).toMatchObject([
      expected,
    ]);
  });

  it('a protocol alone is raw; http is read-only; null-co', () => {
    expect(drives('driver=file,node-name=p,filename=x')).toMatchObject([{ id: 'p', format: 'raw', readOnly: false }]);
    expect(drives('driver=http,node-name=w,url=http://h/x')).toMatchObject([{ file: 'http://h/x', readOnly: true }]);
    expect(drives('driver=null-co,node-name=n,size=64k')).toMatchObject([{ id: 'n', nullSize: 65536 }]);
  });

  it.each([
    [['driver=raw'], 'expected node-name='],
    [['driver=nbd,node-name=n'], "driver 'nbd' is not available here; there are raw, qcow2, file"],
    [['driver=raw,node-name=n,file=p'], "no node 'p'"],
    [['driver=raw,node-name=n'], 'expected driver='],
    [['driver=file,node-name=n,filename=x,x-y=1'], "unknown option 'x-y'"],
    [['driver=null-co,node-name=n', 'driver=null-co,node-name=n'], "duplicate node-name 'n'"],
    [['{"driver"'], 'JSON'],
  ])('%j is refused', (texts, message) => {
    expect(() => drives(...texts)).toThrow(message);
  });
});

describe('opening', () => {
  it('fills the places: those with a number first, then what is free', async () => {
    const drive = (text: string): DriveSpec => parseDrive(`driver=null-co,size=1M,${text}`);
    const drives = await open([
      drive('id=a'),
      drive('id=b'),
      drive('id=c,index=0'),
      parseDrive('media=cdrom'),
      floppyDisk('fdb', 1, ''),
    ]);
    expect(drives.ide.map((entry) => entry?.id)).toEqual(['c', 'a', 'b', 'ide1-cd1']);
    expect(drives.floppy.map((entry) => entry?.id)).toEqual([undefined, 'floppy1']);
    await drives.close();
  });

  it('virtio stands for a device, none for a name', async () => {
    const drives = await open([parseDrive('driver=null-co,if=virtio'), parseDrive('driver=null-co,if=none,id=x')]);
    expect(drives.devices).toEqual([{ driver: 'virtio-blk-pci', properties: { drive: 'virtio0' } }]);
    expect(Object.keys(drives.byId)).toEqual(['virtio0', 'x']);
    await drives.close();
  });

  it.each([
    [[hardDisk('hda', 0, file), parseDrive(`file=${file},index=0`)], 'place 0 of interface ide is in use by -hda'],
    [[parseDrive('driver=null-co,index=4')], 'interface ide has 4 places'],
    [[parseDrive('driver=null-co,id=x'), parseDrive('driver=null-co,id=x')], "duplicate id 'x'"],
    [[parseDrive('if=ide')], 'a disk needs file='],
    [[hardDisk('hda', 0, '/nowhere')], 'no such file or directory'],
    [[hardDisk('hda', 0, file), hardDisk('hdb', 1, file)], 'another drive writes to the image'],
  ])('refuses what cannot be (%#)', async (specs, message) => {
    await expect(open(specs)).rejects.toThrow(message);
    // And leaves nothing open or locked.
    await (await open([hardDisk('hda', 0, file)])).close();
  });

  it('warns where the format was guessed, writes nothing with -snapshot', async () => {
    warnings.length = 0;
    const drives = await open([hardDisk('hda', 0, file)], { snapshot: true });
    await drives.ide[0]!.image!.write(0, new Uint8Array(512).fill(9));
    await drives.close();
    const again = await open([hardDisk('hda', 0, file), cdrom('')]);
    const bytes = new Uint8Array(512);
    await again.ide[0]!.image!.read(0, bytes);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    expect(again.ide[2]).toEqual({ id: 'ide1-cd0', media: 'cdrom' });
    expect(warnings).toEqual([expect.stringContaining('format=raw')]);
    await again.close();
  });
});
