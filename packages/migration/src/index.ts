export * from './channel.js';
export * from './memory-channel.js';
