import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { DHCP_CLIENTS } from './spec.js';

/** Who an address was given to. */
export class LeaseState {
  allocated = 0;
  readonly mac = new Uint8Array(6);
}

/**
 * What of a user-mode network moves with the machine. Connections stay behind: they end at a socket of the host; the guest finds them
 * broken, as with QEMU.
 */
export class SlirpState {
  /** QEMU lists connections of forwarded character devices before this zero; there are none here. */
  sockets = 0;
  /** Identification of the next IPv4 packet. */
  ipId = 0;
  /** By address, from the first that is given out. */
  readonly leases = Array.from({ length: DHCP_CLIENTS }, () => new LeaseState());
}

const lease = fieldsOf<LeaseState>();
const leaseVmState = vmstate<LeaseState>({
  name: 'bootp_client',
  version: 1,
  minVersion: 1,
  fields: [lease.u16('allocated'), lease.bytes('mac', 'macaddr')],
});

const f = fieldsOf<SlirpState>();

/** Section `slirp`; QEMU describes it as opaque bytes. Versions 1 to 3 have the same without sockets. */
export const slirpVmState = vmstate<SlirpState>({
  name: 'slirp',
  version: 4,
  minVersion: 1,
  fields: [
    f.equal('u8', 'sockets', 'sockets'),
    f.u16('ipId', 'ip_id', { since: 2 }),
    f.structArray('leases', 'bootp_clients', leaseVmState, { since: 3 }),
  ],
});
