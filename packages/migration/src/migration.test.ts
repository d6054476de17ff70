import { fieldsOf, vmstate } from '@pagurus/vmstate';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CounterState,
  counterDescription,
  FakeBlock,
  FakeMachine,
  type FakeMachineOptions,
  FakeTime,
  PAGE,
} from '../test/fake-machine.js';
import { list } from '../test/support.js';
import {
  type ByteChannel,
  bytesChannel,
  catalogueEntry,
  catalogueOf,
  channelPair,
  collectingChannel,
  convertToQemu,
  incoming,
  inspectStream,
  type MigrateOptions,
  type MigrationInfo,
  migrate,
  StreamError,
  saveSnapshot,
} from './index.js';

/** Takes its time: so many bytes per millisecond. */
function slow(channel: ByteChannel, time: FakeTime, rate: number): ByteChannel {
  return {
    duplex: channel.duplex,
    read: () => channel.read(),
    end: () => channel.end(),
    close: () => channel.close(),
    write(bytes) {
      time.pass(bytes.length / rate);
      return channel.write(bytes);
    },
  };
}

interface RunOptions extends Partial<MigrateOptions> {
  readonly rate?: number;
  readonly destination?: FakeMachine;
  readonly source?: FakeMachineOptions;
}

function filled(machine: FakeMachine): FakeMachine {
  for (const block of machine.ramBlocks)
    for (let at = 0; at < block.usedLength; at += 3 * PAGE) block.bytes[at + 17] = 1 + (at % 251);
  machine.counters[0]!.count = 7;
  machine.counters[1]!.alarm = 3;
  machine.counters[1]!.data.set([1, 2, 3]);
  return machine;
}

/** From one fake machine to another. */
async function run(source: FakeMachine, options: RunOptions = {}) {
  const destination =
    options.destination ?? new FakeMachine({ name: source.machineName, settings: source.settings, runState: 'inmigrate' });
  const time = new FakeTime([source, destination]);
  const [near, far] = channelPair();
  const infos: MigrationInfo[] = [];
  const migration = migrate(source, slow(near, time, options.rate ?? 1e6), {
    timer: time,
    onProgress: (info) => infos.push(info),
    ...options,
  });
  const results = await Promise.allSettled([migration.done, incoming(destination, far, { timer: time })]);
  return { destination, time, infos, sent: results[0], loaded: results[1], migration };
}

describe('a machine that stands still', () => {
  it('arrives with RAM, devices and run state', async () => {
    const source = filled(new FakeMachine({ runState: 'paused' }));
    const before = source.contents();
    const { destination, sent, loaded } = await run(source);
    expect(sent).toMatchObject({ status: 'fulfilled', value: { status: 'completed' } });
    expect(loaded).toMatchObject({
      status: 'fulfilled',
      value: { runState: 'paused', sourceRunState: 'paused', missing: [], warnings: [] },
    });
    expect(destination.contents()).toEqual(before);
    expect(source.contents()).toEqual(before);
    expect(source.runState).toBe('postmigrate');
    expect(destination.history).toEqual(['resume paused']);
  });

  it('sends what QEMU 7.2 sends, in its order', async () => {
    const source = filled(new FakeMachine({ runState: 'paused' }));
    const file = collectingChannel();
    await migrate(source, file, { timer: new FakeTime() }).done;
    const { rows, decodedBy } = await list(bytesChannel(file.bytes()));
    expect(rows).toEqual([
      ['CONFIG', { machine: 'pc-i440fx-7.2', subs: [] }],
      ['START', 'ram', 0, 4, 8 + (1 + 20 + 8) + (1 + 6 + 8) + (1 + 7 + 8) + 8],
      ['PART', 'ram', expect.any(Number)],
      ['END', 'ram', 8],
      ['FULL', '0000:00:03.0/counter', 0, 3, 20],
      ['FULL', '0000:00:04.0/counter', 0, 3, 20 + 2 + 13 + 4 + 2],
      ['FULL', 'globalstate', 0, 1, 104],
      ['EOF'],
      ['VMDESC', expect.any(Number)],
    ]);
    expect([...decodedBy]).toEqual(['vmdesc']);
  });

  it('names the largest possible block first and every page once', async () => {
    const source = filled(new FakeMachine({ runState: 'paused' }));
    const file = collectingChannel();
    const info = await migrate(source, file, { timer: new FakeTime() }).done;
    const names: string[] = [];
    const pages = new Set<string>();
    await list(bytesChannel(file.bytes()), (record) => {
      if (record.kind === 'ram-block') names.push(record.block.name);
      if (record.kind === 'ram-zero' || record.kind === 'ram-page') pages.add(`${record.block.name}+${record.offset}`);
    });
    expect(names).toEqual(['/rom@etc/acpi/tables', 'pc.ram', 'pc.bios']);
    expect(pages.size).toBe(43);
    expect(info.ram).toMatchObject({
      duplicate: 27,
      normal: 16,
      'normal-bytes': 16 * PAGE,
      total: 43 * PAGE,
      remaining: 0,
      'dirty-sync-count': 2,
    });
  });

  it('gives the same bytes every time', async () => {
    const once = async () => {
      const file = collectingChannel();
      const source = filled(new FakeMachine({ runState: 'paused' }));
      await migrate(source, file, { timer: new FakeTime(), slice: Math.random() * 3 }).done;
      return Buffer.from(file.bytes()).toString('hex');
    };
    expect(await once()).toBe(await once());
  });

  it('cannot leave twice, nor while it waits for another', async () => {
    for (const runState of ['postmigrate', 'inmigrate'] as const) {
      const source = new FakeMachine({ runState });
      await expect(migrate(source, collectingChannel(), { timer: new FakeTime() }).done).rejects.toMatchObject({
        code: 'command-order',
        got: runState,
      });
      expect(source.runState).toBe(runState);
    }
  });
});

