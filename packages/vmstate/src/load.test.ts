import { expect, describe as group, it } from 'vitest';
import { type Description, decode, describe, fieldsOf, load, StateError, save, saveDescribed, vmstate } from './index.js';

class Queue {
  rptr = 0;
  wptr = 0;
  count = 0;
  readonly data = new Uint8Array(256);
}
class Keyboard {
  writeCmd = -1;
  queue = new Queue();
  scanEnabled = true;
  translate = false;
  scancodeSet = 2;
  leds = 0;
}
const q = fieldsOf<Queue>();
const k = fieldsOf<Keyboard>();
const queue = vmstate<Queue>({
  name: 'PS2 Queue',
  version: 1,
  fields: [
    q.i32('rptr', 'queue.rptr'),
    q.i32('wptr', 'queue.wptr'),
    q.i32('count', 'queue.count'),
    q.bytes('data', 'queue.data'),
  ],
});
const leds = vmstate<Keyboard>({
  name: 'ps2kbd/ledstate',
  version: 3,
  minVersion: 2,
  needed: (s) => s.leds !== 0,
  fields: [k.i32('leds', 'ledstate')],
});
const keyboard = vmstate<Keyboard>({
  name: 'ps2kbd',
  version: 3,
  minVersion: 2,
  fields: [
    k.i32('writeCmd', 'write_cmd'),
    k.struct('queue', 'queue', queue),
    k.boolAs('i32', 'scanEnabled', 'scan_enabled'),
    k.boolAs('i32', 'translate'),
    k.i32('scancodeSet', 'scancode_set', { since: 3 }),
  ],
  subsections: [leds],
  preLoad: (s) => {
    s.leds = 0;
  },
  postLoad: (s, version) => {
    if (version < 3) s.scancodeSet = 2;
  },
});

/** The StateError that `run` throws; anything else fails the test. */
function refusal(run: () => unknown): StateError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(StateError);
    return error as StateError;
  }
  throw new Error('nothing was thrown');
}

group('load and save', () => {
  it('writes 284 bytes at power-on and a subsection only when it is needed', () => {
    const state = new Keyboard();
    expect(save(keyboard, state)).toHaveLength(284);
    state.leds = 5;
    const bytes = save(keyboard, state);
    expect(bytes).toHaveLength(284 + 2 + 'ps2kbd/ledstate'.length + 4 + 4);
    const other = new Keyboard();
    expect(load(keyboard, other, bytes)).toBe(bytes.length);
    expect(other).toEqual(state);
    expect(load(keyboard, other, save(keyboard, new Keyboard()))).toBe(284);
    expect(other.leds).toBe(0);
  });

  it('loads an older version through the same description', () => {
    const old = save(keyboard, new Keyboard()).subarray(0, 280);
    const state = new Keyboard();
    state.scancodeSet = 7;
    expect(load(keyboard, state, old, 2)).toBe(280);
    expect(state.scancodeSet).toBe(2);
  });

  it('names path, offset, expected and found, and touches nothing', () => {
    const bytes = save(keyboard, new Keyboard()).subarray(0, 100);
    const state = new Keyboard();
    state.writeCmd = 0x42;
    const error = refusal(() => load(keyboard, state, bytes));
    expect(error).toMatchObject({
      code: 'truncated',
      path: 'ps2kbd.queue.data',
      offset: 16,
      expected: '256 bytes',
      got: '84 bytes',
    });
    expect(state.writeCmd).toBe(0x42);
    expect(refusal(() => load(keyboard, state, bytes, 4))).toMatchObject({
      code: 'version-too-new',
      expected: '2 to 3',
      got: '4',
    });
    expect(refusal(() => load(keyboard, state, bytes, 1))).toMatchObject({
      code: 'version-too-old',
      expected: '2 to 3',
      got: '1',
    });
  });

  it('decodes at an offset and commits later, keeping the identity of nested objects', () => {
    const source = new Keyboard();
    source.queue.data[3] = 9;
    const bytes = save(keyboard, source);
    const shifted = new Uint8Array([1, 2, 3, ...bytes]);
    const state = new Keyboard();
    const { data } = state.queue;
    const decoded = decode(keyboard, state, shifted, 3);
    expect(decoded.end).toBe(3 + 284);
    expect(state).toEqual(new Keyboard());
    decoded.commit();
    expect(state).toEqual(source);
    expect(state.queue.data).toBe(data);
  });

  it('refuses an unknown subsection of its own prefix and leaves any other byte alone', () => {
    const bytes = save(keyboard, new Keyboard());
    const tail = (text: string) => new Uint8Array([...bytes, 5, text.length, ...new TextEncoder().encode(text), 0, 0, 0, 1]);
    expect(refusal(() => load(keyboard, new Keyboard(), tail('ps2kbd/nonsense')))).toMatchObject({
      code: 'unknown-subsection',
      path: 'ps2kbd',
      offset: 284,
    });
    expect(load(keyboard, new Keyboard(), tail('ps2mouse/x'))).toBe(284);
    expect(load(keyboard, new Keyboard(), tail('ps2kbd'))).toBe(284);
  });

  it('describes what was sent', () => {
    const state = new Keyboard();
    state.leds = 1;
    const saved = saveDescribed(keyboard, state);
    expect(JSON.stringify(saved.description)).toBe(
      '{"vmsd_name":"ps2kbd","version":3,"fields":[{"name":"write_cmd","type":"int32","size":4},' +
        '{"name":"queue","type":"struct","struct":{"vmsd_name":"PS2 Queue","version":1,"fields":[{"name":"queue.rptr","type":"int32","size":4},' +
        '{"name":"queue.wptr","type":"int32","size":4},{"name":"queue.count","type":"int32","size":4},{"name":"queue.data","type":"buffer","size":256}]},"size":268},' +
        '{"name":"scan_enabled","type":"int32","size":4},{"name":"translate","type":"int32","size":4},{"name":"scancode_set","type":"int32","size":4}],' +
        '"subsections":[{"vmsd_name":"ps2kbd/ledstate","version":3,"fields":[{"name":"ledstate","type":"int32","size":4}]}]}',
    );
    expect(describe(keyboard, state)).toEqual(saved.description);
  });

  it('will not cut off a value that does not fit', () => {
    class Narrow {
      value = 256;
    }
    const narrow: Description<Narrow> = vmstate<Narrow>({ name: 'narrow', version: 1, fields: [fieldsOf<Narrow>().u8('value')] });
    expect(refusal(() => save(narrow, new Narrow()))).toMatchObject({
      code: 'out-of-range',
      path: 'narrow.value',
      expected: 'u8',
      got: '256',
    });
  });
});
