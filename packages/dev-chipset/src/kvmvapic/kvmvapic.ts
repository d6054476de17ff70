import { type Device, type DeviceContext, defineDevice, section } from '@pagurus/device-model';
import { VapicState, vapicVmState } from './kvmvapic.state.js';

const PORT = 0x7e;

/**
 * QEMU's optimisation of TPR accesses of Windows XP, which an option ROM of QEMU's switches on through port 0x7e. Machines with an APIC
 * have its section even where nobody uses it. Here it is carried along and nothing is optimised: TPR accesses just work.
 */
export const kvmvapic = defineDevice<object>({
  type: 'kvmvapic',
  doc: 'state of a TPR access optimisation; carried along only',
  bus: 'system',
  properties: {},
  create,
});

function create(context: DeviceContext): Device {
  // wiring
  const region = context.ports.add(
    PORT,
    2,
    {
      sizes: [1, 2, 4],
      read: () => 0xffff_ffff,
      write: (_, value, size) => context.log.unimplemented(`TPR optimisation: ${size}-byte write of 0x${value.toString(16)}`),
    },
    { name: 'kvmvapic' },
  );

  // state
  const state = new VapicState();

  return {
    sections: [section(vapicVmState, state)],
    reset() {
      Object.assign(state, new VapicState());
    },
    unrealize() {
      region.remove();
    },
  };
}
