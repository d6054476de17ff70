import { createRequire } from 'node:module';

/** Of this package; all packages of a release say what they are themselves. */
export const VERSION: string = (createRequire(import.meta.url)('@pagurus/cli/package.json') as { version: string }).version;
