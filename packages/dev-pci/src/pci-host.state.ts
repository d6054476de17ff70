import { type Description, fieldsOf, vmstate } from '@pagurus/vmstate';

/** What the host bridge's half on the processor side remembers. */
export class PciHostState {
  /** CONFADD: the last address written to port 0xcf8. */
  configReg = 0;
}

const f = fieldsOf<PciHostState>();

/** Section `PCIHost`; machines up to 5.0 do not have it. */
export function pciHostVmState(migrated: boolean): Description<PciHostState> {
  return vmstate<PciHostState>({
    name: 'PCIHost',
    version: 1,
    needed: () => migrated,
    fields: [f.u32('configReg', 'config_reg')],
  });
}
