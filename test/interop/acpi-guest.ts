import { type Architecture, linuxGuest } from '@pagurus/guests/linux';
import { Monitor } from './monitor.js';
import { command, pagurus, type Running } from './process.js';

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in /lib/modules/*.ko; do [ -e "$module" ] && insmod "$module"; done
echo READY
exec sh
`;
export const MINUTES = 60_000;
const BIOS = '/usr/share/seabios/bios-256k.bin';

/** Debian's kernel with ACPI, booted by SeaBIOS; a shell on the serial port. */
export class Guest {
  readonly monitor = new Monitor();
  readonly machine: Running;
  private asked = 0;

  constructor(
    program: 'pagurus' | 'qemu',
    options: readonly string[],
    { architecture = 'i386', modules = [] }: { architecture?: Architecture; modules?: readonly string[] } = {},
  ) {
    const { kernel, initrd } = linuxGuest(architecture, INIT, { modules });
    const target = architecture === 'i386' ? 'i386' : 'x86_64';
    const args = [
      ...[
        '-M',
        'pc-i440fx-7.2',
        '-cpu',
        target === 'i386' ? 'pentium3' : 'qemu64',
        '-nodefaults',
        '-display',
        'none',
        '-no-reboot',
      ],
      ...['-serial', 'stdio', '-bios', BIOS, '-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 panic=-1'],
      ...this.monitor.options,
      ...(options.includes('-m') ? [] : ['-m', '128']),
      ...options,
    ];
    this.machine =
      program === 'pagurus'
        ? pagurus('run', '-target', target, ...args)
        : command(`qemu-system-${target}`, '-accel', 'tcg', ...args);
  }

  /** Stops the guest and writes its stream into a file. */
  async save(file: string): Promise<void> {
    await this.monitor.run('stop');
    await this.monitor.run(`migrate "exec:cat > ${file}"`, 5 * MINUTES);
    const answer = await this.monitor.run('info migrate');
    if (!/status: completed/.test(answer)) throw new Error(`the migration did not complete: ${answer}`);
    await this.machine.stop();
  }

  /** Of a machine with `-incoming`: waits until it is loaded, and lets it go on. */
  async arrive(): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      if (/paused\)?$/m.test(await this.monitor.run('info status'))) break;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await this.monitor.run('cont');
  }

  async ready(): Promise<this> {
    await this.machine.waitFor(/READY\r?\n/, 8 * MINUTES);
    return this;
  }

  /** Runs a line of shell. @returns its output. */
  async shell(line: string): Promise<string> {
    const mark = `answer ${++this.asked}`;
    const from = this.machine.output.length;
    this.machine.type(`${line}; echo "answer" ${this.asked}\n`);
    await this.machine.waitFor(new RegExp(`^${mark}\\r?$`, 'm'), 3 * MINUTES);
    return this.machine.output.slice(from).replaceAll('\r', '');
  }

  /** Asks again and again until the answer is as expected; a guest takes its time. */
  async until(line: string, pattern: RegExp): Promise<string> {
    for (let tries = 0; ; tries++) {
      const answer = await this.shell(line);
      if (pattern.test(answer)) return answer;
      if (tries === 40) throw new Error(`'${line}' never gave ${pattern}: ${answer}`);
      await this.shell('sleep 1');
    }
  }

  /** Whether there is a device at an address of the root bus. */
  present(address: string): Promise<string> {
    return this.until(`[ -e /sys/bus/pci/devices/${address} ] && echo pre""sent`, /^present$/m);
  }

  absent(address: string): Promise<string> {
    return this.until(`[ -e /sys/bus/pci/devices/${address} ] || echo ab""sent`, /^absent$/m);
  }

  /** Interrupts of ACPI that the guest has taken. */
  async events(): Promise<number> {
    return Number(/^\s*9:\s+(\d+)/m.exec(await this.shell('grep acpi /proc/interrupts'))![1]);
  }
}
