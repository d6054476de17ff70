import { NEVER } from '@pagurus/device-model';
import { fieldsOf, vmstate } from '@pagurus/vmstate';
import { CONFIG_DEFAULT, DIRECTION, DOR, DRIVES, FIFO_SIZE, MSR, PHASE, SRA, SRB } from './fdc.spec.js';

/** Where a drive's heads are, and what it knows of its disk. */
export class FloppyDriveState {
  head = 0;
  track = 0;
  sect = 0;
  /** Disk change line. */
  mediaChanged = 1;
  mediaRate = 0;
  perpendicular = 0;
  /** Whether a disk is in it: configuration of the host. */
  inserted = false;
}

const d = fieldsOf<FloppyDriveState>();

const mediaChanged = vmstate<FloppyDriveState>({
  name: 'fdrive/media_changed',
  version: 1,
  needed: (state) => state.inserted && state.mediaChanged !== 1,
  fields: [d.u8('mediaChanged', 'media_changed')],
});

/** Since machine 1.1, where rates are checked; then it is always there. */
const mediaRate = vmstate<FloppyDriveState>({ name: 'fdrive/media_rate', version: 1, fields: [d.u8('mediaRate', 'media_rate')] });

const perpendicular = vmstate<FloppyDriveState>({
  name: 'fdrive/perpendicular',
  version: 1,
  needed: (state) => state.perpendicular !== 0,
  fields: [d.u8('perpendicular')],
});

const drive = (checkRate: boolean) =>
  vmstate<FloppyDriveState>({
    name: 'fdrive',
    version: 1,
    fields: [d.u8('head'), d.u8('track'), d.u8('sect')],
    subsections: checkRate ? [mediaChanged, mediaRate, perpendicular] : [mediaChanged, perpendicular],
    derived: checkRate ? ['inserted'] : ['inserted', 'mediaRate'],
    preLoad(state) {
      state.mediaChanged = 1;
      state.perpendicular = 0;
    },
  });

export class FdcState {
  sra = SRA.SECOND_DRIVE_ABSENT as number;
  srb: number = SRB.RESET;
  /** As written; the drive that counts is `current`. */
  dor: number = DOR.NOT_RESET;
  current = 0;
  /** Both in one register. */
  dorSent = 0;
  tdr = 0;
  dsr = 0;
  msr: number = MSR.REQUEST;
  status0 = 0;
  status1 = 0;
  status2 = 0;
  readonly fifo = new Uint8Array(FIFO_SIZE);
  dataPos = 0;
  dataLen = 1;
  dataState = 0;
  dataDir: number = DIRECTION.WRITE;
  /** Last sector of the track, from the command. */
  eot = 0;
  timer0 = 0;
  timer1 = 0;
  precompensation = 0;
  config: number = CONFIG_DEFAULT;
  lock = 0;
  powerDown = 0;
  numFloppies = DRIVES;
  readonly drives = [new FloppyDriveState(), new FloppyDriveState()];
  /** Drives that SENSE INTERRUPT STATUS still has to tell of after a reset. */
  resetSenses = 0;
  resultTimer = NEVER;
  phase: number = PHASE.COMMAND;
}

const f = fieldsOf<FdcState>();

const resetSenses = vmstate<FdcState>({
  name: 'fdc/reset_sensei',
  version: 1,
  needed: (state) => state.resetSenses !== 0,
  fields: [f.i32('resetSenses', 'reset_sensei')],
});

const resultTimer = vmstate<FdcState>({
  name: 'fdc/result_timer',
  version: 1,
  needed: (state) => state.resultTimer !== NEVER,
  fields: [f.timer('resultTimer', 'result_timer')],
});

/** The phase that the main status register tells. */
function visiblePhase({ msr }: FdcState): number {
  if ((msr & MSR.NON_DMA) !== 0 || (msr & MSR.REQUEST) === 0) return PHASE.EXECUTION;
  return (msr & MSR.TO_HOST) !== 0 ? PHASE.RESULT : PHASE.COMMAND;
}

const phase = vmstate<FdcState>({
  name: 'fdc/phase',
  version: 1,
  needed: (state) => state.phase !== visiblePhase(state),
  fields: [f.u8('phase')],
});

/** The controller proper, nested as QEMU nests it: subsections belong to this one. */
const controller = (checkRate: boolean) =>
  vmstate<FdcState>({
    name: 'fdc',
    version: 2,
    fields: [
      f.u8('sra'),
      f.u8('srb'),
      f.u8('dorSent', 'dor_vmstate'),
      f.u8('tdr'),
      f.u8('dsr'),
      f.u8('msr'),
      f.u8('status0'),
      f.u8('status1'),
      f.u8('status2'),
      f.array('u8', 'fifo'),
      f.u32('dataPos', 'data_pos'),
      f.u32('dataLen', 'data_len'),
      f.u8('dataState', 'data_state'),
      f.u8('dataDir', 'data_dir'),
      f.u8('eot'),
      f.u8('timer0'),
      f.u8('timer1'),
      f.u8('precompensation', 'precomp_trk'),
      f.u8('config'),
      f.u8('lock'),
      f.u8('powerDown', 'pwrd'),
      f.equal('u8', 'numFloppies', 'num_floppies'),
      f.structArray('drives', 'drives', drive(checkRate), { since: 1 }),
    ],
    subsections: [resetSenses, resultTimer, phase],
    derived: ['dor', 'current'],
    preLoad(state) {
      state.resetSenses = 0;
      state.resultTimer = NEVER;
      state.phase = 0;
    },
    postLoad(state) {
      state.current = state.dorSent & DOR.SELECT;
      state.dor = state.dorSent & ~DOR.SELECT;
      if (state.phase < PHASE.COMMAND || state.phase > PHASE.RESULT) state.phase = visiblePhase(state);
      if (state.dataDir > DIRECTION.VERIFY) state.dataDir = DIRECTION.WRITE;
      if (state.resetSenses < 0) state.resetSenses = 0;
    },
    preSave(state) {
      state.dorSent = state.dor | state.current;
    },
  });

const holder = fieldsOf<FdcState>();

/** Section `fdc`. */
export const fdcVmState = (checkRate: boolean) =>
  vmstate<FdcState>({ name: 'fdc', version: 2, fields: [holder.inline('state', controller(checkRate))] });
