import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { BUFFER_SIZE, DEVICE, MAX_MULTIPLE, RETRY, SECTOR, STATUS, TRANSFER_END } from './ata.spec.js';

/** What one of the two places on a channel remembers, with or without a drive in it. */
export class IdeDriveState {
  multSectors = MAX_MULTIPLE;
  /** Number: QEMU sends 32 bits. Not 0: `identifyData` is valid. */
  identifySet = 0;
  readonly identifyData = new Uint8Array(SECTOR);
  feature = 0;
  error = 0;
  nsector = 1;
  sector = 1;
  lcyl = 0xff;
  hcyl = 0xff;
  hobFeature = 0;
  hobSector = 0;
  hobNsector = 0;
  hobLcyl = 0;
  hobHcyl = 0;
  select: number = DEVICE.OBSOLETE;
  status = STATUS.READY | STATUS.SEEK_DONE;
  lba48 = false;
  senseKey = 0;
  asc = 0;
  /** Number of unit attentions that a disc change still owes. */
  cdromChanged = 0;

  /** Sectors per data request of the command in progress. */
  reqSectors = 0;
  readonly buffer = new Uint8Array(BUFFER_SIZE);
  /** Next byte of the data port, and how many remain. */
  bufferOffset = 0;
  bufferLength = 0;
  transferEnd: number = TRANSFER_END.NONE;
  /** Of a packet command: bytes of the data request, and of all. */
  elementarySize = 0;
  packetSize = 0;

  trayOpen = false;
  trayLocked = false;
  newMedia = false;
  ejectRequest = false;

  /** The channel's waiting request, see {@link RETRY}; sent by the channel. */
  channelError = 0;
}

const f = fieldsOf<IdeDriveState>();

const pio = vmstate<IdeDriveState>({
  name: 'ide_drive/pio_state',
  version: 1,
  needed: ({ status, channelError }) =>
    (status & STATUS.DATA_REQUEST) !== 0 || (channelError & RETRY.PIO) !== 0 || channelError === RETRY.PACKET,
  fields: [
    f.i32('reqSectors', 'req_nb_sectors'),
    f.array('u8', 'buffer', 'io_buffer'),
    f.i32('bufferOffset', 'cur_io_buffer_offset'),
    f.i32('bufferLength', 'cur_io_buffer_len'),
    f.u8('transferEnd', 'end_transfer_fn_idx'),
    f.i32('elementarySize', 'elementary_transfer_size'),
    f.i32('packetSize', 'packet_transfer_size'),
    f.validate('data lies in the buffer', ({ bufferOffset, bufferLength }) => {
      return bufferOffset >= 0 && bufferLength >= 0 && bufferOffset + bufferLength <= BUFFER_SIZE;
    }),
    f.validate('end of transfer is known', ({ transferEnd }) => transferEnd <= TRANSFER_END.NONE),
    f.validate('sizes are not negative', ({ reqSectors, elementarySize, packetSize }) => {
      return reqSectors >= 0 && reqSectors <= 256 && elementarySize >= 0 && packetSize >= 0;
    }),
  ],
});

const tray = vmstate<IdeDriveState>({
  name: 'ide_drive/tray_state',
  version: 1,
  needed: (state) => state.trayOpen || state.trayLocked,
  fields: [f.bool('trayOpen', 'tray_open'), f.bool('trayLocked', 'tray_locked')],
});

const events = vmstate<IdeDriveState>({
  name: 'ide_drive/atapi/gesn_state',
  version: 1,
  needed: (state) => state.newMedia || state.ejectRequest,
  fields: [f.bool('newMedia', 'events.new_media'), f.bool('ejectRequest', 'events.eject_request')],
});

export const ideDriveVmState = vmstate<IdeDriveState>({
  name: 'ide_drive',
  version: 3,
  minVersion: 0,
  fields: [
    f.i32('multSectors', 'mult_sectors'),
    f.i32('identifySet', 'identify_set'),
    f.bytes('identifyData', 'identify_data', { when: (state) => state.identifySet !== 0 }),
    f.u8('feature'),
    f.u8('error'),
    f.u32('nsector'),
    f.u8('sector'),
    f.u8('lcyl'),
    f.u8('hcyl'),
    f.u8('hobFeature', 'hob_feature'),
    f.u8('hobSector', 'hob_sector'),
    f.u8('hobNsector', 'hob_nsector'),
    f.u8('hobLcyl', 'hob_lcyl'),
    f.u8('hobHcyl', 'hob_hcyl'),
    f.u8('select'),
    f.u8('status'),
    f.boolAs('u8', 'lba48'),
    f.u8('senseKey', 'sense_key'),
    f.u8('asc'),
    f.u8('cdromChanged', 'cdrom_changed', { since: 3 }),
  ],
  subsections: [pio, tray, events],
  derived: ['channelError'],
  preLoad(state) {
    state.trayOpen = state.trayLocked = state.newMedia = state.ejectRequest = false;
    state.bufferOffset = state.bufferLength = state.reqSectors = state.elementarySize = state.packetSize = 0;
    state.transferEnd = TRANSFER_END.NONE;
  },
  postLoad(state) {
    // READ MULTIPLE moves this many sectors at once through a buffer of 256.
    if (state.multSectors < 0 || state.multSectors > MAX_MULTIPLE) state.multSectors = MAX_MULTIPLE;
  },
});
