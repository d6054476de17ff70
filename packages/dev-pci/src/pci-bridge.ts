import { type Device, defineDevice, PropertyError, section } from '@pagurus/device-model';
import { PciBus } from './bus.js';
import { PciBusState, pciBusVmState } from './bus.state.js';
import { overlaps, readConfig, writeConfig } from './config-space.js';
import { PciFunction } from './function.js';
import { Msi } from './msi.js';
import { BRIDGE, BRIDGE_CONTROL, BRIDGE_STATUS, PCI_BRIDGE, PREFETCH_WIDE, SHPC, SLOT_ID } from './pci-bridge.spec.js';
import { PciBridgeState, pciBridgeVmState } from './pci-bridge.state.js';
import type { PciHostService } from './pci-host.js';
import { type PciProperties, pciProperties } from './pci-properties.js';
import { Shpc } from './shpc.js';
import { COMMAND, PCI, STATUS } from './spec.js';

export interface PciBridgeProperties extends PciProperties {
  chassis: number;
  msi: string;
  shpc: boolean;
}

const MIB = 2 ** 20;
const FOUR_GIGABYTES = 2 ** 32;

/** QEMU's bridge to a further conventional bus. Its service is that bus, whose name is the bridge's id. */
export const pciBridge = defineDevice<PciBridgeProperties>({
  type: 'pci-bridge',
  doc: 'bridge to a further PCI bus',
  bus: 'pci',
  parents: ['pci-device', 'base-pci-bridge'],
  properties: {
    ...pciProperties,
    chassis: { name: 'chassis_nr', type: 'uint8', default: 0, doc: 'number of the chassis behind it, 1 to 255; required' },
    msi: { name: 'msi', type: 'str', default: 'auto', doc: 'interrupt messages of its hotplug controller: on, off or auto (on)' },
    shpc: {
      name: 'shpc',
      type: 'bool',
      default: true,
      doc: 'a hotplug controller of its own, whose commands are refused; off in machine 2.9',
    },
  },
  create(ctx, props): Device {
    const refuse = (name: string, text: string): PropertyError => new PropertyError('pci-bridge', name, text);
    if (props.chassis === 0) throw refuse('chassis_nr', 'each bridge needs a chassis number of its own, 1 to 255');
    if (!['on', 'off', 'auto'].includes(props.msi)) throw refuse('msi', `'${props.msi}' is not 'on', 'off' or 'auto'`);

    // wiring
    const state = new PciBridgeState();
    const pci = new PciFunction(ctx, state, {
      type: 'pci-bridge',
      vendorId: PCI_BRIDGE.VENDOR_ID,
      deviceId: PCI_BRIDGE.DEVICE_ID,
      classCode: PCI_BRIDGE.CLASS,
      headerType: PCI_BRIDGE.HEADER_TYPE,
      status: BRIDGE_STATUS,
      ...(props.shpc ? { interruptPin: 1 } : {}),
    });
    const { config, wmask, w1cmask } = pci;
    let resetting = false;
    typeOneHeader();
    const bus = new PciBus({
      name: ctx.id,
      interrupt() {},
      bridge: {
        slot: pci.slot,
        numbers: () => ({ secondary: config[BRIDGE.SECONDARY_BUS]!, subordinate: config[BRIDGE.SUBORDINATE_BUS]! }),
        forwards,
      },
    });
    pci.secondary = bus;
    const shpc = props.shpc ? new Shpc(state.shpc, bus, ctx.log) : undefined;
    if (shpc) {
      pci.addCapability(SHPC.ID, SHPC.CAPABILITY_LENGTH);
      pci.memoryBar(SHPC.BAR, SHPC.BAR_LENGTH, shpc.handler, 'shpc-mmio', { wide: true });
    }
    const slots = pci.addCapability(SLOT_ID.ID, SLOT_ID.LENGTH);
    config.set([SLOT_ID.FIRST_IN_CHASSIS, props.chassis], slots + 2);
    const msi = shpc && props.msi !== 'off' ? new Msi(pci, { vectors: 1, wide: true, maskable: true }) : undefined;
    pci.onConfigWrite((offset, size) => {
      if (
        overlaps(offset, size, PCI.COMMAND, 2) ||
        overlaps(offset, size, BRIDGE.IO_BASE, BRIDGE.PREFETCH_LIMIT_HIGH + 4 - BRIDGE.IO_BASE)
      )
        bus.windowsMoved();
      if (!overlaps(offset, size, BRIDGE.CONTROL, 2)) return;
      const pulled = (readConfig(config, BRIDGE.CONTROL, 2) & BRIDGE_CONTROL.SECONDARY_RESET) !== 0;
      if (pulled && !resetting) bus.reset();
      resetting = pulled;
    });

    function typeOneHeader(): void {
      // Where other functions have their subsystem, and base address registers 2 to 5.
      writeConfig(config, PCI.SUBSYSTEM_VENDOR_ID, 0, 4);
      writeConfig(config, BRIDGE.SECONDARY_STATUS, BRIDGE_STATUS, 2);
      writeConfig(w1cmask, BRIDGE.SECONDARY_STATUS, STATUS.ERRORS, 2);
      writeConfig(wmask, BRIDGE.PRIMARY_BUS, 0xffff_ffff, 4);
      writeConfig(wmask, BRIDGE.IO_BASE, 0xf0f0, 2);
      for (const at of [BRIDGE.MEMORY_BASE, BRIDGE.MEMORY_LIMIT, BRIDGE.PREFETCH_BASE, BRIDGE.PREFETCH_LIMIT])
        writeConfig(wmask, at, 0xfff0, 2);
      for (const at of [BRIDGE.PREFETCH_BASE_HIGH, BRIDGE.PREFETCH_LIMIT_HIGH]) writeConfig(wmask, at, 0xffff_ffff, 4);
      writeConfig(wmask, BRIDGE.CONTROL, BRIDGE_CONTROL.WRITABLE, 2);
      writeConfig(w1cmask, BRIDGE.CONTROL, BRIDGE_CONTROL.DISCARD_STATUS, 2);
      clearHeader();
    }

    /** No bus numbers, no windows. */
    function clearHeader(): void {
      config.fill(0, BRIDGE.PRIMARY_BUS, BRIDGE.SECONDARY_STATUS);
      config.fill(0, BRIDGE.MEMORY_BASE, BRIDGE.PREFETCH_LIMIT_HIGH + 4);
      config[BRIDGE.PREFETCH_BASE] = PREFETCH_WIDE;
      config[BRIDGE.PREFETCH_LIMIT] = PREFETCH_WIDE;
      writeConfig(config, BRIDGE.CONTROL, 0, 2);
      resetting = false;
    }

    /** [BRIDGE] 4.2, 4.3. A range comes through as a whole or not at all. */
    function forwards(space: 'io' | 'memory', base: number, size: number): boolean {
      if ((pci.command & (space === 'io' ? COMMAND.IO : COMMAND.MEMORY)) === 0) return false;
      const inside = (first: number, end: number): boolean => base >= first && base + size <= end;
      if (space === 'io')
        return inside((config[BRIDGE.IO_BASE]! & 0xf0) * 0x100, (config[BRIDGE.IO_LIMIT]! & 0xf0) * 0x100 + 0x1000);
      const low = (at: number): number => (readConfig(config, at, 2) & 0xfff0) * 0x1_0000;
      const high = (at: number): number => readConfig(config, at, 4) * FOUR_GIGABYTES;
      return (
        inside(low(BRIDGE.MEMORY_BASE), low(BRIDGE.MEMORY_LIMIT) + MIB) ||
        inside(
          low(BRIDGE.PREFETCH_BASE) + high(BRIDGE.PREFETCH_BASE_HIGH),
          low(BRIDGE.PREFETCH_LIMIT) + high(BRIDGE.PREFETCH_LIMIT_HIGH) + MIB,
        )
      );
    }

    return {
      sections: [
        section(pciBridgeVmState(pci.description, { shpc: props.shpc }), state),
        // It counts nothing: interrupts are counted on the root bus.
        section(pciBusVmState, new PciBusState(0), { plainName: true }),
      ],
      services: { bus } satisfies PciHostService,
      reset() {
        pci.reset();
        clearHeader();
        msi?.reset();
        shpc?.reset();
        bus.windowsMoved();
      },
      resume() {
        resetting = (readConfig(config, BRIDGE.CONTROL, 2) & BRIDGE_CONTROL.SECONDARY_RESET) !== 0;
        pci.resume();
        bus.windowsMoved();
      },
      unrealize() {
        bus.remove();
        pci.unrealize();
      },
    };
  },
});
