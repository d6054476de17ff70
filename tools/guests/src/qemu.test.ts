import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verifyHeartbeats } from './heartbeat.js';
import { havePart } from './testing/parts.js';

/** The guest under the real QEMU: proof that it is a correct PC program before our own machine runs it. */
const QEMU = 'qemu-system-i386';
const image = fileURLToPath(new URL('../embedded/embedded.bin', import.meta.url));

describe.skipIf(!havePart('qemu', QEMU))('embedded guest under QEMU', { timeout: 60_000 }, () => {
  let folder = '';
  let children: ChildProcess[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pagurus-guest-'));
  });
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL');
    children = [];
    rmSync(folder, { recursive: true });
  });

  function boot(...extra: string[]) {
    const args = ['-M', 'pc', '-m', '16', '-nodefaults', '-display', 'none', '-serial', 'stdio', '-kernel', image];
    const child = spawn(QEMU, [...args, '-append', 'region=4', ...extra], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    let output = '';
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      output += text;
    });
    return {
      child,
      output: () => output,
      type: (line: string) => child.stdin.write(`${line}\r`),
      ended: new Promise<number | null>((resolve) => child.on('exit', resolve)),
      async until(pattern: RegExp): Promise<void> {
        for (let i = 0; i < 400; i++) {
          if (pattern.test(output)) return;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        throw new Error(`never saw ${pattern} in:\n${output}`);
      },
    };
  }

  async function monitor(path: string, command: string): Promise<void> {
    const socket = connect(path);
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    let closed = false;
    socket.on('close', () => {
      closed = true;
    });
    const prompts = async (n: number): Promise<void> => {
      for (let i = 0; i < 400; i++) {
        if (closed || text.split('(qemu) ').length > n) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`monitor did not answer: ${text}`);
    };
    await prompts(1);
    socket.write(`${command}\n`);
    await prompts(2);
    socket.destroy();
  }

  it('boots, answers, notices a spoiled page and powers off', async () => {
    const vm = boot();
    await vm.until(/beat 1 /);
    vm.type('help');
    vm.type('mem');
    vm.type('dirty 4');
    await vm.until(/dirty rate=4/);
    vm.type('ticks');
    await vm.until(/ticks=\d+ timer=\d+ keyboard=\d+ serial=\d+ spurious=0 lost=0/);
    vm.type('sum');
    await vm.until(/sum=.* ok/);
    vm.type('dirty 0');
    await vm.until(/dirty rate=0/);
    vm.type('poke 1000');
    await vm.until(/poked page 1000/);
    vm.type('sum');
    await vm.until(/CORRUPT page=1000 [\s\S]* BAD/);
    vm.type('poweroff');
    expect(await vm.ended).toBe(0);
    const { problems } = verifyHeartbeats(vm.output().split('\r\n'));
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.every((p) => /damage|corrupt|^sum/.test(p.message))).toBe(true);
  });

  it('takes the keyboard and fills the screen; ends through isa-debug-exit', async () => {
    const path = join(folder, 'monitor');
    const vm = boot('-vga', 'std', '-device', 'isa-debug-exit', '-monitor', `unix:${path},server=on,wait=off`);
    await vm.until(/beat 1 /);
    for (const key of ['t', 'i', 'c', 'k', 's', 'ret']) await monitor(path, `sendkey ${key}`);
    await vm.until(/ticks=\d+ timer=\d+ keyboard=[1-9]/);
    vm.type('exit 21');
    expect(await vm.ended).toBe(43);
  });

  it('goes on without a gap where another QEMU loads it', async () => {
    const path = join(folder, 'monitor');
    const file = join(folder, 'stream');
    const first = boot('-monitor', `unix:${path},server=on,wait=off`);
    await first.until(/beat 2 /);
    first.type('dirty 8');
    await first.until(/beat 4 /);
    await monitor(path, `migrate "exec:cat > ${file}"`);
    await monitor(path, 'quit');
    await first.ended;
    const second = boot('-incoming', `exec:cat ${file}`);
    await second.until(/beat 9 /);
    second.type('sum');
    await second.until(/sum=.* ok/);
    const report = verifyHeartbeats((first.output() + second.output()).split('\r\n'));
    expect(report.problems).toEqual([]);
    expect(report.beats.length).toBeGreaterThanOrEqual(9);
  });
});
