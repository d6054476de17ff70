import { linuxGuest } from '@pagurus/guests/linux';
import { expect, it } from 'vitest';
import { Monitor, scratch } from './monitor.js';
import { withParts } from './parts.js';
import { command, pagurus, type Running } from './process.js';

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
echo READY
exec sh
`;
const MINUTES = 60_000;
const BIOS = '/usr/share/seabios/bios-256k.bin';

/** Debian's kernel with ACPI, booted by SeaBIOS; a shell on the serial port. */
class Guest {
  readonly monitor = new Monitor();
  readonly machine: Running;
  private asked = 0;

  constructor(program: 'pagurus' | 'qemu', options: readonly string[], machine = 'pc-i440fx-7.2') {
    const { kernel, initrd } = linuxGuest('i386', INIT);
    const args = [
      ...['-M', machine, '-cpu', 'pentium3', '-nodefaults', '-display', 'none', '-no-reboot', '-serial', 'stdio', '-bios', BIOS],
      ...['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 panic=-1', ...this.monitor.options],
      ...(options.includes('-m') ? [] : ['-m', '128']),
      ...options,
    ];
    this.machine = program === 'pagurus' ? pagurus('run', ...args) : command('qemu-system-i386', '-accel', 'tcg', ...args);
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

withParts('PCI hotplug in Linux', ['seabios', 'guests', 'qemu'], () => {
  it('a card comes and goes; functions, addresses and errors', { timeout: 12 * MINUTES }, async () => {
    const linux = await new Guest('pagurus', []).ready();
    const run = (line: string) => linux.monitor.run(line);
    expect(await linux.events()).toBe(0);
    expect(await run('device_add virtio-rng-pci,id=r0,addr=5')).toBe('');
    await linux.present('0000:00:05.0');
    expect(await linux.events()).toBe(1);
    expect(await linux.shell('cat /sys/bus/pci/devices/0000:00:05.0/vendor')).toContain('0x1af4');
    // The guest gives it addresses and lets it decode them.
    await linux.shell('echo 1 > /sys/bus/pci/devices/0000:00:05.0/enable');
    expect(await run('info pci')).toMatch(/device {3}5, function 0:[\s\S]*BAR0: I\/O at 0x1000/);

    expect(await run('device_add virtio-rng-pci,id=r0')).toBe("Error: duplicate device id 'r0'");
    expect(await run('device_add virtio-rng-pci,addr=5')).toMatch(/addr: slot 05\.0 of pci\.0 is in use by r0/);
    expect(await run('device_add virtio-rng-pci,bus=pci.9')).toMatch(/bus: bus 'pci\.9' not found/);
    expect(await run('device_add isa-debugcon')).toBe("Error: bus 'isa.0' does not support hotplugging");
    expect(await run('device_add virtio-rng-pci,speed=9')).toMatch(/virtio-rng-pci\.speed/);
    expect(await run('device_del r9')).toBe("Error: device 'r9' not found");
    expect(await run('device_del "PIIX4_PM[0]"')).toMatch(/part of the machine/);

    // Functions above 0 come first; function 0 stands for the slot.
    expect(await run('device_add virtio-rng-pci,id=f1,addr=6.1')).toBe('');
    expect(await run('device_add virtio-rng-pci,id=f0,addr=6.0,multifunction=on')).toBe('');
    await linux.present('0000:00:06.1');
    expect(await run('device_add virtio-rng-pci,id=f2,addr=6.2')).toMatch(/function 0 of slot 06\.0 is there already/);

    expect(await run('device_del r0')).toBe('');
    expect(await run('device_del f1')).toBe('');
    await linux.absent('0000:00:05.0');
    await linux.absent('0000:00:06.0');
    expect(await run('info qtree')).not.toMatch(/virtio-rng-pci/);
    // The same place and name again.
    expect(await run('device_add virtio-rng-pci,id=r0,addr=5')).toBe('');
    await linux.present('0000:00:05.0');
    await linux.machine.stop();
  });

  it.each([
    ['pagurus', 'pagurus'],
    ['qemu', 'pagurus'],
    ['pagurus', 'qemu'],
  ] as const)('added, moved from %s to %s, removed', { timeout: 20 * MINUTES }, async (from, to) => {
    const source = await new Guest(from, []).ready();
    await source.monitor.run('device_add virtio-rng-pci,id=r0,addr=5');
    await source.present('0000:00:05.0');
    await source.shell('echo 1 > /sys/bus/pci/devices/0000:00:05.0/enable');
    // A second one of which the guest hears only on the other side.
    await source.monitor.run('stop');
    await source.monitor.run('device_add virtio-rng-pci,id=r1,addr=6');
    const file = scratch('stream');
    await source.monitor.run(`migrate "exec:cat > ${file}"`, 5 * MINUTES);
    expect(await source.monitor.run('info migrate')).toMatch(/status: completed/);
    await source.machine.stop();

    const cards = ['-device', 'virtio-rng-pci,id=r0,addr=5', '-device', 'virtio-rng-pci,id=r1,addr=6'];
    const target = new Guest(to, [...cards, '-incoming', `exec:cat ${file}`]);
    for (let tries = 0; tries < 100; tries++) {
      if (/paused\)?$/m.test(await target.monitor.run('info status'))) break;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await target.monitor.run('cont');
    await target.present('0000:00:06.0');
    expect(await target.shell('cat /sys/bus/pci/devices/0000:00:05.0/enable')).toMatch(/^1$/m);
    await target.monitor.run('device_del r0');
    await target.monitor.run('device_del r1');
    await target.absent('0000:00:05.0');
    await target.absent('0000:00:06.0');
    await target.monitor.run('device_add virtio-rng-pci,id=r0,addr=5');
    await target.present('0000:00:05.0');
    await target.machine.stop();
  });
});
