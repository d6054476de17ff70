import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linuxGuest } from '@pagurus/guests/linux';
import { afterAll, expect, it } from 'vitest';
import { withParts } from './parts.js';
import { command, pagurus, type Running } from './process.js';

/*
 * What Linux says of our hardware with ACPI, APIC, HPET and several processors; firmware starts it, as on QEMU. Time is a function of
 * instructions where the kernel measures, so that a busy host is no defect of ours.
 */
const folder = mkdtempSync(join(tmpdir(), 'pagurus-hardware-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);

const START = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
`;
const LOOK = `${START}
for n in 1 2 3; do echo "port $n speaks" >/dev/ttyS$n; done
for mask in 1 2 4 8; do taskset $mask sh -c 'echo "ON $(cut -d" " -f39 /proc/self/stat)"'; done
a=$(date +%s); b=$(cut -d. -f1 /proc/uptime); sleep 20; echo "DATE $(($(date +%s) - a)) $(($(cut -d. -f1 /proc/uptime) - b))"
sed 's/^/INT /' /proc/interrupts
dmesg -r | grep '^<[0-4]>' | sed 's/^/SAYS /'
dmesg | grep -E 'clocksource: Switched|Using IOAPIC|hpet0:|ttyS[0-3] at' | sed 's/^/FOUND /'
echo "READY $(nproc)"
exec sh
`;
/** A line a second, with work on both processors in it. */
const BEAT = `${START}
n=0; while :; do n=$((n+1)); echo "BEAT $n $(taskset 1 md5sum </bin/busybox) $(taskset 2 md5sum </bin/busybox)"; sleep 1; done
`;

/** Everything of warning level and worse that the kernels say, and why that is no defect of the machine. */
const KNOWN: readonly [line: RegExp, reason: string][] = [
  [/L1TF: Kernel not compiled for PAE/, 'about the kernel'],
  [/acpi PNP0A03:00: fail to add MMCONFIG information/, 'the i440FX has none'],
  [/acpi resource window .* ignored, not CPU addressable/, 'a kernel without PAE and the window above 4 GiB'],
  [/mce: Unable to init MCE device/, 'qemu32 has no machine check; the same under QEMU'],
];

const options = (...more: string[]) => ['-M', 'pc-i440fx-7.2', '-m', '128', '-nodefaults', '-display', 'none', ...more];
const linux = (init: string): string[] => {
  const { kernel, initrd } = linuxGuest('i386', init);
  return ['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 panic=-1 cryptomgr.notests'];
};
const lines = (text: string, word: string) =>
  [...text.matchAll(new RegExp(`^${word} (.*?)\\r?$`, 'gm'))].map((match) => match[1]!);
const row = (interrupts: readonly string[], name: RegExp) => interrupts.find((line) => name.test(line)) ?? `no ${name}`;
const counts = (line: string) => [...line.replace(/^[^:]*:/, '').matchAll(/\s+(\d+)(?=\s|$)/g)].map((match) => Number(match[1]));

withParts('Linux looks at the hardware', ['guests', 'seabios'], () => {
  it('i386 on four processors: interrupts, clocks, four serial ports, no complaints; poweroff ends it', async () => {
    const serial = ['-serial', 'stdio', ...[1, 2, 3].flatMap((n) => ['-serial', `file:${file(`serial${n}`)}`])];
    const time = ['-icount', 'shift=2,sleep=off'];
    const machine = pagurus('run', ...options('-cpu', 'qemu32', '-smp', '4', ...serial, ...time), ...linux(LOOK));
    await machine.waitFor(/READY 4\r?\n/, 600_000);
    const { output } = machine;
    expect(lines(output, 'ON')).toEqual(['0', '1', '2', '3']);
    for (const n of [1, 2, 3]) expect(readFileSync(file(`serial${n}`), 'latin1')).toContain(`port ${n} speaks`);

    const [date, uptime] = lines(output, 'DATE')[0]!.split(' ').map(Number);
    for (const seconds of [date!, uptime!]) expect(Math.abs(seconds - 20)).toBeLessThanOrEqual(1);

    const interrupts = lines(output, 'INT');
    expect(row(interrupts, /timer/)).toMatch(/IO-APIC +2-edge/);
    expect(row(interrupts, /ttyS0/)).toMatch(/IO-APIC +4-edge/);
    expect(row(interrupts, /acpi/)).toMatch(/IO-APIC +9-fasteoi/);
    const local = counts(row(interrupts, /LOC:/));
    expect(local.length).toBe(4);
    expect(Math.min(...local)).toBeGreaterThan(10);
    expect(counts(row(interrupts, /RES:/)).reduce((a, b) => a + b)).toBeGreaterThan(0);
    for (const name of [/SPU:/, /ERR:/, /MIS:/, /NMI:/])
      expect(counts(row(interrupts, name)).every((count) => count === 0)).toBe(true);

    const found = lines(output, 'FOUND').join('\n');
    expect(found).toContain('Using IOAPIC for interrupt routing');
    expect(found).toMatch(/hpet0: .* comparators/);
    expect(found).toMatch(/Switched to clocksource tsc/);
    expect(found.match(/is a 16550A/g)).toHaveLength(4);
    expect(lines(output, 'SAYS').filter((line) => !KNOWN.some(([known]) => known.test(line)))).toEqual([]);

    machine.type('poweroff -f\n');
    expect(await machine.ended, machine.errors).toBe(0);
  }, 900_000);
});

/** Stops a machine that has its monitor on standard input, and saves it. */
async function save(machine: Running, migrate: string): Promise<void> {
  machine.type(`stop\n${migrate}\ninfo migrate\n`);
  await machine.waitFor(/Migration status: completed/, 120_000);
  machine.type('quit\n');
  expect(await machine.ended, machine.errors).toBe(0);
}

async function beats(serial: string, count: number): Promise<void> {
  for (let tries = 0; tries < 6000; tries++) {
    if (lines(readFileSync(serial, 'latin1'), 'BEAT').length >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`never ${count} beats in:\n${readFileSync(serial, 'latin1').slice(-2000)}`);
}

/** Until the stream is in and the machine waits to go on. */
async function goOn(machine: Running): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const from = machine.output.length;
    machine.type('info status\n');
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (!/VM status: paused(?! \(inmigrate)/.test(machine.output.slice(from))) continue;
    machine.type('cont\n');
    return;
  }
  throw new Error(`never arrived:\n${machine.output}${machine.errors}`);
}

withParts('Linux on two processors hops', ['guests', 'seabios', 'qemu'], () => {
  it('from here to QEMU and back, counting on', async () => {
    const logs = ['one', 'two', 'three'].map((name) => file(`${name}.log`));
    for (const log of logs) writeFileSync(log, '');
    const machine = (n: number) => options('-cpu', 'qemu32', '-smp', '2', '-serial', `file:${logs[n]}`, '-monitor', 'stdio');

    const one = pagurus('run', ...machine(0), ...linux(BEAT));
    await beats(logs[0]!, 2);
    await save(one, `migrate file:${file('there')}`);

    const two = command('qemu-system-i386', '-accel', 'tcg', ...machine(1), '-incoming', `exec:cat ${file('there')}`);
    await goOn(two);
    await beats(logs[1]!, 3);
    await save(two, `migrate "exec:cat > ${file('back')}"`);

    const three = pagurus('run', ...machine(2), '-incoming', `file:${file('back')}`);
    await goOn(three);
    await beats(logs[2]!, 3);
    await three.stop();

    const whole = lines(logs.map((log) => readFileSync(log, 'latin1')).join(''), 'BEAT').map((line) => line.split(' '));
    expect(whole.map(([n]) => Number(n))).toEqual(whole.map((_, i) => i + 1));
    expect(new Set(whole.flatMap(([, first, , , second]) => [first, second])).size).toBe(1);
  }, 900_000);
});
