import type { Codec } from '@pagurus/vmstate';
import { MSIX } from './msi.spec.js';

/** MSI-X table and pending bits as they lie in memory: little-endian. */
export class MsixState {
  readonly table: Uint8Array;
  readonly pending: Uint8Array;

  constructor(entries: number) {
    this.table = new Uint8Array(entries * MSIX.ENTRY);
    this.pending = new Uint8Array(Math.ceil(entries / 8));
  }
}

/** QEMU's field type `msix state`: the table, then the pending bits. Their number is the device's, not the stream's. */
export function msixCodec(entries: number): Codec<MsixState> {
  const { table, pending } = new MsixState(entries);
  const size = table.length + pending.length;
  return {
    type: 'msix state',
    minSize: size,
    maxSize: size,
    // QEMU's own schemas say so.
    hostSize: 0,
    get(reader) {
      const state = new MsixState(entries);
      state.table.set(reader.bytes(table.length));
      state.pending.set(reader.bytes(pending.length));
      return state;
    },
    put(writer, state) {
      writer.bytes(state.table);
      writer.bytes(state.pending);
    },
    toJson: (state) => ({ table: hex(state.table), pending: hex(state.pending) }),
    fromJson(json) {
      const { table: entriesText, pending: bits } = json as { table: string; pending: string };
      const state = new MsixState(entries);
      state.table.set(unhex(String(entriesText), table.length));
      state.pending.set(unhex(String(bits), pending.length));
      return state;
    },
  };
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

function unhex(text: string, length: number): Uint8Array {
  if (!/^[0-9a-f]*$/i.test(text) || text.length !== 2 * length) throw new Error(`not ${length} bytes in hexadecimal`);
  return Uint8Array.from({ length }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
