import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linuxGuest } from '@pagurus/guests/linux';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkFileSystem, DISK_MODULES, filesOf, hardDisk, LOAD_MODULES } from './disk-guest.js';
import { APPLETS, MENU, SCRIPT } from './disk-script.js';
import { Monitor } from './monitor.js';
import { withParts } from './parts.js';
import { command, pagurus, programCommand, type Running } from './process.js';
import { qemu10 } from './qemu10.js';

const folder = mkdtempSync(join(tmpdir(), 'pagurus-boot-disk-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string): string => join(folder, name);

const LONG = 600_000;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const OPTIONS = '-M pc-i440fx-7.2 -m 96 -display none -no-reboot -serial stdio'.split(' ');

/** The text on the screen, once it matches. */
async function screen(monitor: Monitor, pattern: RegExp): Promise<string> {
  const file = path('screen.txt');
  for (let tries = 0; tries < 600; tries++) {
    await monitor.run(`screendump ${file}`);
    // In a graphics mode there is no text.
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    if (pattern.test(text)) return text;
    await pause(500);
  }
  throw new Error(`never ${pattern} on the screen`);
}

/** The disc's only file is its name. */
function isoImage(name: string): string {
  const tree = path(`${name}.tree`);
  mkdirSync(tree);
  writeFileSync(join(tree, 'name'), `${name}\n`);
  execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-o', path(`${name}.iso`), tree], { stdio: 'ignore' });
  return path(`${name}.iso`);
}

withParts('GRUB from a CD', ['grub', 'seabios'], () => {
  it('comes to its menu from an El Torito disc; keys choose', async () => {
    const tree = path('grub-tree');
    mkdirSync(join(tree, 'boot/grub'), { recursive: true });
    writeFileSync(join(tree, 'boot/grub/grub.cfg'), MENU);
    execFileSync('grub-mkrescue', ['-o', path('grub.iso'), tree], { stdio: 'ignore' });
    const monitor = new Monitor();
    const machine = pagurus('run', ...OPTIONS, ...monitor.options, '-boot', 'd', '-cdrom', path('grub.iso'));
    const menu = await screen(monitor, /\*Debian/);
    expect(menu).toContain('GNU GRUB');
    expect(menu).toContain(' Another crab');
    await monitor.run('sendkey down');
    await screen(monitor, /\*Another crab/);
    await monitor.run('sendkey ret');
    await screen(monitor, /another was chosen/);
    await machine.stop();
  });
});

withParts('the usual devices of a PC', ['grub', 'seabios', 'qemu', 'qemu10'], () => {
  it.each(['7.2', '10.0'])('GRUB with card, disc, floppy drive and ports goes on in QEMU %s, and comes back', async (version) => {
    const tree = path(`grub-tree-${version}`);
    mkdirSync(join(tree, 'boot/grub'), { recursive: true });
    writeFileSync(join(tree, 'boot/grub/grub.cfg'), MENU);
    execFileSync('grub-mkrescue', ['-o', path(`grub-${version}.iso`), tree], { stdio: 'ignore' });
    const options = '-M pc-i440fx-7.2 -m 64 -display none -serial null -boot d -cdrom'
      .split(' ')
      .concat(path(`grub-${version}.iso`));
    const status = async (monitor: Monitor, line: string, pattern: RegExp): Promise<void> => {
      for (let tries = 0; tries < 300 && !pattern.test(await monitor.run(line)); tries++) await pause(200);
      expect(await monitor.run(line)).toMatch(pattern);
    };
    const first = new Monitor();
    const source = pagurus('run', ...options, ...first.options);
    await screen(first, /\*Debian/);
    await first.run('sendkey down');
    await screen(first, /\*Another crab/);
    await first.run(`migrate file:${path(`there-${version}`)}`, LONG);
    await status(first, 'info migrate', /completed/);
    await source.stop();
    const second = new Monitor();
    const arguments_ = [...options, '-accel', 'tcg', ...second.options, '-incoming', `exec:cat ${path(`there-${version}`)}`];
    const peer =
      version === '7.2'
        ? command('qemu-system-i386', ...arguments_)
        : // Its sound modules want libraries that were not unpacked.
          programCommand(qemu10('qemu-system-i386'), ...arguments_, '-audiodev', 'none,id=silence');
    await status(second, 'info status', /running/);
    await second.run('sendkey up');
    await pause(3000);
    await second.run(`migrate "exec:cat >${path(`back-${version}`)}"`, LONG);
    await status(second, 'info migrate', /completed/);
    await peer.stop();
    const third = new Monitor();
    const target = pagurus('run', ...options, ...third.options, '-incoming', `file:${path(`back-${version}`)}`);
    // The key was pressed in QEMU.
    await screen(third, /\*Debian/);
    await third.run('sendkey down');
    await screen(third, /\*Another crab/);
    await third.run('sendkey ret');
    await screen(third, /another was chosen/);
    await target.stop();
  });
});

withParts('Debian from an IDE disk', ['grub', 'seabios', 'guests', 'e2fsprogs', 'qemu', 'qemu-img'], () => {
  let expected: Record<string, string>;

  /** Presses Enter at GRUB's menu and lets the script run. */
  async function chooseDebian(monitor: Monitor, machine: Running, ours: boolean): Promise<void> {
    if (ours) await screen(monitor, /\*Debian/);
    // QEMU's monitor has no text of the screen; GRUB tells the serial port, too, that it is there.
    else await pause(5000);
    for (let tries = 0; tries < 20 && !/\[ +\d+\.\d+\]|ROOT/.test(machine.output); tries++) {
      await monitor.run('sendkey ret');
      await pause(ours ? 20_000 : 5000);
    }
  }

  async function finished(machine: Running): Promise<void> {
    await machine.waitFor(/CLEAN\r?\n/, LONG);
    expect(await machine.ended).toBe(0);
  }

  beforeAll(async () => {
    hardDisk(folder, SCRIPT, APPLETS, MENU);
    copyFileSync(path('disk.img'), path('qemu.img'));
    const monitor = new Monitor();
    const machine = command(
      'qemu-system-i386',
      ...OPTIONS,
      '-accel',
      'tcg',
      ...monitor.options,
      '-drive',
      `file=${path('qemu.img')},format=raw`,
    );
    await chooseDebian(monitor, machine, false);
    await finished(machine);
    checkFileSystem(path('qemu.img'));
    expected = filesOf(path('qemu.img'), path('qemu-files'));
    expect(Object.keys(expected).length).toBeGreaterThan(50);
  }, LONG);

  it(
    'raw: saved and moved to another process in the middle of its work; the file system is clean and as QEMU leaves it',
    async () => {
      copyFileSync(path('disk.img'), path('ours.img'));
      const drive = ['-drive', `file=${path('ours.img')},format=raw`];
      const monitor = new Monitor();
      const source = pagurus('run', ...OPTIONS, ...monitor.options, ...drive);
      await chooseDebian(monitor, source, true);
      await source.waitFor(/READY/, LONG);
      for (let n = 0; n < 3; n++) await monitor.run(`savevm ${path('middle.pagurus')}`, LONG);
      await source.waitFor(/ROUND 0/, LONG);
      const target = pagurus('run', ...OPTIONS, ...drive, '-incoming', `unix:${path('move')}`);
      for (let tries = 0; tries < 300 && !/waiting for a migration/.test(target.errors); tries++) await pause(200);
      expect(await monitor.run(`migrate unix:${path('move')}`, LONG)).toBe('');
      await finished(target);
      await source.stop();
      // Its last word is the target's, wherever the guest was when it moved.
      expect(source.output).not.toContain('SUM ');
      expect(target.output).toContain('SUM ');
      checkFileSystem(path('ours.img'));
      expect(filesOf(path('ours.img'), path('our-files'))).toEqual(expected);
    },
    LONG,
  );

  it(
    'qcow2 over a compressed backing file: the same, and qemu-img check is content',
    async () => {
      execFileSync('qemu-img', ['convert', '-q', '-c', '-f', 'raw', '-O', 'qcow2', path('disk.img'), path('base.qcow2')]);
      execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2', path('ours.qcow2')]);
      const before = readFileSync(path('base.qcow2'));
      const monitor = new Monitor();
      const machine = pagurus('run', ...OPTIONS, ...monitor.options, '-drive', `file=${path('ours.qcow2')},format=qcow2`);
      await chooseDebian(monitor, machine, true);
      await finished(machine);
      execFileSync('qemu-img', ['check', '-q', path('ours.qcow2')]);
      expect(readFileSync(path('base.qcow2')).equals(before)).toBe(true);
      execFileSync('qemu-img', ['convert', '-q', '-f', 'qcow2', '-O', 'raw', path('ours.qcow2'), path('ours-flat.img')]);
      checkFileSystem(path('ours-flat.img'));
      expect(filesOf(path('ours-flat.img'), path('qcow2-files'))).toEqual(expected);
    },
    LONG,
  );

  it(
    'a disc that is changed and taken out is seen by the guest',
    async () => {
      const { kernel, initrd } = linuxGuest(
        'i386',
        `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t devtmpfs dev /dev
${LOAD_MODULES}
i=0; while [ ! -b /dev/sr0 ] && [ $i -lt 100 ]; do sleep 0.2; i=$((i+1)); done
mkdir /mnt
while true; do
  if mount -t iso9660 -o ro /dev/sr0 /mnt 2>/dev/null; then name=$(cat /mnt/name); umount /mnt; echo "DISC $name"; else echo "NO DISC"; fi
  read line
done
`,
        { modules: DISK_MODULES },
      );
      const monitor = new Monitor();
      const boot = ['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 quiet'];
      const machine = pagurus('run', ...OPTIONS, ...monitor.options, '-cdrom', isoImage('first'), ...boot);
      const look = async (pattern: RegExp): Promise<void> => {
        // A command or two tell the guest that the medium has changed before one succeeds.
        for (let tries = 0; tries < 5; tries++) {
          machine.output = '';
          machine.type('\n');
          if ((await machine.waitFor(/(NO DISC|DISC \w+)\r?\n/, LONG))[0].match(pattern)) return;
        }
        throw new Error(`never ${pattern}: ${machine.output}`);
      };
      await machine.waitFor(/DISC first/, LONG);
      expect(await monitor.run(`change ide1-cd0 ${isoImage('second')}`)).toBe('');
      await look(/^DISC second/);
      expect(await monitor.run('eject ide1-cd0')).toBe('');
      await look(/^NO DISC/);
      expect(await monitor.run('info block')).toContain('ide1-cd0: [not inserted]');
      expect(await monitor.run(`change ide1-cd0 ${path('first.iso')}`)).toBe('');
      await look(/^DISC first/);
      await machine.stop();
    },
    LONG,
  );
});
