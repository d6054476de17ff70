export * from './channel/index.js';
export * from './chardev/index.js';
export * from './clock.js';
export * from './errors.js';
export * from './hmp/index.js';
export * from './options.js';
export * from './screendump.js';
