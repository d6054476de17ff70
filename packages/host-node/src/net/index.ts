export { NetworkGate } from './gate.js';
export { hostNetwork, listenStreams } from './host-sockets.js';
export { type Endpoint, type HostForward, type NetdevSpec, parseNetdev } from './parse.js';
export { datagramNetwork, FrameReader, type OpenNetwork, streamNetwork } from './socket-network.js';
export { tftpFolder } from './tftp-folder.js';
