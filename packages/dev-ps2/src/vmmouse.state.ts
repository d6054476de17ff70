import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { VMMOUSE_ERROR } from './vmware.spec.js';

/** Words in the queue. */
export const QUEUE_WORDS = 1024;
/** Words of one event. */
export const EVENT_WORDS = 4;

/** What the VMware mouse remembers. */
export class VmmouseState {
  queueSize = QUEUE_WORDS;
  /** Oldest word first. */
  readonly queue = new Uint32Array(QUEUE_WORDS);
  /** Words in the queue. */
  count = 0;
  /** 0 while the mouse is in use. */
  status: number = VMMOUSE_ERROR;
  absolute = false;
  /** Buttons held by the user, as bits of {@link VMMOUSE_BUTTON}, and where the pointer is: the host's state. */
  buttons = 0;
  x = 0;
  y = 0;
}

const f = fieldsOf<VmmouseState>();

/** Section `vmmouse`. */
export const vmmouseVmState = vmstate<VmmouseState>({
  name: 'vmmouse',
  version: 0,
  fields: [
    f.equal('i32', 'queueSize', 'queue_size'),
    f.array('u32', 'queue'),
    f.u16('count', 'nb_queue'),
    f.u16('status'),
    f.boolAs('u8', 'absolute'),
  ],
  derived: ['buttons', 'x', 'y'],
  postLoad(s) {
    s.count = Math.min(s.count, QUEUE_WORDS);
  },
});
