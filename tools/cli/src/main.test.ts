import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from './main.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pagurus-cli-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function pagurus(...args: string[]): Promise<{ code: number; out: string; errors: string[] }> {
  const result = { code: 0, out: '', errors: [] as string[] };
  result.code = await main(args, { out: (text) => (result.out += text), error: (line) => result.errors.push(line) });
  return result;
}

describe('pagurus', () => {
  it('help names the subcommands and the exit codes', async () => {
    const { code, out } = await pagurus('--help');
    expect(code).toBe(0);
    for (const word of ['run', 'inspect', 'convert', 'machines', 'devices', 'cpus', 'Exit codes:', 'isa-debug-exit'])
      expect(out).toContain(word);
    expect((await pagurus('help')).out).toContain('Exit codes:');
  });

  it('says its version', async () => {
    expect((await pagurus('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['machine'], /unknown command 'machine'.*Did you mean machines\?/],
    [['inspect'], /missing required argument 'stream'/],
    [['convert', 'a', 'b', '--to', 'xml'], /argument 'xml' is invalid.*qemu, json, ber/],
    [['convert', 'a', 'b'], /required option '--to <format>' not specified/],
    [['machines', '--jsno'], /unknown option '--jsno'/],
    [['devices', 'isa-seral'], /unknown device 'isa-seral'; did you mean 'isa-serial'\?/],
    [['machines', '--compat', 'pc-i440fx-99'], /unknown machine 'pc-i440fx-99'/],
  ])('%j is refused in one line', async (args, message) => {
    const { code, out, errors } = await pagurus(...args);
    expect([code, out, errors.length]).toEqual([2, '', 1]);
    expect(errors[0]).toMatch(message);
    expect(errors[0]).not.toContain('\n');
  });
});

describe('lists', () => {
  it('machines, as a table and as JSON', async () => {
    const { out } = await pagurus('machines');
    expect(out).toMatch(/^machine +alias +what/);
    expect(out).toContain('pc-i440fx-7.2');
    const list = JSON.parse((await pagurus('machines', '--json')).out) as { name: string }[];
    expect(list.map(({ name }) => name)).toContain('isapc');
  });

  it('what a machine version changes', async () => {
    const { compat, version } = JSON.parse((await pagurus('machines', '--compat', 'pc-i440fx-7.2', '--json')).out);
    expect(version).toBe('7.2');
    expect(Array.isArray(compat)).toBe(true);
  });

  it('devices, and the properties of one', async () => {
    expect((await pagurus('devices')).out).toMatch(/isa-debug-exit +isa +/);
    const { out } = await pagurus('devices', 'isa-debug-exit');
    expect(out).toMatch(/^isa-debug-exit \(isa\): /);
    expect(out).toMatch(/iobase=<uint32> +default 1281/);
    const json = JSON.parse((await pagurus('devices', 'isa-debug-exit', '--json')).out);
    expect(json.properties.map(({ name }: { name: string }) => name)).toEqual(['iobase', 'iosize']);
  });

  it('CPUs of both targets', async () => {
    expect((await pagurus('cpus')).out).toMatch(/\nqemu32 /);
    const models = JSON.parse((await pagurus('cpus', '--target', 'x86_64', '--json')).out) as { name: string }[];
    expect(models.map(({ name }) => name)).toContain('qemu64');
  });

  it.each([
    ['-help', /-nodefaults/],
    ['-M help', /pc-i440fx-7\.2/],
    ['-device help', /isa-debug-exit/],
    ['-device isa-debug-exit,help', /iosize/],
    ['-cpu help', /qemu32/],
  ])('pagurus run %s', async (line, text) => {
    const { code, out } = await pagurus('run', ...line.split(' '));
    expect(code).toBe(0);
    expect(out).toMatch(text);
  });
});

describe('pagurus run refuses, in one line and with exit code 2,', () => {
  it.each<[string, RegExp]>([
    ['-M pc-i440fx-7.3', /unknown machine 'pc-i440fx-7\.3'; did you mean 'pc-i440fx-7\.2'\?/],
    ['-bios none.bin', /-bios none\.bin: no such file, nor in any of /],
    ['-kernel none', /-kernel none: cannot read it: no such file or directory/],
    ['-kernel FOLDER', /-kernel .*: cannot read it: is a directory/],
    ['-append x', /-append: expected -kernel, too/],
    ['-serial stdio -monitor stdio', /-monitor: stdio is in use by -serial 0; share it with mon:stdio/],
    ['-serial chardev:c', /-serial 0 chardev:c: no -chardev has that id/],
    ['-serial file:FOLDER/no/x', /cannot write '.*no\/x': no such file or directory/],
    ['-serial tcp:127.0.0.1:PORT,server=on,wait=off', /cannot listen on tcp:127\.0\.0\.1:\d+: the address is already in use/],
    ['-events FOLDER/no/x', /-events .*: cannot write it: no such file/],
    ['-chardev null,id=a -serial chardev:a -serial chardev:a', /-serial 1: chardev 'a' is in use; give it mux=on/],
  ])('%s', async (line, message) => {
    const server = createServer();
    const port = await new Promise<number>((resolve) =>
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
    );
    try {
      const text = line.replaceAll('FOLDER', folder).replace('PORT', String(port));
      const { code, out, errors } = await pagurus('run', ...text.split(' '));
      expect([code, out, errors.length]).toEqual([2, '', 1]);
      expect(errors[0]).toMatch(message);
      expect(errors[0]).not.toContain('\n');
    } finally {
      server.close();
    }
  });

  it('a kernel that is none', async () => {
    writeFileSync(join(folder, 'k'), 'this is no kernel');
    const { code, errors } = await pagurus('run', '-nodefaults', '-kernel', join(folder, 'k'));
    expect([code, errors]).toEqual([2, [expect.stringMatching(/neither a Linux bzImage .* nor a Multiboot image/)]]);
  });
});
