import { createHash } from 'node:crypto';
import { type Architecture, linuxGuest } from '@pagurus/guests/linux';
import { expect, it } from 'vitest';
import { withParts } from './parts.js';
import { pagurus, type Running } from './process.js';

/** Applets whose results are known: hashes of a known megabyte, a round trip through gzip, floating point in awk, a sort. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
echo "READY $(cat /proc/uptime)"
grep -m1 '^flags' /proc/cpuinfo
i=0; while [ $i -lt 16384 ]; do echo "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"; i=$((i+1)); done >/tmp/data
echo "MD5 $(md5sum </tmp/data)"
echo "SHA256 $(sha256sum </tmp/data)"
echo "GZIP $(gzip -c /tmp/data | gunzip -c | md5sum)"
echo "AWK $(awk 'BEGIN { printf "%.15f %.9f %.12f %d", 1 / 3, 2 / 7 * 1e6, 12345.678 * 0.001, 1e9 / 7 }')"
echo "SORT $(i=0; while [ $i -lt 2000 ]; do echo $(( (i * 7919) % 2003 )); i=$((i+1)); done | sort -n | md5sum)"
dmesg | grep -A3 -E 'WARNING|BUG|Oops|Call Trace'
echo "WARNINGS $(dmesg | grep -c -E 'WARNING|BUG|Oops|Call Trace')"
exec sh
`;

const DATA = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n'.repeat(16384);
const SORTED = `${Array.from({ length: 2000 }, (_, i) => (i * 7919) % 2003)
  .sort((a, b) => a - b)
  .join('\n')}\n`;
const digest = (kind: string, text: string) => createHash(kind).update(text).digest('hex');

async function boots(architecture: Architecture, options: string[]): Promise<Running> {
  const { kernel, initrd } = linuxGuest(architecture, INIT);
  const machine = pagurus(
    ...['run', '-M', 'pc-i440fx-7.2', ...options, '-m', '128', '-nodefaults', '-display', 'none', '-serial', 'stdio'],
    ...['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 panic=-1'],
  );
  await machine.waitFor(/WARNINGS \d+\r?\n/, 600_000);
  const line = (name: string) => new RegExp(`${name} (.*?)\\r?\\n`).exec(machine.output)?.[1];
  expect(line('MD5')).toBe(`${digest('md5', DATA)}  -`);
  expect(line('SHA256')).toBe(`${digest('sha256', DATA)}  -`);
  expect(line('GZIP')).toBe(`${digest('md5', DATA)}  -`);
  expect(line('SORT')).toBe(`${digest('md5', SORTED)}  -`);
  expect(line('AWK')).toBe(
    `${(1 / 3).toFixed(15)} ${((2 / 7) * 1e6).toFixed(9)} ${(12345.678 * 0.001).toFixed(12)} ${Math.floor(1e9 / 7)}`,
  );
  expect(line('WARNINGS'), machine.output).toBe('0');
  return machine;
}

withParts('Debian kernels', ['guests'], () => {
  it('i386 on pentium3: a shell that answers, applets that are right; reboot starts over', async () => {
    const machine = await boots('i386', ['-cpu', 'pentium3']);
    expect(machine.output).toMatch(/flags\s*: .*\bfpu\b.*\bsse\b/);
    machine.type('echo $((6 * 7)) answered; uname -m\n');
    await machine.waitFor(/42 answered\r?\n/);
    await machine.waitFor(/i686/);
    machine.type('reboot -f\n');
    await machine.waitFor(/reboot: Restarting system[\s\S]*Linux version/, 300_000);
    await machine.stop();
  }, 900_000);

  it('amd64 on two of qemu64: the same in long mode; poweroff ends it', async () => {
    const machine = await boots('amd64', ['-target', 'x86_64', '-cpu', 'qemu64', '-smp', '2']);
    expect(machine.output).toMatch(/flags\s*: .*\bsse2\b.*\blm\b/);
    machine.type('echo $((6 * 7)) answered; uname -m; nproc\n');
    await machine.waitFor(/42 answered\r?\n/);
    await machine.waitFor(/x86_64\r?\n2\r?\n/);
    machine.type('poweroff -f\n');
    expect(await machine.ended, machine.errors).toBe(0);
  }, 900_000);
});
