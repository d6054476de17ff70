import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Architecture, linuxGuest } from '@pagurus/guests/linux';
import { expect, it } from 'vitest';
import { busyboxOf, onThisHost } from './linux-guests.js';
import { withParts } from './parts.js';
import { pagurus } from './process.js';

/** Seconds of the guest's clock for each machine; some minutes for a soak. */
const SECONDS = Number(process.env.PAGURUS_SOAK ?? 20);

const FLOATS = `awk 'BEGIN { for (i = 1; i < 2000; i++) { s += 1 / (i * i); p = p * 1.0000001 + i / 7 } printf "%.17g %.17g", s, p }'`;

/** Rounds of growing data through pipes of processes, many forks, signals, floating point in several processes at a time. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
stty -onlcr </dev/console
echo "CPUS $(grep -c ^processor /proc/cpuinfo)"
round=0
while :; do
  round=$((round + 1)); size=$((round * 37777 % 1500000))
  echo "SHA $size $(head -c $size /bin/busybox | sha256sum)"
  echo "ZIP $size $(head -c $size /bin/busybox | gzip -1 | gunzip | cat | md5sum)"
  for n in 1 2 3 4; do (${FLOATS} >/tmp/float.$n) & done; wait
  for n in 1 2 3 4; do echo "FLOAT $(cat /tmp/float.$n)"; done
  for n in 1 2 3; do (head -c $size /bin/busybox | sort | md5sum >/tmp/sort.$n) & done; wait
  echo "SORTS $(cat /tmp/sort.* | uniq | wc -l)"
  sh -c 'trap "echo SIGNAL usr1" USR1; kill -USR1 $$; sleep 0'
  sleep 100 & kill -TERM $!; wait $!; echo "STATUS $?"
  n=0; while [ $n -lt 20 ]; do (exit $n) || [ $? = $n ] || echo "BAD exit"; n=$((n + 1)); done
  cp /bin/busybox /tmp/copy; cmp /bin/busybox /tmp/copy && /tmp/copy true && rm /tmp/copy
  read up rest </proc/uptime
  [ \${up%.*} -ge ${SECONDS} ] && break
done
dmesg | grep -E 'WARNING|BUG|Oops|Call Trace|segfault|traps:|stall|lockup' | sed 's/^/BAD /'
echo "SOAKED $round"
poweroff -f
`;

const CASES: readonly [architecture: Architecture, cpus: number][] = [
  ['i386', 1],
  ['i386', 2],
  ['amd64', 1],
  ['amd64', 2],
];

withParts('Linux for a while', ['guests'], () => {
  it.each(CASES)(
    '%s, -smp %i: processes, pipes, signals, floating point; every result is right',
    async (architecture, cpus) => {
      const { kernel, initrd } = linuxGuest(architecture, INIT);
      const wide = architecture === 'amd64';
      const machine = pagurus(
        ...['run', '-M', 'pc-i440fx-7.2', '-target', wide ? 'x86_64' : 'i386', '-smp', String(cpus), '-m', '192'],
        ...['-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot', '-kernel', kernel, '-initrd', initrd],
        ...['-append', 'console=ttyS0 quiet panic=-1 no_timer_check'],
      );
      await machine.waitFor(/SOAKED \d+\r?\n/, (SECONDS + 1200) * 1000);
      const lines = machine.output.split(/\r?\n/).map((line) => line.trimEnd());
      const values = (name: string) =>
        lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
      const rounds = Number(values('SOAKED')[0]);
      expect(lines.filter((line) => /^BAD|differ|BUG|Oops|Call Trace/.test(line))).toEqual([]);
      expect(values('CPUS')).toEqual([String(cpus)]);

      const busybox = busyboxOf(kernel);
      const image = readFileSync(busybox);
      const sizes = Array.from({ length: rounds }, (_, i) => ((i + 1) * 37777) % 1500000);
      const digests = (kind: string) =>
        sizes.map((size) => `${size} ${createHash(kind).update(image.subarray(0, size)).digest('hex')}  -`);
      expect(values('SHA')).toEqual(digests('sha256'));
      expect(values('ZIP')).toEqual(digests('md5'));
      expect(new Set(values('FLOAT'))).toEqual(new Set([onThisHost(busybox, FLOATS)]));
      expect(values('FLOAT').length).toBe(4 * rounds);
      expect(values('SORTS')).toEqual(sizes.map(() => '1'));
      expect(values('SIGNAL')).toEqual(sizes.map(() => 'usr1'));
      expect(values('STATUS')).toEqual(sizes.map(() => '143'));
      console.log(`${architecture}, ${cpus} CPU: ${rounds} rounds`);
    },
    (SECONDS + 1500) * 1000,
  );
});
