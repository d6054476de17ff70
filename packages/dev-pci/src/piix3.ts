import { type Device, defineDevice, type InputPin, section } from '@pagurus/device-model';
import { overlaps } from './config-space.js';
import { PciFunction } from './function.js';
import { ISA_IRQ_COUNT, PIIX3, PIIX3_RESET, PIRQ, RESET_CONTROL } from './i440fx.spec.js';
import { type PciProperties, pciProperties } from './pci-properties.js';
import { Piix3State, piix3VmState } from './piix3.state.js';
import { STATUS } from './spec.js';

/**
 * The PIIX3's function 0, the ISA bridge at 00:01.0: interrupt router and reset control. Input pins `pirq0` to `pirq3`, output
 * pins `irq0` to `irq15`, level triggered and shared with ISA devices.
 */
export const piix3 = defineDevice<PciProperties>({
  type: 'PIIX3',
  doc: 'Intel 82371SB ISA bridge: PCI interrupt router, reset control',
  bus: 'pci',
  parents: ['pci-device', 'pci-piix3'],
  properties: { ...pciProperties, multifunction: { ...pciProperties.multifunction, default: true } },
  create(ctx, props): Device {
    // wiring
    const irq = Array.from({ length: ISA_IRQ_COUNT }, (_, number) => ctx.line(`irq${number}`));
    const resetPort = ctx.ports.add(
      RESET_CONTROL.PORT,
      1,
      { read: () => state.resetControl, write: (_, value) => writeResetControl(value) },
      { name: 'piix3-reset-control', priority: 1 },
    );
    const inputs = Object.fromEntries(
      Array.from({ length: PIRQ.COUNT }, (_, line): [string, InputPin] => [`pirq${line}`, (level) => setPirq(line, level)]),
    );

    // state
    const state = new Piix3State();
    const pci = new PciFunction(ctx, state, {
      type: 'PIIX3',
      vendorId: PIIX3.VENDOR_ID,
      deviceId: PIIX3.DEVICE_ID,
      classCode: PIIX3.CLASS,
      hotpluggable: false,
      status: STATUS.DEVSEL_MEDIUM,
      multiFunction: props.multifunction,
    });
    initialize();

    // behaviour
    pci.onConfigWrite((offset, size) => {
      if (overlaps(offset, size, PIRQ.ROUTE, PIRQ.COUNT)) updateLines();
    });

    function setPirq(line: number, level: boolean): void {
      if (state.pirqLevels[line] === Number(level)) return;
      state.pirqLevels[line] = Number(level);
      updateLines();
    }

    /** Each request is the or of the PCI lines that are routed to it. */
    function updateLines(): void {
      let levels = 0;
      state.pirqLevels.forEach((level, line) => {
        const route = pci.config[PIRQ.ROUTE + line]!;
        if (level !== 0 && route < ISA_IRQ_COUNT) levels |= 1 << route;
      });
      irq.forEach((line, number) => {
        line.set((levels & (1 << number)) !== 0);
      });
    }

    function writeResetControl(value: number): void {
      if ((value & RESET_CONTROL.RESET_CPU) !== 0) ctx.requestReset('reset control register');
      else state.resetControl = value & RESET_CONTROL.HARD;
    }

    function initialize(): void {
      for (const [offset, value] of PIIX3_RESET) pci.config[offset] = value;
      state.resetControl = 0;
    }

    return {
      sections: [section(piix3VmState(pci.description), state)],
      inputs,
      reset() {
        pci.reset();
        initialize();
        updateLines();
      },
      resume() {
        pci.resume();
        updateLines();
      },
      unrealize() {
        pci.unrealize();
        resetPort.remove();
      },
    };
  },
});
