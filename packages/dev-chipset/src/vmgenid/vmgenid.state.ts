import { fieldsOf, vmstate } from '@pagurus/vmstate';

export class VmgenidState {
  /** Where firmware has put the identifier's page, little-endian, as the guest wrote it. */
  readonly address = new Uint8Array(8);
}

const f = fieldsOf<VmgenidState>();

/** Section `vmgenid`. */
export const vmgenidVmState = vmstate<VmgenidState>({
  name: 'vmgenid',
  version: 1,
  fields: [f.array('u8', 'address', 'vmgenid_addr_le')],
});
