import { type Device, defineDevice, type IoRegion, type RamBlock, section } from '@pagurus/device-model';
import { overlaps } from './config-space.js';
import { PciFunction } from './function.js';
import { I440FX, I440FX_REGISTER, PAM, PAM_SEGMENTS, type PamSegment, SMRAM } from './i440fx.spec.js';
import { I440fxState, i440fxVmState } from './i440fx.state.js';
import { type PciProperties, pciProperties } from './pci-properties.js';
import { MEMORY_PRIORITY } from './spec.js';

/** What the machine tells its host bridge; backend `ram`. */
export interface I440fxMemory {
  /** `pc.ram`. Its first MiB must be what the guest finds at physical address 0. */
  readonly block: RamBlock;
  /** All of the guest's RAM in bytes, for the register that coreboot reads. */
  readonly size: number;
}

/** What the host bridge is told by the processor that runs. */
export interface SmramService {
  /** Whether it is in system management mode: it then sees RAM at 0xa0000 to 0xbffff, if the guest has enabled SMRAM. */
  systemManagement(on: boolean): void;
}

interface Shadow {
  readonly segment: PamSegment;
  readonly writable: IoRegion;
  readonly readOnly: IoRegion;
}

/**
 * The PCI side of the i440FX, function 00:00.0: shadow RAM (PAM) and SMRAM. Where a segment is switched off, whatever else the
 * machine has put there answers: option ROMs, BIOS, or RAM of lower priority.
 */
export const i440fx = defineDevice<PciProperties>({
  type: 'i440FX',
  doc: 'Intel 440FX host bridge: shadow RAM and SMRAM control',
  bus: 'pci',
  parents: ['pci-device'],
  properties: pciProperties,
  create(ctx): Device {
    // wiring
    const memory = ctx.backend<I440fxMemory>('ram');
    const shadows = memory ? PAM_SEGMENTS.map((segment) => shadow(memory.block, segment)) : [];
    const smram = memory && window(memory.block, SMRAM.BASE, SMRAM.LENGTH, 'ram', 'smram');

    // state
    const state = new I440fxState();
    let inSystemManagement = false;
    const pci = new PciFunction(ctx, state, {
      type: 'i440FX',
      vendorId: I440FX.VENDOR_ID,
      deviceId: I440FX.DEVICE_ID,
      revision: I440FX.REVISION,
      classCode: I440FX.CLASS,
      hotpluggable: false,
    });
    const { config } = pci;
    config[I440FX_REGISTER.SMRAM] = SMRAM.DEFAULT;
    config[I440FX_REGISTER.RAM_SIZE] = Math.min(Math.floor((memory?.size ?? 0) / 0x80_0000), 0xff);

    // behaviour
    pci.onConfigWrite((offset, size) => {
      if (overlaps(offset, size, I440FX_REGISTER.PAM, 7) || overlaps(offset, size, I440FX_REGISTER.SMRAM, 1)) updateMemory();
    });

    function updateMemory(): void {
      for (const { segment, writable, readOnly } of shadows) {
        const mode = (pci.config[segment.register]! >> segment.shift) & (PAM.READ | PAM.WRITE);
        readOnly.update({ enabled: mode === PAM.READ });
        writable.update({ enabled: (mode & PAM.WRITE) !== 0 });
      }
      const control = pci.config[I440FX_REGISTER.SMRAM]!;
      smram?.update({ enabled: (control & SMRAM.OPEN) !== 0 || (inSystemManagement && (control & SMRAM.ENABLE) !== 0) });
    }

    function shadow(block: RamBlock, segment: PamSegment): Shadow {
      const { base, length } = segment;
      return {
        segment,
        writable: window(block, base, length, 'ram', 'pam-ram'),
        readOnly: window(block, base, length, 'rom', 'pam-rom'),
      };
    }

    function window(block: RamBlock, base: number, length: number, access: 'ram' | 'rom', name: string): IoRegion {
      return ctx.mmio.addRam(base, length, block, base, access, { name, enabled: false, priority: MEMORY_PRIORITY.SHADOW });
    }

    return {
      sections: [section(i440fxVmState(pci.description), state)],
      services: {
        systemManagement(on) {
          if (on === inSystemManagement) return;
          inSystemManagement = on;
          updateMemory();
        },
      } satisfies SmramService,
      // A system reset leaves PAM and SMRAM as they are. [QEMU]
      reset: () => pci.reset(),
      resume() {
        pci.resume();
        updateMemory();
      },
      unrealize() {
        pci.unrealize();
        for (const { writable, readOnly } of shadows) {
          writable.remove();
          readOnly.remove();
        }
        smram?.remove();
      },
    };
  },
});
