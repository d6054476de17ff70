import { type Device, type DeviceContext, defineDevice, PropertyError, section } from '@pagurus/device-model';
import type { FwCfgService } from '../fw-cfg/fw-cfg.js';
import { VmgenidState, vmgenidVmState } from './vmgenid.state.js';

/** docs/specs/vmgenid.txt of QEMU 7.2: a page, and in it the identifier at 40, behind a fake ACPI header. */
const PAGE_LENGTH = 4096;
const IDENTIFIER_OFFSET = 40;
const ADDRESS_LIMIT = 1n << 52n;

export interface VmgenidProperties {
  guid: string;
}

/**
 * An identifier that changes whenever the guest goes on from an older state, so that it can renew its secrets. Firmware gets it from
 * fw_cfg (backend `fw-cfg`) and answers with the address where it has put it; after a load the new one is written there, and output pin
 * `changed` pulses for the ACPI event.
 */
export const vmgenid = defineDevice<VmgenidProperties>({
  type: 'vmgenid',
  doc: 'identifier of this life of the guest',
  bus: 'none',
  properties: {
    guid: { name: 'guid', type: 'str', default: '00000000-0000-0000-0000-000000000000', doc: 'the identifier, e.g. of uuidgen' },
  },
  create,
});

function create(context: DeviceContext, { guid }: VmgenidProperties): Device {
  const identifier = littleEndianGuid(guid);

  // wiring
  const fwCfg = context.backend<FwCfgService>('fw-cfg');
  if (!fwCfg?.dmaEnabled)
    throw new PropertyError('vmgenid', 'fw-cfg', 'the machine has no fw_cfg that guests can write (fw_cfg with DMA)');
  const changed = context.line('changed');
  const page = new Uint8Array(PAGE_LENGTH);
  page.set(identifier, IDENTIFIER_OFFSET);
  const item = new Uint8Array(8);
  fwCfg.addFile('etc/vmgenid_guid', page);
  fwCfg.addFile('etc/vmgenid_addr', item, { written: () => state.address.set(item) });
  context.onMemoryArrived(() => {
    if (waiting) publish();
  });

  // Told once the machine runs: while it is loaded, lines only take the levels that they had.
  const event = context.clock.timer(() => {
    changed.set(true);
    changed.set(false);
  });

  // state
  const state = new VmgenidState();
  let waiting = false;

  // behaviour
  /** Writes the identifier where the guest looks for it. */
  function publish(): void {
    waiting = false;
    const address = new DataView(state.address.buffer).getBigUint64(0, true);
    if (address === 0n || address >= ADDRESS_LIMIT) return;
    waiting = !context.memory.write(Number(address), identifier).done;
    if (!waiting) event.arm(context.clock.now());
  }

  return {
    sections: [section(vmgenidVmState, state)],
    reset() {
      state.address.fill(0);
      item.fill(0);
      waiting = false;
      event.cancel();
    },
    resume() {
      item.set(state.address);
      publish();
    },
  };
}

/** Text as in RFC 4122 to the mixed byte order of Windows and ACPI: the first three fields are little-endian. */
function littleEndianGuid(text: string): Uint8Array {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    throw new PropertyError('vmgenid', 'guid', `'${text}' is not an identifier such as 324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87`);
  }
  const digits = text.replaceAll('-', '');
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
  for (const [start, length] of [
    [0, 4],
    [4, 2],
    [6, 2],
  ] as const) {
    bytes.subarray(start, start + length).reverse();
  }
  return bytes;
}
