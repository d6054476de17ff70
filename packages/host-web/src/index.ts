export * from './canvas.js';
export * from './client.js';
export * from './images.js';
export * from './keys.js';
export * from './protocol.js';
export * from './storage.js';
export * from './websocket-channel.js';
export * from './worker-machine.js';
