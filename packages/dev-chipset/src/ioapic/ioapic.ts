import { type Device, type DeviceContext, defineDevice, type InputPin, PropertyError, section } from '@pagurus/device-model';
import type { ApicBus } from '../apic/bus.js';
import { DELIVERY } from '../apic/spec.js';
import type { PicService } from '../i8259/i8259.js';
import { IoApicState, ioapicVmState } from './ioapic.state.js';
import {
  BASE,
  ID,
  ISA_TIMER,
  LAST_PIN_SHIFT,
  LENGTH,
  OFFSET,
  PINS,
  READ_ONLY,
  REDIRECTION,
  REGISTER,
  VERSION_WITH_EOI,
} from './spec.js';

export interface IoApicProperties {
  version: number;
}

/** Global system interrupts `irq0` to `irq23`; `irq0` comes in on pin 2. */
export const ioapic = defineDevice<IoApicProperties>({
  type: 'ioapic',
  doc: 'I/O APIC with 24 pins',
  bus: 'system',
  parents: ['ioapic-common'],
  properties: {
    version: { name: 'version', type: 'uint8', default: VERSION_WITH_EOI, doc: 'version register; 0x11 up to pc-i440fx-2.7' },
  },
  create,
});

function create(context: DeviceContext, { version }: IoApicProperties): Device {
  if (version !== 0x11 && version !== VERSION_WITH_EOI) {
    throw new PropertyError('ioapic', 'version', `0x${version.toString(16)} is not 0x11 or 0x20`);
  }

  // wiring
  const bus = context.backend<ApicBus>('apic-bus');
  if (!bus) throw new PropertyError('ioapic', 'apic-bus', 'the machine has to make an ApicBus');
  const pic = context.backend<PicService>('pic');
  bus.listen({ endOfInterrupt });
  const region = context.mmio.add(BASE, LENGTH, { read, write, sizes: [1, 2, 4] }, { name: 'ioapic' });

  // state
  const state = new IoApicState();

  // behaviour
  function input(pin: number, level: boolean): void {
    const bit = 1 << pin;
    const entry = low(pin);
    if (entry & REDIRECTION.LEVEL) {
      state.irr = level ? state.irr | bit : state.irr & ~bit;
      if (level && !(entry & REDIRECTION.REMOTE_IRR)) serve();
    } else if (level && !(entry & REDIRECTION.MASKED)) {
      // [82093AA] §3.2.4: an edge on a masked pin is lost.
      state.irr |= bit;
      serve();
    }
  }

  /** Sends what is requested and may be sent. */
  function serve(): void {
    for (let pin = 0; pin < PINS; pin++) {
      const bit = 1 << pin;
      const entry = low(pin);
      if (!(state.irr & bit) || entry & REDIRECTION.MASKED) continue;
      if (!(entry & REDIRECTION.LEVEL)) state.irr &= ~bit;
      else if (entry & REDIRECTION.REMOTE_IRR) continue;
      else setLow(pin, entry | REDIRECTION.REMOTE_IRR);
      send(pin, entry);
    }
    state.irr >>>= 0;
  }

  function send(pin: number, entry: number): void {
    const mode = (entry >>> REDIRECTION.MODE_SHIFT) & REDIRECTION.MODE;
    const external = mode === DELIVERY.EXTERNAL;
    bus!.deliver({
      destination: high(pin) >>> 24,
      logical: (entry & REDIRECTION.LOGICAL) !== 0,
      mode: external ? DELIVERY.FIXED : mode,
      vector: external && pic ? pic.acknowledge() : entry & REDIRECTION.VECTOR,
      level: (entry & REDIRECTION.LEVEL) !== 0,
    });
  }

  /** A processor has served `vector`: level-triggered pins that sent it may send again. */
  function endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < PINS; pin++) {
      const entry = low(pin);
      if ((entry & REDIRECTION.VECTOR) === vector && entry & REDIRECTION.REMOTE_IRR) setLow(pin, entry & ~REDIRECTION.REMOTE_IRR);
    }
    serve();
  }

  function read(offset: number, size: number): number {
    if (offset === OFFSET.SELECT) return state.ioregsel;
    return offset === OFFSET.WINDOW && size === 4 ? readWindow() : 0;
  }

  function readWindow(): number {
    switch (state.ioregsel) {
      case REGISTER.ID:
      case REGISTER.ARBITRATION:
        return state.id << ID.SHIFT;
      case REGISTER.VERSION:
        return version | ((PINS - 1) << LAST_PIN_SHIFT);
      default: {
        const index = state.ioregsel - REGISTER.REDIRECTION;
        if (index < 0 || index >= 2 * PINS) return 0;
        return index & 1 ? high(index >> 1) : low(index >> 1);
      }
    }
  }

  function write(offset: number, value: number, size: number): void {
    switch (offset) {
      case OFFSET.SELECT:
        state.ioregsel = value & 0xff;
        return;
      case OFFSET.WINDOW:
        if (size === 4) writeWindow(value);
        return;
      case OFFSET.END_OF_INTERRUPT:
        if (size === 4 && version === VERSION_WITH_EOI) endOfInterrupt(value & 0xff);
    }
  }

  function writeWindow(value: number): void {
    if (state.ioregsel === REGISTER.ID) {
      state.id = (value >>> ID.SHIFT) & ID.MASK;
      return;
    }
    const index = state.ioregsel - REGISTER.REDIRECTION;
    if (index < 0 || index >= 2 * PINS) return;
    const pin = index >> 1;
    if (index & 1) setHigh(pin, value);
    else {
      let entry = (value & ~READ_ONLY) | (low(pin) & READ_ONLY);
      if (!(entry & REDIRECTION.LEVEL)) entry &= ~REDIRECTION.REMOTE_IRR;
      setLow(pin, entry);
    }
    serve();
  }

  function low(pin: number): number {
    return Number(state.ioredtbl[pin]! & 0xffff_ffffn);
  }

  function high(pin: number): number {
    return Number(state.ioredtbl[pin]! >> 32n);
  }

  function setLow(pin: number, half: number): void {
    state.ioredtbl[pin] = (state.ioredtbl[pin]! & 0xffff_ffff_0000_0000n) | BigInt(half >>> 0);
  }

  function setHigh(pin: number, half: number): void {
    state.ioredtbl[pin] = (state.ioredtbl[pin]! & 0xffff_ffffn) | (BigInt(half >>> 0) << 32n);
  }

  return {
    sections: [section(ioapicVmState, state)],
    inputs: inputs(input),
    reset() {
      Object.assign(state, new IoApicState());
    },
    unrealize() {
      region.remove();
    },
  };
}

function inputs(input: (pin: number, level: boolean) => void): { [name: string]: InputPin } {
  const pins: { [name: string]: InputPin } = {};
  for (let irq = 0; irq < PINS; irq++) {
    const pin = irq === ISA_TIMER.IRQ ? ISA_TIMER.PIN : irq;
    pins[`irq${irq}`] = (level) => input(pin, level);
  }
  return pins;
}
