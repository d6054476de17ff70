/** The decoder for the disassembler: what it found, laid out at LISTING (src/layout.ts) for src/disassembler. */
import { LISTING, MODE, MODE_PROTECTED, SCRATCH_BLOCK, SCRATCH_BYTES } from '../src/layout';
import { BLOCK_HEADER } from './blocks';
import {
  DECODED_TRUNCATED, addressSize, decode, decodedLength, entryIndex, immediate, immediate2, immediateHigh, lock, memoryDisplacement, modrm,
  opcodeByte, operandSize, repeat, rex, segmentOverride, sibByte, thirdRegister, named,
} from './decoder';

/**
 * Decodes the instruction in the first `n` bytes of SCRATCH_BYTES as code of `size` (MODE_16 …). Answers its length, or 0 where bytes are missing.
 * Leaves MODE changed: for instances that run nothing.
 */
export function list(n: u32, size: u32): u32 {
  store<u32>(MODE, size | MODE_PROTECTED);
  if (decode(SCRATCH_BYTES, SCRATCH_BYTES + n, SCRATCH_BLOCK + BLOCK_HEADER, 0) == DECODED_TRUNCATED) return 0;
  store<u16>(LISTING, u16(entryIndex));
  store<u8>(LISTING, u8(named), 2);
  store<u8>(LISTING, u8(operandSize), 3);
  store<u8>(LISTING, u8(addressSize), 4);
  store<u8>(LISTING, u8(segmentOverride), 5);
  store<u8>(LISTING, u8(repeat), 6);
  store<u8>(LISTING, u8(lock), 7);
  store<u8>(LISTING, u8(opcodeByte), 8);
  store<u8>(LISTING, u8(modrm), 9);
  store<u8>(LISTING, u8(rex), 10);
  store<u8>(LISTING, u8(thirdRegister), 11);
  store<u8>(LISTING, u8(sibByte), 12);
  store<u32>(LISTING, memoryDisplacement, 16);
  store<u32>(LISTING, immediate, 20);
  store<u32>(LISTING, immediateHigh, 24);
  store<u32>(LISTING, immediate2, 28);
  return decodedLength();
}
