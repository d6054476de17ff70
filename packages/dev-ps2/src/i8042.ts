import {
  type Device,
  type DeviceContext,
  defineDevice,
  type InputSource,
  type IoHandler,
  type PointerEvent,
  type PropertyTable,
  section,
} from '@pagurus/device-model';
import { I8042State, i8042VmState, PENDING, SOURCE } from './i8042.state.js';
import { Ps2Keyboard } from './keyboard.js';
import { ps2KeyboardVmState } from './keyboard.state.js';
import { Ps2Mouse } from './mouse.js';
import { ps2MouseVmState } from './mouse.state.js';
import { COMMAND, MODE, OUTPUT_PORT, PORT, STATUS } from './spec.js';

export interface I8042Properties {
  extendedState: boolean;
  throttle: boolean;
  keyboardIrq: number;
  mouseIrq: number;
}

const properties: PropertyTable<I8042Properties> = {
  extendedState: {
    name: 'extended-state',
    type: 'bool',
    default: true,
    doc: 'migrate the output buffer and the pending controller byte; off up to pc-i440fx-6.0',
  },
  throttle: { name: 'kbd-throttle', type: 'bool', default: false, doc: 'hold keys back for a millisecond after each byte read' },
  keyboardIrq: { name: 'kbd-irq', type: 'uint8', default: 1, doc: 'ISA interrupt of the keyboard' },
  mouseIrq: { name: 'mouse-irq', type: 'uint8', default: 12, doc: 'ISA interrupt of the mouse' },
};

/** How long `kbd-throttle` holds the next byte back. */
const THROTTLE = 1_000_000n;

/** Service `i8042`: what a paravirtual mouse needs of the PS/2 mouse beside it. */
export interface Ps2PointerService {
  /** Pointer events go to `handler` instead of the PS/2 mouse; undefined gives them back. */
  takePointer(handler: ((event: PointerEvent) => void) | undefined): void;
  /** Raises the mouse's interrupt with a tiny movement, so that the guest's driver looks at the other mouse's queue. */
  poke(): void;
}

/** i8042 controller with its keyboard and mouse. Pins `kbd-irq`, `mouse-irq`, `a20`; backend `input`. */
export const i8042 = defineDevice<I8042Properties>({
  type: 'i8042',
  doc: 'PS/2 keyboard and mouse controller',
  bus: 'isa',
  properties,
  create: (context, props) => new Controller(context, props),
});

class Controller implements Device {
  // Wiring
  private readonly keyboardIrq;
  private readonly mouseIrq;
  private readonly a20;
  private readonly throttleTimer;
  private readonly regions;
  private readonly keyboard = new Ps2Keyboard((level) => this.setPending(PENDING.KBD, level));
  private pointerTaker: ((event: PointerEvent) => void) | undefined;
  readonly services: Ps2PointerService = {
    takePointer: (handler) => {
      this.pointerTaker = handler;
    },
    poke: () => this.mouse.poke(),
  };
  private readonly mouse = new Ps2Mouse((level) => this.setPending(PENDING.AUX, level));

  // State
  private readonly state = new I8042State();
  readonly sections;

  constructor(
    private readonly context: DeviceContext,
    private readonly props: I8042Properties,
  ) {
    this.sections = [
      section(ps2KeyboardVmState, this.keyboard.state),
      section(ps2MouseVmState, this.mouse.state),
      section(i8042VmState(props.extendedState), this.state),
    ];
    this.keyboardIrq = context.line('kbd-irq');
    this.mouseIrq = context.line('mouse-irq');
    this.a20 = context.line('a20');
    this.throttleTimer = context.clock.timer(() => this.throttleExpired());
    const data: IoHandler = { read: () => this.readData(), write: (_, value) => this.writeData(value) };
    const command: IoHandler = { read: () => this.state.status, write: (_, value) => this.writeCommand(value) };
    this.regions = [
      context.ports.add(PORT.DATA, 1, data, { name: 'i8042-data' }),
      context.ports.add(PORT.COMMAND, 1, command, { name: 'i8042-cmd' }),
    ];
    const input = context.backend<InputSource>('input');
    input?.onKey((qcode, down) => this.keyboard.key(qcode, down));
    input?.onPointer((event) => (this.pointerTaker ? this.pointerTaker(event) : this.mouse.pointer(event)));
  }

