import { expect, it } from 'vitest';
import { Guest, MINUTES } from './acpi-guest.js';
import { scratch } from './monitor.js';
import { withParts } from './parts.js';

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
    await source.save(file);

    const cards = ['-device', 'virtio-rng-pci,id=r0,addr=5', '-device', 'virtio-rng-pci,id=r1,addr=6'];
    const target = new Guest(to, [...cards, '-incoming', `exec:cat ${file}`]);
    await target.arrive();
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

withParts('memory hotplug in Linux', ['seabios', 'guests', 'qemu'], () => {
  const slots = [
    '-m',
    '128,slots=4,maxmem=1G',
    '-object',
    'memory-backend-ram,id=m0,size=128M',
    '-device',
    'pc-dimm,id=d0,memdev=m0',
  ];
  const blocks = 'ls -1 /sys/devices/system/memory';
  const online = 'for m in /sys/devices/system/memory/memory*; do echo online > $m/state; done 2>/dev/null';

  it('a module is there, another comes, moves to QEMU and goes', { timeout: 20 * MINUTES }, async () => {
    const linux = await new Guest('pagurus', slots, { architecture: 'amd64' }).ready();
    // Blocks of 128 MiB: 32 is the first above 4 GiB.
    expect(await linux.shell(blocks)).toMatch(/\bmemory32\b(?!\s+memory33)/);
    const run = (line: string) => linux.monitor.run(line);
    expect(await run('device_add pc-dimm,id=d1,memdev=m1')).toMatch(/memdev: no memdev with id 'm1'/);
    expect(await run('object_add memory-backend-ram,id=m1,size=256M')).toBe('');
    expect(await run('device_add pc-dimm,id=d1,memdev=m1')).toBe('');
    await linux.until(blocks, /memory33\s+memory34/);
    await linux.shell(online);
    await linux.until('head -1 /proc/meminfo', /MemTotal:\s+4[67]\d{4} kB/);
    expect(await run('device_del d1')).toBe('');
    await linux.until('head -1 /proc/meminfo', /MemTotal:\s+2[01]\d{4} kB/);
    await linux.until(blocks, /^(?![\s\S]*memory33)/);

    await run('device_add pc-dimm,id=d1,memdev=m1');
    await linux.until(blocks, /memory33\s+memory34/);
    const file = scratch('stream');
    await linux.save(file);
    const more = [
      '-object',
      'memory-backend-ram,id=m1,size=256M',
      '-device',
      'pc-dimm,id=d1,memdev=m1',
      '-incoming',
      `exec:cat ${file}`,
    ];
    const target = new Guest('qemu', [...slots, ...more], { architecture: 'amd64' });
    await target.arrive();
    await target.shell(online);
    await target.until('head -1 /proc/meminfo', /MemTotal:\s+4[67]\d{4} kB/);
    await target.monitor.run('device_del d1');
    await target.until(blocks, /^(?![\s\S]*memory33)/);
    await target.machine.stop();
  });
});

withParts('identifier, crash note, button and interrupt messages in Linux', ['seabios', 'guests'], () => {
  const GUID = { first: '00112233-4455-6677-8899-aabbccddeeff', second: 'ffeeddcc-bbaa-9988-7766-554433221100' };
  const modules = ['button', 'qemu_fw_cfg', 'virtio_pci', 'virtio-rng'];
  const devices = (guid: string) => [
    ...['-device', `vmgenid,guid=${guid}`, '-device', 'vmcoreinfo', '-device', 'virtio-rng-pci,addr=4'],
    ...['-device', 'pci-bridge,id=br0,chassis_nr=1,addr=7'],
  ];

  it('are seen, and a moved guest hears that it was moved', { timeout: 20 * MINUTES }, async () => {
    const linux = await new Guest('pagurus', devices(GUID.first), { modules }).ready();
    expect(await linux.shell('ls /sys/bus/acpi/drivers/vmgenid')).toContain('QEMUVGID:00');
    expect(await linux.shell('ls /sys/firmware/qemu_fw_cfg/by_name/etc')).toContain('vmcoreinfo');
    // Message signalled interrupts of the device's queue.
    expect(await linux.shell('grep virtio /proc/interrupts')).toMatch(/PCI-MSI.*virtio0/);

    const before = await linux.events();
    await linux.monitor.run('system_powerdown');
    await linux.until('grep acpi /proc/interrupts', new RegExp(`^\\s*9:\\s+${before + 1}\\s`, 'm'));

    // A card behind the bridge.
    await linux.monitor.run('device_add virtio-rng-pci,id=r1,bus=br0,addr=3');
    await linux.present('0000:01:03.0');
    const heard = await linux.events();
    const file = scratch('stream');
    await linux.save(file);

    const cards = ['-device', 'virtio-rng-pci,id=r1,bus=br0,addr=3'];
    const target = new Guest('pagurus', [...devices(GUID.second), ...cards, '-incoming', `exec:cat ${file}`], { modules });
    await target.arrive();
    await target.until('grep acpi /proc/interrupts', new RegExp(`^\\s*9:\\s+${heard + 1}\\s`, 'm'));
    await target.monitor.run('device_del r1');
    await target.absent('0000:01:03.0');
    await target.machine.stop();
  });
});
