import {
  type CharacterBackend,
  type Device,
  type DeviceContext,
  defineDevice,
  type FlowControlledBackend,
  NANOSECONDS_PER_SECOND,
  PropertyError,
  section,
} from '@pagurus/device-model';
import { type Fifo8, IsaSerialState, SerialState, serialVmState } from './serial.state.js';
import {
  BASE_BAUD,
  COM_PORTS,
  FCR,
  FIFO_LENGTH,
  IER,
  IIR,
  LCR,
  LSR,
  MCR,
  MSR,
  REGISTER,
  TIMEOUT_CHARACTERS,
  TRIGGER_LEVEL,
} from './spec.js';

export interface SerialProperties {
  index: number;
  iobase: number;
  irq: number;
  chardev: string;
  baudbase: number;
  wakeup: boolean;
}

/** A property that the place of COM1 to COM4 fills in. */
const BY_INDEX = 0xffff_ffff;

/**
 * A 16550A at an ISA address. Output pin `irqN`, N being its request; backend `chardev`.
 * Transmission takes no time, as in QEMU: the shift register is empty again at once. OUT2 does not gate the interrupt, as in QEMU.
 */
export const isaSerial = defineDevice<SerialProperties>({
  type: 'isa-serial',
  doc: '16550A serial port',
  bus: 'isa',
  properties: {
    index: { name: 'index', type: 'uint32', default: BY_INDEX, doc: '0 to 3: the place of COM1 to COM4' },
    iobase: { name: 'iobase', type: 'uint32', default: BY_INDEX, doc: 'first I/O port' },
    irq: { name: 'irq', type: 'uint32', default: BY_INDEX, doc: 'interrupt request' },
    chardev: { name: 'chardev', type: 'str', default: '', doc: 'character device at the other end' },
    baudbase: { name: 'baudbase', type: 'uint32', default: BASE_BAUD, doc: 'bits per second at divisor 1' },
    wakeup: { name: 'wakeup', type: 'bool', default: false, doc: 'wake a suspended guest; there is no suspend' },
  },
  create: (context, properties) => create(context, place(properties), properties.baudbase),
});

function place({ index, iobase, irq }: SerialProperties): { iobase: number; irq: number } {
  const standard = COM_PORTS[index];
  if (index !== BY_INDEX && !standard)
    throw new PropertyError('isa-serial', 'index', `${index} is not 0 to ${COM_PORTS.length - 1}`);
  const result = { iobase: iobase === BY_INDEX ? standard?.iobase : iobase, irq: irq === BY_INDEX ? standard?.irq : irq };
  if (result.iobase === undefined || result.irq === undefined)
    throw new PropertyError('isa-serial', 'index', 'give index=0 to 3, or iobase= and irq=');
  if (result.irq > 15) throw new PropertyError('isa-serial', 'irq', `${result.irq} is not an ISA interrupt request (0 to 15)`);
  return { iobase: result.iobase, irq: result.irq };
}