  // Behaviour

  reset(): void {
    this.throttleTimer.cancel();
    Object.assign(this.state, new I8042State());
    this.keyboard.reset();
    this.mouse.reset();
    this.driveLines();
  }

  /** The throttle's deadline is not migrated: what it held back goes on at once, as in QEMU. */
  resume(): void {
    this.throttleTimer.cancel();
    if (this.state.throttled) this.throttleExpired();
    this.driveLines();
  }

  unrealize(): void {
    this.throttleTimer.cancel();
    for (const region of this.regions) region.remove();
  }

  private writeCommand(value: number): void {
    const { state } = this;
    switch (value) {
      case COMMAND.READ_MODE:
        this.answer(state.mode, PENDING.CTRL_KBD);
        break;
      case COMMAND.WRITE_MODE:
      case COMMAND.WRITE_OUTPUT_PORT:
      case COMMAND.WRITE_OBF:
      case COMMAND.WRITE_AUX_OBF:
      case COMMAND.WRITE_AUX:
        state.writeCmd = value;
        break;
      case COMMAND.AUX_DISABLE:
        state.mode |= MODE.DISABLE_AUX;
        break;
      case COMMAND.AUX_ENABLE:
        state.mode &= ~MODE.DISABLE_AUX;
        this.refill();
        break;
      case COMMAND.AUX_TEST:
      case COMMAND.KBD_TEST:
        this.answer(0x00, PENDING.CTRL_KBD);
        break;
      case COMMAND.SELF_TEST:
        state.status |= STATUS.SELFTEST;
        this.answer(0x55, PENDING.CTRL_KBD);
        break;
      case COMMAND.KBD_DISABLE:
        state.mode |= MODE.DISABLE_KBD;
        break;
      case COMMAND.KBD_ENABLE:
        state.mode &= ~MODE.DISABLE_KBD;
        this.refill();
        break;
      case COMMAND.READ_INPUT_PORT:
        this.answer(0x80, PENDING.CTRL_KBD);
        break;
      case COMMAND.READ_OUTPUT_PORT:
        this.answer(state.outputPort, PENDING.CTRL_KBD);
        break;
      case COMMAND.A20_ON:
        this.setOutputPort(state.outputPort | OUTPUT_PORT.A20);
        break;
      case COMMAND.A20_OFF:
        this.setOutputPort(state.outputPort & ~OUTPUT_PORT.A20);
        break;
      default:
        if (value < COMMAND.PULSE) this.context.log.guestError(`i8042: command 0x${value.toString(16)} does not exist`);
        else if ((value & 1) === 0) this.context.requestReset('i8042 reset line');
    }
  }

  private writeData(value: number): void {
    const { state } = this;
    const command = state.writeCmd;
    state.writeCmd = 0;
    switch (command) {
      case 0:
        this.keyboard.receive(value);
        state.mode &= ~MODE.DISABLE_KBD;
        this.refill();
        break;
      case COMMAND.WRITE_MODE:
        state.mode = value;
        this.keyboard.setTranslation((value & MODE.TRANSLATE) !== 0);
        this.driveIrqs();
        this.refill();
        break;
      case COMMAND.WRITE_OBF:
        this.answer(value, PENDING.CTRL_KBD);
        break;
      case COMMAND.WRITE_AUX_OBF:
        this.answer(value, PENDING.CTRL_AUX);
        break;
      case COMMAND.WRITE_OUTPUT_PORT:
        this.setOutputPort(value);
        if ((value & OUTPUT_PORT.RESET) === 0) this.context.requestReset('i8042 output port');
        break;
      case COMMAND.WRITE_AUX:
        this.mouse.receive(value);
        state.mode &= ~MODE.DISABLE_AUX;
        this.refill();
        break;
    }
  }

