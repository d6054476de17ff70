import { LINUX_ROM_BASE64 } from './linux-rom.bytes.js';

/** The option ROM with which firmware boots a Linux kernel out of fw_cfg: `linux-rom/linux-rom.asm`. A fresh copy. */
export function linuxRom(): Uint8Array {
  const text = atob(LINUX_ROM_BASE64.replaceAll('\n', ''));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
