import { fieldsOf, vmstate } from '@pagurus/vmstate';

/** One channel. Its current address and count follow from `nowAddress` and `position`. */
export class DmaChannelState {
  /** [current address at the start of the transfer, bytes done of it]; bytes, not words. */
  now = [0, 0];
  /** [address, count] as the guest wrote them; words on the second controller. */
  base = [0, 0];
  mode = 0;
  page = 0;
  pageHigh = 0;
  /** Requested by software. QEMU has the field and leaves it at 0. */
  dack = 0;
  /** Terminal count reached and not yet read from the status register. QEMU has the field and leaves it at 0. */
  eop = 0;
}

export class DmaState {
  command = 0;
  /** Bit n: channel n is masked. The upper bits are set by a master clear and mean nothing. */
  mask = 0xff;
  flipFlop = 0;
  dshift = 0;
  regs = [new DmaChannelState(), new DmaChannelState(), new DmaChannelState(), new DmaChannelState()];
}

const c = fieldsOf<DmaChannelState>();
const channel = vmstate<DmaChannelState>({
  name: 'dma_regs',
  version: 1,
  fields: [
    c.array('i32', 'now'),
    c.array('u16', 'base'),
    c.u8('mode'),
    c.u8('page'),
    c.u8('pageHigh', 'pageh'),
    c.u8('dack'),
    c.u8('eop'),
  ],
});

const f = fieldsOf<DmaState>();

/** Section `dma`, instance 0 for the bytes and 1 for the words. `dshift` is the controller's own and cannot be loaded. */
export const dmaVmState = (dshift: number) =>
  vmstate<DmaState>({
    name: 'dma',
    version: 1,
    fields: [
      f.u8('command'),
      f.u8('mask'),
      f.u8('flipFlop', 'flip_flop'),
      f.i32('dshift'),
      f.structArray('regs', 'regs', channel, { since: 1 }),
    ],
    postLoad(state) {
      state.dshift = dshift;
      state.flipFlop &= 1;
      for (const one of state.regs) {
        one.now[0] = one.now[0]! & ((0x1_0000 << dshift) - 1);
        one.now[1] = Math.min(Math.max(one.now[1]!, 0), (one.base[1]! + 1) << dshift);
      }
    },
  });
