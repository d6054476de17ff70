import { PropertyError } from '@pagurus/device-model';

/** `52:54:00:12:34:56`, also with dashes, to six bytes. @throws {PropertyError} */
export function parseMac(driver: string, text: string): Uint8Array {
  const parts = text.split(/[:-]/);
  if (parts.length !== 6 || !parts.every((part) => /^[0-9a-f]{1,2}$/i.test(part))) {
    throw new PropertyError(driver, 'mac', `'${text}' is not an address such as 52:54:00:12:34:56`);
  }
  return Uint8Array.from(parts, (part) => Number.parseInt(part, 16));
}

export function isBroadcast(frame: Uint8Array): boolean {
  return frame.length >= 6 && frame.subarray(0, 6).every((byte) => byte === 0xff);
}

export function isGroup(frame: Uint8Array): boolean {
  return (frame[0]! & 1) !== 0;
}

/** CRC-32 of IEEE 802.3 over `bytes`, most significant bit first: the hash of multicast filters. */
export function crc32Big(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const carry = (crc >>> 31) ^ ((byte >> bit) & 1);
      crc = (crc << 1) ^ (carry ? 0x04c1_1db7 : 0);
    }
  }
  return crc >>> 0;
}
