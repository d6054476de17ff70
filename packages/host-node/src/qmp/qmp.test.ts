import type { CharacterFrontend } from '@pagurus/device-model';
import { describe, expect, it } from 'vitest';
import { fakeTarget } from '../hmp/testing.js';
import { JsonStream } from './json-stream.js';
import { QmpSession } from './session.js';

/** A session with its client: lines in, objects out. */
function client(change: Parameters<typeof fakeTarget>[0] = {}) {
  const target = fakeTarget(change);
  const answers: Record<string, unknown>[] = [];
  let frontend: (CharacterFrontend & { opened?(): void }) | undefined;
  const session = new QmpSession(target, {
    write: (bytes) => {
      for (const line of Buffer.from(bytes).toString().split('\r\n').filter(Boolean)) answers.push(JSON.parse(line));
    },
    connect: (given) => {
      frontend = given;
    },
  });
  const raw = async (text: string | Uint8Array): Promise<Record<string, unknown>[]> => {
    const from = answers.length;
    frontend!.receive(Buffer.from(text as string));
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    return answers.slice(from);
  };
  const ask = async (execute: string, args?: object): Promise<unknown> => {
    const [answer] = await raw(JSON.stringify({ execute, ...(args ? { arguments: args } : {}) }));
    return answer!.return ?? answer!.error;
  };
  return { target, answers, session, raw, ask, reconnect: () => frontend!.opened!() };
}

async function negotiated(change: Parameters<typeof fakeTarget>[0] = {}) {
  const made = client(change);
  expect(await made.ask('qmp_capabilities')).toEqual({});
  return made;
}

describe('a session', () => {
  it('greets, and takes nothing before the negotiation', async () => {
    const { answers, ask } = client();
    expect(answers).toEqual([
      { QMP: { version: { qemu: { major: 10, minor: 0, micro: 0 }, package: 'Pagurus 1.2.3' }, capabilities: [] } },
    ]);
    expect(await ask('query-status')).toMatchObject({ class: 'CommandNotFound' });
    expect(await ask('qmp_capabilities', { enable: ['oob'] })).toMatchObject({ class: 'GenericError' });
    expect(await ask('qmp_capabilities')).toEqual({});
    expect(await ask('qmp_capabilities')).toMatchObject({ class: 'CommandNotFound' });
    expect(await ask('query-status')).toEqual({ running: true, status: 'running' });
  });

  it('gives the id back and keeps the order', async () => {
    const { raw } = await negotiated();
    const answers = await raw('{"execute":"query-name","id":1} {"execute":"nonsense","id":{"a":2}}\n{"execute":"query-kvm"}');
    expect(answers).toEqual([
      { return: { name: 'crab' }, id: 1 },
      { error: { class: 'CommandNotFound', desc: 'The command nonsense has not been found' }, id: { a: 2 } },
      { return: { enabled: false, present: false } },
    ]);
  });

  it('tells events after the negotiation only, and only those of the protocol', async () => {
    const made = client();
    made.session.event('STOP');
    await made.ask('qmp_capabilities');
    const from = made.answers.length;
    made.session.event('X_PRIVATE');
    made.session.event('RESET', { guest: true, reason: 'guest-reset' });
    expect(made.answers.slice(from)).toMatchObject([{ event: 'RESET', data: { guest: true }, timestamp: {} }]);
  });

  it('begins anew with the next client', async () => {
    const made = await negotiated();
    await made.raw('{"execute":');
    made.reconnect();
    expect(made.answers.at(-1)).toHaveProperty('QMP');
    expect(await made.ask('query-status')).toMatchObject({ class: 'CommandNotFound' });
  });
});

