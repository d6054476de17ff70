import type { PciBus, PciHostService, PciHotplugService, PciSlot } from '@pagurus/dev-pci';
import type { ComposedDevice, Composer } from '../composer.js';
import { type BusHotplug, MachineError, type PlugBus } from '../machine-type.js';

/**
 * Offers a PCI bus, and those behind its bridges, to `-device` and `device_add`. `hotplug`: where the guest is told of devices that come
 * and go; undefined on a machine without ACPI.
 */
export function offerPciBus(composer: Composer, root: PciBus, hotplug: PciHotplugService | undefined): void {
  const slots = new WeakMap<ComposedDevice, PciSlot>();
  const offered = new Map<PciBus, PlugBus>();
  const deviceAt = (id: string): ComposedDevice | undefined => composer.devices.find((device) => device.id === id);

  function offer(bus: PciBus): void {
    const entry: PlugBus = {
      kind: 'pci',
      name: bus.name,
      plug({ driver, address, properties, hot }) {
        const multiFunction = properties.multifunction === true;
        const slot = bus.plug(driver, { address, multiFunction, acpiIndex: Number(properties.acpiIndex ?? 0), hot });
        return {
          slot,
          path: slot.path,
          created(device) {
            slots.set(device, slot);
            const behind = (device.device.services as Partial<PciHostService> | undefined)?.bus;
            if (behind) offer(behind);
            bus.onReset(slot.devfn, () => device.device.reset());
          },
          abandoned: () => bus.find(slot.devfn)?.unrealize(),
        };
      },
      get hotplug(): BusHotplug | undefined {
        return hotplug?.buses.includes(bus) ? { plugged, requestUnplug } : undefined;
      },
    };
    offered.set(bus, entry);
    composer.offerBus(entry);
  }

  const plugged = (device: ComposedDevice): void => hotplug!.plugged(slots.get(device)!);

  function requestUnplug(device: ComposedDevice): void {
    const slot = slots.get(device)!;
    if (!hotplug!.removable(slot)) throw new MachineError(`device '${device.id}' does not support hotplugging`);
    hotplug!.requestUnplug(slot);
  }

  /** All functions of the slot go, and what is behind them. */
  function eject(bus: PciBus, device: number): void {
    for (const entry of bus.list().filter(({ slot }) => slot.devfn >> 3 === device)) {
      if (entry.secondary) empty(entry.secondary);
      const composed = deviceAt(entry.id);
      if (composed) composer.remove(composed);
    }
  }

  function empty(bus: PciBus): void {
    for (const number of new Set(bus.list().map(({ slot }) => slot.devfn >> 3))) eject(bus, number);
    const entry = offered.get(bus);
    if (entry) composer.withdrawBus(entry);
    offered.delete(bus);
  }

  hotplug?.onEject(eject);
  offer(root);
}
