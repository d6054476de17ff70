/** Old versions through the one description there is: what 2009's thread asked for instead of a second load function. */
import { expect, describe as group, it } from 'vitest';
import { compile, type Description, fieldsOf, load, save, vmstate } from './index.js';

class Keyboard {
  writeCmd = -1;
  rptr = 0;
  wptr = 0;
  count = 0;
  readonly data = new Uint8Array(256);
  scanEnabled = true;
  translate = false;
  scancodeSet = 2;
}
const k = fieldsOf<Keyboard>();
const common = vmstate<Keyboard>({
  name: 'PS2 Common State',
  version: 3,
  minVersion: 2,
  fields: [
    k.i32('writeCmd', 'write_cmd'),
    k.i32('rptr', 'queue.rptr'),
    k.i32('wptr', 'queue.wptr'),
    k.i32('count', 'queue.count'),
    k.bytes('data', 'queue.data'),
  ],
});
const keyboard = vmstate<Keyboard>({
  name: 'ps2kbd',
  version: 3,
  minVersion: 2,
  fields: [
    k.inline('parent_obj', common),
    k.boolAs('i32', 'scanEnabled', 'scan_enabled'),
    k.boolAs('i32', 'translate'),
    k.i32('scancodeSet', 'scancode_set', { since: 3 }),
  ],
  postLoad: (s, version) => {
    if (version === 2) s.scancodeSet = 2;
    // Before the queue was limited it could hold anything.
    s.rptr &= 0xff;
    s.count = Math.min(Math.max(s.count, 0), 16);
    s.wptr = (s.rptr + s.count) & 0xff;
  },
});

class Bridge {
  readonly config = new Uint8Array(64);
  smram = 0;
}
const b = fieldsOf<Bridge>();
/** Version 1: config, smram. Version 2 of qemu-kvm: then four interrupt levels, which moved elsewhere. Version 3: config and an unused byte. */
const bridge = vmstate<Bridge>({
  name: 'I440FX',
  version: 3,
  minVersion: 1,
  fields: [
    b.bytes('config'),
    b.u8('smram', 'smm_enabled', { when: (_s, version) => version < 3 }),
    b.unused(1, { when: (_s, version) => version >= 3 }),
    b.unused(16, { wire: 'pci_irq_levels', when: (_s, version) => version === 2 }),
  ],
});

/** With the interpreter and compiled. */
const loaders: [
  string,
  <S extends object>(description: Description<S>, state: S, bytes: Uint8Array, version: number) => number,
][] = [
  ['interpreter', load],
  ['plan', (description, state, bytes, version) => compile(description).load(state, bytes, version)],
];

