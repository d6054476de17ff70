import { fieldsOf, vmstate } from '@pagurus/vmstate';

/** What a channel remembers. */
export class IdeBusState {
  /** Device control register, with HOB. */
  cmd = 0;
  /** Selected drive. */
  unit = 0;
  /** A request that has to be tried again, bits of `RETRY`. */
  errorStatus = 0;
  retrySector = 0n;
  retryCount = 0;
  retryUnit = 0;
  /** Level of the interrupt request. */
  interrupt = false;
}

const f = fieldsOf<IdeBusState>();

const error = vmstate<IdeBusState>({
  name: 'ide_bus/error',
  version: 2,
  minVersion: 1,
  needed: (state) => state.errorStatus !== 0,
  fields: [
    f.i32('errorStatus', 'error_status'),
    f.i64('retrySector', 'retry_sector_num', { since: 2 }),
    f.u32('retryCount', 'retry_nsector', { since: 2 }),
    f.u8('retryUnit', 'retry_unit', { since: 2 }),
  ],
});

export const ideBusVmState = vmstate<IdeBusState>({
  name: 'ide_bus',
  version: 1,
  fields: [f.u8('cmd'), f.u8('unit')],
  subsections: [error],
  derived: ['interrupt'],
  preLoad(state) {
    state.errorStatus = 0;
    state.interrupt = false;
  },
  postLoad(state) {
    state.unit &= 1;
    if (state.retryCount > 0x1_0000) state.retryCount = 0x1_0000;
  },
});
