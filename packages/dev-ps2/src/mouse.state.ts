import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { Ps2CommonState, ps2CommonVmState, sanitizeQueue } from './common.state.js';

/** What a PS/2 mouse remembers. */
export class Ps2MouseState {
  common = new Ps2CommonState();
  /** Bits of {@link AUX_STATUS}. */
  status = 0;
  resolution = 0;
  sampleRate = 0;
  /** Wrap mode: every byte is echoed. */
  wrap = 0;
  /** Device id, one of {@link AUX_ID}. */
  type = 0;
  /** How far the guest has come in the sample-rate sequence that unlocks the wheel. */
  detectState = 0;
  /** Movement not yet reported; y grows upwards, z grows towards the user. */
  dx = 0;
  dy = 0;
  dz = 0;
  /** Bit 0 left, 1 right, 2 middle, 3 and 4 side buttons. */
  buttons = 0;
}

const f = fieldsOf<Ps2MouseState>();

/** Section `ps2mouse`. */
export const ps2MouseVmState = vmstate<Ps2MouseState>({
  name: 'ps2mouse',
  version: 2,
  minVersion: 2,
  fields: [
    f.struct('common', 'parent_obj', ps2CommonVmState),
    f.u8('status', 'mouse_status'),
    f.u8('resolution', 'mouse_resolution'),
    f.u8('sampleRate', 'mouse_sample_rate'),
    f.u8('wrap', 'mouse_wrap'),
    f.u8('type', 'mouse_type'),
    f.u8('detectState', 'mouse_detect_state'),
    f.i32('dx', 'mouse_dx'),
    f.i32('dy', 'mouse_dy'),
    f.i32('dz', 'mouse_dz'),
    f.u8('buttons', 'mouse_buttons'),
  ],
  postLoad(s) {
    sanitizeQueue(s.common, -1);
  },
});