group.each(loaders)('old versions (%s)', (_name, loadWith) => {
  it('a ps2 keyboard of version 2 has no scancode set', () => {
    const now = save(keyboard, Object.assign(new Keyboard(), { scancodeSet: 3, translate: true }));
    expect(now).toHaveLength(284);
    const state = Object.assign(new Keyboard(), { scancodeSet: 1 });
    expect(loadWith(keyboard, state, now.subarray(0, 280), 2)).toBe(280);
    expect(state).toMatchObject({ scancodeSet: 2, translate: true });
    expect(loadWith(keyboard, state, now, 3)).toBe(284);
    expect(state.scancodeSet).toBe(3);
  });

  it('stale queue pointers of an old stream are put right', () => {
    const old = save(keyboard, Object.assign(new Keyboard(), { rptr: 300, wptr: -7, count: 200 }));
    const state = new Keyboard();
    loadWith(keyboard, state, old, 3);
    expect(state).toMatchObject({ rptr: 44, count: 16, wptr: 60 });
  });

  it('an I440FX of version 2 brings four interrupt levels that are dropped, one of version 1 does not', () => {
    const config = Array.from({ length: 64 }, (_, at) => at);
    const versions: [version: number, bytes: number[], smram: number][] = [
      [1, [...config, 7], 7],
      [2, [...config, 8, ...new Array<number>(16).fill(0xff)], 8],
      [3, [...config, 0], 0],
    ];
    for (const [version, bytes, smram] of versions) {
      const state = new Bridge();
      expect(loadWith(bridge, state, new Uint8Array([...bytes, 0x7e]), version)).toBe(bytes.length);
      expect(state.smram).toBe(smram);
      expect([...state.config]).toEqual(config);
    }
    expect(save(bridge, new Bridge())).toHaveLength(65);
    expect(() => loadWith(bridge, new Bridge(), new Uint8Array(100), 4)).toThrow(
      expect.objectContaining({ code: 'version-too-new' }),
    );
  });

  it('a nested structure that came later is absent as a whole, and its own versions are its own', () => {
    const inner = vmstate<Keyboard>({
      name: 'inner',
      version: 2,
      minVersion: 1,
      fields: [k.i32('rptr'), k.i32('wptr', 'wptr', { since: 2 })],
    });
    const outer = vmstate<Keyboard>({
      name: 'outer',
      version: 5,
      minVersion: 3,
      fields: [k.i32('count'), k.inline('inner', inner, { since: 5 })],
    });
    const state = Object.assign(new Keyboard(), { rptr: 1, wptr: 2 });
    expect(loadWith(outer, state, new Uint8Array(12).fill(0xff), 4)).toBe(4);
    expect(state).toMatchObject({ count: -1, rptr: 1, wptr: 2 });
    // Version 5 of the outer, yet the inner one is read at its own version 2, never at 1.
    expect(loadWith(outer, state, new Uint8Array(12), 5)).toBe(12);
    expect(state).toMatchObject({ count: 0, rptr: 0, wptr: 0 });
  });

  it('a structure at a fixed version writes and reads only what that version had', () => {
    const inner = vmstate<Keyboard>({
      name: 'inner',
      version: 2,
      minVersion: 1,
      fields: [k.i32('rptr'), k.i32('wptr', 'wptr', { since: 2 })],
    });
    class Outer {
      readonly keyboard = new Keyboard();
    }
    const outer = vmstate<Outer>({
      name: 'outer',
      version: 1,
      fields: [fieldsOf<Outer>().struct('keyboard', 'keyboard', inner, { atVersion: 1 })],
    });
    expect(save(outer, new Outer())).toHaveLength(4);
    expect(compile(outer).save(new Outer())).toHaveLength(4);
    expect(loadWith(outer, new Outer(), new Uint8Array(4), 1)).toBe(4);
  });
});

/** Two ways to make a feature optional, both from the 2009 thread; the README says when to take which. */
group('optional features', () => {
  class Device {
    level = 0;
    smiEnabled = false;
  }
  const f = fieldsOf<Device>();

  it('a subsection with a predicate: sent when the state needs it, absent for receivers that do not know it', () => {
    const smi = vmstate<Device>({
      name: 'dev/smi',
      version: 1,
      needed: (s) => s.smiEnabled,
      fields: [f.bool('smiEnabled', 'smi')],
    });
    const now = vmstate<Device>({
      name: 'dev',
      version: 1,
      fields: [f.u8('level')],
      subsections: [smi],
      preLoad: (s) => {
        s.smiEnabled = false;
      },
    });
    const old = vmstate<Device>({ name: 'dev', version: 1, fields: [f.u8('level')] });
    const plain = Object.assign(new Device(), { level: 3 });
    expect(save(now, plain)).toEqual(save(old, plain));
    const using = Object.assign(new Device(), { level: 3, smiEnabled: true });
    expect(() => load(old, new Device(), save(now, using))).toThrow(expect.objectContaining({ code: 'unknown-subsection' }));
    const receiver = Object.assign(new Device(), { smiEnabled: true });
    load(now, receiver, save(old, plain));
    expect(receiver).toEqual(plain);
  });

  it('a variant of the device: another section name, chosen by configuration, never mistaken for the other', () => {
    const variant = (name: string, smi: boolean) =>
      vmstate<Device>({ name, version: 1, fields: [f.u8('level'), ...(smi ? [f.bool('smiEnabled', 'smi')] : [])] });
    const [plain, smi] = [variant('dev', false), variant('dev-smi', true)];
    expect(save(plain, new Device())).toHaveLength(1);
    expect(save(smi, new Device())).toHaveLength(2);
    const both = { dev: plain, 'dev-smi': smi };
    expect(Object.entries(both).map(([name, description]) => name === description.name)).toEqual([true, true]);
  });
});
