import { describe, expect, it } from 'vitest';
import { OPTION_TABLE, parseRunOptions, runHelp } from './run-options.js';
import { nearest } from './usage-error.js';

const parse = (line: string) => parseRunOptions(line === '' ? [] : line.split(' '));

describe('options of pagurus run', () => {
  it('takes the SeaBIOS line of QEMU as it is', () => {
    const options = parse(
      '-M pc-i440fx-7.2 -m 64 -nodefaults -display none -bios b.bin -debugcon stdio -global isa-debugcon.iobase=0x402 -no-reboot -boot reboot-timeout=100',
    );
    expect(options).toMatchObject({
      machine: 'pc-i440fx-7.2',
      memory: 64 * 2 ** 20,
      noDefaults: true,
      bios: 'b.bin',
      debugcon: { kind: 'stdio', mux: false },
      globals: [{ driver: 'isa-debugcon', property: 'iobase', value: '0x402' }],
      noReboot: true,
      boot: { rebootTimeout: 100 },
    });
  });

  it('options that repeat keep their order', () => {
    const options = parse('-serial stdio -serial null -device a,x=1 -device b -global t.p=1 -global t.p=2 -L x -L y');
    expect(options.serial.map((spec) => spec.kind)).toEqual(['stdio', 'null']);
    expect(options.devices.map(({ driver }) => driver)).toEqual(['a', 'b']);
    expect(options.globals.map(({ value }) => value)).toEqual(['1', '2']);
    expect(options.dataFolders).toEqual(['x', 'y']);
  });

  it('two dashes are as good as one', () => {
    expect(parse('--machine isapc --nodefaults')).toMatchObject({ machine: 'isapc', noDefaults: true });
  });

  it.each([
    ['-M pc,i8042=off,accel=tcg', { machine: 'pc', machineProperties: { i8042: 'off' } }],
    ['-machine type=isapc', { machine: 'isapc' }],
    ['-target x86_64 -cpu qemu64,-apic', { target: 'x86_64', cpu: 'qemu64,-apic' }],
    ['-m 1G', { memory: 2 ** 30 }],
    ['-m size=512k', { memory: 512 * 1024 }],
    ['-smp 1 -accel tcg -net none -nic none', { machine: undefined }],
    ['-kernel k -initrd i', { kernel: 'k', initrd: 'i' }],
    [
      '-device isa-debug-exit,id=e,iobase=0x501,iosize=2,bus=isa.0',
      { devices: [{ driver: 'isa-debug-exit', id: 'e', properties: { iobase: '0x501', iosize: '2' } }] },
    ],
    ['-device x,addr=05.0', { devices: [{ driver: 'x', addr: '05.0', properties: {} }] }],
    ['-global driver=t,property=p,value=v', { globals: [{ driver: 't', property: 'p', value: 'v' }] }],
    ['-vga std', { vga: 'std' }],
    ['-nographic', { noGraphic: true }],
    [
      '-monitor unix:m,server=on,wait=off',
      { monitor: { kind: 'socket', uri: { transport: 'unix', path: 'm' }, server: true, wait: false, mux: false } },
    ],
    ['-incoming tcp:127.0.0.1:4444 -S', { incoming: 'tcp:127.0.0.1:4444', startStopped: true }],
    ['-loadvm before', { loadvm: 'before' }],
    [
      '-boot cd,once=n,menu=on,splash-time=5000,strict=on',
      { boot: { order: 'cd', once: 'n', menu: true, splashTime: 5000, strict: true } },
    ],
    ['-rtc driftfix=slew', { globals: [{ driver: 'mc146818rtc', property: 'lost_tick_policy', value: 'slew' }] }],
    ['-name guest=crab,debug-threads=on', { name: 'crab' }],
    ['-qmp unix:s,server=on,wait=off -mon chardev=c,mode=control', { qmp: [{ kind: 'socket' }, { kind: 'chardev', id: 'c' }] }],
    ['-mon m', { monitor: { kind: 'chardev', id: 'm' } }],
    ['-parallel null -parallel none', { parallel: [{ kind: 'null' }, { kind: 'none' }] }],
    ['-M pc,help', { list: { what: 'machine', name: 'pc' } }],
    [
      '-smbios type=1,serial=1,uuid=00112233-4455-6677-8899-aabbccddeeff -smbios type=1,sku=k -smbios type=11,value=a=b -smbios type=0,release=1.2',
      {
        smbios: {
          system: { serial: '1', sku: 'k', uuid: Buffer.from('00112233445566778899aabbccddeeff', 'hex') },
          strings: ['a=b'],
          bios: { release: [1, 2], uefi: false },
        },
      },
    ],
    ['-icount shift=3,sleep=off', { icount: { shift: 3, sleep: false } }],
    ['-icount 5', { icount: { shift: 5, sleep: true } }],
    ['-rtc base=2026-01-31T12:00:00,clock=vm', { rtc: { base: 1769860800000000000n, clock: 'vm' } }],
    ['-rtc base=2026-01-31', { rtc: { base: 1769817600000000000n, clock: 'host' } }],
    ['-rtc base=utc', { rtc: { base: undefined, clock: 'host' } }],
    ['-boot dc', { boot: { order: 'dc' } }],
    ['-boot order=d,menu=on,reboot-timeout=-1', { boot: { order: 'd', menu: true, rebootTimeout: -1 } }],
    ['-name guest=crab,process=x', { name: 'crab' }],
    ['-events fd:3 -no-shutdown', { events: 'fd:3', noShutdown: true }],
    ['-M help', { list: { what: 'machines' } }],
    ['-cpu help', { list: { what: 'cpus' } }],
    ['-device help', { list: { what: 'devices' } }],
    ['-device isa-serial,help', { list: { what: 'device', name: 'isa-serial' } }],
    ['-help', { list: { what: 'options' } }],
  ])('%s', (line, expected) => {
    expect(parse(line)).toMatchObject(expected);
  });

  it('reads a UUID', () => {
    expect([...parse('-uuid 12345678-9abc-def0-1122-334455667788').uuid!]).toEqual([
      0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
    ]);
  });

  it('keeps commas and blanks of -append, and doubled commas elsewhere', () => {
    expect(parseRunOptions(['-append', 'a=b,c  d']).append).toBe('a=b,c  d');
    expect(parseRunOptions(['-device', 'x,path=a,,b']).devices[0]!.properties).toEqual({ path: 'a,b' });
  });

  it.each([
    ['-nodefault', "unknown option '-nodefault'; did you mean '-nodefaults'?"],
    ['-xyzzy', /^unknown option '-xyzzy' \(pagurus run -help lists them\)$/],
    ['disk.img', "unexpected 'disk.img'"],
    ['-m', '-m: expected [size=]SIZE[,slots=N,maxmem=SIZE] behind it'],
    ['-m lots', '-m lots: expected a size such as 64, 512M or 1G'],
    ['-m 0', '-m 0: expected a size'],
    ['-m 64,slots=2', 'slots without maxmem'],
    ['-smp x', /^-smp x: /],
    ['-accel kvm', '-accel kvm: expected tcg'],
    ['-target arm', 'expected i386 or x86_64'],
    ['-display gtk', '-display gtk: expected none or curses'],
    ['-vga cirrus', '-vga cirrus: expected std or none'],
    ['-net user', '-net user: expected none'],
    ['-s', '-s: Pagurus has a gdb server not yet'],
    ['-qmp stdoi', '-qmp stdoi: expected none, null, stdio'],
    ['-mon mode=control', 'expected chardev=ID'],
    ['-mon c,mode=x', "mode 'x': expected readline or control"],
    ['-rtc driftfix=maybe', "driftfix 'maybe': expected none or slew"],
    ['-boot splash=x.jpg', 'splash is not available'],
    ['-smbios type=9', 'expected type=0, 1, 2, 3, 4, 11 or 17'],
    ['-smbios type=1,colour=red', "unknown option 'colour'"],
    ['-smbios type=0,release=x', 'release=x: expected MAJOR.MINOR'],
    ['-smbios file=/nonexistent', '-smbios /nonexistent: cannot read it'],
    ['-name n,colour=red', "unknown option 'colour'"],
    ['-serial stdoi', '-serial stdoi: expected none, null, stdio'],
    ['-global iobase', '-global iobase: expected TYPE.PROPERTY=VALUE'],
    ['-chardev null,id=a -chardev null,id=a', "duplicate id 'a'"],
    ['-icount shift=auto,sleep=off', 'shift=auto and sleep=off do not go together'],
    ['-icount shift=often', 'expected shift=N, 0 to 10, or shift=auto'],
    ['-icount shift=11', 'expected shift=N, 0 to 10'],
    ['-icount shift=1,align=on', 'align=on is not available'],
    ['-icount shift=1,x=y', "unknown option 'x'"],
    ['-rtc base=yesterday', "base 'yesterday': expected utc, localtime or a date"],
    ['-rtc clock=rt', "clock 'rt': expected host or vm"],
    ['-boot reboot-timeout=soon', "reboot-timeout 'soon'"],
    ['-boot twice=d', "unknown option 'twice'"],
    ['-uuid 1234', '-uuid 1234: expected xxxxxxxx-'],
  ])('%s is refused in one line', (line, message) => {
    let text = '';
    try {
      parse(line);
    } catch (error) {
      text = (error as Error).message;
    }
    expect(text).toMatch(message instanceof RegExp ? message : new RegExp(message.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')));
    expect(text).not.toContain('\n');
  });

  it('help names every option that there is, once', () => {
    const help = runHelp();
    for (const { names, help: text } of OPTION_TABLE)
      if (!text.startsWith('not available')) expect(help).toContain(`-${names[0]}`);
    const all = OPTION_TABLE.flatMap(({ names }) => names);
    expect(new Set(all).size).toBe(all.length);
    for (const line of help.split('\n')) expect(line.length).toBeLessThan(150);
  });
});

describe('nearest name', () => {
  it('finds what was meant, and nothing where nothing is near', () => {
    expect(nearest('pc-i440fx-7.1', ['isapc', 'pc-i440fx-7.2'])).toBe('pc-i440fx-7.2');
    expect(nearest('zzz', ['machine', 'cpu'])).toBeUndefined();
  });
});
