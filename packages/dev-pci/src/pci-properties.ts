import type { PropertyTable } from '@pagurus/device-model';

/** Properties that every PCI device has. */
export interface PciProperties {
  addr: string;
  multifunction: boolean;
  acpiIndex: number;
  romFile: string;
  romBar: number;
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
};
