export { dotted, parseAddress } from './packets.js';
export { SlirpState, slirpVmState } from './slirp.state.js';
export type { FileServer, ServedFile } from './tftp.js';
export { UserNetwork, type UserNetworkOptions } from './user-network.js';
