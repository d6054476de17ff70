export { EMBEDDED, embeddedGuest } from './embedded.js';
export {
  type Heartbeat,
  HeartbeatFollower,
  type HeartbeatProblem,
  type HeartbeatReport,
  parseHeartbeat,
  verifyHeartbeats,
} from './heartbeat.js';
export { pageBytes, pageGeneration, pageSeed, pageSum, sliceSum } from './pattern.js';
