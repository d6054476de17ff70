import type { MigrationSection } from '@pagurus/device-model';
import { type Description, type DynamicState, decode, descriptionFromVmdesc, StateError, saveDescribed } from '@pagurus/vmstate';
import { bytesChannel, type Inspection, inspectStream } from '../src/index.js';
import { FakeBlock, FakeMachine, PAGE } from './fake-machine.js';

/** Oldest versions that QEMU 7.2 loads, where that is not the current one. */
const MINIMUM: Record<string, number> = { cpu: 11, i8254: 2, mc146818rtc: 1, hpet: 1, fdc: 2, ps2kbd: 2 };
const PIC_ALIAS = [0x20, 0xa0];

export interface RecordedMachine {
  readonly machine: FakeMachine;
  readonly inspection: Inspection;
  /** States by `idstr#instance`. */
  readonly states: ReadonlyMap<string, DynamicState>;
}

export interface RecordedOptions {
  readonly name?: string;
  /** Lengths that differ from the stream's. */
  readonly lengths?: Record<string, number>;
  /** Sections that this machine does not have. */
  readonly without?: readonly string[];
  readonly withoutBlocks?: readonly string[];
}

/**
 * A machine with the sections and RAM blocks of a recorded stream, each section described by the stream's own JSON: what QEMU's
 * destination was when it was given the stream and its damaged copies.
 */
export async function recordedMachine(bytes: Uint8Array, options: RecordedOptions = {}): Promise<RecordedMachine> {
  const inspection = await inspectStream(bytesChannel(bytes));
  const blocks = inspection
    .ram!.blocks.filter((block) => !options.withoutBlocks?.includes(block.name))
    .map((block) => {
      const length = options.lengths?.[block.name] ?? block.usedLength;
      const resizeable = block.name.startsWith('/rom@');
      return new FakeBlock(block.name, length / PAGE, resizeable ? 16 * length : length);
    });
  const states = new Map<string, DynamicState>();
  const sections: MigrationSection[] = [];
  for (const device of inspection.vmdesc!.devices) {
    if (device.name === 'globalstate' || options.without?.includes(device.name)) continue;
    const { description, create } = descriptionFromVmdesc(device);
    const state = create();
    states.set(`${device.name}#${device.instance_id}`, state);
    sections.push(
      section(device.name, device.instance_id, state, {
        ...description,
        minVersion: MINIMUM[device.name] ?? description.version,
      }),
    );
  }
  const machine = new FakeMachine({
    blocks,
    sections,
    runState: 'inmigrate',
    name: options.name ?? inspection.configuration?.machine ?? '',
    settings: {
      sendConfiguration: inspection.configuration !== undefined,
      sendSectionFooter: inspection.sectionFooters ?? false,
    },
  });
  return { machine, inspection, states };
}

function section(idstr: string, instance: number, state: DynamicState, description: Description<DynamicState>): MigrationSection {
  const checked = description.name === 'I440FX' ? { ...description, postLoad: checkVendor } : description;
  const plain = idstr.slice(idstr.lastIndexOf('/') + 1);
  return {
    idstr,
    instance,
    ...(idstr === 'i8259' ? { alias: PIC_ALIAS[instance]! } : {}),
    ...(plain === idstr ? {} : { compat: { idstr: plain, instance: 0 } }),
    version: description.version,
    needed: () => true,
    save: () => saveDescribed(description, state, { path: idstr }),
    decode: (bytes, offset, version) => decode(checked, state, bytes, offset, version, { path: idstr }),
  };
}

/** What a PCI device does on load: bits that no guest can change must be the same. */
function checkVendor(state: DynamicState): void {
  const config = (state.parent_obj as { 'config[0]': Uint8Array })['config[0]'];
  [0x86, 0x80, 0x37, 0x12].forEach((own, i) => {
    const got = config[i]!;
    if (got === own) return;
    throw new StateError(
      'not-equal',
      '0000:00:00.0/I440FX.parent_obj.config',
      -1,
      `byte ${i} cannot change`,
      `0x${own.toString(16)}`,
      `0x${got.toString(16)}`,
    );
  });
}
