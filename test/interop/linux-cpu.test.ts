import { type Architecture, linuxGuest, type Suite } from '@pagurus/guests/linux';
import { expect, it } from 'vitest';
import { busyboxOf, onThisHost } from './linux-guests.js';
import { withParts } from './parts.js';
import { command, pagurus, type Running } from './process.js';

/** Applets that work the integer unit, the x87 or SSE, and memory; what they print is compared with this host's own CPU. */
const APPLETS = `
echo "GZIP $(head -c 300000 $1 | gzip -9 | gunzip | md5sum)"
echo "BZIP $(head -c 100000 $1 | bzip2 | bunzip2 | md5sum)"
for sum in md5sum sha1sum sha256sum sha512sum sha3sum; do echo "$sum $(head -c 300000 $1 | $sum)"; done
echo "SORT $(seq 1 3000 | awk '{ print ($1 * 7919) % 3001 }' | sort -n | md5sum)"
echo "UNIQ $(seq 1 3000 | sed 's/^.//' | sort | uniq -c | md5sum)"
echo "BC $(echo '2^200; scale=40; e(1); s(1); l(2); a(1)*4' | bc -l | md5sum) $(echo '20k 2 v p' | dc)"
awk 'BEGIN { for (i = 1; i < 3000; i++) { s += 1 / (i * i); p = p * 1.0000001 + i / 7 }
  printf "%.17g %.17g %d %x %e %g %s\\n", s, p, p, int(p), 1e-310 / 3, 1e308 * 10, 0.1 + 0.2 }'
awk 'BEGIN { srand(42); for (i = 0; i < 10; i++) printf "%.17g ", rand(); print "" }'
factor 1234567890123456789 600851475143
printf '%d %x %o %u %e %.10f %g\\n' -5 255 8 7 1.5 3.14159 1e100
echo $((123456789 * 987654321)) $((-7 / 2)) $((-7 % 3)) $((1 << 62)) $((0x7fffffffffffffff + 1))
echo "OD $(head -c 3000 $1 | od -An -tx4 -tf8 | md5sum) $(head -c 3000 $1 | base64 | md5sum)"
`;

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
stty -onlcr </dev/console
echo "BEGIN cpuinfo"; cat /proc/cpuinfo; echo "END cpuinfo"
echo "BEGIN vulnerabilities"; (cd /sys/devices/system/cpu/vulnerabilities; grep . *); echo "END vulnerabilities"
echo "BEGIN applets"; sh /bin/applets /bin/busybox; echo "END applets"
echo "BEGIN dmesg"; dmesg; echo "END dmesg"
echo "SHELL"
exec sh
`;

const LIMIT = 1_200_000;

/** A busy host may be too late for the kernel's test of the timer: `no_timer_check`. */
function boot(run: (...args: string[]) => Running, guest: { kernel: string; initrd: string }, model: string): Running {
  const common = ['-M', 'pc-i440fx-7.2', '-cpu', model, '-m', '192', '-nodefaults', '-display', 'none', '-serial', 'stdio'];
  return run(
    ...[...common, '-no-reboot', '-kernel', guest.kernel, '-initrd', guest.initrd],
    ...['-append', 'console=ttyS0 quiet panic=-1 no_timer_check'],
  );
}

const part = (machine: Running, name: string): string[] =>
  (new RegExp(`BEGIN ${name}\\r?\\n([\\s\\S]*?)END ${name}`).exec(machine.output)?.[1] ?? '')
    .split(/\r?\n/)
    .map((line) => line.trimEnd())
    .filter(Boolean);

/** Lines of /proc/cpuinfo that tell how fast the host is, or that are flags. */
const OTHERWISE_COMPARED = /^(cpu MHz|bogomips|flags)\b/;

/** Features of QEMU's models that are not here (`pagurus cpus` tells, too), and what Linux derives from them. */
const LACKED = 'svm acpi 3dnow 3dnowext sse4a cr8_legacy arat npt vgif'.split(' ');

/** `max` is everything that the CPU at hand has: not the same CPU. */
const MAX_DIFFERS = /^(model name|address sizes|flags)\b/;

/** Lines of the kernel's log, without times and numbers, that may be on one side only. */
const LOG_DIFFERENCES: readonly [line: RegExp, reason: string][] = [
  [/tsc|clocksource|sched_clock|calibrat|PM-Timer|APIC delta|^hpet: Lost|^random:/i, 'how evenly the host runs'],
  [/Unstable clock|trace_clock|local clock, then add|on the kernel command line/, 'what follows from that'],
  [/^Memory:|^input: /, 'sizes of tables, order of probing'],
  [/^system #:#: \[io|LNKS/, 'ACPI tables are our own: they name the ports of the power management and no interrupt link S'],
];
const MAX_LOG_DIFFERENCES: readonly [line: RegExp, reason: string][] = [
  [/x86\/fpu|sigframe/, 'fewer state components'],
  [/^smpboot: CPU0/, 'its name'],
  [/^hpet: # channels of # reserved/, 'no ARAT'],
];

const plainLog = (lines: readonly string[]): Set<string> =>
  new Set(
    lines.map((line) =>
      line
        .replace(/^\[[^\]]*\] /, '')
        .replace(/\b(0x)?[0-9a-f]*\d[0-9a-f]*\b/gi, '#')
        .trim(),
    ),
  );

const CASES: readonly [architecture: Architecture, suite: Suite, model: string][] = [
  ['i386', 'host', 'pentium2'],
  ['i386', 'host', 'pentium3'],
  ['i386', 'host', 'qemu32'],
  ['i386', 'host', 'kvm32'],
  ['amd64', 'host', 'qemu64'],
  ['amd64', 'host', 'kvm64'],
  ['amd64', 'host', 'Nehalem'],
  ['amd64', 'host', 'max'],
  ['amd64', 'trixie', 'qemu64'],
  ['amd64', 'trixie', 'max'],
];

withParts('Linux on CPU models, beside QEMU', ['guests', 'qemu'], () => {
  it.each(CASES)(
    '%s kernel (%s) on %s',
    async (architecture, suite, model) => {
      const guest = linuxGuest(architecture, INIT, { suite, programs: { applets: Buffer.from(APPLETS) } });
      const wide = architecture === 'amd64';
      const ours = boot((...args) => pagurus('run', '-target', wide ? 'x86_64' : 'i386', ...args), guest, model);
      await ours.waitFor(/SHELL\r?\n/, LIMIT);
      ours.type('echo $((6 * 7)) answered\n');
      await ours.waitFor(/42 answered\r?\n/, LIMIT);
      await ours.stop();

      expect(part(ours, 'applets')).toEqual(
        onThisHost(busyboxOf(guest.kernel), APPLETS)
          .split('\n')
          .map((line) => line.trimEnd())
          .filter(Boolean),
      );
      expect(part(ours, 'dmesg').filter((line) => /WARNING|BUG|Oops|Call Trace/.test(line))).toEqual([]);

      const qemu = boot(
        (...args) => command(wide ? 'qemu-system-x86_64' : 'qemu-system-i386', '-accel', 'tcg', ...args),
        guest,
        model,
      );
      await qemu.waitFor(/SHELL\r?\n/, LIMIT);
      await qemu.stop();
      expect(part(ours, 'vulnerabilities')).toEqual(part(qemu, 'vulnerabilities'));
      const differs = (line: string) => OTHERWISE_COMPARED.test(line) || (model === 'max' && MAX_DIFFERS.test(line));
      const identity = (machine: Running) => part(machine, 'cpuinfo').filter((line) => !differs(line));
      expect(identity(ours)).toEqual(identity(qemu));
      const flags = (machine: Running) => /^flags\s*: (.*?)\r?$/m.exec(machine.output)![1]!.split(' ');
      if (model === 'max')
        expect(flags(ours)).toEqual(
          expect.arrayContaining(['lm', 'sse4_2', 'aes', 'bmi2', 'xsave', 'smap', 'tsc_deadline_timer']),
        );
      else expect(flags(ours)).toEqual(flags(qemu).filter((flag) => !LACKED.includes(flag)));

      const reasons = model === 'max' ? [...LOG_DIFFERENCES, ...MAX_LOG_DIFFERENCES] : LOG_DIFFERENCES;
      const explained = (line: string) => reasons.some(([pattern]) => pattern.test(line));
      const [own, theirs] = [plainLog(part(ours, 'dmesg')), plainLog(part(qemu, 'dmesg'))];
      expect(
        [...own].filter((line) => !theirs.has(line) && !explained(line)),
        'lines that only our guest logs',
      ).toEqual([]);
      expect(
        [...theirs].filter((line) => !own.has(line) && !explained(line)),
        'lines that only the guest of QEMU logs',
      ).toEqual([]);
    },
    2 * LIMIT,
  );
});
