import { expect, it } from 'vitest';
import { videoMode } from './firmware-kernel.js';

it.each([
  ['console=tty0 quiet', undefined],
  ['vga=0x317 quiet', 0x317],
  ['vga=791', 791],
  ['vga=ask', 0xfffd],
  ['vga=normal vga=ext', 0xfffe],
  ['vga=317h', undefined],
  ['vga=0x12345', undefined],
  ['novga=3', undefined],
])('the video mode of %j is %s', (commandLine, mode) => {
  expect(videoMode(commandLine)).toBe(mode);
});