describe('machine versions', () => {
  const rowsOf = async (options: FakeMachineOptions) => {
    const file = collectingChannel();
    await migrate(filled(new FakeMachine(options)), file, { timer: new FakeTime() }).done;
    return (await list(bytesChannel(file.bytes()))).rows;
  };
  const old = { sendConfiguration: false, sendSectionFooter: false, storeGlobalState: false };

  it('2.3 has no configuration, no footers, and globalstate only in unusual states', async () => {
    const rows = await rowsOf({ settings: old, runState: 'paused' });
    expect(rows.map((row) => row[0])).toEqual(['START', 'PART', 'END', 'FULL', 'FULL', 'EOF', 'VMDESC']);
    const unusual = await rowsOf({ settings: old, runState: 'prelaunch' });
    expect(unusual.map((row) => row[1])).toContain('globalstate');
  });

  it('2.2 has no description either', async () => {
    const rows = await rowsOf({ settings: { ...old, suppressVmdesc: true }, runState: 'paused' });
    expect(rows.at(-1)).toEqual(['EOF']);
  });

  it('10.0 announces the switchover', async () => {
    const rows = await rowsOf({ settings: { sendSwitchoverStart: true, splitGlobalState: true }, runState: 'paused' });
    expect(rows.map((row) => row[0])).toContain('COMMAND');
    expect(rows.map((row) => row[0]).indexOf('COMMAND')).toBe(rows.map((row) => row[0]).indexOf('END') - 1);
  });

  it.each([
    ['2.2', { ...old, suppressVmdesc: true }],
    ['2.3', old],
    ['7.2', {}],
    ['10.0', { sendSwitchoverStart: true, splitGlobalState: true }],
  ] as const)('%s arrives', async (_, settings) => {
    const source = filled(new FakeMachine({ settings, runState: 'paused' }));
    const before = source.contents();
    const { destination, loaded } = await run(source);
    expect(loaded.status).toBe('fulfilled');
    expect(destination.contents()).toEqual(before);
    // A paused machine of 2.3 and older does not say so: it runs on the other side, as with QEMU.
    expect(destination.runState).toBe(settings === old || 'suppressVmdesc' in settings ? 'running' : 'paused');
  });

  it('reads both layouts of globalstate', async () => {
    for (const splitGlobalState of [false, true]) {
      const source = filled(new FakeMachine({ settings: { splitGlobalState }, runState: 'prelaunch' }));
      const destination = new FakeMachine({ settings: { splitGlobalState: !splitGlobalState }, runState: 'inmigrate' });
      await run(source, { destination });
      expect(destination.runState).toBe('prelaunch');
    }
  });
});

/** Writes to `pages` pages in a ring, one byte each millisecond. */
function busyGuest(pages: number, perMillisecond: number): (machine: FakeMachine) => void {
  let step = 0;
  return (machine) => {
    for (let i = 0; i < perMillisecond; i++) {
      step++;
      machine.ram.store((step % pages) * PAGE + (step % PAGE), step & 0xff);
      machine.counters[0]!.count = step >>> 0;
    }
  };
}

