import { COMMAND, DEVICE, ERROR, FEATURE, MAX_MULTIPLE, SECTOR, STATUS, TRANSFER_END } from './ata.spec.js';
import type { AtaTransfers } from './ata-transfers.js';
import type { IdeDrive } from './ide-drive.js';
import { identifyDisk, identifyPacket } from './identify.js';

/** What a command handler leaves: done (the interrupt is due), done without seek, or going on. */
export type Outcome = 'complete' | 'seek' | 'pending';

type Handler = (drive: IdeDrive, transfers: AtaTransfers) => Outcome;

const abort: Handler = (drive) => {
  drive.abort();
  return 'complete';
};

const nothing: Handler = () => 'complete';
const seek: Handler = () => 'seek';

const withMedium =
  (handler: Handler): Handler =>
  (drive, transfers) =>
    drive.medium ? handler(drive, transfers) : abort(drive, transfers);

const withSectors =
  (handler: Handler): Handler =>
  (drive, transfers) =>
    drive.totalSectors > 0 ? handler(drive, transfers) : abort(drive, transfers);

const read = (lba48: boolean, multiple: boolean): Handler =>
  withMedium((drive, transfers) => {
    if (multiple && drive.state.multSectors === 0) return abort(drive, transfers);
    transfers.expandCount(lba48);
    drive.state.reqSectors = multiple ? drive.state.multSectors : 1;
    transfers.readSectors();
    return 'pending';
  });

const write = (lba48: boolean, multiple: boolean): Handler =>
  withMedium((drive, transfers) => {
    if (multiple && drive.state.multSectors === 0) return abort(drive, transfers);
    transfers.expandCount(lba48);
    drive.state.reqSectors = multiple ? drive.state.multSectors : 1;
    transfers.openWrite();
    return 'pending';
  });

const dma = (lba48: boolean, toMemory: boolean): Handler =>
  withMedium((_, transfers) => {
    transfers.expandCount(lba48);
    transfers.startDma(toMemory);
    return 'pending';
  });

const verify =
  (lba48: boolean): Handler =>
  (_, transfers) => {
    transfers.expandCount(lba48);
    return 'seek';
  };

const readNativeMax = (lba48: boolean): Handler =>
  withSectors((drive, transfers) => {
    transfers.expandCount(lba48);
    drive.sectorNumber = drive.totalSectors - 1;
    return 'seek';
  });

const checkPower: Handler = ({ state }) => {
  // Active or idle.
  state.nsector = 0xff;
  return 'seek';
};

const flush: Handler = (drive, transfers) => {
  if (!drive.medium) return 'seek';
  if (drive.state.trayOpen) return abort(drive, transfers);
  transfers.flush();
  return 'pending';
};

const identify: Handler = (drive, transfers) => {
  const { state } = drive;
  if (drive.kind !== 'disk') {
    if (drive.kind === 'packet') drive.putSignature();
    return abort(drive, transfers);
  }
  ensureIdentity(drive);
  return sendIdentity(drive, state.buffer);
};

const identifyPacketDevice: Handler = (drive) => {
  ensureIdentity(drive);
  return sendIdentity(drive, drive.state.buffer);
};

function sendIdentity(drive: IdeDrive, buffer: Uint8Array): Outcome {
  buffer.set(drive.state.identifyData);
  drive.state.status = STATUS.READY | STATUS.SEEK_DONE;
  drive.startTransfer(SECTOR, TRANSFER_END.STOP);
  drive.channel.raiseInterrupt();
  return 'pending';
}

/** Made once; features and parameters that the guest sets change it afterwards. */
function ensureIdentity(drive: IdeDrive): void {
  const { state } = drive;
  if (state.identifySet !== 0) return;
  if (drive.kind === 'packet') identifyPacket(state.identifyData, drive.identity);
  else identifyDisk(state.identifyData, drive.identity, drive.geometry, drive.totalSectors, state.multSectors);
  state.identifySet = 1;
}

