import { type Device, type DeviceContext, defineDevice, type InputPin, section } from '@pagurus/device-model';
import { i8259VmState, PicState } from './i8259.state.js';
import { Pic } from './pic.js';
import { BASE, CASCADE, ELCR_BASE, ELCR_MASK, SPURIOUS } from './spec.js';

/** The CPU's side of the interrupt controller. */
export interface PicService {
  /** INTA: takes the most important request and answers its vector, 0..255. */
  acknowledge(): number;
  /** Level of the INT pin. */
  output(): boolean;
}

/** The two 8259A of a PC with their cascade and the edge/level control registers. */
export const i8259 = defineDevice<object>({
  type: 'isa-i8259',
  doc: 'pair of 8259A interrupt controllers',
  bus: 'isa',
  properties: {},
  create,
});

function create(context: DeviceContext): Device {
  // wiring
  const output = context.line('int');
  const master = new Pic(new PicState(), ELCR_MASK.MASTER, true, (level) => output.set(level));
  const slave = new Pic(new PicState(), ELCR_MASK.SLAVE, false, (level) => master.input(CASCADE, level));
  const chips = [master, slave] as const;
  const regions = [
    context.ports.add(BASE.MASTER, 2, chip(master), { name: 'pic' }),
    context.ports.add(BASE.SLAVE, 2, chip(slave), { name: 'pic' }),
    context.ports.add(
      ELCR_BASE,
      2,
      { read: (offset) => chips[offset & 1]!.readElcr(), write: (offset, value) => chips[offset & 1]!.writeElcr(value) },
      { name: 'elcr' },
    ),
  ];

  // behaviour
  function acknowledge(): number {
    const irq = master.pending();
    if (irq === undefined) return (master.state.irqBase + SPURIOUS) & 0xff;
    if (irq !== CASCADE) {
      master.take(irq);
      return (master.state.irqBase + irq) & 0xff;
    }
    const slaveIrq = slave.pending();
    // The master's request goes first: a second one of the slave then makes a new edge.
    master.take(CASCADE);
    if (slaveIrq !== undefined) slave.take(slaveIrq);
    return (slave.state.irqBase + (slaveIrq ?? SPURIOUS)) & 0xff;
  }

  return {
    // state
    sections: [
      section(i8259VmState, master.state, { instance: 0, alias: BASE.MASTER }),
      section(i8259VmState, slave.state, { instance: 1, alias: BASE.SLAVE }),
    ],
    inputs: inputs(master, slave),
    services: { acknowledge, output: () => master.pending() !== undefined } satisfies PicService,
    reset() {
      slave.reset();
      master.reset();
    },
    resume() {
      master.update();
    },
    unrealize() {
      for (const region of regions) region.remove();
    },
  };
}

function chip(pic: Pic) {
  return { read: (offset: number) => pic.read(offset), write: (offset: number, value: number) => pic.write(offset, value) };
}

/** `irq0` … `irq15`, without `irq2`, which is the cascade. */
function inputs(master: Pic, slave: Pic): { [pin: string]: InputPin } {
  const pins: { [pin: string]: InputPin } = {};
  for (let irq = 0; irq < 16; irq++) {
    if (irq === CASCADE) continue;
    const pic = irq < 8 ? master : slave;
    pins[`irq${irq}`] = (level) => pic.input(irq & 7, level);
  }
  return pins;
}
