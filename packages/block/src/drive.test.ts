import { describe, expect, it } from 'vitest';
import { DriveActivity } from './activity.js';
import { MemoryFile } from './byte-file.js';
import { Drive, type DriveFailure, type DriveOptions } from './drive.js';
import { BlockError } from './errors.js';
import { SECTOR } from './image.js';
import { OverlayImage } from './overlay.js';
import { RawImage } from './raw.js';
import { MemoryHost, randomBytes, randomNumbers } from './testing.js';

/** Fails as long as `error` is set. */
class FailingFile extends MemoryFile {
  error: unknown;
  /** Asked through promises only. */
  override readNow = undefined as never;
  override writeNow = undefined as never;
  override flushNow = undefined as never;

  override async read(offset: number, target: Uint8Array): Promise<void> {
    if (this.error) throw this.error;
    target.set(this.bytes.subarray(offset, offset + target.length));
  }

  override async write(offset: number, source: Uint8Array): Promise<void> {
    if (this.error) throw this.error;
    this.bytes.set(source, offset);
  }
}

const full = new BlockError('no-space', 'x: no space left on the device');
const bad = new BlockError('io', 'x: input/output error');

function drive(options: Partial<DriveOptions> = {}) {
  const file = new FailingFile(new Uint8Array(8 * SECTOR));
  const activity = new DriveActivity();
  const failures: DriveFailure[] = [];
  const tested = new Drive(new RawImage(file), { id: 'd', activity, failed: (failure) => failures.push(failure), ...options });
  return { file, activity, failures, drive: tested };
}

const sector = (value: number): Uint8Array => new Uint8Array(SECTOR).fill(value);
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('werror and rerror', () => {
  it.each([
    ['read', undefined, bad, 'report'],
    ['read', undefined, full, 'report'],
    ['read', 'ignore', bad, 'ignore'],
    ['read', 'stop', bad, 'stop'],
    ['write', undefined, bad, 'report'],
    ['write', undefined, full, 'stop'],
    ['write', 'enospc', full, 'stop'],
    ['write', 'report', full, 'report'],
    ['write', 'ignore', full, 'ignore'],
    ['write', 'stop', bad, 'stop'],
  ] as const)('%s with %s: %o -> %s', async (operation, policy, error, action) => {
    const { file, failures, drive: d } = drive(policy && { [operation === 'read' ? 'readErrors' : 'writeErrors']: policy });
    file.error = error;
    let outcome = 'waits';
    const done = (operation === 'read' ? d.read(0, sector(0)) : d.write(0, sector(1))).then(
      () => (outcome = 'done'),
      () => (outcome = 'failed'),
    );
    await settled();
    expect(outcome).toBe({ report: 'failed', ignore: 'done', stop: 'waits' }[action]);
    expect(failures).toEqual([{ drive: 'd', operation, action, error }]);
    d.cancelWaiting();
    await done;
  });

  it('a stopped request is done when it is asked again, in order, and fails for nobody when it is dropped', async () => {
    const { file, drive: d, failures } = drive();
    file.error = full;
    const [first, second] = [d.write(0, sector(1)), d.write(0, sector(2))];
    await settled();
    expect(d.stopped).toBe(true);
    d.retry();
    await settled();
    expect(failures).toHaveLength(4);
    file.error = undefined;
    d.retry();
    await Promise.all([first, second]);
    expect(file.bytes[0]).toBe(2);

    file.error = full;
    const dropped = d.write(0, sector(3));
    await settled();
    d.cancelWaiting();
    await expect(dropped).rejects.toBe(full);
    file.error = undefined;
    d.retry();
    expect(file.bytes[0]).toBe(2);
  });

  it('a stopped request does not keep the machine from being saved', async () => {
    const { file, drive: d, activity } = drive();
    file.error = full;
    d.write(0, sector(1)).catch(() => {});
    await settled();
    file.error = undefined;
    await activity.settle(false);
    d.cancelWaiting();
  });
});

