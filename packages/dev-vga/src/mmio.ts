import type { AccessSize, IoHandler } from '@pagurus/device-model';
import { DISPI, PCI_VGA, PORT } from './spec.js';
import type { VgaCore } from './vga-core.js';

/**
 * BAR 2: the same registers without ports, for guests that have none or for a second card. [QEMU] docs/specs/standard-vga
 *
 *     0x000  EDID            0x400  ports 0x3c0 to 0x3df
 *     0x500  dispi, words    0x600  size of this block, byte order
 */
export class MmioRegisters implements IoHandler {
  readonly sizes = [1, 2, 4] as const;

  constructor(
    private readonly core: VgaCore,
    private readonly edid: Uint8Array | undefined,
    private readonly extended: boolean,
  ) {}

  read(offset: number, size: AccessSize): number {
    if (within(offset, PCI_VGA.EXTENDED, PCI_VGA.EXTENDED_SIZE)) return this.readExtended(offset - PCI_VGA.EXTENDED, size);
    let value = 0;
    for (let i = 0; i < size; i++) value += this.readByte(offset + i) * 2 ** (8 * i);
    return value;
  }

  write(offset: number, value: number, size: AccessSize): void {
    if (within(offset, PCI_VGA.DISPI, PCI_VGA.DISPI_SIZE)) this.writeDispi(offset - PCI_VGA.DISPI, value, size);
    else if (within(offset, PCI_VGA.EXTENDED, PCI_VGA.EXTENDED_SIZE)) this.writeExtended(offset - PCI_VGA.EXTENDED, value, size);
    else {
      for (let i = 0; i < size; i++) {
        const port = offset + i - PCI_VGA.PORTS;
        if (within(port, 0, PCI_VGA.PORTS_SIZE)) this.core.registers.write(PORT.FIRST + port, (value >>> (8 * i)) & 0xff);
      }
    }
  }

  private readByte(offset: number): number {
    if (offset < PCI_VGA.EDID_SIZE) return this.edid?.[offset] ?? 0xff;
    if (within(offset, PCI_VGA.PORTS, PCI_VGA.PORTS_SIZE)) return this.core.registers.read(PORT.FIRST + offset - PCI_VGA.PORTS);
    if (within(offset, PCI_VGA.DISPI, PCI_VGA.DISPI_SIZE)) {
      const at = offset - PCI_VGA.DISPI;
      return (this.core.dispi.read(at >> 1) >> (8 * (at & 1))) & 0xff;
    }
    return 0xff;
  }

  /** Registers are words; half of one can't be written. */
  private writeDispi(offset: number, value: number, size: AccessSize): void {
    for (let i = 0; i + 2 <= size; i += 2) {
      const index = (offset + i) >> 1;
      if (index < DISPI.COUNT) this.core.dispi.write((value >>> (8 * i)) & 0xffff, index);
    }
  }

  private readExtended(offset: number, size: AccessSize): number {
    if (!this.extended) return 2 ** (8 * size) - 1;
    const order = this.core.state.bigEndian ? PCI_VGA.BIG_ENDIAN : PCI_VGA.LITTLE_ENDIAN;
    const register = offset < 4 ? PCI_VGA.EXTENDED_SIZE : order;
    return (register >>> (8 * (offset & 3))) % 2 ** (8 * size);
  }

  private writeExtended(offset: number, value: number, size: AccessSize): void {
    if (!this.extended || offset !== 4 || size !== 4) return;
    if (value === PCI_VGA.BIG_ENDIAN || value === PCI_VGA.LITTLE_ENDIAN) this.core.setByteOrder(value === PCI_VGA.BIG_ENDIAN);
  }
}

function within(offset: number, base: number, length: number): boolean {
  return offset >= base && offset < base + length;
}
