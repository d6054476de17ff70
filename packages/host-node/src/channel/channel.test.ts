import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ByteChannel } from '@pagurus/migration';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HostError } from '../errors.js';
import { formatMigrationUri, openIncoming, openOutgoing, parseMigrationUri } from './index.js';

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

async function readAll(channel: ByteChannel): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (let chunk = await channel.read(); chunk; chunk = await channel.read()) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

async function writeAll(channel: ByteChannel, bytes: Uint8Array): Promise<void> {
  for (let i = 0; i < bytes.length; i += 10_000) await channel.write(bytes.slice(i, i + 10_000));
  await channel.end();
}

async function refusal(action: Promise<unknown>): Promise<HostError> {
  const error: unknown = await action.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(HostError);
  expect((error as HostError).message).not.toContain('\n');
  return error as HostError;
}

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pagurus-channel-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('migration URIs', () => {
  it.each([
    ['tcp:127.0.0.1:4444', { transport: 'tcp', host: '127.0.0.1', port: 4444 }],
    ['tcp::4444', { transport: 'tcp', host: '', port: 4444 }],
    ['tcp:[::1]:0', { transport: 'tcp', host: '::1', port: 0 }],
    ['unix:/tmp/a b', { transport: 'unix', path: '/tmp/a b' }],
    ['file:x.bin', { transport: 'file', path: 'x.bin', offset: 0 }],
    ['file:x.bin,offset=0x1000', { transport: 'file', path: 'x.bin', offset: 4096 }],
    ['exec:gzip -c > "x"', { transport: 'exec', command: 'gzip -c > "x"' }],
    ['fd:7', { transport: 'fd', descriptor: 7 }],
  ])('%s', (text, uri) => {
    expect(parseMigrationUri(text)).toEqual(uri);
    expect(parseMigrationUri(formatMigrationUri(parseMigrationUri(text)))).toEqual(uri);
  });

  it.each([
    '',
    'tcp',
    'tcp:4444',
    'tcp:host:',
    'tcp:host:70000',
    'tcp:a:b:1',
    'unix:',
    'file:',
    'file:x,offset=',
    'file:x,offset=-1',
    'exec: ',
    'fd:x',
    'fd:',
    'ftp:x',
  ])("'%s' is refused with what was expected", (text) => {
    expect(() => parseMigrationUri(text)).toThrow(/^invalid migration URI '.*': expected /);
  });

  it('QEMU transports that this host does not have are named', () => {
    expect(() => parseMigrationUri('rdma:host:1')).toThrow(/has no rdma; use tcp/);
  });
});

