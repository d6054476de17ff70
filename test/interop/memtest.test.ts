import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackages } from '@pagurus/guests/linux';
import { expect, it } from 'vitest';
import { Monitor, scratch } from './monitor.js';
import { withParts } from './parts.js';
import { pagurus } from './process.js';

const PASS = 600_000;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

withParts('memtest86+', ['seabios', 'guests'], () => {
  it('finishes a pass over 16 MiB without an error', { timeout: PASS }, async () => {
    const packages = { architecture: 'amd64', suite: 'host', packages: ['memtest86+'], without: ['usr/share'] } as const;
    const kernel = join(debianPackages('host-memtest-amd64', packages), 'boot/memtest86+ia32.bin');
    const monitor = new Monitor();
    const machine = pagurus(
      ...['run', '-M', 'pc-i440fx-7.2', '-m', '16', '-display', 'none', '-vga', 'std', '-nic', 'none'],
      // Its last test waits for minutes; time that counts instructions goes by faster.
      ...['-kernel', kernel, '-icount', 'shift=10,sleep=off', ...monitor.options],
    );
    const file = scratch('screen.txt');
    let text = '';
    for (const end = Date.now() + PASS - 10_000; !/Pass: +[1-9]/.test(text); await pause(1000)) {
      expect(Date.now(), text + machine.errors).toBeLessThan(end);
      rmSync(file, { force: true });
      await monitor.run(`screendump ${file}`);
      if (existsSync(file)) text = readFileSync(file, 'utf8');
      if (/Errors: +\d/.test(text)) expect(text).toMatch(/Errors: +0\b/);
    }
    expect(text).toContain('Memtest86+ v');
    expect(text).toMatch(/Pass: +1 +.*Errors: +0\b/);
  });
});
