import { type Codec, type Description, fieldsOf, vmstate } from '@pagurus/vmstate';

export class FwCfgState {
  /** Selected key, or 0xffff. */
  curEntry = 0;
  curOffset = 0;
  /** Guest physical address of the access structure, as far as it has been written. */
  dmaAddr = 0n;
  /** Lengths of the three ACPI files; they can grow while the guest runs. */
  tableMrSize = 0n;
  linkerMrSize = 0n;
  rsdpMrSize = 0n;
}

const f = fieldsOf<FwCfgState>();
const PAGE = 4096n;

/** Version 1 sent the lower half of the offset. [QEMU: int32_as_uint16] */
const halfWord: Codec<number> = {
  type: 'int32_as_uint16',
  minSize: 2,
  maxSize: 2,
  hostSize: 4,
  get: (reader) => reader.u16(),
  put: (writer, value) => writer.u16(value & 0xffff),
  toJson: (value) => value & 0xffff,
  fromJson(json) {
    if (typeof json === 'number' && Number.isInteger(json) && json >= 0 && json <= 0xffff) return json;
    throw new Error(`${JSON.stringify(json)} is not a number from 0 to 65535`);
  },
  jsonSchema: { type: 'integer', minimum: 0, maximum: 0xffff },
};

/**
 * Section `fw_cfg`, version 2 (1 is accepted).
 * @param dmaEnabled property `dma_enabled`
 * @param acpiMrRestore property `acpi-mr-restore`; the sizes are sent unless all are whole pages, as then the RAM blocks say enough
 */
export function fwCfgVmState(dmaEnabled: boolean, acpiMrRestore: boolean): Description<FwCfgState> {
  return vmstate<FwCfgState>({
    name: 'fw_cfg',
    version: 2,
    minVersion: 1,
    fields: [
      f.u16('curEntry', 'cur_entry'),
      f.custom('curOffset', 'cur_offset', halfWord, { when: (_, version) => version === 1 }),
      f.u32('curOffset', 'cur_offset', { since: 2 }),
    ],
    subsections: [
      vmstate<FwCfgState>({
        name: 'fw_cfg/dma',
        version: 0,
        needed: () => dmaEnabled,
        fields: [f.u64('dmaAddr', 'dma_addr')],
      }),
      vmstate<FwCfgState>({
        name: 'fw_cfg/acpi_mr',
        version: 1,
        needed: (state) =>
          acpiMrRestore && [state.tableMrSize, state.linkerMrSize, state.rsdpMrSize].some((size) => size % PAGE !== 0n),
        fields: [
          f.u64('tableMrSize', 'table_mr_size'),
          f.u64('linkerMrSize', 'linker_mr_size'),
          f.u64('rsdpMrSize', 'rsdp_mr_size'),
        ],
      }),
    ],
  });
}
