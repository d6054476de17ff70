import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeBlock, FakeMachine, FakeTime } from '../test/fake-machine.js';
import { fixture } from '../test/support.js';
import {
  bytesChannel,
  channelPair,
  collectingChannel,
  convertFromJson,
  convertToJson,
  type IncomingOptions,
  incoming,
  inspectStream,
  readCommand,
  readConfiguration,
  readReturnMessage,
  StreamError,
  StreamReader,
  StreamWriter,
  saveSnapshot,
  writeCommand,
  writeConfiguration,
} from './index.js';

const hex = (text: string) =>
  Uint8Array.from(text.replaceAll(/\s/g, '').match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
const ascii = (text: string) => Buffer.from(text, 'latin1').toString('hex');
const readerOf = (text: string, chunk = 3) => new StreamReader(bytesChannel(hex(text), chunk));

async function written(write: (writer: StreamWriter) => void): Promise<string> {
  const file = collectingChannel();
  const writer = new StreamWriter(file);
  write(writer);
  await writer.end();
  return Buffer.from(file.bytes()).toString('hex');
}

describe('StreamReader', () => {
  it('gives integers over the edges of chunks and counts offsets', async () => {
    const reader = readerOf('01 0203 04050607 08090a0b0c0d0e0f 03616263');
    await reader.need(15, 'integers');
    expect([reader.u8(), reader.u16(), reader.u32(), reader.u64()]).toEqual([1, 0x203, 0x4050607, 0x8090a0b0c0d0e0fn]);
    expect(reader.offset).toBe(15);
    expect(await reader.string8('a name')).toBe('abc');
    expect(reader.offset).toBe(19);
  });

  it('asks for no more than is needed, so that a peer that waits is not waited for', async () => {
    const [near, far] = channelPair();
    await near.write(hex('00000001'));
    const reader = new StreamReader(far);
    await reader.need(4, 'an integer');
    expect(reader.u32()).toBe(1);
    const later = reader.need(1, 'more');
    await near.write(hex('ff'));
    await later;
    expect(reader.u8()).toBe(0xff);
  });

  it('names what is cut, and where', async () => {
    const reader = readerOf('010203');
    reader.place.section = 'timer';
    await expect(reader.need(4, 'a section id')).rejects.toMatchObject({
      code: 'truncated',
      section: 'timer',
      offset: 3,
      expected: '4 bytes',
      got: '3',
    });
  });

  it('shares one read between two that wait, and loses nothing', async () => {
    const [near, far] = channelPair();
    const reader = new StreamReader(far);
    const both = Promise.all([reader.fillMore(), reader.fillMore()]);
    await near.write(hex('0102'));
    expect(await both).toEqual([true, true]);
    expect(reader.available).toBe(2);
  });

  it('bounds what it holds', async () => {
    await expect(readerOf('00'.repeat(100)).fillAll(50, 'the device part')).rejects.toMatchObject({ code: 'limit' });
  });
});

describe('configuration', () => {
  const dump = `0000000d ${ascii('pc-i440fx-7.2')} 05 1a ${ascii('configuration/capabilities')} 00000001 00000001 0f ${ascii('x-ignore-shared')}
    05 12 ${ascii('configuration/uuid')} 00000001 123456789abcdef01122334455667788`;
  const configuration = {
    machine: 'pc-i440fx-7.2',
    subsections: [
      { name: 'configuration/capabilities' as const, version: 1, capabilities: ['x-ignore-shared'] },
      { name: 'configuration/uuid' as const, version: 1, uuid: '12345678-9abc-def0-1122-334455667788' },
    ],
  };

  it('reads what QEMU wrote, and writes it', async () => {
    const reader = readerOf(`${dump} 01`);
    expect(await readConfiguration(reader)).toEqual(configuration);
    expect(reader.u8()).toBe(1);
    expect(await written((writer) => writeConfiguration(writer, configuration))).toBe(`07${dump.replaceAll(/\s/g, '')}`);
  });

  it('reads page bits', async () => {
    const subsection = { name: 'configuration/target-page-bits' as const, version: 1, pageBits: 13 };
    const text = await written((writer) => writeConfiguration(writer, { machine: 'x', subsections: [subsection] }));
    expect(await readConfiguration(readerOf(`${text.slice(2)}01`))).toEqual({ machine: 'x', subsections: [subsection] });
  });

  it.each([
    ['a name of 4 GiB', 'ffffffff', 'limit'],
    ['4 billion capabilities', `00000001 78 05 1a ${ascii('configuration/capabilities')} 00000001 ffffffff`, 'limit'],
    ['an unknown subsection', `00000001 78 05 11 ${ascii('configuration/foo')} 00000001 01`, 'unknown-configuration-subsection'],
    ['an end in the name', '00000005 78', 'truncated'],
  ])('refuses %s', async (_, text, code) => {
    await expect(readConfiguration(readerOf(text))).rejects.toMatchObject({ code, section: 'configuration' });
  });

  const stream = async (machine: string, capabilities: string[] = [], uuid?: string, pageBits?: number) => {
    const file = collectingChannel();
    const plain = collectingChannel();
    await saveSnapshot(new FakeMachine({ blocks: [new FakeBlock('pc.ram', 1)], runState: 'paused' }), plain);
    const writer = new StreamWriter(file);
    writer.bytes(plain.bytes().subarray(0, 8));
    writeConfiguration(writer, {
      machine,
      subsections: [
        ...(pageBits ? [{ name: 'configuration/target-page-bits' as const, version: 1, pageBits }] : []),
        ...(capabilities.length > 0 ? [{ name: 'configuration/capabilities' as const, version: 1, capabilities }] : []),
        ...(uuid ? [{ name: 'configuration/uuid' as const, version: 1, uuid }] : []),
      ],
    });
    writer.bytes(plain.bytes().subarray(8 + 5 + 13));
    await writer.end();
    return file.bytes();
  };
  const load = (bytes: Uint8Array, options: Partial<IncomingOptions> = {}) =>
    incoming(new FakeMachine({ blocks: [new FakeBlock('pc.ram', 1)] }), bytesChannel(bytes), {
      timer: new FakeTime(),
      ...options,
    });
  const uuid = '12345678-9abc-def0-1122-334455667788';

  it('accepts what QEMU accepts', async () => {
    await load(await stream('pc-i440fx-7.2'));
    await load(await stream('pc-i440fx')); // a name that ours begins with
    await load(await stream('pc-i440fx-7.2', [], undefined, 12));
    await load(await stream('pc-i440fx-7.2', ['xbzrle'])); // known, not validated
    await load(await stream('pc-i440fx-7.2', [], uuid), { uuid });
    expect((await load(await stream('pc-i440fx-7.2', [], uuid))).warnings).toEqual([expect.stringContaining(uuid)]);
  });

  it.each([
    ['machine-mismatch', () => stream('pc-i440fx-7.1'), {}],
    ['machine-mismatch', () => stream('pc-i440fx-7.2.1'), {}],
    ['page-bits-mismatch', () => stream('pc-i440fx-7.2', [], undefined, 13), {}],
    ['unknown-capability', () => stream('pc-i440fx-7.2', ['foo']), {}],
    ['capability-mismatch', () => stream('pc-i440fx-7.2', ['x-ignore-shared']), {}],
    ['capability-mismatch', () => stream('pc-i440fx-7.2'), { capabilities: ['x-ignore-shared'] }],
    ['uuid-mismatch', () => stream('pc-i440fx-7.2', [], uuid), { uuid: '00000000-0000-0000-0000-000000000001' }],
  ] as const)('refuses with %s', async (code, make, options) => {
    await expect(load(await make(), options)).rejects.toMatchObject({ code, section: 'configuration' });
  });

  it('is missed where it is expected, and unknown where it is not', async () => {
    const bytes = await stream('pc-i440fx-7.2');
    const without = Buffer.concat([bytes.subarray(0, 8), bytes.subarray(26)]);
    await expect(load(without)).rejects.toMatchObject({ code: 'configuration-missing', expected: '0x7', got: '0x1', offset: 8 });
    const old = new FakeMachine({ settings: { sendConfiguration: false } });
    await expect(incoming(old, bytesChannel(bytes), { timer: new FakeTime() })).rejects.toMatchObject({
      code: 'unknown-section-type',
      offset: 8,
    });
  });
});

describe('commands', () => {
  const recorded: [string, object][] = [
    ['08 0001 0000', { name: 'OPEN_RETURN_PATH' }],
    ['08 0002 0004 00000001', { name: 'PING', value: 1 }],
    ['08 0003 0000', { name: 'POSTCOPY_ADVISE' }],
    [
      '08 0003 0010 0000000000001000 0000000000001000',
      { name: 'POSTCOPY_ADVISE', pageSizes: { ofBlocks: 0x1000n, ofTarget: 0x1000n } },
    ],
    ['08 0004 0000', { name: 'POSTCOPY_LISTEN' }],
    ['08 0005 0000', { name: 'POSTCOPY_RUN' }],
    [
      `08 0006 0019 00 06 ${ascii('pc.ram')} 00 0000000000020000 0000000000040000`,
      { name: 'POSTCOPY_RAM_DISCARD', version: 0, block: 'pc.ram', ranges: [{ start: 0x20000n, length: 0x40000n }] },
    ],
    ['08 0007 0004 00003073', { name: 'PACKAGED', size: 0x3073 }],
    ['08 0009 0000', { name: 'POSTCOPY_RESUME' }],
    [`08 000a 0007 06 ${ascii('pc.ram')}`, { name: 'RECV_BITMAP', block: 'pc.ram' }],
    ['08 000b 0000', { name: 'SWITCHOVER_START' }],
  ];
  it.each(recorded)('%s', async (text, command) => {
    const reader = readerOf(text);
    await reader.need(1, 'the type');
    reader.skip(1);
    const read = await readCommand(reader);
    expect(read).toEqual(command);
    expect(await written((writer) => writeCommand(writer, read))).toBe(text.replaceAll(' ', ''));
  });

  it.each([
    ['00 0000 0000', 'unknown-command', '0x0'],
    ['00 0063 0000', 'unknown-command', '0x63'],
    ['00 0002 0003 000001', 'command-length', 'expected 4, got 3'],
    ['00 0001 0001 00', 'command-length', 'expected 0, got 1'],
    ['00 0003 0008 0000000000001000', 'command-length', '0 or 16'],
    ['00 0006 0002 0000', 'command-length', 'at least 3'],
    ['00 0006 0005 00 01 61 00 00', 'command-length', '16 per range'],
    [`00 000a 0003 06 ${ascii('pc')}`, 'command-length', 'length of the name'],
    ['00 0002 0004 0000', 'truncated', 'command PING'],
  ])('%s is refused', async (text, code, words) => {
    const reader = readerOf(text, 100);
    await reader.need(1, 'the type');
    reader.skip(1);
    await expect(readCommand(reader)).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
  });
});

describe('return path', () => {
  it('reads messages that QEMU sent', async () => {
    const reader = readerOf(
      `0002 0004 00000001 0003 0013 0000000000021000 00001000 06 ${ascii('pc.ram')} 0004 000c 0000000000046000 00001000 0001 0004 00000000`,
    );
    expect(await readReturnMessage(reader)).toEqual({ type: 'PONG', value: 1 });
    expect(await readReturnMessage(reader)).toEqual({ type: 'REQ_PAGES', offset: 0x21000n, length: 0x1000, block: 'pc.ram' });
    expect(await readReturnMessage(reader)).toEqual({ type: 'REQ_PAGES', offset: 0x46000n, length: 0x1000 });
    expect(await readReturnMessage(reader)).toEqual({ type: 'SHUT', value: 0 });
    expect(await readReturnMessage(reader)).toBeUndefined();
  });

  it('refuses what it does not know', async () => {
    await expect(readReturnMessage(readerOf('0009 0000'))).rejects.toMatchObject({
      code: 'unknown-command',
      section: 'return path',
    });
    await expect(readReturnMessage(readerOf('0001 0002 0000'))).rejects.toMatchObject({ code: 'command-length' });
  });
});

describe('hostile streams', () => {
  const names = ['control-pc-i440fx-7.2-i386', 'virtio-all-legacy-pc-i440fx-2.0-i386', 'postcopy-pc-i440fx-7.2-i386'];
  const streams = names.map((name) => new Uint8Array(fixture(`${name}.bin`)));
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));

  it('never fail with anything but a StreamError, whatever byte is changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: streams.length - 1 }),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        async (which, changes) => {
          const bytes = streams[which]!.slice();
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          const inspection = await inspectStream(bytesChannel(bytes)); // throws for anything else
          if (inspection.error) expect(inspection.error.message.length).toBeGreaterThan(10);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('do not start a machine without memory', async () => {
    const bytes = Buffer.concat([streams[0]!.subarray(0, 26), Buffer.from([0])]);
    await expect(incoming(new FakeMachine(), bytesChannel(bytes), { timer: new FakeTime() })).rejects.toMatchObject({
      code: 'ram-missing',
      offset: 26,
    });
  });

  it('never fail otherwise for noise behind a good header', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (noise, configured) => {
        const head = configured ? streams[0]!.subarray(0, 26) : streams[0]!.subarray(0, 8);
        const bytes = Buffer.concat([head, noise]);
        await inspectStream(bytesChannel(bytes));
        const target = new FakeMachine({ settings: { sendConfiguration: configured } });
        await expect(incoming(target, bytesChannel(bytes), { timer: new FakeTime() })).rejects.toBeInstanceOf(StreamError);
      }),
      { numRuns: 200 },
    );
  });
});

