import { addRom, PciFunction, type PciProperties, pciProperties } from '@pagurus/dev-pci';
import {
  type Device,
  type DeviceContext,
  defineDevice,
  type NetworkBackend,
  type PropertyTable,
  section,
} from '@pagurus/device-model';
import { parseMac } from './ethernet.js';
import { Ne2kPciState, ne2kPciVmState } from './ne2k-pci.state.js';
import { Ne2000 } from './ne2000.js';
import { NE2K_PCI, NE2000 } from './ne2000.spec.js';

export interface Ne2kPciProperties extends PciProperties {
  mac: string;
  netdev: string;
}

/** Of machines since 1.5, and before. */
const BOOT_ROMS = ['efi-ne2k_pci.rom', 'pxe-ne2k_pci.rom'] as const;

const properties: PropertyTable<Ne2kPciProperties> = {
  ...pciProperties,
  romFile: { ...pciProperties.romFile, default: BOOT_ROMS[0] },
  mac: { name: 'mac', type: 'str', default: '52:54:00:12:34:56', doc: 'Ethernet address' },
  netdev: { name: 'netdev', type: 'str', default: '', doc: 'network that the card is plugged into' },
};

/** NE2000 on the PCI bus, an RTL8029. Backends `netdev` and `romfile`. */
export const ne2kPci = defineDevice<Ne2kPciProperties>({
  type: 'ne2k_pci',
  doc: 'NE2000 Ethernet, PCI',
  bus: 'pci',
  parents: ['pci-device'],
  properties,
  create: (context, props) => createNe2kPci(context, props),
});

function createNe2kPci(context: DeviceContext, props: Ne2kPciProperties): Device {
  const network = context.backend<NetworkBackend>('netdev');
  const card = new Ne2000(parseMac('ne2k_pci', props.mac), (level) => pci.setInterrupt(level), network);
  const state = new Ne2kPciState(card.state);
  const pci = new PciFunction(context, state, {
    type: 'ne2k_pci',
    vendorId: NE2K_PCI.VENDOR,
    deviceId: NE2K_PCI.DEVICE,
    classCode: NE2K_PCI.CLASS,
    interruptPin: 1,
  });
  pci.ioBar(0, NE2000.PCI_LENGTH, card, 'ne2000');
  addRom(context, pci, {
    file: props.romFile,
    enabled: props.romBar !== 0,
    optional: BOOT_ROMS,
    block: `${pci.slot.path}/ne2000.rom`,
  });
  return {
    sections: [section(ne2kPciVmState(pci.description), state)],
    reset() {
      card.reset();
      pci.reset();
    },
    // The pin's level is part of the PCI state, so nothing of the card needs to be driven again.
    resume: () => pci.resume(),
    unrealize: () => pci.unrealize(),
  };
}
