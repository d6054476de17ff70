import { EMBEDDED_BASE64 } from './embedded.bytes.js';

/** Facts about the embedded guest that a host may rely on; they are the source's (embedded/constants.inc). */
export const EMBEDDED = {
  /** Timer interrupts a second. */
  ticksPerSecond: 100,
  /** Ticks between two heartbeat lines. */
  beatTicks: 50,
  /** What the guest shows when it waits for a command. */
  prompt: '> ',
  /** Port where it looks for isa-debug-exit. */
  debugExitPort: 0x501,
} as const;

/** The embedded guest: a Multiboot image to be given to a machine as its kernel. A fresh copy each time. */
export function embeddedGuest(): Uint8Array {
  const text = atob(EMBEDDED_BASE64.replaceAll('\n', ''));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
