export { type ImageHostOptions, nodeImageHost, resolveBacking, scratchFile } from './image-host.js';
export { NodeFile, type NodeFileOptions } from './node-file.js';
