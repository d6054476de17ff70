import { fieldsOf, vmstate } from '@pagurus/vmstate';

/** What port 0x61 remembers beside the timer's gate. */
export class SpeakerState {
  dataOn = 0;
  /** The refresh bit as it was read last: 0 or 0x10. */
  refreshClock = 0;
}

const f = fieldsOf<SpeakerState>();

/** Section `pcspk`; machines up to 2.7 do not send it. */
export const speakerVmState = (migrate: boolean) =>
  vmstate<SpeakerState>({
    name: 'pcspk',
    version: 1,
    needed: () => migrate,
    fields: [f.u8('dataOn', 'data_on'), f.u8('refreshClock', 'dummy_refresh_clock')],
  });
