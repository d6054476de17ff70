import { type Device, type DeviceContext, defineDevice, section } from '@pagurus/device-model';
import { fieldsOf, vmstate } from '@pagurus/vmstate';

/** [IBM-PS/2] Hardware Interface Technical Reference, "System Control Port A". */
const PORT = 0x92;
const CONTROL = {
  /** A rising edge resets the processor. */
  RESET: 0x01,
  A20: 0x02,
} as const;

export class Port92State {
  outport = 0;
}

const f = fieldsOf<Port92State>();

/** Section `port92`, version 1. */
export const port92VmState = vmstate<Port92State>({ name: 'port92', version: 1, fields: [f.u8('outport')] });

/** Fast A20 and reset. Output pin `a20`. */
export const port92 = defineDevice<object>({
  type: 'port92',
  doc: 'System Control Port A: fast A20 gate and reset',
  bus: 'isa',
  properties: {},
  create(context: DeviceContext): Device {
    // wiring
    const a20 = context.line('a20');
    const region = context.ports.add(
      PORT,
      1,
      { read: () => state.outport, write: (_, value) => write(value) },
      { name: 'port92' },
    );

    // state
    const state = new Port92State();

    // behaviour
    function write(value: number): void {
      const before = state.outport;
      state.outport = value & 0xff;
      // A level again and again would undo what the keyboard controller set; only changes move the gate.
      if (((before ^ value) & CONTROL.A20) !== 0) a20.set((value & CONTROL.A20) !== 0);
      if ((value & CONTROL.RESET) !== 0 && (before & CONTROL.RESET) === 0) context.requestReset('port 92');
    }

    return {
      sections: [section(port92VmState, state)],
      reset() {
        // The RESET bit falls with the reset that it causes.
        state.outport &= ~CONTROL.RESET & 0xff;
      },
      resume: () => a20.set((state.outport & CONTROL.A20) !== 0),
      unrealize: () => region.remove(),
    };
  },
});
