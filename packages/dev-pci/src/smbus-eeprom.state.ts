import { type Description, fieldsOf, vmstate } from '@pagurus/vmstate';

/** Where a slave stands in a transfer; numbers as QEMU sends them. */
export const SMBUS_MODE = { IDLE: 0, WRITE: 1, READ: 2, DONE: 3, CONFUSED: -1 } as const;

export const EEPROM_SIZE = 256;
const BUFFER_SIZE = 34;

export class SmbusEepromState {
  address = 0;
  mode: number = SMBUS_MODE.IDLE;
  /** Bytes of the transfer so far, which begin with the offset in the memory. */
  bufferLength = 0;
  readonly buffer = new Uint8Array(BUFFER_SIZE);
  readonly data = new Uint8Array(EEPROM_SIZE);
  /** Next byte to read or write. */
  offset = 0;
  /** Somebody has ever talked to it: only then is it sent. */
  accessed = false;
}

const f = fieldsOf<SmbusEepromState>();

const slave = vmstate<SmbusEepromState>({ name: 'I2CSlave', version: 1, fields: [f.u8('address')] });

const device = vmstate<SmbusEepromState>({
  name: 'smbus-device',
  version: 1,
  fields: [
    f.inline('i2c', slave),
    f.i32('mode'),
    f.i32('bufferLength', 'data_len'),
    f.validate('data_len fits the buffer', (state) => state.bufferLength >= 0 && state.bufferLength <= BUFFER_SIZE),
    f.array('u8', 'buffer', 'data_buf'),
  ],
});

/** Section `smbus-eeprom`; machines up to 3.1 do not have it. */
export function smbusEepromVmState(migrated: boolean): Description<SmbusEepromState> {
  return vmstate<SmbusEepromState>({
    name: 'smbus-eeprom',
    version: 1,
    needed: (state) => migrated && state.accessed,
    fields: [f.inline('smbusdev', device), f.array('u8', 'data'), f.u8('offset'), f.bool('accessed')],
  });
}
