/** First bytes by which a format is known. */
const MAGIC: readonly (readonly [format: string, offset: number, bytes: readonly number[]])[] = [
  ['qcow2', 0, [0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 2]],
  ['qcow2', 0, [0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3]],
  ['qcow', 0, [0x51, 0x46, 0x49, 0xfb]],
  ['qed', 0, [0x51, 0x45, 0x44, 0]],
  ['vmdk', 0, [...letters('KDMV')]],
  ['vmdk', 0, [...letters('COWD')]],
  ['vhdx', 0, [...letters('vhdxfile')]],
  ['vpc', 0, [...letters('conectix')]],
  ['luks', 0, [...letters('LUKS'), 0xba, 0xbe]],
  ['parallels', 0, [...letters('WithoutFreeSpace')]],
  ['parallels', 0, [...letters('WithouFreSpacExt')]],
  ['vdi', 0x40, [0x7f, 0x10, 0xda, 0xbe]],
];

/** Bytes that {@link probeFormat} wants to see. */
export const PROBE_LENGTH = 512;

function letters(text: string): number[] {
  return [...text].map((letter) => letter.charCodeAt(0));
}

/** What an image begins like; `raw` for anything unknown. */
export function probeFormat(start: Uint8Array): string {
  const found = MAGIC.find(([, offset, bytes]) => bytes.every((byte, i) => start[offset + i] === byte));
  return found?.[0] ?? 'raw';
}
