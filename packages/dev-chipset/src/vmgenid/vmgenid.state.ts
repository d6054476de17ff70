import { fieldsOf, vmstate } from '@pagurus/vmstate';

export class VmgenidState {
  /** Where the identifier is in the guest's memory, little-endian, as firmware wrote it; 0: nowhere yet. */
  readonly address = new Uint8Array(8);
}

const f = fieldsOf<VmgenidState>();

/** Section `vmgenid`. */
export const vmgenidVmState = vmstate<VmgenidState>({
  name: 'vmgenid',
  version: 1,
  fields: [f.array('u8', 'address', 'vmgenid_addr_le')],
});
