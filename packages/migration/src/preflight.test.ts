import { describe, expect, it } from 'vitest';
import { FakeBlock, FakeMachine, FakeTime, PAGE } from '../test/fake-machine.js';
import { bytesChannel, collectingChannel, incoming, preflight, saveSnapshot, summarize } from './index.js';

const source = () => new FakeMachine({ runState: 'paused' });

describe('preflight', () => {
  it('has nothing against a machine of the same kind', () => {
    expect(preflight(summarize(source()), summarize(source()))).toEqual([]);
  });

  it('finds all objections at once', () => {
    const destination = new FakeMachine({
      name: 'pc-i440fx-7.1',
      settings: { sendSectionFooter: false },
      blocks: [new FakeBlock('pc.ram', 41), new FakeBlock('/rom@etc/acpi/tables', 2, 64 * PAGE)],
      sections: [],
    });
    const objections = preflight(
      summarize(source(), { capabilities: ['x-ignore-shared', 'telepathy', 'validate-uuid'], uuid: 'a' }),
      summarize(destination, { uuid: 'b' }),
    );
    expect(objections.map(({ code, section, path }) => [code, section, path])).toEqual([
      ['machine-mismatch', 'configuration', 'name'],
      ['configuration-invalid', 'configuration', ''],
      ['capability-mismatch', 'configuration', ''],
      ['unknown-capability', 'configuration', ''],
      ['uuid-mismatch', 'configuration', ''],
      ['ram-block-size', 'ram', 'pc.ram'],
      ['ram-unknown-block', 'ram', 'pc.bios'],
      ['unknown-section', '0000:00:03.0/counter', ''],
      ['unknown-section', '0000:00:04.0/counter', ''],
    ]);
    expect(objections[5]!.message).toContain('expected 0x29000, got 0x28000');
  });

  it('survives the way as JSON', () => {
    const summary = summarize(source(), { uuid: '12345678-9abc-def0-1122-334455667788' });
    expect(JSON.parse(JSON.stringify(summary))).toEqual(summary);
  });

  it.each([
    ['name', new FakeMachine({ name: 'isapc' })],
    ['RAM size', new FakeMachine({ blocks: [new FakeBlock('pc.ram', 8)] })],
    ['devices', new FakeMachine({ sections: [] })],
  ])('objects first to what a load then refuses: %s', async (_, destination) => {
    const file = collectingChannel();
    await saveSnapshot(source(), file);
    const [objection] = preflight(summarize(source()), summarize(destination));
    const refusal = await incoming(destination, bytesChannel(file.bytes()), { timer: new FakeTime() }).catch(
      (error: unknown) => error,
    );
    // RAM blocks come in another order in the stream than in the machine.
    const codes = objection!.code.startsWith('ram-') ? ['ram-block-size', 'ram-unknown-block'] : [objection!.code];
    expect(codes).toContain((refusal as { code: string }).code);
  });
});
