/** A small device for the kit's own tests: a down-counter with a DMA port. Not part of the package. */
import { type Device, type DeviceContext, type DeviceType, defineDevice, NEVER, section } from '@pagurus/device-model';
import { type Description, fieldsOf, vmstate } from '@pagurus/vmstate';

export interface SampleProperties {
  fast: boolean;
}

export class SampleState {
  reload = 0;
  pending = false;
  deadline = NEVER;
  address = 0;
  /** 0 idle, 1 waiting for memory. */
  dma = 0;
  data = 0;
}

const f = fieldsOf<SampleState>();
export const sampleVmState = vmstate<SampleState>({
  name: 'sample',
  version: 2,
  minVersion: 1,
  fields: [
    f.u8('reload'),
    f.bool('pending'),
    f.timer('deadline'),
    f.u32('address'),
    f.u8('dma', 'dma', { since: 2 }),
    f.u8('data', 'data', { since: 2 }),
  ],
  postLoad(s) {
    s.dma &= 1;
  },
});

/**
 * Port 0x300: write starts the counter, read acknowledges; 0x301: write starts a DMA read of one byte; 0x302: read its result.
 * `defect` breaks one rule, to see that the suite notices.
 */
export function sample(defect = ''): DeviceType<SampleProperties> {
  return defineDevice<SampleProperties>({
    type: 'sample',
    doc: 'a counter',
    bus: 'isa',
    properties: { fast: { name: 'fast', type: 'bool', default: false, doc: 'counts ten times faster' } },
    create: (context, properties) => createSample(context, properties, defect),
  });
}

function createSample(context: DeviceContext, properties: SampleProperties, defect: string): Device {
  const state = new SampleState();
  let hidden = 0;
  const irq = context.line('irq');
  const timer = context.clock.timer(expire);

  function expire(): void {
    state.deadline = NEVER;
    state.pending = true;
    irq.set(true);
    if (defect === 'endless timer') timer.arm(context.clock.now());
  }

  function start(value: number): void {
    state.reload = value;
    state.deadline = context.clock.now() + BigInt(value + 1) * (properties.fast ? 100n : 1000n);
    timer.arm(state.deadline);
  }

  function transfer(): void {
    if (state.dma === 0) return;
    const byte = new Uint8Array(1);
    const access = context.memory.read(state.address, byte);
    if (!access.done) {
      if (defect === 'drops late memory') state.dma = 0;
      return;
    }
    state.dma = 0;
    state.data = byte[0]!;
  }
  context.onMemoryArrived(transfer);

  const region = context.ports.add(
    0x300,
    3,
    {
      read(offset) {
        if (defect === 'throws' && offset === 2) throw new Error('boom');
        if (defect === 'not a number' && offset === 2) return Number.NaN;
        if (defect === 'guest loop') for (;;) context.memory.read(0, new Uint8Array(1));
        if (offset === 1) return state.reload;
        if (offset === 2) return state.data;
        if (defect === 'hidden state') return hidden;
        const { pending } = state;
        state.pending = false;
        irq.set(false);
        return pending ? 1 : 0;
      },
      write(offset, value) {
        hidden = value;
        if (defect === 'outgrows its ports') context.ports.add(0x310, 1, { read: () => 0, write() {} }, { name: 'more' });
        if (offset === 0) start(value);
        if (offset !== 1) return;
        state.address = value * 16;
        state.dma = 1;
        transfer();
      },
    },
    { name: 'sample' },
  );

  const description = broken(defect);

  return {
    sections: [section(description, state)],
    reset() {
      Object.assign(state, new SampleState(), defect === 'partial reset' ? { reload: state.reload } : {});
      timer.cancel();
      irq.set(false);
    },
    resume() {
      if (defect === 'silent resume') return;
      if (defect !== 'forgets its line') irq.set(state.pending);
      if (state.deadline === NEVER) timer.cancel();
      else timer.arm(state.deadline);
      if (defect === 'trusts its state') [() => {}, transfer][state.dma]!();
      transfer();
    },
    unrealize() {
      if (defect !== 'leaves its timer') timer.cancel();
      region.remove();
    },
  };
}

function broken(defect: string): Description<SampleState> {
  switch (defect) {
    case 'forgets a key':
      return { ...sampleVmState, fields: sampleVmState.fields.filter(({ key }) => key !== 'data') };
    case 'notices saving':
      return {
        ...sampleVmState,
        preSave(state) {
          state.data = 7;
        },
      };
    case 'trusts its state':
      return { ...sampleVmState, postLoad: undefined };
    default:
      return sampleVmState;
  }
}
