import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { linuxGuest } from '@pagurus/guests/linux';
import { afterEach, expect, it } from 'vitest';
import { Monitor, scratch } from './monitor.js';
import { withParts } from './parts.js';
import { pagurus, ROOT } from './process.js';

const BOOT = 240_000;
const SESSION = `pagurus-${process.pid}`;
const tmux = (...args: string[]) => execFileSync('tmux', ['-L', SESSION, ...args], { encoding: 'utf8' });
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const seen = () => tmux('capture-pane', '-p', '-t', 'a');

async function see(pattern: RegExp, poke?: () => void): Promise<string> {
  for (const end = Date.now() + BOOT; ; await pause(500)) {
    poke?.();
    const text = seen();
    if (pattern.test(text)) return text;
    if (Date.now() > end) throw new Error(`never ${pattern} in:\n${text}`);
  }
}

afterEach(() => {
  try {
    tmux('kill-server');
  } catch {
    // It was not started, or has ended.
  }
});

withParts('-display curses', ['seabios', 'tmux'], () => {
  it(
    'shows SeaBIOS in a terminal, takes keys, has the monitor behind Alt-2, and leaves the terminal as it was',
    async () => {
      tmux('-f', '/dev/null', 'new-session', '-d', '-s', 'a', '-x', '100', '-y', '30', '-c', ROOT, 'sh');
      const machine = '-M pc-i440fx-7.2 -m 32 -nic none -boot menu=on,strict=on';
      tmux(
        'send-keys',
        '-t',
        'a',
        `'${process.execPath}' packages/pagurus/bin/pagurus.js run ${machine} -display curses`,
        'Enter',
      );
      const text = await see(/No bootable device/);
      // In the middle of the terminal, in the colours of the guest.
      expect(text).toMatch(/^ {10}SeaBIOS \(version /m);
      expect(tmux('capture-pane', '-p', '-e', '-t', 'a')).toContain('\x1b[37m\x1b[40mSeaBIOS');
      tmux('send-keys', '-t', 'a', 'M-2');
      await see(/\(qemu\) ?$/m);
      tmux('send-keys', '-t', 'a', 'info status', 'Enter');
      await see(/VM status: running/);
      tmux('send-keys', '-t', 'a', 'system_reset', 'Enter', 'M-1');
      await see(/Select boot device/, () => tmux('send-keys', '-t', 'a', 'Escape'));
      tmux('send-keys', '-t', 'a', 'M-2');
      await see(/system_reset/);
      tmux('send-keys', '-t', 'a', 'quit', 'Enter');
      await see(/curses\n(.*\n)*.*[$#] *$/m, undefined);
      tmux('send-keys', '-t', 'a', 'echo BACK', 'Enter');
      const after = await see(/^BACK/m);
      expect(after).not.toContain('SeaBIOS');
    },
    BOOT,
  );
});

withParts('frame buffers', ['seabios', 'guests'], () => {
  it(
    'the Linux kernel has its console on the linear frame buffer',
    async () => {
      const script = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
echo "SIZE $(cat /sys/class/graphics/fb0/virtual_size) $(cat /sys/class/graphics/fb0/bits_per_pixel)" >/dev/ttyS0
printf '\\033[2J\\033[H\\033[44;37m a frame buffer console \\033[0m\\n' >/dev/tty0
echo DRAWN >/dev/ttyS0
exec sleep 1000
`;
      const { kernel, initrd } = linuxGuest('i386', script);
      const monitor = new Monitor();
      const machine = pagurus(
        ...['run', '-M', 'pc-i440fx-7.2', '-m', '128', '-display', 'none', '-nic', 'none', '-serial', 'stdio'],
        ...['-kernel', kernel, '-initrd', initrd, '-append', 'vga=0x317 console=tty0 quiet', ...monitor.options],
      );
      await machine.waitFor(/DRAWN/, BOOT);
      expect(machine.output).toMatch(/SIZE 1024,768 16/);
      const file = scratch('console.ppm');
      // The kernel's console draws a little later than it was written to.
      let blue = 0;
      for (let tries = 0; tries < 100 && blue < 1000; tries++, await pause(200)) {
        await monitor.run(`screendump ${file}`);
        if (!existsSync(file)) continue;
        const image = readFileSync(file);
        expect(image.subarray(0, 15).toString('latin1')).toBe('P6\n1024 768\n255');
        blue = 0;
        // The kernel's blue, in the first line of characters.
        for (let at = 16; at < 16 + 3 * 1024 * 16; at += 3)
          if (image[at] === 0 && image[at + 1] === 0 && image[at + 2]! > 0x80) blue++;
      }
      expect(blue).toBeGreaterThan(1000);
    },
    BOOT,
  );
});
