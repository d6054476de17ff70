import { type PciProperties, pciProperties } from '@pagurus/dev-pci';
import type { PropertyTable } from '@pagurus/device-model';

export interface E1000Properties extends PciProperties {
  mac: string;
  netdev: string;
  negotiation: boolean;
  mitigation: boolean;
  extraRegisters: boolean;
  migrateSegmentation: boolean;
  initVet: boolean;
}

/** Of machines since 1.5, and before. */
export const BOOT_ROMS = ['efi-e1000.rom', 'pxe-e1000.rom'] as const;

export const e1000Properties: PropertyTable<E1000Properties> = {
  ...pciProperties,
  romFile: { ...pciProperties.romFile, default: BOOT_ROMS[0] },
  mac: { name: 'mac', type: 'str', default: '52:54:00:12:34:56', doc: 'Ethernet address' },
  netdev: { name: 'netdev', type: 'str', default: '', doc: 'network that the card is plugged into' },
  negotiation: { name: 'autonegotiation', type: 'bool', default: true, doc: 'the link goes down while it is negotiated' },
  mitigation: { name: 'mitigation', type: 'bool', default: true, doc: 'pauses between interrupts; part of the section' },
  extraRegisters: { name: 'extra_mac_registers', type: 'bool', default: true, doc: 'all registers exist and are sent' },
  migrateSegmentation: { name: 'migrate_tso_props', type: 'bool', default: true, doc: 'both transmit contexts are sent' },
  initVet: { name: 'init-vet', type: 'bool', default: true, doc: 'the VLAN type is 0x8100 after reset' },
};
