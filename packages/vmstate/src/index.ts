export * from './description.js';
export * from './fields.js';
