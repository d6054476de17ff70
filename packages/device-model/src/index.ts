export * from './backends.js';
export * from './clock.js';
export * from './device.js';
export * from './io.js';
export * from './lines.js';
export * from './migration-target.js';
export * from './properties.js';
