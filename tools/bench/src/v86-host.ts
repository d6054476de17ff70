// A kernel in v86 with its serial port on standard output: node v86-host.js KERNEL INITRD COMMAND-LINE
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { V86 } from 'v86';

const [kernel, initrd, commandLine] = process.argv.slice(2) as [string, string, string];
const image = (file: string) => ({ buffer: new Uint8Array(readFileSync(file)).buffer });

const pc = new V86({
  wasm_path: fileURLToPath(new URL('v86.wasm', import.meta.resolve('v86'))),
  memory_size: 128 * 2 ** 20,
  bios: image('/usr/share/seabios/bios-256k.bin'),
  vga_bios: image('/usr/share/seabios/vgabios-stdvga.bin'),
  bzimage: image(kernel),
  initrd: image(initrd),
  cmdline: commandLine,
  autostart: true,
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
});
pc.add_listener('serial0-output-byte', (byte: number) => void process.stdout.write(String.fromCharCode(byte)));
