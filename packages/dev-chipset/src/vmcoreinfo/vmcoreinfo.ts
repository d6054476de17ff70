import { type Device, type DeviceContext, defineDevice, PropertyError, section } from '@pagurus/device-model';
import type { FwCfgService } from '../fw-cfg/fw-cfg.js';
import { FORMAT, VmcoreinfoState, vmcoreinfoVmState } from './vmcoreinfo.state.js';

const LENGTH = 16;

/** Where a dump of the guest's memory finds its kernel's note; the guest writes it to fw_cfg (backend `fw-cfg`). */
export const vmcoreinfo = defineDevice<object>({
  type: 'vmcoreinfo',
  doc: 'lets a guest say where its vmcoreinfo note is',
  bus: 'none',
  properties: {},
  create,
});

function create(context: DeviceContext): Device {
  const fwCfg = context.backend<FwCfgService>('fw-cfg');
  if (!fwCfg?.dmaEnabled)
    throw new PropertyError('vmcoreinfo', 'fw-cfg', 'the machine has no fw_cfg that guests can write (fw_cfg with DMA)');

  // state
  const state = new VmcoreinfoState();

  // wiring
  const item = new Uint8Array(LENGTH);
  const view = new DataView(item.buffer);
  const show = (): void => {
    view.setUint16(0, state.hostFormat, true);
    view.setUint16(2, state.guestFormat, true);
    view.setUint32(4, state.size, true);
    view.setBigUint64(8, state.paddr, true);
  };
  fwCfg.addFile('etc/vmcoreinfo', item, { written });

  // behaviour
  function written(_: Uint8Array, offset: number, length: number): void {
    state.hostFormat = view.getUint16(0, true);
    state.guestFormat = view.getUint16(2, true);
    state.size = view.getUint32(4, true);
    state.paddr = view.getBigUint64(8, true);
    state.hasVmcoreinfo = offset === 0 && length === LENGTH && state.guestFormat !== FORMAT.NONE;
  }

  return {
    sections: [section(vmcoreinfoVmState, state)],
    reset() {
      Object.assign(state, new VmcoreinfoState());
      show();
    },
    resume: show,
  };
}
