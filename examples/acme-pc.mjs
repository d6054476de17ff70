// A PC with a third party's card, versioned by its author: nothing in Pagurus edited.
// Run it: pagurus run -M ./examples/acme-pc.mjs -kernel KERNEL -serial stdio
import { defineDevice, section } from '@pagurus/device-model';
import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { defineMachine, pcI440fx } from 'pagurus';

/** Eight lamps at a port, and since version 2.0 of the board a counter of changes behind them. */
class LampState {
  lamps = 0;
  changes = 0;
}

const f = fieldsOf();

const lampVmState = (counted) =>
  vmstate({
    name: 'acme-lamps/lamps', // carries the package's name, so that no other package's section can meet it
    version: 1,
    fields: [f.u8('lamps')],
    subsections: [
      vmstate({
        name: 'acme-lamps/lamps/changes',
        version: 1,
        needed: (s) => counted && s.changes !== 0,
        fields: [f.u32('changes')],
      }),
    ],
    preLoad: (state) => {
      state.changes = 0;
    },
  });

export const acmeLamps = defineDevice({
  type: 'acme-lamps',
  doc: 'eight lamps',
  bus: 'isa',
  properties: {
    iobase: { name: 'iobase', type: 'uint32', default: 0x310, doc: 'port of the lamps' },
    counted: { name: 'counted', type: 'bool', default: true, doc: 'count changes; off on acme-pc-1.0' },
  },
  create(context, { iobase, counted }) {
    const state = new LampState();
    const region = context.ports.add(
      iobase,
      counted ? 2 : 1,
      {
        read: (offset) => (offset === 0 ? state.lamps : state.changes & 0xff),
        write: (offset, value) => {
          if (offset !== 0 || value === state.lamps) return;
          state.lamps = value;
          if (counted) state.changes++;
        },
      },
      { name: 'acme-lamps' },
    );
    return {
      sections: [section(lampVmState(counted), state)],
      services: { lamps: () => state.lamps },
      reset: () => Object.assign(state, new LampState()),
      unrealize: () => region.remove(),
    };
  },
});

/** The card's package; its own rows would be by versions of QEMU's PC. */
const acme = { name: 'acme-lamps', types: [acmeLamps], compat: {} };
const pc = pcI440fx('7.2');

/** The board: a PC of 7.2 for ever, with the card. Its author counts its versions. */
export const acmePc = (version) =>
  defineMachine({
    ...pc,
    name: `acme-pc-${version}`,
    doc: 'PC with lamps',
    packages: [...pc.packages, acme],
    history: { version, compat: { '1.0': { 'acme-lamps': { counted: 'off' } } } },
    build(composer, properties) {
      pc.build(composer, properties);
      composer.add(acmeLamps, { id: 'lamps' });
    },
  });

export default acmePc('2.0');
