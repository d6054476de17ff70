export { runConvert } from './convert.js';
export { EXIT_CODES } from './exit-codes.js';
export { runInspect } from './inspect.js';
export { main } from './main.js';
export { type CommandHost, runCommand } from './run.js';
export { UsageError } from './usage-error.js';
