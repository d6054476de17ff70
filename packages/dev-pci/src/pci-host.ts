import { type Device, defineDevice, section } from '@pagurus/device-model';
import { PciBus } from './bus.js';
import { pciBusVmState } from './bus.state.js';
import { PciHostState, pciHostVmState } from './pci-host.state.js';
import { CONFIG_ENABLE, CONFIG_PORT, PIN_COUNT } from './spec.js';

export interface PciHostProperties {
  migrateConfigRegister: boolean;
  hole64Size: number;
  fixHole64: boolean;
  shortRootBus: number;
  bypassIommu: boolean;
}

/** What the rest of the machine gets from `i440FX-pcihost`. */
export interface PciHostService {
  readonly bus: PciBus;
}

/**
 * The processor side of the i440FX: configuration mechanism #1 and the root bus. Output pins `pirq0` to `pirq3` are the bus's
 * interrupt lines and go to the ISA bridge's inputs of the same name.
 */
export const i440fxPciHost = defineDevice<PciHostProperties>({
  type: 'i440FX-pcihost',
  doc: 'PCI root bus and configuration mechanism #1 of the i440FX',
  bus: 'system',
  parents: ['pci-host-bridge'],
  properties: {
    migrateConfigRegister: {
      name: 'x-config-reg-migration-enabled',
      type: 'bool',
      default: true,
      doc: 'send the configuration address register; off up to machine 5.0',
    },
    hole64Size: {
      name: 'pci-hole64-size',
      type: 'size',
      default: 2 ** 31,
      doc: 'least size of the 64-bit PCI hole, for ACPI tables',
    },
    fixHole64: { name: 'x-pci-hole64-fix', type: 'bool', default: true, doc: 'place the 64-bit PCI hole as since 2.11' },
    shortRootBus: { name: 'short_root_bus', type: 'uint32', default: 0, doc: 'root bus path of machines 1.6' },
    bypassIommu: { name: 'bypass-iommu', type: 'bool', default: false, doc: 'devices of the root bus are not translated' },
  },
  create(ctx, props): Device {
    // wiring
    const pirq = Array.from({ length: PIN_COUNT }, (_, line) => ctx.line(`pirq${line}`));
    const bus = new PciBus({ name: 'pci.0', interrupt: (line, level) => pirq[line]!.set(level) });
    const regions = [
      ctx.ports.add(
        CONFIG_PORT.ADDRESS,
        4,
        { sizes: [1, 2, 4], read: () => state.configReg, write: writeAddress },
        { name: 'pci-conf-idx' },
      ),
      ctx.ports.add(CONFIG_PORT.DATA, 4, { sizes: [1, 2, 4], read: readData, write: writeData }, { name: 'pci-conf-data' }),
    ];

    // state
    const state = new PciHostState();
    const sections = [section(pciHostVmState(props.migrateConfigRegister), state), section(pciBusVmState, bus.state)];

    // behaviour
    /** Only a whole double word reaches the register. */
    function writeAddress(offset: number, value: number, size: number): void {
      if (offset === 0 && size === 4) state.configReg = value >>> 0;
    }

    function readData(offset: number, size: 1 | 2 | 4): number {
      if ((state.configReg & CONFIG_ENABLE) === 0) return 0xffff_ffff;
      return bus.configRead((state.configReg | offset) >>> 0, size);
    }

    function writeData(offset: number, value: number, size: 1 | 2 | 4): void {
      if ((state.configReg & CONFIG_ENABLE) !== 0) bus.configWrite((state.configReg | offset) >>> 0, value, size);
    }

    return {
      sections,
      services: { bus } satisfies PciHostService,
      // The address register survives a system reset; interrupt counts follow the functions' own resets.
      reset() {},
      resume: () => bus.resume(),
      unrealize() {
        for (const region of regions) region.remove();
      },
    };
  },
});
