import {
  type CharacterBackend,
  type Device,
  type DeviceContext,
  defineDevice,
  PropertyError,
  section,
} from '@pagurus/device-model';
import { ParallelState, parallelVmState } from './parallel.state.js';
import { CONTROL, LENGTH, PORTS, REGISTER, STATUS } from './spec.js';

export interface ParallelProperties {
  index: number;
  iobase: number;
  irq: number;
  chardev: string;
}

/** A property that the place of LPT1 to LPT3 fills in. */
const BY_INDEX = 0xffff_ffff;

/** A printer port in compatibility mode: every strobed byte goes to the host. Output pin `irqN`, N being its request. */
export const isaParallel = defineDevice<ParallelProperties>({
  type: 'isa-parallel',
  doc: 'parallel port',
  bus: 'isa',
  properties: {
    index: { name: 'index', type: 'uint32', default: BY_INDEX, doc: '0 to 2: the place of LPT1 to LPT3' },
    iobase: { name: 'iobase', type: 'uint32', default: BY_INDEX, doc: 'first port' },
    irq: { name: 'irq', type: 'uint32', default: 7, doc: 'interrupt request' },
    chardev: { name: 'chardev', type: 'str', default: '', doc: 'character device that gets the bytes' },
  },
  create,
});

function create(context: DeviceContext, properties: ParallelProperties): Device {
  const { iobase, irq } = place(properties);

  // wiring
  const interrupt = context.line(`irq${irq}`);
  const host = context.backend<CharacterBackend>('chardev');
  const region = context.ports.add(iobase, LENGTH, { read, write }, { name: 'parallel' });
  host?.connect({ canReceive: () => 0, receive() {} });

  // state
  const state = new ParallelState();

  // behaviour
  function drive(): void {
    interrupt.set(state.irqPending !== 0);
  }

  function read(offset: number): number {
    switch (offset) {
      case REGISTER.DATA:
        return state.control & CONTROL.INPUT ? state.datar : state.dataw;
      case REGISTER.STATUS:
        return readStatus();
      case REGISTER.CONTROL:
        return state.control;
      default:
        return 0xff;
    }
  }

  /** After a strobe the printer acknowledges in two steps, which a guest sees by looking. */
  function readStatus(): number {
    const { status } = state;
    state.irqPending = 0;
    if (!(status & STATUS.READY) && !(state.control & CONTROL.STROBE)) {
      if (status & STATUS.NOT_ACKNOWLEDGED) state.status &= ~STATUS.NOT_ACKNOWLEDGED;
      else state.status |= STATUS.NOT_ACKNOWLEDGED | STATUS.READY;
    }
    drive();
    return status;
  }

  function write(offset: number, value: number): void {
    switch (offset) {
      case REGISTER.DATA:
        state.dataw = value;
        return;
      case REGISTER.CONTROL:
        control(value | CONTROL.ONES);
    }
  }

  function control(value: number): void {
    if (!(value & CONTROL.NOT_RESET)) {
      state.status = STATUS.READY | STATUS.NOT_ACKNOWLEDGED | STATUS.SELECTED | STATUS.NO_ERROR;
    } else if (value & CONTROL.SELECT) {
      if (value & CONTROL.STROBE) {
        state.status &= ~STATUS.READY;
        if (!(state.control & CONTROL.STROBE)) host?.write(Uint8Array.of(state.dataw));
      } else if (state.control & CONTROL.INTERRUPT) state.irqPending = 1;
    }
    state.control = value;
    drive();
  }

  return {
    sections: [section(parallelVmState, state, { alias: iobase })],
    reset() {
      Object.assign(state, new ParallelState());
      drive();
    },
    resume: drive,
    unrealize() {
      region.remove();
    },
  };
}

function place({ index, iobase, irq }: ParallelProperties): { iobase: number; irq: number } {
  const standard = PORTS[index];
  if (index !== BY_INDEX && !standard)
    throw new PropertyError('isa-parallel', 'index', `${index} is not 0 to ${PORTS.length - 1}`);
  const base = iobase === BY_INDEX ? standard?.iobase : iobase;
  if (base === undefined) throw new PropertyError('isa-parallel', 'index', 'give index=0 to 2, or iobase=');
  if (irq > 15) throw new PropertyError('isa-parallel', 'irq', `${irq} is not an ISA interrupt request (0 to 15)`);
  return { iobase: base, irq };
}
