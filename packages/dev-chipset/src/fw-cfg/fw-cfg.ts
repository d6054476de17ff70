import { type Device, type DeviceContext, defineDevice, section } from '@pagurus/device-model';
import { FwCfgState, fwCfgVmState } from './fw-cfg.state.js';
import { copyOut, type FwCfgSource, type Item, Items } from './items.js';
import { DMA_ACCESS_LENGTH, DMA_CONTROL, DMA_SIGNATURE, FW_CFG_BASE, ID, KEY, PORT, PORT_COUNT } from './spec.js';

export interface FwCfgProperties {
  fileSlots: number;
  dmaEnabled: boolean;
  acpiMrRestore: boolean;
  legacyOrder: boolean;
}

/** How the machine fills it. */
export interface FwCfgService {
  /** Whether the guest can write items. */
  readonly dmaEnabled: boolean;
  /** @throws {RangeError} for a key that is taken or out of range. */
  addBytes(key: number, contents: Uint8Array): void;
  /** @throws {RangeError} for a name that is taken or too long, or when `x-file-slots` are used up. */
  addFile(name: string, contents: Uint8Array | FwCfgSource, options?: Pick<Item, 'selected' | 'written'>): void;
  /** Replaces a file's contents. @throws {RangeError} if there is no such file. */
  modifyFile(name: string, contents: Uint8Array | FwCfgSource): void;
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
    legacyOrder: {
      name: 'x-legacy-file-order',
      type: 'bool',
      default: false,
      doc: 'files not in order of names; on up to machine 2.5 (in QEMU a property of the machine)',
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
    const items = new Items(properties.fileSlots, properties.legacyOrder);
    items.set(KEY.SIGNATURE, { contents: Uint8Array.of(0x51, 0x45, 0x4d, 0x55) });
    items.set(KEY.ID, { contents: Uint8Array.of(ID.TRADITIONAL | (properties.dmaEnabled ? ID.DMA : 0), 0, 0, 0) });
    /** A transfer stopped at a page that has not arrived; its address is still in `dmaAddr`. */
    let dmaWaiting = false;

    // behaviour
    /** The data register answers bytes, at the selector's address too. Wide accesses give zeros and take nothing. */
    function read(offset: number, size: number): number {
      if (offset >= PORT.DMA_HIGH) return readSignature(offset - PORT.DMA_HIGH, size);
      return offset <= PORT.DATA && size === 1 ? readByte() : 0;
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
      else if (offset === PORT.DMA_HIGH && size === 4) state.dmaAddr = BigInt(swap(value)) << 32n;
      else if (offset === PORT.DMA_LOW && size === 4) {
        state.dmaAddr |= BigInt(swap(value));
        transfer();
      } else context.log.guestError(`${size}-byte write to fw_cfg port 0x${(FW_CFG_BASE + offset).toString(16)} has no effect`);
    }

    function select(key: number): void {
      state.curOffset = 0;
      state.curEntry = items.inRange(key) ? key : KEY.INVALID;
      if (state.curEntry !== KEY.INVALID) items.find(key)?.selected?.();
    }

    function current(): Item | undefined {
      return state.curEntry === KEY.INVALID ? undefined : items.find(state.curEntry);
    }

    function readByte(): number {
      const item = current();
      const byte = new Uint8Array(1);
      if (item) state.curOffset += copyOut(item, state.curOffset, byte);
      return byte[0]!;
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
      const item = current();
      if ((control & (DMA_CONTROL.READ | DMA_CONTROL.WRITE)) === 0) {
        if ((control & DMA_CONTROL.SKIP) !== 0) skip(item, length);
        return 'done';
      }
      if (address + BigInt(length) > ADDRESS_LIMIT) return 'error';
      if ((control & DMA_CONTROL.READ) !== 0) return readItem(item, Number(address), length);
      return writeItem(item, Number(address), length);
    }

    function skip(item: Item | undefined, length: number): void {
      if (item) state.curOffset += Math.min(length, Math.max(0, item.contents.length - state.curOffset));
    }

    /** What lies behind the item's end reads as zeros. */
    function readItem(item: Item | undefined, address: number, length: number): 'done' | 'missing' {
      const buffer = new Uint8Array(Math.min(CHUNK, length));
      for (let done = 0; done < length; ) {
        const part = buffer.subarray(0, length - done);
        const copied = item ? copyOut(item, state.curOffset, part) : 0;
        part.fill(0, copied);
        if (!context.memory.write(address + done, part).done) return 'missing';
        state.curOffset += copied;
        done += part.length;
      }
      return 'done';
    }

    function writeItem(item: Item | undefined, address: number, length: number): 'done' | 'error' | 'missing' {
      const from = state.curOffset;
      if (!item?.written || !(item.contents instanceof Uint8Array) || length > item.contents.length - from) {
        skip(item, length);
        return 'error';
      }
      const part = new Uint8Array(length);
      if (!context.memory.read(address, part).done) return 'missing';
      item.contents.set(part, from);
      item.written(item.contents, from, length);
      state.curOffset += length;
      return 'done';
    }

    const services: FwCfgService = {
      dmaEnabled: properties.dmaEnabled,
      addBytes: (key, contents) => items.set(key, { contents }),
      addFile: (name, contents, options = {}) => items.addFile(name, { contents, ...options }),
      modifyFile: (name, contents) => items.modifyFile(name, contents),
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
      resume() {
        // A transfer that waits for memory is the only state in which the lower half of the address is not zero.
        if ((state.dmaAddr & 0xffff_ffffn) !== 0n) transfer();
      },
      unrealize: () => region.remove(),
    };
  },
});

/** The DMA registers are big-endian. */
function swap(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
