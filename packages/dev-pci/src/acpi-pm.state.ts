import { NEVER } from '@pagurus/device-model';
import { fieldsOf, vmstate } from '@pagurus/vmstate';

/** General-purpose events: two bytes of status, two of enables. */
export class GpeState {
  status = 0;
  enable = 0;
}

const g = fieldsOf<GpeState>();

export const gpeVmState = vmstate<GpeState>({ name: 'gpe', version: 1, fields: [g.u16('status', 'sts'), g.u16('enable', 'en')] });

/** ACPI's fixed hardware. */
export interface AcpiPmState {
  pm1Status: number;
  pm1Enable: number;
  pm1Control: number;
  /** When the timer's top bit changes next and somebody wants to know; virtual nanoseconds or {@link NEVER}. */
  timer: bigint;
  /** The same moment in ticks of the power management timer; passed means that the status bit is due. */
  overflowTime: bigint;
  readonly gpe: GpeState;
}

/** As after power-on. */
export function resetAcpiPm(state: AcpiPmState): void {
  state.pm1Status = 0;
  state.pm1Enable = 0;
  state.pm1Control = 0;
  state.timer = NEVER;
  state.overflowTime = 0n;
  state.gpe.status = 0;
  state.gpe.enable = 0;
}
