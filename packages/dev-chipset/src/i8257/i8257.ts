import { type Device, type DeviceContext, defineDevice, type MemoryAccess, PropertyError, section } from '@pagurus/device-model';
import { type DmaChannelState, DmaState, dmaVmState } from './i8257.state.js';
import { COMMAND, MODE, PAGE_OFFSETS, REGISTER, SELECT, TRANSFERS } from './spec.js';

/** `write` = from the device to memory, `read` = from memory to the device. */
export type DmaTransfer = (typeof TRANSFERS)[number];

/**
 * Moves what it can of a block and answers how far it came: from `position` (bytes already done) to at most `length`. It is asked again
 * at once until it answers the same `position` ("nothing now") or `length`; then only after {@link DmaService.holdRequest}, after the
 * guest has changed a mask, or when guest memory has arrived.
 */
export type DmaHandler = (position: number, length: number) => number;

/** DREQ, DACK and memory of one controller's channels, 0 to 3 (the second controller's are the PC's 4 to 7). */
export interface DmaService {
  /** @throws if the channel has a device. */
  registerChannel(channel: number, handler: DmaHandler): void;
  /** Raises DREQ; the handler runs at the next opportunity, never inside this call. A device does so again in its `resume`. */
  holdRequest(channel: number): void;
  releaseRequest(channel: number): void;
  transfer(channel: number): DmaTransfer;
  autoInitialize(channel: number): boolean;
  /** Bytes of the channel's memory block from `position` on. Nothing is moved if a page is missing. */
  readMemory(channel: number, position: number, target: Uint8Array): MemoryAccess;
  writeMemory(channel: number, position: number, source: Uint8Array): MemoryAccess;
}

export interface DmaProperties {
  base: number;
  pageBase: number;
  pagehBase: number;
  dshift: number;
}

const DONE: MemoryAccess = { done: true };

export const i8257 = defineDevice<DmaProperties>({
  type: 'i8257',
  doc: 'ISA DMA controller with four channels',
  bus: 'isa',
  properties: {
    base: { name: 'base', type: 'int32', default: 0x00, doc: 'first port' },
    pageBase: { name: 'page-base', type: 'int32', default: 0x80, doc: 'first port of the page registers' },
    pagehBase: { name: 'pageh-base', type: 'int32', default: -1, doc: 'first port of the high page registers; -1 = none' },
    dshift: { name: 'dshift', type: 'int32', default: 0, doc: '0 moves bytes, 1 words' },
  },
  create,
});

