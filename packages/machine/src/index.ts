export * from './compat.js';
export * from './composer.js';
export * from './config.js';
export * from './machine.js';
export * from './machine-type.js';
export * from './presets/index.js';
export * from './stream-settings.js';
export * from './time.js';