  private readData(): number {
    const { state } = this;
    if ((state.status & STATUS.OBF) === 0) return state.outputByte;
    this.emptyOutputBuffer();
    this.driveIrqs();
    if ((state.outputSource & SOURCE.KBD) !== 0) {
      if (this.props.throttle) this.throttle();
      state.outputByte = this.keyboard.read();
    } else if ((state.outputSource & SOURCE.AUX) !== 0) state.outputByte = this.mouse.read();
    else if ((state.outputSource & SOURCE.CONTROLLER) !== 0) state.outputByte = this.takeAnswer();
    return state.outputByte;
  }

  /** The controller's own byte. Machines up to 6.0 put it into the device's queue, so that it waits behind keys. */
  private answer(byte: number, from: number): void {
    const { state } = this;
    if (!this.props.extendedState) {
      if (from === PENDING.CTRL_AUX) this.mouse.inject(byte);
      else this.keyboard.inject(byte);
      return;
    }
    state.controllerByte = byte;
    state.pending = (state.pending & ~(PENDING.CTRL_KBD | PENDING.CTRL_AUX)) | from;
    this.refill();
  }

  private takeAnswer(): number {
    const { state } = this;
    state.pending &= ~(PENDING.CTRL_KBD | PENDING.CTRL_AUX);
    if (this.ready() !== 0) this.fillOutputBuffer();
    return state.controllerByte;
  }

  private setPending(bit: number, level: boolean): void {
    const { state } = this;
    state.pending = level ? state.pending | bit : state.pending & ~bit;
    this.refill();
  }

  /** What may go into the output buffer now; a disabled interface holds its byte back. */
  private ready(): number {
    const { pending, mode } = this.state;
    return this.props.extendedState ? pending & ~(mode & (PENDING.KBD | PENDING.AUX)) : pending;
  }

  /** Fills the output buffer if it is empty and nothing holds the byte back. Reading the buffer comes here again. */
  private refill(): void {
    if ((this.state.status & STATUS.OBF) !== 0 || this.state.throttled) return;
    if (this.ready() !== 0) this.fillOutputBuffer();
  }

  /** The controller's own bytes first, then the keyboard's, then the mouse's. */
  private fillOutputBuffer(): void {
    const { state } = this;
    const ready = this.ready();
    this.emptyOutputBuffer();
    if (ready !== 0) {
      const own = (ready & (PENDING.CTRL_KBD | PENDING.CTRL_AUX)) !== 0;
      const keyboard = own ? (ready & PENDING.CTRL_KBD) !== 0 : (ready & PENDING.KBD) !== 0;
      state.outputSource = own ? SOURCE.CONTROLLER : keyboard ? SOURCE.KBD : SOURCE.AUX;
      state.status |= keyboard ? STATUS.OBF : STATUS.OBF | STATUS.AUX_OBF;
      state.outputPort |= keyboard ? OUTPUT_PORT.OBF : OUTPUT_PORT.OBF | OUTPUT_PORT.AUX_OBF;
    }
    this.driveIrqs();
  }

  private emptyOutputBuffer(): void {
    this.state.status &= ~(STATUS.OBF | STATUS.AUX_OBF);
    this.state.outputPort &= ~(OUTPUT_PORT.OBF | OUTPUT_PORT.AUX_OBF);
  }

  private throttle(): void {
    this.state.throttled = true;
    this.throttleTimer.arm(this.context.clock.now() + THROTTLE);
  }

  private throttleExpired(): void {
    this.state.throttled = false;
    if (this.ready() !== 0) this.fillOutputBuffer();
  }

  private setOutputPort(value: number): void {
    this.state.outputPort = value;
    this.a20.set((value & OUTPUT_PORT.A20) !== 0);
  }

  private driveIrqs(): void {
    const { status, mode } = this.state;
    const full = (status & STATUS.OBF) !== 0;
    const aux = (status & STATUS.AUX_OBF) !== 0;
    this.keyboardIrq.set(full && !aux && (mode & MODE.KBD_INT) !== 0 && (mode & MODE.DISABLE_KBD) === 0);
    this.mouseIrq.set(full && aux && (mode & MODE.AUX_INT) !== 0);
  }

  private driveLines(): void {
    this.driveIrqs();
    this.a20.set((this.state.outputPort & OUTPUT_PORT.A20) !== 0);
  }
}