function create(context: DeviceContext, properties: DmaProperties): Device {
  const { base, pageBase, pagehBase, dshift } = properties;
  if (dshift !== 0 && dshift !== 1) throw new PropertyError('i8257', 'dshift', `${dshift} is not 0 or 1`);

  // wiring
  const { memory, clock, log, ports } = context;
  const timer = clock.timer(run);
  context.onMemoryArrived(schedule);
  const handlers: (DmaHandler | undefined)[] = [];
  /** DREQ pins; devices hold them again after a load. */
  const requests = [false, false, false, false];
  const regions = [
    ports.add(
      base,
      16 << dshift,
      { read: (offset) => read(offset >> dshift), write: (offset, value) => write(offset >> dshift, value) },
      { name: 'dma' },
    ),
    ...pageRegions(pageBase, 'dma-page', 'page'),
    ...(pagehBase < 0 ? [] : pageRegions(pagehBase, 'dma-pageh', 'pageHigh')),
  ];

  // state
  const state = new DmaState();

  // behaviour

  function pageRegions(first: number, name: string, key: 'page' | 'pageHigh') {
    return PAGE_OFFSETS.map((offset, channel) =>
      ports.add(
        first + offset,
        1,
        {
          read: () => state.regs[channel]![key],
          write: (_, value) => {
            state.regs[channel]![key] = value;
          },
        },
        { name },
      ),
    );
  }

  function read(register: number): number {
    switch (register) {
      case REGISTER.STATUS_COMMAND:
        return status();
      // [PIIX3] has the mask at 15; QEMU answers it at 9.
      case REGISTER.REQUEST:
      case REGISTER.ALL_MASK:
        return state.mask;
      default:
        return register < REGISTER.STATUS_COMMAND ? readChannel(register) : 0;
    }
  }

  function status(): number {
    let value = 0;
    for (const [index, channel] of state.regs.entries()) {
      if (channel.eop) value |= 1 << index;
      if (isRequested(index)) value |= 0x10 << index;
      channel.eop = 0;
    }
    return value;
  }

  /** Current address or count, the half that the flip-flop selects. */
  function readChannel(register: number): number {
    const channel = state.regs[register >> 1]!;
    const position = channel.now[1]!;
    const value =
      register & 1 ? (channel.base[1]! << dshift) - position : channel.now[0]! + (isDown(channel) ? -position : position);
    return (value >> (dshift + 8 * toggle())) & 0xff;
  }

  function write(register: number, value: number): void {
    switch (register) {
      case REGISTER.STATUS_COMMAND:
        command(value);
        return;
      case REGISTER.REQUEST:
        state.regs[value & SELECT.CHANNEL]!.dack = value & SELECT.SET ? 1 : 0;
        break;
      case REGISTER.SINGLE_MASK:
        if (value & SELECT.SET) state.mask |= 1 << (value & SELECT.CHANNEL);
        else state.mask &= ~(1 << (value & SELECT.CHANNEL));
        break;
      case REGISTER.MODE:
        state.regs[value & SELECT.CHANNEL]!.mode = value;
        return;
      case REGISTER.CLEAR_FLIP_FLOP:
        state.flipFlop = 0;
        return;
      case REGISTER.MASTER_CLEAR:
        masterClear();
        return;
      case REGISTER.CLEAR_MASK:
        state.mask = 0;
        break;
      case REGISTER.ALL_MASK:
        state.mask = value;
        break;
      default:
        writeChannel(register, value);
        return;
    }
    schedule();
  }

  function command(value: number): void {
    if (value & ~COMMAND.DISABLE) {
      log.unimplemented(`8237 command 0x${value.toString(16)}`);
      return;
    }
    state.command = value;
    schedule();
  }

  function masterClear(): void {
    state.flipFlop = 0;
    state.mask = 0xff;
    state.command = 0;
    for (const channel of state.regs) {
      channel.dack = 0;
      channel.eop = 0;
    }
  }

  /** Base and current register are written together; the second byte starts the block over. */
  function writeChannel(register: number, value: number): void {
    const channel = state.regs[register >> 1]!;
    const half = register & 1;
    const before = channel.base[half]!;
    if (toggle() === 0) {
      channel.base[half] = (before & 0xff00) | value;
      return;
    }
    channel.base[half] = (before & 0x00ff) | (value << 8);
    restart(channel);
  }

  function restart(channel: DmaChannelState): void {
    channel.now[0] = channel.base[0]! << dshift;
    channel.now[1] = 0;
  }

  /** The flip-flop before it changes. */
  function toggle(): number {
    const before = state.flipFlop;
    state.flipFlop = before ^ 1;
    return before;
  }

  // --- transfers -------------------------------------------------------------------------------------------------------------

  function isRequested(channel: number): boolean {
    return requests[channel]! || state.regs[channel]!.dack !== 0;
  }

  function isReady(channel: number): boolean {
    return handlers[channel] !== undefined && isRequested(channel) && !(state.mask & (1 << channel));
  }

  function schedule(): void {
    if (!(state.command & COMMAND.DISABLE) && requests.some((_, channel) => isReady(channel))) timer.arm(clock.now());
  }

  function run(): void {
    if (state.command & COMMAND.DISABLE) return;
    for (let index = 0; index < requests.length; index++) while (isReady(index) && serve(index));
  }

  /** @returns whether the block goes on at once: something was moved, and more is to come. */
  function serve(index: number): boolean {
    const channel = state.regs[index]!;
    const length = (channel.base[1]! + 1) << dshift;
    const before = channel.now[1]!;
    const position = Math.min(handlers[index]!(before, length), length);
    channel.now[1] = position;
    if (position === length) terminate(index, channel);
    return position > before && position < length;
  }

  /** Terminal count. [8237A] "Autoinitialize" */
  function terminate(index: number, channel: DmaChannelState): void {
    channel.eop = 1;
    channel.dack = 0;
    if (channel.mode & MODE.AUTO_INITIALIZE) restart(channel);
    else state.mask |= 1 << index;
  }

  /**
   * Visits the pieces of a channel's block that lie together in memory. Addresses wrap inside the page, as the page registers do not
   * count; a block that goes down has its elements in reverse.
   */
  function access(
    index: number,
    position: number,
    bytes: Uint8Array,
    move: (address: number, bytes: Uint8Array) => MemoryAccess,
  ): MemoryAccess {
    const channel = state.regs[index]!;
    const span = 0x1_0000 << dshift;
    // The address of a word controller's page has 7 bits; the 8th is the counter's carry.
    const page = ((channel.pageHigh & 0x7f) * 0x100 + (dshift ? channel.page & 0xfe : channel.page)) * 0x1_0000;
    const down = isDown(channel);
    const width = 1 << dshift;
    for (let done = 0; done < bytes.length; ) {
      const element = position + done;
      const start = down ? channel.now[0]! - element : channel.now[0]! + element;
      const offset = ((start % span) + span) % span;
      const length = Math.min(bytes.length - done, down ? width : span - offset);
      const result = move(page + offset, bytes.subarray(done, done + length));
      if (!result.done) return result;
      done += length;
    }
    return DONE;
  }

  return {
    sections: [section(dmaVmState(dshift), state)],
    services: {
      registerChannel(channel, handler) {
        if (handlers[channel]) throw new PropertyError('i8257', 'dma', `channel ${channel + 4 * dshift} is taken`);
        handlers[channel] = handler;
      },
      holdRequest(channel) {
        requests[channel] = true;
        schedule();
      },
      releaseRequest(channel) {
        requests[channel] = false;
      },
      transfer: (channel) => TRANSFERS[(state.regs[channel]!.mode >> MODE.TRANSFER_SHIFT) & 3]!,
      autoInitialize: (channel) => (state.regs[channel]!.mode & MODE.AUTO_INITIALIZE) !== 0,
      readMemory: (channel, position, target) =>
        access(channel, position, target, (address, bytes) => memory.read(address, bytes)),
      writeMemory: (channel, position, source) =>
        access(channel, position, source, (address, bytes) => memory.write(address, bytes)),
    } satisfies DmaService,
    reset() {
      Object.assign(state, new DmaState(), { dshift });
      requests.fill(false);
      timer.cancel();
    },
    resume() {
      schedule();
    },
    unrealize() {
      timer.cancel();
      for (const region of regions) region.remove();
    },
  };
}

function isDown(channel: DmaChannelState): boolean {
  return (channel.mode & MODE.DOWN) !== 0;
}
