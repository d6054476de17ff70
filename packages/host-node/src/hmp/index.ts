export { COMMANDS, executeMonitorLine, type MonitorCommand, splitWords } from './commands.js';
export * from './drives.js';
export { INFO, migrateText, statusText } from './info.js';
export { MONITOR_PROMPT, MonitorSession } from './session.js';
export { defaultSnapshotName, snapshotPath } from './snapshot-path.js';
export * from './target.js';
