import {
  type DeviceContext,
  type IoHandler,
  type IrqLine,
  mulDiv,
  NANOSECONDS_PER_SECOND,
  NEVER,
  type Timer,
} from '@pagurus/device-model';
import { type AcpiPmState, resetAcpiPm } from './acpi-pm.state.js';
import { PM_TIMER, PM1, PM1_CONTROL, PM1_EVENTS, SLEEP_TYPE } from './piix4.spec.js';

export interface AcpiPmOptions {
  /** Sleep type that means suspend to disk. */
  readonly hibernate: number;
}

/** PM1 event and control registers, the power management timer and general-purpose events: what raises the SCI. [ACPI] 4.7 */
export class AcpiPm {
  private readonly timer: Timer;

  constructor(
    private readonly context: DeviceContext,
    private readonly state: AcpiPmState,
    private readonly sci: IrqLine,
    private readonly options: AcpiPmOptions,
  ) {
    this.timer = context.clock.timer(() => this.update());
  }

  /** Status at 0, enables at 2. Narrow writes replace the whole register and odd offsets are nobody's, as on QEMU. */
  readonly events: IoHandler = {
    sizes: [1, 2],
    read: (offset) => (offset === 0 ? this.currentStatus() : offset === 2 ? this.state.pm1Enable : 0),
    write: (offset, value) => {
      if (offset === 0) this.clearStatus(value);
      else if (offset === 2) this.state.pm1Enable = value;
      else return;
      this.update();
    },
  };

  /** One register at every offset, as on QEMU. */
  readonly control: IoHandler = {
    sizes: [1, 2],
    read: () => this.state.pm1Control,
    write: (_, value) => this.writeControl(value),
  };

  readonly counter: IoHandler = { sizes: [4], read: () => Number(this.ticks() & PM_TIMER.MASK), write() {} };

  /** Two status bytes (ones clear) and two enable bytes. */
  readonly generalEvents: IoHandler = {
    read: (offset) => this.generalRegister(offset) >> (8 * (offset & 1)),
    write: (offset, value) => {
      const { gpe } = this.state;
      const shift = 8 * (offset & 1);
      if (offset < 2) gpe.status &= ~(value << shift);
      else gpe.enable = (gpe.enable & ~(0xff << shift)) | (value << shift);
      this.update();
    },
  };

  /** Something happened that general-purpose event `bits` tell of. */
  raiseGeneral(bits: number): void {
    this.state.gpe.status |= bits;
    this.update();
  }

  /** Somebody pressed the button; without the guest's enable it is not noticed, as on QEMU. */
  pressPowerButton(): void {
    if ((this.state.pm1Enable & PM1.POWER_BUTTON) === 0) return;
    this.state.pm1Status |= PM1.POWER_BUTTON;
    this.update();
  }

  /** The firmware hands the machine over to ACPI, or takes it back. */
  setSciEnable(on: boolean): void {
    const { state } = this;
    state.pm1Control = on ? state.pm1Control | PM1_CONTROL.SCI_ENABLE : state.pm1Control & ~PM1_CONTROL.SCI_ENABLE;
  }

  reset(): void {
    resetAcpiPm(this.state);
    this.update();
  }

  /** After a load: the timer and the line, without looking at the clock. */
  resume(): void {
    if (this.state.timer === NEVER) this.timer.cancel();
    else this.timer.arm(this.state.timer);
    this.sci.set(this.level());
  }

  unrealize(): void {
    this.timer.cancel();
  }

  private generalRegister(offset: number): number {
    return offset < 2 ? this.state.gpe.status : this.state.gpe.enable;
  }

  private ticks(): bigint {
    return mulDiv(this.context.clock.now(), PM_TIMER.HERTZ, NANOSECONDS_PER_SECOND);
  }

  /** The timer's status bit appears when it is looked at. */
  private currentStatus(): number {
    if (this.ticks() >= this.state.overflowTime) this.state.pm1Status |= PM1.TIMER;
    return this.state.pm1Status;
  }

  private clearStatus(bits: number): void {
    const status = this.currentStatus();
    if ((status & bits & PM1.TIMER) !== 0) this.state.overflowTime = (this.ticks() + PM_TIMER.HALF) & ~(PM_TIMER.HALF - 1n);
    this.state.pm1Status = status & ~bits;
  }

  private writeControl(value: number): void {
    this.state.pm1Control = value & ~PM1_CONTROL.SLEEP_ENABLE;
    if ((value & PM1_CONTROL.SLEEP_ENABLE) === 0) return;
    const type = (value >> PM1_CONTROL.SLEEP_TYPE_SHIFT) & PM1_CONTROL.SLEEP_TYPE_MASK;
    if (type === SLEEP_TYPE.SOFT_OFF) this.context.requestShutdown('guest-shutdown');
    else if (type === this.options.hibernate) this.context.requestShutdown('guest-suspend-disk');
    else if (type === SLEEP_TYPE.SUSPEND) this.context.log.unimplemented('suspend to RAM (S3)');
    else this.context.log.guestError(`sleep type ${type}`);
  }

  private level(): boolean {
    const { pm1Status, pm1Enable, gpe } = this.state;
    // Only the first byte of general-purpose events is wired, as on QEMU.
    return (pm1Status & pm1Enable & PM1_EVENTS) !== 0 || (gpe.status & gpe.enable & 0xff) !== 0;
  }

  /** Line and timer follow the registers. */
  private update(): void {
    const status = this.currentStatus();
    this.sci.set(this.level());
    const wanted = (this.state.pm1Enable & PM1.TIMER) !== 0 && (status & PM1.TIMER) === 0;
    this.state.timer = wanted ? deadline(this.state.overflowTime) : NEVER;
    if (wanted) this.timer.arm(this.state.timer);
    else this.timer.cancel();
  }
}

/** First nanosecond at which the timer has reached `ticks`. */
function deadline(ticks: bigint): bigint {
  return (ticks * NANOSECONDS_PER_SECOND + PM_TIMER.HERTZ - 1n) / PM_TIMER.HERTZ;
}
