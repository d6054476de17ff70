import type { FwCfgService } from '@pagurus/dev-chipset';
import { GPE_EVENT, type MemoryRegion, type PcDimmService, type Piix4PmService } from '@pagurus/dev-pci';
import type { ComposedDevice, Composer } from '../composer.js';
import { type BusHotplug, MachineError } from '../machine-type.js';

const MODULE = 'pc-dimm';

/**
 * Devices without a bus that `-device` adds: memory modules, and those that need fw_cfg and say by an ACPI event what has changed. Only
 * modules come and go while the machine runs.
 */
export function offerBusless(
  composer: Composer,
  fwCfg: FwCfgService,
  power: Piix4PmService | undefined,
  memory: MemoryRegion | undefined,
): void {
  const slotOf = (device: ComposedDevice): number => (device.device.services as PcDimmService).slot;
  const hotplug: BusHotplug = {
    plugged: (device) => insert(device, true),
    requestUnplug(device) {
      if (device.type !== MODULE) throw new MachineError(`device '${device.id}' does not support hotplugging`);
      power!.memorySlots.requestRemoval(slotOf(device));
    },
  };

  function insert(device: ComposedDevice, hot: boolean): void {
    const { slot, module } = device.device.services as PcDimmService;
    power!.memorySlots.insert(slot, module, hot);
  }

  power?.memorySlots.onEject((slot) => {
    const device = composer.devices.find((candidate) => candidate.type === MODULE && slotOf(candidate) === slot);
    if (!device) return;
    composer.remove(device);
    power.memorySlots.remove(slot);
  });
  composer.offerBus({
    kind: 'none',
    name: 'none',
    hotplug,
    plug({ driver, hot }) {
      if (driver === MODULE)
        return {
          slot: undefined,
          path: undefined,
          backends: { memory },
          created: (device) => {
            if (!hot) insert(device, false);
          },
        };
      if (hot) throw new MachineError(`device '${driver}' does not support hotplugging`);
      if (composer.devices.some(({ type }) => type === driver))
        throw new MachineError(`at most one ${driver} device is permitted`);
      return {
        slot: undefined,
        path: undefined,
        backends: { 'fw-cfg': fwCfg },
        connect: (pin) => (pin === 'changed' ? (level) => level && power?.raiseEvent(GPE_EVENT.GENERATION) : undefined),
      };
    },
  });
}
