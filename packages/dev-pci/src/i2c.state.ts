import { fieldsOf, vmstate } from '@pagurus/vmstate';

/** Nobody is being talked to. */
export const NO_SLAVE = 0xff;

/** What an I²C bus remembers between two bytes of a transfer. */
export class I2cBusState {
  /** 7-bit address of the slave of the transfer in progress, or {@link NO_SLAVE}. */
  savedAddress: number = NO_SLAVE;
}

const f = fieldsOf<I2cBusState>();

/** Section `i2c_bus`. */
export const i2cBusVmState = vmstate<I2cBusState>({
  name: 'i2c_bus',
  version: 1,
  fields: [f.u8('savedAddress', 'saved_address')],
});