function create(context: DeviceContext, { iobase, irq }: { iobase: number; irq: number }, baudBase: number): Device {
  if (baudBase === 0) throw new PropertyError('isa-serial', 'baudbase', '0 bits per second');
  // wiring
  const interrupt = context.line(`irq${irq}`);
  const host = context.backend<CharacterBackend & Partial<FlowControlledBackend>>('chardev');
  const region = context.ports.add(iobase, 8, { read, write }, { name: 'serial' });
  const timeout = context.clock.timer(() => {
    uart.fifoTimeoutTimer = -1n;
    if (uart.receiveFifo.num === 0) return;
    uart.timeoutInterruptPending = 1;
    updateInterrupt();
  });
  /** A byte that a host on the other side of a load was not ready to take goes out at the first opportunity here. */
  const retry = context.clock.timer(transmitAgain);
  host?.connect({ canReceive, receive });

  // state
  const state = new IsaSerialState();
  let uart = state.state;

  // behaviour
  const fifosOn = (): boolean => (uart.fcr & FCR.ENABLE) !== 0;
  const triggerLevel = (): number => TRIGGER_LEVEL[uart.fcr >> 6]!;

  function read(offset: number): number {
    const divisorAccess = (uart.lcr & LCR.DLAB) !== 0;
    switch (offset) {
      case REGISTER.DATA:
        return divisorAccess ? uart.divider & 0xff : readData();
      case REGISTER.IER:
        return divisorAccess ? uart.divider >> 8 : uart.ier;
      case REGISTER.IIR_FCR: {
        const value = uart.iir;
        if ((value & IIR.ID) === IIR.THRI) {
          uart.thrInterruptPending = 0;
          updateInterrupt();
        }
        return value;
      }
      case REGISTER.LCR:
        return uart.lcr;
      case REGISTER.MCR:
        return uart.mcr;
      case REGISTER.LSR: {
        const value = uart.lsr;
        if ((value & (LSR.BI | LSR.OE)) !== 0) {
          uart.lsr &= ~(LSR.BI | LSR.OE);
          updateInterrupt();
        }
        return value;
      }
      case REGISTER.MSR:
        return readModemStatus();
      default:
        return uart.scr;
    }
  }

  function write(offset: number, value: number): void {
    const divisorAccess = (uart.lcr & LCR.DLAB) !== 0;
    switch (offset) {
      case REGISTER.DATA:
        if (divisorAccess) uart.divider = (uart.divider & 0xff00) | value;
        else writeData(value);
        return;
      case REGISTER.IER:
        if (divisorAccess) uart.divider = (uart.divider & 0xff) | (value << 8);
        else writeInterruptEnable(value & IER.ALL);
        return;
      case REGISTER.IIR_FCR:
        writeFifoControl(value);
        return;
      case REGISTER.LCR:
        uart.lcr = value;
        return;
      case REGISTER.MCR:
        uart.mcr = value & MCR.ALL;
        return;
      case REGISTER.SCR:
        uart.scr = value;
        return;
    }
  }

  function readData(): number {
    let value = uart.rbr;
    if (fifosOn()) {
      value = uart.receiveFifo.num > 0 ? pop(uart.receiveFifo) : 0;
      if (uart.receiveFifo.num === 0) uart.lsr &= ~(LSR.DR | LSR.BI);
      else armTimeout();
      uart.timeoutInterruptPending = 0;
    } else uart.lsr &= ~(LSR.DR | LSR.BI);
    updateInterrupt();
    if ((uart.mcr & MCR.LOOP) === 0) host?.ready?.();
    return value;
  }

  function writeData(value: number): void {
    transmitAgain();
    uart.thr = value;
    if (fifosOn()) {
      if (uart.transmitFifo.num === FIFO_LENGTH) pop(uart.transmitFifo);
      push(uart.transmitFifo, value);
    }
    uart.lsr &= ~(LSR.THRE | LSR.TEMT);
    uart.thrInterruptPending = 0;
    updateInterrupt();
    transmit();
  }

  /** Empties the transmitter: all that waits goes out at once. */
  function transmit(): void {
    do {
      if (fifosOn() && uart.transmitFifo.num > 0) {
        uart.tsr = pop(uart.transmitFifo);
        if (uart.transmitFifo.num === 0) uart.lsr |= LSR.THRE;
      } else {
        uart.tsr = uart.thr;
        uart.lsr |= LSR.THRE;
      }
      if ((uart.lsr & LSR.THRE) !== 0 && uart.thrInterruptPending === 0) {
        uart.thrInterruptPending = 1;
        updateInterrupt();
      }
      shiftOut();
    } while ((uart.lsr & LSR.THRE) === 0);
    uart.lsr |= LSR.TEMT;
    uart.tsrRetry = 0;
  }

  function shiftOut(): void {
    if ((uart.mcr & MCR.LOOP) !== 0) accept(uart.tsr);
    else host?.write(Uint8Array.of(uart.tsr));
  }

  function transmitAgain(): void {
    if (uart.tsrRetry === 0) return;
    shiftOut();
    uart.tsrRetry = 0;
    if ((uart.lsr & LSR.THRE) === 0) transmit();
    else uart.lsr |= LSR.TEMT;
  }

  function writeInterruptEnable(value: number): void {
    const changed = uart.ier ^ value;
    uart.ier = value;
    if ((changed & IER.THRI) !== 0) uart.thrInterruptPending = Number((value & IER.THRI) !== 0 && (uart.lsr & LSR.THRE) !== 0);
    if (changed !== 0) updateInterrupt();
  }

  function writeFifoControl(value: number): void {
    const switched = ((uart.fcr ^ value) & FCR.ENABLE) !== 0;
    if (switched || (value & FCR.CLEAR_RECEIVER) !== 0) {
      uart.lsr &= ~(LSR.DR | LSR.BI);
      disarmTimeout();
      uart.timeoutInterruptPending = 0;
      clear(uart.receiveFifo);
    }
    if (switched || (value & FCR.CLEAR_TRANSMITTER) !== 0) {
      uart.lsr |= LSR.THRE;
      uart.thrInterruptPending = 1;
      clear(uart.transmitFifo);
    }
    uart.fcr = value & FCR.KEPT;
    uart.iir = fifosOn() ? uart.iir | IIR.FIFOS : uart.iir & ~IIR.FIFOS;
    updateInterrupt();
    host?.ready?.();
  }

  /** In loopback the modem outputs appear as inputs. [16550] §8.8 */
  function readModemStatus(): number {
    if ((uart.mcr & MCR.LOOP) !== 0)
      return ((uart.mcr & (MCR.OUT1 | MCR.OUT2)) << 4) | ((uart.mcr & MCR.RTS) << 3) | ((uart.mcr & MCR.DTR) << 5);
    const value = uart.msr;
    if ((value & MSR.DELTAS) !== 0) {
      uart.msr &= ~MSR.DELTAS;
      updateInterrupt();
    }
    return value;
  }

  function updateInterrupt(): void {
    const source = interruptSource();
    uart.iir = source | (uart.iir & ~IIR.ID);
    interrupt.set(source !== IIR.NONE);
  }

  /** By priority. [16550] §8.6, table IV */
  function interruptSource(): number {
    const { ier, lsr } = uart;
    if ((ier & IER.RLSI) !== 0 && (lsr & LSR.ERRORS) !== 0) return IIR.RLSI;
    if ((ier & IER.RDI) !== 0 && uart.timeoutInterruptPending !== 0) return IIR.CTI;
    if ((ier & IER.RDI) !== 0 && (lsr & LSR.DR) !== 0 && (!fifosOn() || uart.receiveFifo.num >= triggerLevel())) return IIR.RDI;
    if ((ier & IER.THRI) !== 0 && uart.thrInterruptPending !== 0) return IIR.THRI;
    if ((ier & IER.MSI) !== 0 && (uart.msr & MSR.DELTAS) !== 0) return IIR.MSI;
    return IIR.NONE;
  }

  function canReceive(): number {
    if ((uart.mcr & MCR.LOOP) !== 0) return 0;
    if (!fifosOn()) return (uart.lsr & LSR.DR) === 0 ? 1 : 0;
    const { num } = uart.receiveFifo;
    if (num === FIFO_LENGTH) return 0;
    // No more than up to the trigger level at once, so that the guest is interrupted before an overrun.
    return num < triggerLevel() ? triggerLevel() - num : 1;
  }

  function receive(bytes: Uint8Array): void {
    for (const byte of bytes) accept(byte);
  }

  function accept(byte: number): void {
    if (fifosOn()) {
      if (uart.receiveFifo.num < FIFO_LENGTH) push(uart.receiveFifo, byte);
      else uart.lsr |= LSR.OE;
      uart.lsr |= LSR.DR;
      armTimeout();
    } else {
      if ((uart.lsr & LSR.DR) !== 0) uart.lsr |= LSR.OE;
      uart.rbr = byte;
      uart.lsr |= LSR.DR;
    }
    updateInterrupt();
  }

  function armTimeout(): void {
    uart.fifoTimeoutTimer = context.clock.now() + TIMEOUT_CHARACTERS * characterTime();
    timeout.arm(uart.fifoTimeoutTimer);
  }

  function disarmTimeout(): void {
    uart.fifoTimeoutTimer = -1n;
    timeout.cancel();
  }

  /** Nanoseconds for start bit, data, parity and stop bits at the programmed speed. */
  function characterTime(): bigint {
    const bits =
      1 + 5 + (uart.lcr & LCR.WORD_LENGTH) + ((uart.lcr & LCR.PARITY) !== 0 ? 1 : 0) + ((uart.lcr & LCR.STOP_BITS) !== 0 ? 2 : 1);
    return (NANOSECONDS_PER_SECOND * BigInt(bits) * BigInt(Math.max(1, uart.divider))) / BigInt(baudBase);
  }

  return {
    sections: [section(serialVmState, state, { alias: iobase })],
    reset() {
      state.state = new SerialState();
      uart = state.state;
      timeout.cancel();
      retry.cancel();
      interrupt.set(false);
      host?.ready?.();
    },
    resume() {
      uart = state.state;
      if (uart.tsrRetry !== 0) retry.arm(context.clock.now());
      if (uart.fifoTimeoutTimer === -1n) timeout.cancel();
      else timeout.arm(uart.fifoTimeoutTimer);
      interrupt.set((uart.iir & IIR.ID) !== IIR.NONE);
      host?.ready?.();
    },
    unrealize() {
      region.remove();
      timeout.cancel();
      retry.cancel();
    },
  };
}

function push(fifo: Fifo8, byte: number): void {
  fifo.data[(fifo.head + fifo.num) % FIFO_LENGTH] = byte;
  fifo.num++;
}

function pop(fifo: Fifo8): number {
  const byte = fifo.data[fifo.head]!;
  // An empty FIFO is not sent, so nothing may linger in it that a later section would show.
  fifo.data[fifo.head] = 0;
  fifo.head = (fifo.head + 1) % FIFO_LENGTH;
  fifo.num--;
  return byte;
}

function clear(fifo: Fifo8): void {
  fifo.data.fill(0);
  fifo.head = 0;
  fifo.num = 0;
}