const diagnose: Handler = (drive) => {
  const { state } = drive;
  drive.putSignature();
  state.select = DEVICE.OBSOLETE;
  state.error = ERROR.DIAGNOSTIC_PASSED;
  // A packet device shows itself not ready until it is asked, and is silent about it. [ATA] 9.10, [QEMU]
  state.status = drive.kind === 'packet' ? 0 : STATUS.READY | STATUS.SEEK_DONE;
  if (drive.kind !== 'packet') drive.channel.raiseInterrupt();
  return 'pending';
};

const deviceReset: Handler = (drive) => {
  drive.reset();
  drive.state.status = 0;
  return 'pending';
};

/** The guest's translation of cylinders, heads and sectors stands in words 54 to 58 of the identity. [ATA] 8.15.61 */
const setParameters: Handler = (drive, transfers) => {
  const { state } = drive;
  const heads = (state.select & 0x0f) + 1;
  const sectors = state.nsector & 0xff;
  if (!drive.present || sectors === 0) return abort(drive, transfers);
  const { geometry } = drive;
  if (state.identifySet === 0 && heads === geometry.heads && sectors === geometry.sectors) return 'seek';
  ensureIdentity(drive);
  const words = new DataView(state.identifyData.buffer, state.identifyData.byteOffset);
  const cylinders = Math.min(Math.floor(drive.totalSectors / (heads * sectors)), 0xffff);
  const same = heads === geometry.heads && sectors === geometry.sectors;
  const put = (word: number, value: number): void => words.setUint16(word * 2, value & 0xffff, true);
  put(54, same ? geometry.cylinders : cylinders);
  put(55, heads);
  put(56, sectors);
  words.setUint32(114, (same ? geometry.cylinders : cylinders) * heads * sectors, true);
  return 'seek';
};

const setMultiple: Handler = (drive, transfers) => {
  const count = drive.state.nsector & 0xff;
  if (count > MAX_MULTIPLE || (count & (count - 1)) !== 0) return abort(drive, transfers);
  drive.state.multSectors = count;
  return 'seek';
};

const setFeatures: Handler = (drive, transfers) => {
  const { state } = drive;
  if (!drive.present) return abort(drive, transfers);
  const put = (word: number, value: number): void => {
    state.identifyData[word * 2] = value;
    state.identifyData[word * 2 + 1] = value >> 8;
  };
  switch (state.feature) {
    case FEATURE.WRITE_CACHE_ON:
      put(85, 0x4021);
      return 'seek';
    case FEATURE.WRITE_CACHE_OFF:
      // Word 85 is the only place where the choice is kept.
      if (drive.kind === 'disk') ensureIdentity(drive);
      put(85, 0x4001);
      return flush(drive, transfers);
    case FEATURE.TRANSFER_MODE:
      return setTransferMode(drive, put) ? 'seek' : abort(drive, transfers);
    default:
      return (FEATURE.IGNORED as readonly number[]).includes(state.feature) ? 'seek' : abort(drive, transfers);
  }
};

/** Words 62, 63 and 88 tell the chosen mode in their high bytes. */
function setTransferMode({ state }: IdeDrive, put: (word: number, value: number) => void): boolean {
  const mode = state.nsector & 7;
  const kind = (state.nsector & 0xff) >> 3;
  const chosen = 1 << (mode + 8);
  switch (kind) {
    case 0: // PIO default
    case 1: // PIO with flow control
      put(62, 0x07);
      put(63, 0x07);
      put(88, 0x3f);
      return true;
    case 2: // single-word DMA
      put(62, 0x07 | chosen);
      put(63, 0x07);
      put(88, 0x3f);
      return true;
    case 4: // multi-word DMA
      put(62, 0x07);
      put(63, 0x07 | chosen);
      put(88, 0x3f);
      return true;
    case 8: // Ultra DMA
      put(62, 0x07);
      put(63, 0x07);
      put(88, 0x3f | chosen);
      return true;
    default:
      return false;
  }
}

const wearLevel: Handler = ({ state }) => {
  state.nsector = 0;
  return 'seek';
};

const smart: Handler = (drive, transfers) => {
  drive.log.unimplemented(`SMART subcommand 0x${drive.state.feature.toString(16)}`);
  return abort(drive, transfers);
};

