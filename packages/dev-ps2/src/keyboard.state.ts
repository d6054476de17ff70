import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { Ps2CommonState, ps2CommonVmState, sanitizeQueue } from './common.state.js';

/** What a PS/2 keyboard remembers. */
export class Ps2KeyboardState {
  common = new Ps2CommonState();
  /** Keys are reported. */
  scanEnabled = true;
  /** Set 2 and 3 codes leave as set 1. On the PC the controller does this; QEMU keeps it with the keyboard. */
  translate = false;
  /** 1, 2 or 3. */
  scancodeSet = 2;
  /** Bit 0 scroll lock, 1 num lock, 2 caps lock. */
  leds = 0;
  /** Translation has seen 0xf0: the next code is a release. */
  needHighBit = false;
  /** Command replies stand in front of the queue, up to this index; -1 for none. */
  replyEnd = -1;
  /** Modifier keys held by the user; the host's state, known again as soon as a key goes down. */
  modifiers = 0;
}

const f = fieldsOf<Ps2KeyboardState>();

/** Sent only while a LED is lit, so that idle keyboards still load where the subsection is unknown. */
const ledState = vmstate<Ps2KeyboardState>({
  name: 'ps2kbd/ledstate',
  version: 3,
  minVersion: 2,
  needed: (s) => s.leds !== 0,
  fields: [f.i32('leds', 'ledstate')],
});

const needHighBit = vmstate<Ps2KeyboardState>({
  name: 'ps2kbd/need_high_bit',
  version: 1,
  needed: (s) => s.needHighBit,
  fields: [f.bool('needHighBit', 'need_high_bit')],
});

const commandReplyQueue = vmstate<Ps2KeyboardState>({
  name: 'ps2kbd/command_reply_queue',
  version: 0,
  needed: (s) => s.replyEnd !== -1,
  fields: [f.i32('replyEnd', 'parent_obj.queue.cwptr')],
});

/** Section `ps2kbd`. Version 2 (qemu-kvm, QEMU before 0.10) had no scancode set: it was always 2. */
export const ps2KeyboardVmState = vmstate<Ps2KeyboardState>({
  name: 'ps2kbd',
  version: 3,
  minVersion: 2,
  fields: [
    f.struct('common', 'parent_obj', ps2CommonVmState),
    f.boolAs('i32', 'scanEnabled', 'scan_enabled'),
    f.boolAs('i32', 'translate', 'translate'),
    f.i32('scancodeSet', 'scancode_set', { since: 3 }),
  ],
  subsections: [ledState, needHighBit, commandReplyQueue],
  derived: ['modifiers'],
  preLoad(s) {
    s.leds = 0;
    s.needHighBit = false;
    s.replyEnd = -1;
  },
  postLoad(s, version) {
    if (version < 3) s.scancodeSet = 2;
    s.replyEnd = sanitizeQueue(s.common, s.replyEnd);
  },
});
