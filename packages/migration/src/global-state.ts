import type { MigrationSection, RunState, StreamSettings } from '@pagurus/device-model';
import { decode, fieldsOf, StateError, saveDescribed, vmstate } from '@pagurus/vmstate';
import { bytesFromText, textFromBytes } from './format.js';

/** All run states that QEMU knows by name. */
export const RUN_STATES: readonly string[] = [
  ...['debug', 'inmigrate', 'internal-error', 'io-error', 'paused', 'postmigrate', 'prelaunch', 'finish-migrate', 'restore-vm'],
  ...['running', 'save-vm', 'shutdown', 'suspended', 'watchdog', 'guest-panicked', 'colo'],
];

/** Those of them that a machine here can be in; for the others it is paused. */
const OUR_RUN_STATES: readonly RunState[] = [
  ...(['prelaunch', 'running', 'paused', 'inmigrate', 'postmigrate', 'finish-migrate'] as const),
  ...(['save-vm', 'restore-vm', 'shutdown', 'internal-error', 'io-error', 'suspended'] as const),
];

const NAME_BYTES = 100;
const SPLIT_NAME_BYTES = 32;

/** Section `globalstate`: the source's run state. One area of 100 bytes up to QEMU 8.2, divided since 9.0; the size is the same. */
class GlobalState {
  /** Length of the name with its NUL. Written, never read. */
  size = 0;
  runstate = new Uint8Array(NAME_BYTES);
}

class SplitGlobalState {
  size = 0;
  runstate = new Uint8Array(SPLIT_NAME_BYTES);
  hasVmWasSuspended = 0;
  vmWasSuspended = 0;
  unused = new Uint8Array(NAME_BYTES - SPLIT_NAME_BYTES - 2);
}

const g = fieldsOf<GlobalState>();
const s = fieldsOf<SplitGlobalState>();

const globalState = vmstate<GlobalState>({
  name: 'globalstate',
  version: 1,
  minVersion: 1,
  fields: [g.u32('size'), g.bytes('runstate')],
});

const splitGlobalState = vmstate<SplitGlobalState>({
  name: 'globalstate',
  version: 1,
  minVersion: 1,
  fields: [
    s.u32('size'),
    s.bytes('runstate'),
    s.u8('hasVmWasSuspended', 'has_vm_was_suspended'),
    s.u8('vmWasSuspended', 'vm_was_suspended'),
    s.bytes('unused'),
  ],
});

/** What a stream said of its source's run state. */
export interface LoadedRunState {
  /** As on the wire; undefined if the section was not sent. */
  readonly name: string | undefined;
  /** The state to enter: without a section, running. */
  readonly state: RunState;
}

/**
 * The handler of the section, for either direction.
 * @param sending the run state that the source was in before it was stopped for the migration.
 */
export function globalStateSection(
  settings: Partial<StreamSettings>,
  sending: RunState,
): MigrationSection & { readonly loaded: LoadedRunState } {
  let loaded: LoadedRunState = { name: undefined, state: 'running' };
  return {
    idstr: 'globalstate',
    instance: 0,
    version: 1,
    get loaded() {
      return loaded;
    },
    needed: () => settings.storeGlobalState === true || (sending !== 'running' && sending !== 'paused'),
    save() {
      const name = bytesFromText(sending);
      if (settings.splitGlobalState) {
        const state = new SplitGlobalState();
        state.size = name.length + 1;
        state.runstate.set(name);
        state.hasVmWasSuspended = 1;
        state.vmWasSuspended = sending === 'suspended' ? 1 : 0;
        return saveDescribed(splitGlobalState, state);
      }
      const state = new GlobalState();
      state.size = name.length + 1;
      state.runstate.set(name);
      return saveDescribed(globalState, state);
    },
    decode(bytes, offset, version) {
      const state = new GlobalState();
      const decoded = decode(globalState, state, bytes, offset, version);
      decoded.commit();
      const end = state.runstate.indexOf(0);
      const name = textFromBytes(state.runstate.subarray(0, end < 0 ? NAME_BYTES : end));
      if (!RUN_STATES.includes(name)) {
        throw new StateError(
          'out-of-range',
          'globalstate.runstate',
          offset + 4,
          `there is no run state '${printable(name)}'`,
          `one of ${RUN_STATES.join(', ')}`,
          `'${printable(name)}'`,
        );
      }
      const known = OUR_RUN_STATES.find((candidate) => candidate === name);
      return {
        end: decoded.end,
        commit() {
          loaded = { name, state: known ?? 'paused' };
        },
      };
    },
  };
}

function printable(name: string): string {
  return name.replace(/[^ -~]/g, '?');
}
