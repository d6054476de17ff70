import { type Device, type DeviceContext, defineDevice, section } from '@pagurus/device-model';
import { FwCfgState, fwCfgVmState } from './fw-cfg.state.js';
import { type Item, Items } from './items.js';
import { DMA_ACCESS_LENGTH, DMA_CONTROL, DMA_SIGNATURE, FW_CFG_BASE, ID, KEY, KEY_BIT, PORT, PORT_COUNT } from './spec.js';

export interface FwCfgProperties {
  fileSlots: number;
  dmaEnabled: boolean;
  acpiMrRestore: boolean;
}

/** How the machine fills it. */
export interface FwCfgService {
  /** @throws {RangeError} for a key that is taken or out of range. */
  addBytes(key: number, bytes: Uint8Array): void;
  /** @throws {RangeError} for a name that is taken or too long, or when `x-file-slots` are used up. */
  addFile(name: string, bytes: Uint8Array, options?: Pick<Item, 'selected' | 'written'>): void;
  /** Replaces a file's contents. @throws {RangeError} if there is no such file. */
  modifyFile(name: string, bytes: Uint8Array): void;
  /** Lengths of the ACPI files, which the section carries. */
  setAcpiSizes(tables: number, linker: number, rsdp: number): void;
}

/** Bytes moved in one DMA step; bounds what a hostile length makes us allocate. */
const CHUNK = 0x1_0000;
/** Physical addresses have at most 52 bits. */
const ADDRESS_LIMIT = 1n << 52n;