describe('commands', () => {
  it.each([
    ['stop', undefined, 'stop'],
    ['cont', undefined, 'cont'],
    ['quit', undefined, 'quit'],
    ['system_reset', undefined, 'reset'],
    ['system_powerdown', undefined, 'powerdown'],
    [
      'device_add',
      { driver: 'e1000', id: 'n', addr: '5', mac: 'x', vectors: 3, on: true },
      'add e1000 {"id":"n","addr":"5","properties":{"mac":"x","vectors":"3","on":"on"}}',
    ],
    ['device_del', { id: 'pm' }, 'del pm'],
    [
      'send-key',
      {
        keys: [
          { type: 'qcode', data: 'ctrl' },
          { type: 'qcode', data: 'a' },
        ],
        'hold-time': 5,
      },
      'keys ctrl+a 5',
    ],
    ['migrate', { uri: 'tcp:h:1' }, 'migrate tcp:h:1'],
    ['migrate_cancel', undefined, 'cancel'],
    ['migrate-incoming', { uri: 'tcp:h:1' }, 'incoming tcp:h:1'],
    ['migrate-set-capabilities', { capabilities: [{ capability: 'xbzrle', state: true }] }, 'capability xbzrle true'],
    ['migrate-set-parameters', { 'downtime-limit': 500 }, 'parameter downtime-limit 500'],
  ])('%s', async (name, args, call) => {
    const { target, ask } = await negotiated();
    expect(await ask(name, args)).toEqual({});
    expect(target.calls).toEqual([call]);
  });

  it('answers questions', async () => {
    const { ask } = await negotiated({ uuid: '12345678-9abc-def0-1122-334455667788' });
    expect(await ask('query-uuid')).toEqual({ UUID: '12345678-9abc-def0-1122-334455667788' });
    expect(await ask('query-migrate')).toEqual({});
    expect(await ask('query-migrate-capabilities')).toEqual([{ capability: 'xbzrle', state: false }]);
    expect(await ask('query-migrate-parameters')).toEqual({ 'downtime-limit': 300 });
    expect(await ask('query-commands')).toContainEqual({ name: 'migrate-set-parameters' });
    expect(await ask('human-monitor-command', { 'command-line': 'info registers' })).toBe('EAX=00000000\r\n');
    expect(await ask('human-monitor-command', { 'command-line': 'nonsense' })).toMatch(/^Error: unknown command/);
  });

  it.each([
    ['stop', { x: 1 }, /'x' is unexpected/],
    ['migrate', {}, /'uri' is missing/],
    ['migrate', { uri: 5 }, /type for 'uri', expected: string/],
    ['migrate', { uri: 'bad' }, /cannot connect/],
    ['device_del', { id: 'none' }, /Device 'none' not found/],
    ['device_add', { driver: 'x', deep: {} }, /type for 'deep'/],
    ['migrate-set-capabilities', { capabilities: [{ capability: 'colour', state: true }] }, /does not accept value 'colour'/],
    ['migrate-set-capabilities', { capabilities: 1 }, /expected: array/],
    ['migrate-set-parameters', { nonsense: 1 }, /'nonsense' is unexpected/],
    ['send-key', { keys: [{ type: 'qcode', data: 'hyper' }] }, /'hyper'/],
    ['pmemsave', { val: 0, size: 2 ** 40, filename: '/nonexistent' }, /at most/],
  ])('%s %j fails and does nothing', async (name, args, message) => {
    const { ask } = await negotiated();
    expect(((await ask(name, args)) as { desc: string }).desc).toMatch(message);
  });
});

describe('hostile input', () => {
  it.each([
    ['nonsense', 'hello\n'],
    ['a bracket too many', '}\n'],
    ['broken JSON', '{"execute" "stop"}'],
    ['no object', '[1]'],
    ['no command', '{"id":1}'],
    ['a member too many', '{"execute":"stop","exec":1}'],
    ['too deep', '['.repeat(100)],
    ['arguments of the wrong form', '{"execute":"stop","arguments":[]}'],
  ])('%s is one error, and the session goes on', async (_, text) => {
    const { raw, ask } = await negotiated();
    const answers = await raw(text);
    expect(answers).toHaveLength(1);
    expect(answers[0]).toHaveProperty('error.class', 'GenericError');
    await raw('\n');
    expect(await ask('query-kvm')).toEqual({ enabled: false, present: false });
  });

  it('a request without an end is given up', () => {
    const stream = new JsonStream();
    const part = Buffer.from(`{"a":"${'x'.repeat(65536)}`);
    const messages = [...stream.push(part)];
    for (let i = 0; i < 40; i++) messages.push(...stream.push(Buffer.from('y'.repeat(65536))));
    expect(messages).toEqual([{ error: 'JSON parse error, the request is too long' }]);
    expect(stream.push(Buffer.from('"}\n{"b":1}'))).toEqual([{ value: { b: 1 } }]);
  });

  it('survives random bytes', async () => {
    const { raw, ask } = await negotiated();
    let seed = 1;
    const random = () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return seed >>> 16;
    };
    const alphabet = Buffer.from('{}[]",:\\ \n0aexecut\x00\xff', 'latin1');
    for (let i = 0; i < 50; i++) await raw(Uint8Array.from({ length: 200 }, () => alphabet[random() % alphabet.length]!));
    await raw(Uint8Array.of(0xff));
    expect(await ask('query-kvm')).toEqual({ enabled: false, present: false });
  });
});
