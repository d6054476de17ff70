import { EECD, EECD_KEPT, EERD, REG } from './spec.js';
import type { E1000State } from './state.js';

/** Words of the EEPROM but for the address, the device id and the check sum. [8254x] 5.6 */
const TEMPLATE = [
  0x0000, 0x0000, 0x0000, 0x0000, 0xffff, 0x0000, 0x0000, 0x0000, 0x3000, 0x1000, 0x6403, 0x0000, 0x8086, 0x0000, 0x8086, 0x3040,
  0x0008, 0x2000, 0x7e14, 0x0048, 0x1000, 0x00d8, 0x0000, 0x2700, 0x6cc9, 0x3150, 0x0722, 0x040b, 0x0984, 0x0000, 0xc000, 0x0706,
  0x1008, 0x0000, 0x0f04, 0x7fff, 0x4d01, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff,
  0x0100, 0x4000, 0x121c, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0x0000,
] as const;
const CHECKSUM_WORD = 63;
/** All words add up to this. */
const CHECKSUM = 0xbaba;

/** Contents for an address. */
export function fillEeprom(words: Uint16Array, mac: Uint8Array, deviceId: number): void {
  words.set(TEMPLATE);
  for (let i = 0; i < 3; i++) words[i] = mac[2 * i]! | (mac[2 * i + 1]! << 8);
  words[11] = deviceId;
  words[13] = deviceId;
  words[CHECKSUM_WORD] = CHECKSUM - words.subarray(0, CHECKSUM_WORD).reduce((sum, word) => sum + word, 0);
}

/** Nine bits of start, opcode and address have come in. [MWIRE] */
const COMMAND_BITS = 9;
const READ_OPCODE = 6;

/** The guest moves the EEPROM's pins one by one. [MWIRE] */
export function writeEecd(s: E1000State, value: number): void {
  const before = s.eepromLines;
  s.eepromLines = value & EECD_KEPT;
  if ((value & EECD.SELECT) === 0) return;
  if (((value ^ before) & EECD.SELECT) !== 0) {
    s.eepromIn = 0;
    s.eepromBitsIn = 0;
    s.eepromBitsOut = 0;
    s.eepromReading = 0;
  }
  if (((value ^ before) & EECD.CLOCK) === 0) return;
  if ((value & EECD.CLOCK) === 0) {
    s.eepromBitsOut = (s.eepromBitsOut + 1) & 0xffff;
    return;
  }
  s.eepromIn = ((s.eepromIn << 1) | ((value & EECD.DATA_IN) !== 0 ? 1 : 0)) >>> 0;
  s.eepromBitsIn = (s.eepromBitsIn + 1) & 0xffff;
  if (s.eepromBitsIn !== COMMAND_BITS || s.eepromReading !== 0) return;
  s.eepromBitsOut = (((s.eepromIn & 0x3f) << 4) - 1) & 0xffff;
  s.eepromReading = ((s.eepromIn >> 6) & 7) === READ_OPCODE ? 1 : 0;
}

export function readEecd(s: E1000State): number {
  const bit = (s.eeprom[(s.eepromBitsOut >> 4) & 0x3f]! >> ((s.eepromBitsOut & 0x0f) ^ 0x0f)) & 1;
  const data = s.eepromReading === 0 || bit !== 0 ? EECD.DATA_OUT : 0;
  return EECD.PRESENT | EECD.GRANT | s.eepromLines | data;
}

/** The easy way to read a word: address in bits 8 and up, data in 16 and up. [8254x] 13.4.4 */
export function readEerd(s: E1000State): number {
  const value = s.mac[REG.EERD / 4]!;
  const address = (value & ~EERD.START) >>> 0;
  if ((value & EERD.START) === 0) return value;
  const word = s.eeprom[address >>> 8];
  if (word === undefined) return (address | EERD.DONE) >>> 0;
  return ((word << 16) | EERD.DONE | address) >>> 0;
}
