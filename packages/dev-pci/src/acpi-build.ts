import { type Device, defineDevice, section } from '@pagurus/device-model';
import { fieldsOf, vmstate } from '@pagurus/vmstate';

/** Whether the guest has fetched the ACPI tables, which the machine fixes up when it does. */
export class AcpiBuildState {
  patched = false;
}

const f = fieldsOf<AcpiBuildState>();

/** Section `acpi_build`. */
export const acpiBuildVmState = vmstate<AcpiBuildState>({ name: 'acpi_build', version: 1, fields: [f.boolAs('u8', 'patched')] });

/** For whoever hands the tables to the firmware. */
export interface AcpiBuildService {
  readonly patched: boolean;
  /** The guest selected one of the table files of fw_cfg. */
  markPatched(): void;
}

/** The memory of the machine's ACPI table builder. */
export const acpiBuild = defineDevice<object>({
  type: 'acpi_build',
  doc: 'remembers that the guest has fetched the ACPI tables',
  bus: 'system',
  properties: {},
  create(): Device {
    const state = new AcpiBuildState();
    const services: AcpiBuildService = {
      get patched() {
        return state.patched;
      },
      markPatched() {
        state.patched = true;
      },
    };
    return {
      sections: [section(acpiBuildVmState, state)],
      services,
      reset() {
        state.patched = false;
      },
    };
  },
});