describe('a running machine', () => {
  it('arrives running, with everything its guest wrote on the way', async () => {
    const source = filled(new FakeMachine({ blocks: [new FakeBlock('pc.ram', 500)] }));
    source.guest = busyGuest(100, 1);
    const destination = new FakeMachine({ blocks: [new FakeBlock('pc.ram', 500)], runState: 'inmigrate' });
    const { sent, loaded, infos } = await run(source, { destination, rate: 20_000, parameters: { downtimeLimit: 30 } });
    expect(loaded).toMatchObject({ status: 'fulfilled', value: { runState: 'running' } });
    expect(destination.contents()).toEqual(source.contents());
    expect(source.counters[0]!.count).toBeGreaterThan(20);
    expect(source.runState).toBe('postmigrate');
    const info = (sent as PromiseFulfilledResult<MigrationInfo>).value;
    expect(info.ram!['dirty-sync-count']).toBeGreaterThan(2);
    expect(info.downtime).toBeLessThanOrEqual(60);
    expect(infos.map((one) => one.status).filter((status, i, all) => status !== all[i - 1])).toEqual([
      'setup',
      'active',
      'completed',
    ]);
  });

  it('loses no page, whatever the guest and the line do (property)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          pages: fc.integer({ min: 1, max: 120 }),
          writes: fc.array(fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 40 }),
          rate: fc.integer({ min: 500, max: 20_000 }),
          slice: fc.integer({ min: 0, max: 20 }),
          downtimeLimit: fc.integer({ min: 20, max: 2000 }),
          returnPath: fc.boolean(),
        }),
        async ({ pages, writes, rate, slice, downtimeLimit, returnPath }) => {
          const blocks = () => [new FakeBlock('pc.ram', pages), new FakeBlock('vga.vram', 33)];
          const source = new FakeMachine({ blocks: blocks() });
          let step = 0;
          source.guest = (machine) => {
            const [page, at, value] = writes[step++ % writes.length]!;
            // Ever slower, so that it converges.
            if (step < 200 || step % 50 === 0)
              machine.ramBlocks[page % 2]!.store((page % Math.min(pages, 33)) * PAGE + (at % PAGE), value);
          };
          const destination = new FakeMachine({ blocks: blocks(), runState: 'inmigrate' });
          const { sent, loaded } = await run(source, { destination, rate, slice, parameters: { downtimeLimit }, returnPath });
          expect(sent.status).toBe('fulfilled');
          expect(loaded.status).toBe('fulfilled');
          expect(destination.contents()).toEqual(source.contents());
        },
      ),
      { numRuns: 60 },
    );
  });

  it('does not stop for a guest that dirties more than the line carries, and goes on when cancelled', async () => {
    const source = filled(new FakeMachine({ blocks: [new FakeBlock('pc.ram', 300)] }));
    source.guest = busyGuest(300, 5);
    const destination = new FakeMachine({ blocks: [new FakeBlock('pc.ram', 300)], runState: 'inmigrate' });
    const time = new FakeTime([source, destination]);
    const [near, far] = channelPair();
    const statuses: string[] = [];
    const migration = migrate(source, slow(near, time, 1000), {
      timer: time,
      parameters: { downtimeLimit: 100 },
      onProgress(info) {
        statuses.push(info.status);
        if (info['total-time']! > 20_000) migration.cancel();
      },
    });
    const [sent, loaded] = await Promise.allSettled([migration.done, incoming(destination, far, { timer: time })]);
    expect(sent).toMatchObject({ status: 'rejected', reason: { code: 'cancelled' } });
    expect(migration.info()).toMatchObject({ status: 'cancelled', 'error-desc': expect.stringContaining('cancelled') });
    expect(statuses.slice(-2)).toEqual(['cancelling', 'cancelled']);
    expect(migration.info().ram!['dirty-sync-count']).toBeGreaterThan(10);
    expect(migration.info().ram!['dirty-pages-rate']).toBeGreaterThan(100);
    expect(source.runState).toBe('running');
    expect(source.history).toEqual([]);
    expect(source.ram.logging).toBe(false);
    expect(loaded).toMatchObject({ status: 'rejected', reason: { code: 'channel' } });
    expect(destination.resets).toBe(2);
  });

  it('converges when the downtime limit is raised on the way', async () => {
    const source = filled(new FakeMachine({ blocks: [new FakeBlock('pc.ram', 300)] }));
    source.guest = busyGuest(300, 5);
    const destination = new FakeMachine({ blocks: [new FakeBlock('pc.ram', 300)], runState: 'inmigrate' });
    const time = new FakeTime([source, destination]);
    const [near, far] = channelPair();
    const migration = migrate(source, slow(near, time, 1000), {
      timer: time,
      parameters: { downtimeLimit: 100 },
      onProgress(info) {
        if (info['total-time']! > 5000) migration.setParameters({ downtimeLimit: 20_000 });
      },
    });
    await Promise.all([migration.done, incoming(destination, far, { timer: time })]);
    expect(destination.contents()).toEqual(source.contents());
    expect(() => migration.setParameters({ downtimeLimit: -1 })).toThrow(/downtime-limit/);
  });

  it('keeps to max-bandwidth while it runs', async () => {
    const source = filled(new FakeMachine({ blocks: [new FakeBlock('pc.ram', 400)] }));
    for (let page = 0; page < 400; page++) source.ram.bytes[page * PAGE] = 1;
    const destination = new FakeMachine({ blocks: [new FakeBlock('pc.ram', 400)], runState: 'inmigrate' });
    const { infos, sent } = await run(source, { destination, parameters: { maxBandwidth: 1_000_000, downtimeLimit: 10 } });
    const info = (sent as PromiseFulfilledResult<MigrationInfo>).value;
    // 1.6 MB at 1 MB/s
    expect(info['total-time']).toBeGreaterThan(1300);
    for (const one of infos.filter(({ status }) => status === 'active')) expect(one.ram!.mbps).toBeLessThan(8 * 4);
    expect(info.ram!['precopy-bytes']).toBeGreaterThan(info.ram!['downtime-bytes']);
    expect(info.ram!.transferred).toBe(info.ram!['precopy-bytes'] + info.ram!['downtime-bytes']);
  });
});

