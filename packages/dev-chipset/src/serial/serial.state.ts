import { fieldsOf, StateError, vmstate } from '@pagurus/vmstate';
import { FIFO_LENGTH, IER, IIR, LSR, MCR, MSR, RESET_DIVISOR } from './spec.js';

/** QEMU's byte ring. Indices are kept raw because they are sent raw. */
export class Fifo8 {
  data = new Uint8Array(FIFO_LENGTH);
  /** Not sent; QEMU's FIFO does not know its length when it is described. */
  readonly capacity: number = FIFO_LENGTH;
  head = 0;
  num = 0;
}

/** No answer of the host about modem lines: it is not polled. */
const NOT_POLLED = -1;
/** `thr_ipending` of a stream that did not send it. */
const UNKNOWN = -1;
const MOST_RETRIES = 4;

export class SerialState {
  divider = RESET_DIVISOR;
  rbr = 0;
  ier = 0;
  iir: number = IIR.NONE;
  lcr = 0;
  mcr: number = MCR.OUT2;
  lsr: number = LSR.TEMT | LSR.THRE;
  msr: number = MSR.DCD | MSR.DSR | MSR.CTS;
  scr = 0;
  fcr = 0;
  /** The transmitter holding register became empty and nobody has been told. */
  thrInterruptPending = 0;
  /** Attempts to hand {@link tsr} to a host that was not ready. */
  tsrRetry = 0;
  thr = 0;
  tsr = 0;
  receiveFifo = new Fifo8();
  transmitFifo = new Fifo8();
  fifoTimeoutTimer = -1n;
  timeoutInterruptPending = 0;
  pollMsl = NOT_POLLED;
  modemStatusPoll = -1n;
}

/** What `isa-serial` wraps around the UART. */
export class IsaSerialState {
  state = new SerialState();
}

const q = fieldsOf<Fifo8>();
const f = fieldsOf<SerialState>();

const fifo8 = vmstate<Fifo8>({
  name: 'Fifo8',
  version: 1,
  fields: [q.sizedBytes('data', 'data', { size: 'capacity', max: FIFO_LENGTH }, { since: 1 }), q.u32('head'), q.u32('num')],
  derived: ['capacity'],
  postLoad(fifo) {
    if (fifo.head >= FIFO_LENGTH || fifo.num > FIFO_LENGTH)
      throw new StateError(
        'out-of-range',
        'Fifo8',
        -1,
        'index outside the FIFO',
        `head < 16, num <= 16`,
        `head ${fifo.head}, num ${fifo.num}`,
      );
  },
});

const uart = vmstate<SerialState>({
  name: 'serial',
  version: 3,
  minVersion: 2,
  fields: [
    f.u16('divider', 'divider', { since: 2 }),
    f.u8('rbr'),
    f.u8('ier'),
    f.u8('iir'),
    f.u8('lcr'),
    f.u8('mcr'),
    f.u8('lsr'),
    f.u8('msr'),
    f.u8('scr'),
    f.u8('fcr', 'fcr_vmstate', { since: 3 }),
  ],
  subsections: [
    vmstate<SerialState>({
      name: 'serial/thr_ipending',
      version: 1,
      needed: (state) => (state.ier & IER.THRI) !== 0 && state.thrInterruptPending !== Number((state.iir & IIR.ID) === IIR.THRI),
      fields: [f.i32('thrInterruptPending', 'thr_ipending')],
    }),
    vmstate<SerialState>({
      name: 'serial/tsr',
      version: 1,
      needed: (state) => state.tsrRetry !== 0,
      fields: [f.u32('tsrRetry', 'tsr_retry'), f.u8('thr'), f.u8('tsr')],
    }),
    vmstate<SerialState>({
      name: 'serial/recv_fifo',
      version: 1,
      needed: (state) => state.receiveFifo.num > 0,
      fields: [f.struct('receiveFifo', 'recv_fifo', fifo8, { since: 1 })],
    }),
    vmstate<SerialState>({
      name: 'serial/xmit_fifo',
      version: 1,
      needed: (state) => state.transmitFifo.num > 0,
      fields: [f.struct('transmitFifo', 'xmit_fifo', fifo8, { since: 1 })],
    }),
    vmstate<SerialState>({
      name: 'serial/fifo_timeout_timer',
      version: 1,
      needed: (state) => state.fifoTimeoutTimer !== -1n,
      fields: [f.timer('fifoTimeoutTimer', 'fifo_timeout_timer')],
    }),
    vmstate<SerialState>({
      name: 'serial/timeout_ipending',
      version: 1,
      needed: (state) => state.timeoutInterruptPending !== 0,
      fields: [f.i32('timeoutInterruptPending', 'timeout_ipending')],
    }),
    vmstate<SerialState>({
      name: 'serial/poll',
      version: 1,
      needed: (state) => state.pollMsl >= 0,
      fields: [f.i32('pollMsl', 'poll_msl'), f.timer('modemStatusPoll', 'modem_status_poll')],
    }),
  ],
  preLoad(state) {
    Object.assign(state, {
      thrInterruptPending: UNKNOWN,
      tsrRetry: 0,
      receiveFifo: new Fifo8(),
      transmitFifo: new Fifo8(),
      fifoTimeoutTimer: -1n,
      timeoutInterruptPending: 0,
      pollMsl: NOT_POLLED,
      modemStatusPoll: -1n,
    });
  },
  postLoad(state, version) {
    if (version < 3) state.fcr = 0;
    if (state.tsrRetry > MOST_RETRIES)
      throw new StateError(
        'out-of-range',
        'serial.tsr_retry',
        -1,
        'too many retries',
        `at most ${MOST_RETRIES}`,
        `${state.tsrRetry}`,
      );
    const empty = (state.lsr & LSR.TEMT) !== 0;
    if (empty !== (state.tsrRetry === 0))
      throw new StateError(
        'invalid',
        'serial.lsr',
        -1,
        `the shift register is ${empty ? 'empty' : 'full'} but tsr_retry is ${state.tsrRetry}`,
      );
    if (state.thrInterruptPending === UNKNOWN) state.thrInterruptPending = Number((state.iir & IIR.ID) === IIR.THRI);
  },
});

const w = fieldsOf<IsaSerialState>();

/** Section `serial`, version 3 (2 is accepted). */
export const serialVmState = vmstate<IsaSerialState>({
  name: 'serial',
  version: 3,
  minVersion: 2,
  fields: [w.struct('state', 'state', uart)],
});
