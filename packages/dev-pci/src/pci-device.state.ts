import { type Codec, type Description, fieldsOf, vmstate } from '@pagurus/vmstate';
import { CONFIG_SIZE, EXPRESS_CONFIG_SIZE, PIN_COUNT } from './spec.js';

/** What every PCI function remembers. A device's state class holds one under the name that its own description needs. */
export class PciDeviceState {
  /** Version of the description's content: always sent as 2, accepted from 0 to 2. */
  versionId = 2;
  /** Configuration space: 256 bytes, or 4096 of a PCI Express function. */
  config: Uint8Array;
  /** Level of INTA# to INTD# as the device drives them, whether or not the command register lets them out. */
  readonly irqState: number[] = Array.from({ length: PIN_COUNT }, () => 0);

  constructor(configSize: number = CONFIG_SIZE) {
    this.config = new Uint8Array(configSize);
  }
}

/** Which bits of each configuration byte the guest may change, and which a stream must agree on. */
export interface ConfigMasks {
  /** Writable. */
  readonly wmask: Uint8Array;
  /** Write one to clear. */
  readonly w1cmask: Uint8Array;
  /** Compared on load where neither writable nor cleared by the guest. */
  readonly cmask: Uint8Array;
}

const hex = (value: number): string => value.toString(16);

/** Raw configuration bytes; a load refuses those of another device, naming the first byte that disagrees. */
function configCodec(size: number, { wmask, w1cmask, cmask }: ConfigMasks): Codec<Uint8Array> {
  return {
    type: 'pci config',
    minSize: size,
    maxSize: size,
    get(reader, current) {
      const bytes = reader.bytes(size);
      for (let i = 0; i < size; i++) {
        if (bytes[i] === current[i]) continue;
        const fixed = cmask[i]! & ~wmask[i]! & ~w1cmask[i]!;
        if (((bytes[i]! ^ current[i]!) & fixed) === 0) continue;
        const [read, device] = [hex(bytes[i]!), hex(current[i]!)];
        const masks = `cmask: ${hex(cmask[i]!)} wmask: ${hex(wmask[i]!)} w1cmask: ${hex(w1cmask[i]!)}`;
        const text = `configuration byte 0x${hex(i)} is that of another device: read: ${read} device: ${device} ${masks}`;
        reader.fail('not-equal', text, { expected: `0x${device}`, got: `0x${read}` });
      }
      return bytes;
    },
    put: (writer, value) => writer.bytes(value),
    toJson: (value) => Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join(''),
    fromJson(json, current) {
      const text = String(json);
      if (!/^[0-9a-f]*$/i.test(text) || text.length !== 2 * current.length)
        throw new Error(`not ${current.length} bytes in hexadecimal`);
      return Uint8Array.from(current, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
    },
  };
}

/** Four big-endian words, each 0 or 1. */
const irqStateCodec: Codec<number[]> = {
  type: 'pci irq state',
  minSize: 4 * PIN_COUNT,
  maxSize: 4 * PIN_COUNT,
  get(reader) {
    const levels: number[] = [];
    for (let pin = 0; pin < PIN_COUNT; pin++) {
      const level = reader.u32();
      if (level > 1)
        reader.fail('out-of-range', `level of INT${'ABCD'[pin]}# is ${level}`, { expected: '0 or 1', got: String(level) });
      levels.push(level);
    }
    return levels;
  },
  put(writer, value) {
    for (const level of value) writer.u32(level);
  },
  toJson: (value) => [...value],
  fromJson: (json) => Array.from(json as ArrayLike<unknown>, Number),
};

/**
 * The `PCIDevice` description of one function: nested at the head of every PCI device's section. It depends on the function's
 * masks, because a load compares what the guest can't change.
 */
export function pciDeviceVmState(masks: ConfigMasks): Description<PciDeviceState> {
  const f = fieldsOf<PciDeviceState>();
  const express = masks.wmask.length === EXPRESS_CONFIG_SIZE;
  return vmstate<PciDeviceState>({
    name: 'PCIDevice',
    version: 2,
    minVersion: 1,
    fields: [
      f.lessOrEqual('versionId', 'version_id'),
      f.custom('config', 'config', configCodec(CONFIG_SIZE, masks), { when: () => !express }),
      f.custom('config', 'config', configCodec(EXPRESS_CONFIG_SIZE, masks), { when: () => express }),
      f.custom('irqState', 'irq_state', irqStateCodec, { since: 2 }),
    ],
    // A stream may say 0 or 1 here; what is sent afterwards is 2 again.
    postLoad(state) {
      state.versionId = 2;
    },
  });
}