describe('a failing connection', () => {
  /** Breaks after so many bytes. */
  const breaking = (limit: number): ByteChannel => {
    let left = limit;
    return {
      duplex: false,
      async read() {
        return undefined;
      },
      async write(bytes) {
        left -= bytes.length;
        if (left < 0) throw new Error('connection reset');
      },
      async end() {
        if (left <= 0) throw new Error('connection reset');
      },
      close() {},
    };
  };
  const small = () => new FakeMachine({ blocks: [new FakeBlock('pc.ram', 2)] });

  it('leaves the source running, wherever it breaks', async () => {
    const whole = collectingChannel();
    const time = new FakeTime();
    await migrate(small(), whole, { timer: time }).done;
    const length = whole.bytes().length;
    for (let limit = 0; limit < length; limit++) {
      const source = small();
      const before = source.contents();
      const migration = migrate(source, breaking(limit), { timer: time });
      await expect(migration.done).rejects.toMatchObject({
        code: 'channel',
        message: expect.stringContaining('connection reset'),
      });
      expect(source.runState).toBe('running');
      expect(source.ram.logging).toBe(false);
      expect(source.contents()).toEqual(before);
      expect(migration.info().status).toBe('failed');
    }
  });

  it('resets the destination, wherever it breaks', async () => {
    const whole = collectingChannel();
    const time = new FakeTime();
    const source = filled(small());
    await saveSnapshot(source, whole);
    const bytes = whole.bytes();
    const eof = bytes.lastIndexOf(0x06, bytes.length - 20) - 1;
    const fresh = new FakeMachine({ blocks: [new FakeBlock('pc.ram', 2)] }).contents();
    const jsonStart = Buffer.from(bytes).indexOf('{"page_size"');
    expect(eof).toBeLessThan(bytes.length);
    for (let length = 0; length < jsonStart - 5; length++) {
      const destination = new FakeMachine({ blocks: [new FakeBlock('pc.ram', 2)], runState: 'inmigrate' });
      const failure = await incoming(destination, bytesChannel(bytes.subarray(0, length)), { timer: time }).catch(
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(StreamError);
      expect(['truncated', 'not-a-stream', 'section-name', 'footer-missing', 'configuration-missing']).toContain(
        (failure as StreamError).code,
      );
      expect(destination.contents()).toEqual(fresh);
      expect(destination.runState).toBe('inmigrate');
      expect(destination.resets).toBe(2);
    }
    // With the end-of-stream byte everything is there: a cut description does no harm, as in QEMU.
    for (const length of [jsonStart - 5, jsonStart - 3, jsonStart, jsonStart + 10, bytes.length]) {
      const destination = new FakeMachine({ blocks: [new FakeBlock('pc.ram', 2)], runState: 'inmigrate' });
      const result = await incoming(destination, bytesChannel(bytes.subarray(0, length)), { timer: time });
      expect(result.warnings.length).toBe(length === bytes.length || length === jsonStart - 3 ? 0 : 1);
      expect(destination.contents()).toEqual(source.contents());
    }
  });

  it('is told apart from a device that cannot be saved', async () => {
    const source = small();
    source.counters[0]!.count = -1;
    await expect(migrate(source, collectingChannel(), { timer: new FakeTime() }).done).rejects.toMatchObject({
      code: 'save-failed',
      section: '0000:00:03.0/counter',
      path: expect.stringContaining('count'),
    });
    expect(source.runState).toBe('running');
  });
});

describe('the return path', () => {
  it('carries PING, PONG and the verdict', async () => {
    const source = filled(new FakeMachine());
    const { sent, loaded, destination } = await run(source, { returnPath: true });
    expect(sent.status).toBe('fulfilled');
    expect(loaded.status).toBe('fulfilled');
    expect(destination.contents()).toEqual(source.contents());
  });

  it('has the bytes that QEMU was recorded with', async () => {
    const source = new FakeMachine({ runState: 'paused' });
    const [near, far] = channelPair();
    const time = new FakeTime();
    const sent: Uint8Array[] = [];
    const heard: ByteChannel = {
      ...far,
      duplex: true,
      async write(bytes) {
        sent.push(bytes.slice());
        await far.write(bytes);
      },
    };
    await Promise.all([
      migrate(source, near, { timer: time, returnPath: true }).done,
      incoming(new FakeMachine({ runState: 'inmigrate' }), heard, { timer: time }),
    ]);
    expect(Buffer.concat(sent).toString('hex')).toBe(`${'0002000400000001'}${'0001000400000000'}`);
  });

  it('lets the source go on when the destination cannot load', async () => {
    const source = filled(new FakeMachine());
    const destination = new FakeMachine({ name: 'pc-i440fx-7.1', runState: 'inmigrate' });
    const { loaded } = await run(source, { destination, returnPath: true });
    expect(loaded).toMatchObject({ status: 'rejected', reason: { code: 'machine-mismatch' } });
    expect(source.runState).toBe('running');

    const other = filled(new FakeMachine());
    const wrong = new FakeMachine({
      blocks: [new FakeBlock('pc.ram', 41), new FakeBlock('pc.bios', 2), new FakeBlock('/rom@etc/acpi/tables', 1)],
      runState: 'inmigrate',
    });
    const result = await run(other, { destination: wrong, returnPath: true });
    expect(result.sent).toMatchObject({ status: 'rejected', reason: { code: 'peer-failed', got: 'SHUT 1' } });
    expect(other.runState).toBe('running');
  });

  it('counts as failed when it closes without a verdict', async () => {
    const source = filled(new FakeMachine());
    const [near, far] = channelPair();
    const drain = (async () => {
      while (await far.read());
      await far.end();
    })();
    await expect(migrate(source, near, { timer: new FakeTime([source]), returnPath: true }).done).rejects.toMatchObject({
      code: 'peer-failed',
    });
    await drain;
    expect(source.history).toEqual(['stop finish-migrate', 'start']);
    expect(source.runState).toBe('running');
  });

  it('needs a connection that goes both ways', async () => {
    await expect(
      migrate(new FakeMachine(), collectingChannel(), { timer: new FakeTime(), returnPath: true }).done,
    ).rejects.toMatchObject({ code: 'command-order' });
  });
});

describe('a connection that gives little at a time and stays open', () => {
  /** Hands on `size` bytes per chunk. */
  const crumbled = (channel: ByteChannel, size: number): ByteChannel => ({
    ...channel,
    async write(bytes) {
      for (let at = 0; at < bytes.length; at += size) await channel.write(bytes.slice(at, at + size));
    },
  });

  it.each([1, 2, 13, 100, 4097])('of %i bytes', async (size) => {
    for (const settings of [{}, { sendConfiguration: false, sendSectionFooter: false, storeGlobalState: false }]) {
      const blocks = () => [new FakeBlock('pc.ram', 1)];
      const source = filled(new FakeMachine({ settings, blocks: blocks() }));
      source.counters[0]!.alarm = 5;
      const destination = new FakeMachine({ settings, blocks: blocks(), runState: 'inmigrate' });
      const [near, far] = channelPair(1 << 16);
      const time = new FakeTime();
      // The return path keeps the source's end open until the destination has said that it is content.
      await Promise.all([
        migrate(source, crumbled(near, size), { timer: time, returnPath: true }).done,
        incoming(destination, far, { timer: time }),
      ]);
      expect(destination.contents()).toEqual(source.contents());
    }
  });
});

describe('our own descriptions', () => {
  it('decode streams that carry none', async () => {
    const settings = { sendConfiguration: false, sendSectionFooter: false, storeGlobalState: false, suppressVmdesc: true };
    const source = filled(new FakeMachine({ settings }));
    const file = collectingChannel();
    await saveSnapshot(source, file);
    const catalogue = catalogueEntry(counterDescription, () => new CounterState());
    const inspection = await inspectStream(bytesChannel(file.bytes()), { catalogue });
    const sections = inspection.entries.filter((entry) => entry.kind === 'section' && entry.type === 'FULL');
    expect(sections).toMatchObject([
      { decodedBy: 'catalogue', values: { count: 7, limit: 100, data: '0000000000000000' } },
      { decodedBy: 'catalogue', values: { count: 0, data: '0102030000000000', 'SUB counter/alarm v1': { alarm: 3 } } },
    ]);
    const copy = collectingChannel();
    await convertToQemu(bytesChannel(file.bytes()), copy, { catalogue });
    expect(Buffer.from(copy.bytes()).equals(file.bytes())).toBe(true);
  });

  it('can be taken from a whole machine', async () => {
    const source = filled(new FakeMachine());
    const file = collectingChannel();
    await saveSnapshot(source, file);
    const { entries } = await inspectStream(bytesChannel(file.bytes()), { catalogue: catalogueOf(new FakeMachine()) });
    expect(entries.filter((entry) => entry.kind === 'section' && entry.decodedBy === 'catalogue')).toHaveLength(2);
  });

  it('give way to the stream when they do not fit it', async () => {
    const source = filled(new FakeMachine());
    const file = collectingChannel();
    await saveSnapshot(source, file);
    const other = vmstate<CounterState>({ name: 'counter', version: 3, fields: [fieldsOf<CounterState>().u32('count')] });
    const catalogue = catalogueEntry(other, () => new CounterState());
    const { entries, error } = await inspectStream(bytesChannel(file.bytes()), { catalogue });
    expect(error).toBeUndefined();
    expect(entries.filter((entry) => entry.kind === 'section' && entry.decodedBy === 'vmdesc')).toHaveLength(3);
  });
});

describe('a snapshot', () => {
  it('is one pass, the same every time, and the machine goes on', async () => {
    const source = filled(new FakeMachine());
    const first = collectingChannel();
    const second = collectingChannel();
    await saveSnapshot(source, first);
    expect(source.history).toEqual(['stop save-vm', 'start']);
    await saveSnapshot(source, second);
    expect(Buffer.from(first.bytes()).equals(second.bytes())).toBe(true);
    const { rows } = await list(bytesChannel(first.bytes()));
    expect(rows.map((row) => row[0])).toEqual(['CONFIG', 'START', 'PART', 'END', 'FULL', 'FULL', 'FULL', 'EOF', 'VMDESC']);
    const destination = new FakeMachine({ runState: 'restore-vm' });
    const result = await incoming(destination, bytesChannel(first.bytes(), 100), { timer: new FakeTime() });
    expect(result.runState).toBe('running');
    expect(destination.contents()).toEqual(source.contents());
  });

  it('leaves a stopped machine as it was, also when the disk is full', async () => {
    const source = filled(new FakeMachine({ runState: 'paused' }));
    const full = { write: () => Promise.reject(new Error('no space left')), end: async () => {} };
    await expect(saveSnapshot(source, full)).rejects.toMatchObject({
      code: 'channel',
      message: expect.stringContaining('no space left'),
    });
    expect(source.runState).toBe('paused');
  });
});
