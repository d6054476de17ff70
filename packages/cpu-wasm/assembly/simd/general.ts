/** Extensions on general registers that share the prefixes and maps of SSE: CRC32, MOVBE, ADCX, ADOX. [SDM 2A, 2B] */
import { lazyFlags, setLazyFlags } from '../flags';
import { loadAt, storeAt } from '../memory';
import { get, put } from '../state';
import { anyRex, isMemory, memoryAddress, regNumber, rmNumber, size16, wide } from './operands';

/** CRC-32C (polynomial 11EDC6F41), bits reflected. */
function crcByte(crc: u32, value: u32): u32 {
  let rest = crc ^ value;
  for (let i = 0; i < 8; i++) rest = rest & 1 ? (rest >> 1) ^ 0x82f63b78 : rest >> 1;
  return rest;
}
export function crc32(byteForm: bool): void {
  let n: u32;
  let value: u64;
  if (byteForm) {
    n = 1;
    if (isMemory) value = loadAt<u8>(memoryAddress(1, false));
    else value = !anyRex && rmNumber >= 4 ? get<u8>(((rmNumber - 4) << 3) + 1) : get<u8>(rmNumber << 3);
  } else if (wide) {
    n = 8;
    value = isMemory ? loadAt<u64>(memoryAddress(8, false)) : get<u64>(rmNumber << 3);
  } else if (size16) {
    n = 2;
    value = isMemory ? loadAt<u16>(memoryAddress(2, false)) : get<u16>(rmNumber << 3);
  } else {
    n = 4;
    value = isMemory ? loadAt<u32>(memoryAddress(4, false)) : get<u32>(rmNumber << 3);
  }
  let crc = get<u32>(regNumber << 3);
  for (let i: u32 = 0; i < n; i++) crc = crcByte(crc, u32(value >> (i << 3)) & 0xff);
  put<u32>(regNumber << 3, crc);
}

export function moveSwapped(storing: bool): void {
  const at = regNumber << 3;
  if (wide) {
    if (storing) storeAt<u64>(memoryAddress(8, true), bswap<u64>(get<u64>(at)));
    else put<u64>(at, bswap<u64>(loadAt<u64>(memoryAddress(8, false))));
  } else if (size16) {
    if (storing) storeAt<u16>(memoryAddress(2, true), bswap<u16>(get<u16>(at)));
    else put<u16>(at, bswap<u16>(loadAt<u16>(memoryAddress(2, false))));
  } else if (storing) storeAt<u32>(memoryAddress(4, true), bswap<u32>(get<u32>(at)));
  else put<u32>(at, bswap<u32>(loadAt<u32>(memoryAddress(4, false))));
}

/** ADCX, ADOX: addition with CF or OF as carry in and out; no other flag changes. */
export function addWithFlag(flag: u32): void {
  const at = regNumber << 3;
  const flags = lazyFlags();
  const carry = u64((flags & flag) != 0);
  let out: bool;
  if (wide) {
    const b = isMemory ? loadAt<u64>(memoryAddress(8, false)) : get<u64>(rmNumber << 3);
    const a = get<u64>(at);
    const sum = a + b;
    const total = sum + carry;
    out = sum < a || total < sum;
    put<u64>(at, total);
  } else {
    const b = isMemory ? loadAt<u32>(memoryAddress(4, false)) : get<u32>(rmNumber << 3);
    const total = u64(get<u32>(at)) + u64(b) + carry;
    out = total >> 32 != 0;
    put<u32>(at, u32(total));
  }
  setLazyFlags(out ? flags | flag : flags & ~flag);
}