describe('JSON', () => {
  const jsonOf = async (bytes: Uint8Array) => {
    const file = collectingChannel();
    await convertToJson(bytesChannel(bytes), file);
    return Buffer.from(file.bytes()).toString();
  };

  it('is one document, an event on each line', async () => {
    const text = await jsonOf(fixture('postcopy-pc-i440fx-7.2-i386.bin'));
    const { events } = JSON.parse(text) as { events: { kind: string }[] };
    expect(text.split('\n')).toHaveLength(events.length + 3);
    expect(events.filter(({ kind }) => kind === 'command')).toHaveLength(10);
  });

  it.each([
    ['nothing', '', 'truncated'],
    ['something else', '{"hello": 1}\n', 'json'],
    ['half a document', '{"format": "pagurus-stream", "version": 1, "events": [\n{"kind":"header","version":3},\n', 'truncated'],
    ['a broken line', '{"format": "pagurus-stream", "version": 1, "events": [\n{"kind":\n]}\n', 'json'],
    ['an unknown event', '{"format": "pagurus-stream", "version": 1, "events": [\n{"kind":"song"}\n]}\n', 'json'],
    [
      'a page of no block',
      '{"format": "pagurus-stream", "version": 1, "events": [\n{"kind":"ram-zero","block":"x","offset":0,"continued":true,"byte":0}\n]}\n',
      'json',
    ],
  ])('refuses %s', async (_, text, code) => {
    await expect(convertFromJson(bytesChannel(Buffer.from(text)), collectingChannel())).rejects.toMatchObject({ code });
  });
});
