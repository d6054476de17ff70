import type { PropertyTable } from '@pagurus/device-model';

/** Properties that every PCI device has. */
export interface PciProperties {
  addr: string;
  multifunction: boolean;
  acpiIndex: number;
  romFile: string;
  romBar: number;
  romSize: number;
  failoverPair: string;
  linkActive: boolean;
  extendedCapabilities: boolean;
}

/** Rows to spread into a PCI device's property table. Its `parents` name `pci-device`, for compat rows and `-global`. */
export const pciProperties: PropertyTable<PciProperties> = {
  addr: {
    name: 'addr',
    type: 'str',
    default: '',
    doc: 'device number in hexadecimal and function, e.g. 04.1; default: the first free',
  },
  multifunction: { name: 'multifunction', type: 'bool', default: false, doc: 'the slot has further functions' },
  acpiIndex: { name: 'acpi-index', type: 'uint32', default: 0, doc: 'onboard device number for ACPI; 0 = none' },
  romFile: { name: 'romfile', type: 'str', default: '', doc: 'image of the expansion ROM' },
  romBar: { name: 'rombar', type: 'uint32', default: 1, doc: '0 = no expansion ROM register' },
  romSize: {
    name: 'romsize',
    type: 'uint32',
    default: 0xffff_ffff,
    doc: 'size of the expansion ROM register; default: that of the image',
  },
  failoverPair: { name: 'failover_pair_id', type: 'str', default: '', doc: 'partner of a failover pair; not modelled' },
  linkActive: { name: 'x-pcie-lnksta-dllla', type: 'bool', default: true, doc: 'PCI Express only; off up to machine 2.3' },
  extendedCapabilities: {
    name: 'x-pcie-extcap-init',
    type: 'bool',
    default: true,
    doc: 'PCI Express only; off up to machine 2.8',
  },
};
