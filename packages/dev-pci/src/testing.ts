import type { DeviceContext } from '@pagurus/device-model';
import { PciBus, type PciSlot } from './bus.js';

/** Where {@link testSlot} puts the configuration space of the device under test on the memory space. */
export const TEST_CONFIG_BASE = 0xb000_0000;

/**
 * The slot of a single device under test, e.g. `slot: (context) => testSlot(context, 3 << 3)` for the test kit. Configuration space
 * is memory-mapped at {@link TEST_CONFIG_BASE}, which needs no state of its own; router lines are the output pins `pirq0` to `pirq3`.
 */
export function testSlot(context: Pick<DeviceContext, 'mmio' | 'line'>, devfn: number, configSize = 256): PciSlot {
  const bus = new PciBus({
    name: 'test',
    interrupt: (line, level) => context.line(`pirq${line}`).set(level),
    hasSection: false,
    detached: () => region.remove(),
  });
  const region = context.mmio.add(
    TEST_CONFIG_BASE,
    configSize,
    {
      sizes: [1, 2, 4],
      read: (offset, size) => bus.find(devfn)?.configRead(offset, size) ?? 0xffff_ffff,
      write: (offset, value, size) => bus.find(devfn)?.configWrite(offset, value, size),
    },
    { name: 'test-config' },
  );
  return bus.slot(devfn);
}