describe('a machine that stands still', () => {
  it('waits for what is on its way', async () => {
    const { drive: d, activity } = drive();
    let started = 0;
    activity.onStart(() => started++);
    let written = false;
    void d.write(0, sector(1)).then(() => (written = true));
    expect(activity.pending).toBe(1);
    expect(started).toBe(1);
    await activity.settle(false);
    await Promise.resolve();
    expect(written).toBe(true);
    expect(activity.pending).toBe(0);
  });

  it('is closed only when nothing is on its way', async () => {
    let finish: () => void = () => {};
    const calls: string[] = [];
    const file = Object.assign(new FailingFile(new Uint8Array(SECTOR)), {
      write: () => new Promise<void>((resolve) => (finish = resolve)).then(() => void calls.push('written')),
      close: async () => void calls.push('closed'),
    });
    const d = new Drive(new RawImage(file), { id: 'd', activity: new DriveActivity() });
    void d.write(0, sector(1));
    const closed = d.close();
    await settled();
    expect(calls).toEqual([]);
    finish();
    await closed;
    expect(calls).toEqual(['written', 'closed']);
  });

  it('gives its images away and takes them back at the next request', async () => {
    const calls: string[] = [];
    const file = new FailingFile(new Uint8Array(SECTOR));
    const watched = Object.assign(file, {
      release: async () => void calls.push('release'),
      claim: async () => void calls.push('claim'),
    });
    const activity = new DriveActivity();
    const d = new Drive(new RawImage(watched), { id: 'd', activity });
    await activity.settle(true);
    expect(calls).toEqual(['release']);
    await Promise.all([d.read(0, sector(0)), d.read(0, sector(0))]);
    expect(calls).toEqual(['release', 'claim']);
  });

  it('stops where an image cannot be had back', async () => {
    const locked = new BlockError('locked', 'x: another process has it');
    const file = Object.assign(new FailingFile(new Uint8Array(SECTOR)), {
      release: async () => {},
      claim: async () => {
        throw locked;
      },
    });
    const failures: DriveFailure[] = [];
    const d = new Drive(new RawImage(file), {
      id: 'd',
      activity: new DriveActivity(),
      inactive: true,
      failed: (f) => failures.push(f),
    });
    const read = d.read(0, sector(0));
    await settled();
    expect(failures).toMatchObject([{ action: 'stop', error: locked }]);
    d.cancelWaiting();
    await expect(read).rejects.toBe(locked);
  });
});

describe('snapshot=on', () => {
  it.each(['at once', 'later'])('keeps what is written (%s), the image stays as it was', async (how) => {
    const random = randomNumbers(7);
    const base = new MemoryFile(randomBytes(random, 100 * SECTOR + 100));
    const original = base.bytes.slice();
    const overlay = new OverlayImage(new RawImage(base, { readOnly: true }), new MemoryFile());
    const model = new Uint8Array(101 * SECTOR);
    model.set(original);
    for (let n = 0; n < 300; n++) {
      const first = random(101);
      const bytes = randomBytes(random, Math.min(1 + random(20), 101 - first) * SECTOR);
      if (n % 2) {
        if (how === 'at once') expect(overlay.writeNow(first, bytes)).toBe(true);
        else await overlay.write(first, bytes);
        model.set(bytes, first * SECTOR);
      } else {
        if (how === 'at once') expect(overlay.readNow(first, bytes)).toBe(true);
        else await overlay.read(first, bytes);
        expect(Buffer.compare(bytes, model.subarray(first * SECTOR, first * SECTOR + bytes.length))).toBe(0);
      }
    }
    expect(base.bytes).toEqual(original);
  });
});

describe('a format that was guessed', () => {
  it('is told, and the guest may not make another of it', async () => {
    const host = new MemoryHost().add('x', new MemoryFile(new Uint8Array(4 * SECTOR), { name: 'x' }));
    const image = await host.open('x');
    expect(host.warnings).toEqual([expect.stringContaining('x: no format was given, and it looks like raw')]);
    const header = sector(0);
    header.set([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3]);
    await expect(image.write(0, header)).rejects.toMatchObject({ code: 'permission' });
    await image.write(0, sector(1));
    await image.write(1, header);
    const explicit = await host.open('x', { format: 'raw' });
    await explicit.write(0, header);
    expect(host.warnings).toHaveLength(1);
  });
});