describe('sockets', () => {
  it.each(['tcp:127.0.0.1:0', 'unix:SOCKET'])('%s carries bytes both ways with back-pressure', async (template) => {
    const uri = template.replace('SOCKET', join(folder, 'socket'));
    const incoming = await openIncoming(uri);
    expect(incoming.uri).not.toMatch(/:0$/);
    const sender = await openOutgoing(incoming.uri);
    const receiver = await incoming.accept();
    expect([sender.duplex, receiver.duplex]).toEqual([true, true]);
    const bytes = pattern(3_000_000);
    const [received] = await Promise.all([readAll(receiver), writeAll(sender, bytes)]);
    expect(Buffer.from(received).equals(bytes)).toBe(true);
    await receiver.write(Uint8Array.of(1, 2, 3));
    await receiver.end();
    expect([...(await readAll(sender))]).toEqual([1, 2, 3]);
    sender.close();
    receiver.close();
  });

  it('a writer waits for a reader that does not read, and goes on when it does', async () => {
    const incoming = await openIncoming('tcp:127.0.0.1:0');
    const sender = await openOutgoing(incoming.uri);
    const receiver = await incoming.accept();
    let done = false;
    const writing = writeAll(sender, pattern(20_000_000)).then(() => {
      done = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(done).toBe(false);
    expect((await readAll(receiver)).length).toBe(20_000_000);
    await writing;
    sender.close();
    receiver.close();
  });

  it('closing fails what waits, on both sides', async () => {
    const incoming = await openIncoming('tcp:127.0.0.1:0');
    const sender = await openOutgoing(incoming.uri);
    const receiver = await incoming.accept();
    const waiting = refusal(sender.read());
    sender.close();
    expect((await waiting).code).toBe('closed');
    expect((await refusal(sender.write(Uint8Array.of(1)))).code).toBe('closed');
    await receiver.read().catch((error: unknown) => expect(error).toBeInstanceOf(HostError));
    receiver.close();
    sender.close();
  });

  it('a busy port and an absent listener are named', async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) =>
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
    );
    const busy = await refusal(openIncoming(`tcp:127.0.0.1:${port}`));
    expect([busy.code, busy.message]).toEqual(['busy', `cannot listen on tcp:127.0.0.1:${port}: the address is already in use`]);
    await new Promise((resolve) => server.close(resolve));
    const absent = await refusal(openOutgoing(`tcp:127.0.0.1:${port}`));
    expect([absent.code, absent.message]).toEqual([
      'refused',
      `cannot connect to tcp:127.0.0.1:${port}: connection refused: nobody listens there`,
    ]);
    expect((await refusal(openOutgoing(`unix:${folder}/none`))).message).toMatch(/none: no such file or directory$/);
  });

  it('a unix socket in use is left alone, a stale one replaced', async () => {
    const uri = `unix:${folder}/socket`;
    const first = await openIncoming(uri);
    expect((await refusal(openIncoming(uri))).code).toBe('busy');
    first.close();
    const script = `require('node:net').createServer().listen(${JSON.stringify(`${folder}/stale`)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await new Promise((resolve) => spawn(process.execPath, ['-e', script]).on('exit', resolve));
    expect(existsSync(`${folder}/stale`)).toBe(true);
    (await openIncoming(`unix:${folder}/stale`)).close();
  });

  it('accept is refused when listening was given up', async () => {
    const incoming = await openIncoming('tcp:127.0.0.1:0');
    const waiting = refusal(incoming.accept());
    incoming.close();
    expect((await waiting).message).toMatch(/no longer listening/);
  });
});

describe('files', () => {
  it('are written and read whole', async () => {
    const bytes = pattern(1_000_000);
    const sink = await openOutgoing(`file:${folder}/x`);
    expect(sink.duplex).toBe(false);
    await writeAll(sink, bytes);
    expect(readFileSync(`${folder}/x`).equals(bytes)).toBe(true);
    const source = await (await openIncoming(`file:${folder}/x`)).accept();
    expect(Buffer.from(await readAll(source)).equals(bytes)).toBe(true);
    source.close();
  });

  it('an offset keeps what lies before it and cuts what lay behind', async () => {
    writeFileSync(`${folder}/x`, 'headtailtailtail');
    await writeAll(await openOutgoing(`file:${folder}/x,offset=4`), Buffer.from('NEW'));
    expect(readFileSync(`${folder}/x`, 'latin1')).toBe('headNEW');
    const source = await (await openIncoming(`file:${folder}/x,offset=4`)).accept();
    expect(Buffer.from(await readAll(source)).toString()).toBe('NEW');
    source.close();
  });

  it('that cannot be are named', async () => {
    expect((await refusal(openIncoming(`file:${folder}/none`))).message).toBe(
      `cannot read '${folder}/none': no such file or directory`,
    );
    expect((await refusal(openOutgoing(`file:${folder}/none/x`))).message).toMatch(/^cannot write .*: no such file/);
    expect((await refusal(openOutgoing(`file:${folder}`))).message).toMatch(/is a directory/);
    expect((await refusal(openIncoming(`file:${folder}`))).message).toMatch(/is a directory/);
  });

  it('refuse the wrong direction and use after close', async () => {
    const sink = await openOutgoing(`file:${folder}/x`);
    expect((await refusal(sink.read())).code).toBe('unsupported');
    sink.close();
    expect((await refusal(sink.write(Uint8Array.of(1)))).code).toBe('closed');
  });
});

describe('exec', () => {
  it('feeds a command and waits for it', async () => {
    await writeAll(await openOutgoing(`exec:sleep 0.2; cat > ${folder}/x`), pattern(200_000));
    expect(readFileSync(`${folder}/x`).equals(pattern(200_000))).toBe(true);
  });

  it('reads a command', async () => {
    writeFileSync(`${folder}/x`, pattern(200_000));
    const source = await (await openIncoming(`exec:cat ${folder}/x`)).accept();
    expect(Buffer.from(await readAll(source)).equals(pattern(200_000))).toBe(true);
  });

  it('reports a command that fails, on either side', async () => {
    const sink = await openOutgoing('exec:cat > /dev/null; exit 3');
    await sink.write(Uint8Array.of(1));
    expect((await refusal(sink.end())).message).toBe("'cat > /dev/null; exit 3' ended with status 3");
    const source = await (await openIncoming('exec:echo x; exit 4')).accept();
    expect((await source.read())!.length).toBe(2);
    expect((await refusal(source.read())).message).toMatch(/ended with status 4/);
  });

  it('a command that stops listening is an error, not a hang', async () => {
    const sink = await openOutgoing('exec:exit 0');
    const error = await refusal(writeAll(sink, pattern(5_000_000)));
    expect(error.code).toBe('closed');
    sink.close();
  });
});

describe('fd', () => {
  it('a descriptor that is not open is named', async () => {
    expect((await refusal(openOutgoing('fd:999'))).message).toBe('cannot use fd:999: not an open file descriptor');
  });
});
