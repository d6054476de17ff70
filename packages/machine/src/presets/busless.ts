import type { FwCfgService } from '@pagurus/dev-chipset';
import { GPE_EVENT, type Piix4PmService } from '@pagurus/dev-pci';
import type { Composer } from '../composer.js';
import { MachineError } from '../machine-type.js';

/** Devices without a bus that `-device` adds: they need fw_cfg, and say by an ACPI event what has changed. */
export function offerBusless(composer: Composer, fwCfg: FwCfgService, power: Piix4PmService | undefined): void {
  composer.offerBus({
    kind: 'none',
    name: 'none',
    plug({ driver }) {
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