/** QEMU's firmware configuration device on I/O ports. */
export const fwCfg = defineDevice<FwCfgProperties>({
  type: 'fw_cfg_io',
  doc: 'firmware configuration items',
  bus: 'system',
  parents: ['fw_cfg'],
  properties: {
    fileSlots: { name: 'x-file-slots', type: 'uint16', default: 0x20, doc: 'number of files; 0x10 up to machine 2.8' },
    dmaEnabled: { name: 'dma_enabled', type: 'bool', default: true, doc: 'DMA interface; off up to machine 2.4' },
    acpiMrRestore: {
      name: 'acpi-mr-restore',
      type: 'bool',
      default: true,
      doc: 'send sizes of ACPI files; off up to machine 4.2',
    },
  },
  create(context: DeviceContext, properties): Device {
    // wiring
    const region = context.ports.add(
      FW_CFG_BASE,
      properties.dmaEnabled ? PORT_COUNT.WITH_DMA : PORT_COUNT.WITHOUT_DMA,
      { sizes: [1, 2, 4], read, write },
      { name: 'fwcfg' },
    );
    context.onMemoryArrived(() => {
      if (dmaWaiting) transfer();
    });

    // state
    const state = new FwCfgState();
    const items = new Items(properties.fileSlots);
    items.set(KEY.SIGNATURE, { bytes: Uint8Array.of(0x51, 0x45, 0x4d, 0x55) });
    items.set(KEY.ID, { bytes: Uint8Array.of(ID.TRADITIONAL | (properties.dmaEnabled ? ID.DMA : 0), 0, 0, 0) });
    /** A transfer stopped at a page that has not arrived; its address is still in `dmaAddr`. */
    let dmaWaiting = false;

    // behaviour
    function read(offset: number, size: number): number {
      if (offset === PORT.DATA) {
        let value = 0;
        for (let i = 0; i < size; i++) value |= readByte() << (8 * i);
        return value;
      }
      if (offset >= PORT.DMA_HIGH) return readSignature(offset - PORT.DMA_HIGH, size);
      return 0;
    }

    function readSignature(offset: number, size: number): number {
      let value = 0;
      for (let i = 0; i < size; i++) {
        const at = offset + i;
        const byte = at < 4 ? DMA_SIGNATURE.HIGH >>> (24 - 8 * at) : DMA_SIGNATURE.LOW >>> (24 - 8 * (at - 4));
        value |= (byte & 0xff) << (8 * i);
      }
      return value;
    }

    function write(offset: number, value: number, size: number): void {
      if (offset === PORT.SELECTOR && size === 2) select(value);
      else if (offset === PORT.SELECTOR) select(value & 0xff);
      else if (offset === PORT.DMA_HIGH && size === 4)
        state.dmaAddr = (BigInt(swap(value)) << 32n) | (state.dmaAddr & 0xffff_ffffn);
      else if (offset === PORT.DMA_LOW && size === 4) {
        state.dmaAddr = (state.dmaAddr & ~0xffff_ffffn) | BigInt(swap(value));
        transfer();
      } else if (offset === PORT.DATA) context.log.guestError('write to the data register; items are written by DMA only');
    }

    function select(key: number): boolean {
      state.curOffset = 0;
      if ((key & KEY_BIT.WRITE_CHANNEL) !== 0 || !items.inRange(key)) {
        state.curEntry = KEY.INVALID;
        return false;
      }
      state.curEntry = key;
      items.find(key)?.selected?.();
      return true;
    }

    function current(): Item | undefined {
      return state.curEntry === KEY.INVALID ? undefined : items.find(state.curEntry);
    }

    function readByte(): number {
      const item = current();
      if (!item || state.curOffset >= item.bytes.length) return 0;
      return item.bytes[state.curOffset++]!;
    }

    /** Serves the access structure at `dmaAddr`. [fw_cfg] "Guest-side DMA Interface" */
    function transfer(): void {
      if (state.dmaAddr >= ADDRESS_LIMIT - BigInt(DMA_ACCESS_LENGTH)) {
        context.log.guestError(`DMA access structure at 0x${state.dmaAddr.toString(16)} lies outside the address space`);
        state.dmaAddr = 0n;
        return;
      }
      const address = Number(state.dmaAddr);
      const access = new Uint8Array(DMA_ACCESS_LENGTH);
      dmaWaiting = !context.memory.read(address, access).done;
      if (dmaWaiting) return;
      const view = new DataView(access.buffer);
      const control = view.getUint32(0);
      const before = { entry: state.curEntry, offset: state.curOffset };
      if ((control & DMA_CONTROL.SELECT) !== 0) select(control >>> 16);
      const result = move(control, view.getUint32(4), view.getBigUint64(8));
      const status = new Uint8Array(4);
      new DataView(status.buffer).setUint32(0, result === 'error' ? DMA_CONTROL.ERROR : 0);
      dmaWaiting = result === 'missing' || !context.memory.write(address, status).done;
      if (dmaWaiting) {
        state.curEntry = before.entry;
        state.curOffset = before.offset;
      } else state.dmaAddr = 0n;
    }

    function move(control: number, length: number, address: bigint): 'done' | 'error' | 'missing' {
      if (address + BigInt(length) > ADDRESS_LIMIT) return 'error';
      const base = Number(address);
      const item = current();
      if ((control & DMA_CONTROL.READ) !== 0) return readItem(item, base, length);
      if ((control & DMA_CONTROL.WRITE) !== 0) return writeItem(item, base, length);
      if ((control & DMA_CONTROL.SKIP) !== 0 && item)
        state.curOffset += Math.min(length, Math.max(0, item.bytes.length - state.curOffset));
      return 'done';
    }

    function readItem(item: Item | undefined, address: number, length: number): 'done' | 'missing' {
      let done = 0;
      while (done < length) {
        const part = new Uint8Array(Math.min(CHUNK, length - done));
        const from = state.curOffset;
        const available = item ? Math.max(0, Math.min(part.length, item.bytes.length - from)) : 0;
        if (item) part.set(item.bytes.subarray(from, from + available));
        if (!context.memory.write(address + done, part).done) return 'missing';
        state.curOffset = from + available;
        done += part.length;
      }
      return 'done';
    }

    function writeItem(item: Item | undefined, address: number, length: number): 'done' | 'error' | 'missing' {
      if (!item?.written || length > item.bytes.length - state.curOffset) return 'error';
      const part = new Uint8Array(length);
      if (!context.memory.read(address, part).done) return 'missing';
      item.bytes.set(part, state.curOffset);
      item.written(item.bytes, state.curOffset, length);
      state.curOffset += length;
      return 'done';
    }

    const services: FwCfgService = {
      addBytes: (key, bytes) => items.set(key, { bytes }),
      addFile: (name, bytes, options = {}) => items.addFile(name, { bytes, ...options }),
      modifyFile(name, bytes) {
        const item = items.file(name);
        if (!item) throw new RangeError(`fw_cfg: no file '${name}'`);
        item.bytes = bytes;
      },
      setAcpiSizes(tables, linker, rsdp) {
        state.tableMrSize = BigInt(tables);
        state.linkerMrSize = BigInt(linker);
        state.rsdpMrSize = BigInt(rsdp);
      },
    };

    return {
      sections: [section(fwCfgVmState(properties.dmaEnabled, properties.acpiMrRestore), state)],
      services,
      reset() {
        select(KEY.SIGNATURE);
        state.dmaAddr = 0n;
        dmaWaiting = false;
      },
      unrealize: () => region.remove(),
    };
  },
});

/** The DMA registers are big-endian. */
function swap(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
