import type { IoHandler, Log } from '@pagurus/device-model';
import type { Codec } from '@pagurus/vmstate';
import type { PciBus } from './bus.js';
import { readConfig } from './config-space.js';
import { SHPC, SHPC_INVALID_COMMAND, SHPC_SLOT } from './pci-bridge.spec.js';

/**
 * Registers of a bridge's own hotplug controller. Guests of this machine learn of devices through ACPI and are not given control of it,
 * so commands are refused; the registers tell what is in the slots at reset. [SHPC] 4.8
 */
export class Shpc {
  constructor(
    private readonly registers: Uint8Array,
    private readonly bus: PciBus,
    private readonly log: Log,
  ) {}

  readonly handler: IoHandler = {
    sizes: [1, 2, 4],
    read: (offset, size) => readConfig(this.registers, offset, size),
    write: (offset, value, size) => {
      for (let i = 0; i < size; i++) this.writeByte(offset + i, (value >>> (8 * i)) & 0xff);
    },
  };

  reset(): void {
    const { registers } = this;
    registers.fill(0);
    registers[SHPC.SLOT_COUNT] = SHPC.SLOTS;
    // Slots, first device number, first slot number and that numbers go up.
    registers.set([SHPC.SLOTS, 1, 1, 0xe0], SHPC.CONFIGURATION);
    registers[SHPC.INTERFACE] = 1;
    registers[SHPC.SERR_INTERRUPT] = 0x0f;
    for (let slot = 0; slot < SHPC.SLOTS; slot++)
      registers.set(this.bus.find((slot + 1) << 3) ? SHPC_SLOT.OCCUPIED : SHPC_SLOT.EMPTY, SHPC.SLOT + 4 * slot);
  }

  private writeByte(offset: number, byte: number): void {
    const { registers } = this;
    if (offset === SHPC.COMMAND) {
      this.log.unimplemented(`standard hotplug controller, command 0x${byte.toString(16)}`);
      registers[SHPC.STATUS] = SHPC_INVALID_COMMAND;
    } else if (offset === SHPC.SERR_INTERRUPT) registers[offset] = byte & 0x0f;
    else if (offset >= SHPC.SLOT && offset < SHPC.LENGTH) {
      const part = (offset - SHPC.SLOT) % 4;
      if (part === 2) registers[offset] = registers[offset]! & ~byte;
      else if (part === 3) registers[offset] = byte & 0x7f;
    }
  }
}

/** QEMU's field type `shpc`: the registers. */
export const shpcCodec: Codec<Uint8Array> = {
  type: 'shpc',
  minSize: SHPC.LENGTH,
  maxSize: SHPC.LENGTH,
  // QEMU's own schemas say so.
  hostSize: 0,
  get: (reader) => reader.bytes(SHPC.LENGTH),
  put: (writer, value) => writer.bytes(value),
  toJson: (value) => Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join(''),
  fromJson(json) {
    const text = String(json);
    if (!/^[0-9a-f]*$/i.test(text) || text.length !== 2 * SHPC.LENGTH) throw new Error(`not ${SHPC.LENGTH} bytes in hexadecimal`);
    return Uint8Array.from({ length: SHPC.LENGTH }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
  },
};
