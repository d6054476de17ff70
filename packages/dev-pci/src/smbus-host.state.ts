import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { SMBUS_AUXILIARY, SMBUS_BLOCK } from './piix4.spec.js';

/** What the SMBus host controller remembers. */
export class SmbusHostState {
  status = 0;
  control = 0;
  command = 0;
  address = 0;
  data0 = 0;
  data1 = 0;
  /** Position in `data`. */
  index = 0;
  readonly data = new Uint8Array(SMBUS_BLOCK);
  auxiliary: number = SMBUS_AUXILIARY.BLOCK_BUFFER;
  blockData = 0;
  /** Of controllers with an I2C_EN bit; the PIIX4 has none. */
  i2cEnable = false;
  /** False in the middle of a block transfer. */
  opDone = true;
  inI2cBlockRead = false;
  /** A started transaction waits until the guest looks at the status, so that it sees the controller busy once. */
  startOnStatusRead = false;
}

const f = fieldsOf<SmbusHostState>();

export const smbusHostVmState = vmstate<SmbusHostState>({
  name: 'pmsmb',
  version: 1,
  fields: [
    f.u8('status', 'smb_stat'),
    f.u8('control', 'smb_ctl'),
    f.u8('command', 'smb_cmd'),
    f.u8('address', 'smb_addr'),
    f.u8('data0', 'smb_data0'),
    f.u8('data1', 'smb_data1'),
    f.u32('index', 'smb_index'),
    f.array('u8', 'data', 'smb_data'),
    f.u8('auxiliary', 'smb_auxctl'),
    f.u8('blockData', 'smb_blkdata'),
    f.bool('i2cEnable', 'i2c_enable'),
    f.bool('opDone', 'op_done'),
    f.bool('inI2cBlockRead', 'in_i2c_block_read'),
    f.bool('startOnStatusRead', 'start_transaction_on_status_read'),
  ],
  postLoad(state) {
    if (state.index >= SMBUS_BLOCK) state.index = 0;
  },
});
