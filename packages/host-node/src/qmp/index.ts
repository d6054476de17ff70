export { QMP_COMMANDS, QMP_EVENTS, type QmpCommand } from './commands.js';
export { QmpSession } from './session.js';
