import { fieldsOf, vmstate } from '@pagurus/vmstate';

/** Formats of a note. docs/specs/vmcoreinfo.txt of QEMU 7.2 */
export const FORMAT = { NONE: 0, ELF: 1 } as const;

export class VmcoreinfoState {
  /** The guest has told where its note is. */
  hasVmcoreinfo = false;
  hostFormat: number = FORMAT.ELF;
  guestFormat: number = FORMAT.NONE;
  size = 0;
  paddr = 0n;
}

const f = fieldsOf<VmcoreinfoState>();

/** Section `vmcoreinfo`. */
export const vmcoreinfoVmState = vmstate<VmcoreinfoState>({
  name: 'vmcoreinfo',
  version: 1,
  fields: [
    f.bool('hasVmcoreinfo', 'has_vmcoreinfo'),
    f.u16('hostFormat', 'vmcoreinfo.host_format'),
    f.u16('guestFormat', 'vmcoreinfo.guest_format'),
    f.u32('size', 'vmcoreinfo.size'),
    f.u64('paddr', 'vmcoreinfo.paddr'),
  ],
});