const dataSetManagement: Handler = (drive, transfers) => {
  drive.log.unimplemented('DATA SET MANAGEMENT (trim)');
  return abort(drive, transfers);
};

/** A disk's commands; an empty place answers them, too: those that need no drive end, the others abort. */
export const DISK_COMMANDS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [COMMAND.DIAGNOSE, diagnose],
  [COMMAND.STANDBY_IMMEDIATE_2, nothing],
  [COMMAND.IDLE_IMMEDIATE_2, nothing],
  [COMMAND.STANDBY_2, nothing],
  [COMMAND.IDLE_2, nothing],
  [COMMAND.CHECK_POWER_2, checkPower],
  [COMMAND.SLEEP_2, nothing],
  [COMMAND.STANDBY_IMMEDIATE, nothing],
  [COMMAND.IDLE_IMMEDIATE, nothing],
  [COMMAND.STANDBY, nothing],
  [COMMAND.IDLE, nothing],
  [COMMAND.CHECK_POWER, checkPower],
  [COMMAND.SLEEP, nothing],
  [COMMAND.IDENTIFY, identify],
  [COMMAND.SET_FEATURES, setFeatures],
  [COMMAND.DATA_SET_MANAGEMENT, dataSetManagement],
  [COMMAND.RECALIBRATE, seek],
  [COMMAND.READ_SECTORS, read(false, false)],
  [COMMAND.READ_SECTORS_ONCE, read(false, false)],
  [COMMAND.READ_SECTORS_EXT, read(true, false)],
  [COMMAND.READ_DMA_EXT, dma(true, true)],
  [COMMAND.READ_NATIVE_MAX_EXT, readNativeMax(true)],
  [COMMAND.READ_MULTIPLE_EXT, read(true, true)],
  [COMMAND.WRITE_SECTORS, write(false, false)],
  [COMMAND.WRITE_SECTORS_ONCE, write(false, false)],
  [COMMAND.WRITE_SECTORS_EXT, write(true, false)],
  [COMMAND.WRITE_DMA_EXT, dma(true, false)],
  [COMMAND.WRITE_MULTIPLE_EXT, write(true, true)],
  [COMMAND.WRITE_VERIFY, write(false, false)],
  [COMMAND.VERIFY, verify(false)],
  [COMMAND.VERIFY_ONCE, verify(false)],
  [COMMAND.VERIFY_EXT, verify(true)],
  [COMMAND.SEEK, seek],
  [COMMAND.SET_PARAMETERS, setParameters],
  [COMMAND.SMART, smart],
  [COMMAND.READ_MULTIPLE, read(false, true)],
  [COMMAND.WRITE_MULTIPLE, write(false, true)],
  [COMMAND.SET_MULTIPLE, setMultiple],
  [COMMAND.READ_DMA, dma(false, true)],
  [COMMAND.READ_DMA_ONCE, dma(false, true)],
  [COMMAND.WRITE_DMA, dma(false, false)],
  [COMMAND.WRITE_DMA_ONCE, dma(false, false)],
  [COMMAND.FLUSH_CACHE, flush],
  [COMMAND.FLUSH_CACHE_EXT, flush],
  [COMMAND.WEAR_LEVEL, wearLevel],
  [COMMAND.READ_NATIVE_MAX, readNativeMax(false)],
]);

/** A packet drive's commands but PACKET itself. */
export const PACKET_DRIVE_COMMANDS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [COMMAND.DIAGNOSE, diagnose],
  [COMMAND.FLUSH_CACHE, flush],
  [COMMAND.IDENTIFY, identify],
  [COMMAND.SET_FEATURES, setFeatures],
  [COMMAND.DEVICE_RESET, deviceReset],
  [
    COMMAND.READ_SECTORS,
    (drive, transfers) => {
      // Tells who it is, then refuses. [ATA] 9.12
      drive.putSignature();
      return abort(drive, transfers);
    },
  ],
  [COMMAND.IDENTIFY_PACKET, identifyPacketDevice],
]);
