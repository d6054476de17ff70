export { type CreateQcow2Options, createQcow2 } from './create.js';
export { type OpenQcow2Options, openQcow2, Qcow2Image } from './qcow2-image.js';
