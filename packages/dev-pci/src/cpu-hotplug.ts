import type { IoHandler, Log } from '@pagurus/device-model';
import type { CpuHotplugState, CpuSlot } from './cpu-hotplug.state.js';
import { CPU_COMMAND, CPU_FLAG, CPU_HOTPLUG } from './piix4.spec.js';

/** The machine's processors; backend `cpus`. */
export interface CpuTopology {
  /** Initial APIC ids of all possible processors. */
  readonly apicIds: readonly number[];
  present(index: number): boolean;
}

/** A machine with one processor. */
export const ONE_CPU: CpuTopology = { apicIds: [0], present: () => true };

export interface CpuHotplugOwner {
  /** False once the guest asked for the registers in place of the bitmap. */
  cpuHotplugLegacy: boolean;
  readonly cpuHotplug: CpuHotplugState;
}

/** The registers at 0xaf00: a bitmap of present processors until the guest writes 0 there, then one processor at a time. [QEMU] */
export class CpuHotplug {
  constructor(
    private readonly topology: CpuTopology,
    private readonly owner: CpuHotplugOwner,
    private readonly log: Log,
    /** The guest switched from bitmap to registers. */
    private readonly switched: () => void,
  ) {}

  readonly bitmap: IoHandler = {
    read: (offset) => {
      let bits = 0;
      this.topology.apicIds.forEach((id, index) => {
        if (id >> 3 === offset && this.topology.present(index)) bits |= 1 << (id & 7);
      });
      return bits;
    },
    write: (offset, value) => {
      if (offset !== 0 || value !== 0) return;
      this.owner.cpuHotplugLegacy = false;
      this.switched();
    },
  };

  readonly registers: IoHandler = {
    sizes: [1, 2, 4],
    read: (offset) => this.read(offset),
    write: (offset, value) => this.write(offset, value),
  };

  private get selected(): CpuSlot | undefined {
    const { selector, cpus } = this.owner.cpuHotplug;
    return cpus[selector];
  }

  private read(offset: number): number {
    const { selector, command } = this.owner.cpuHotplug;
    const cpu = this.selected;
    if (!cpu) return 0;
    switch (offset) {
      case CPU_HOTPLUG.FLAGS:
        return (
          (this.topology.present(selector) ? CPU_FLAG.ENABLED : 0) |
          (cpu.inserting ? CPU_FLAG.INSERTING : 0) |
          (cpu.removing ? CPU_FLAG.REMOVING : 0)
        );
      case CPU_HOTPLUG.DATA:
        if (command === CPU_COMMAND.NEXT_EVENT) return selector;
        return command === CPU_COMMAND.ARCHITECTURE_ID ? this.topology.apicIds[selector]! : 0;
      default:
        return 0;
    }
  }

  private write(offset: number, value: number): void {
    const { cpuHotplug: state } = this.owner;
    if (offset === CPU_HOTPLUG.SELECTOR) {
      state.selector = value;
      return;
    }
    const cpu = this.selected;
    if (!cpu) return;
    switch (offset) {
      case CPU_HOTPLUG.FLAGS:
        if ((value & CPU_FLAG.INSERTING) !== 0) cpu.inserting = false;
        else if ((value & CPU_FLAG.REMOVING) !== 0) cpu.removing = false;
        else if ((value & CPU_FLAG.EJECT) !== 0) this.log.unimplemented(`unplugging of processor ${state.selector}`);
        return;
      case CPU_HOTPLUG.COMMAND:
        this.writeCommand(value & 0xff);
        return;
      case CPU_HOTPLUG.DATA:
        if (state.command === CPU_COMMAND.OST_EVENT) cpu.ostEvent = value;
        else if (state.command === CPU_COMMAND.OST_STATUS) cpu.ostStatus = value;
        return;
      default:
        this.log.guestError(`CPU hotplug register ${offset} written`);
    }
  }

  private writeCommand(command: number): void {
    const { cpuHotplug: state } = this.owner;
    if (command > CPU_COMMAND.ARCHITECTURE_ID) {
      this.log.guestError(`CPU hotplug command ${command}`);
      return;
    }
    state.command = command;
    if (command !== CPU_COMMAND.NEXT_EVENT) return;
    for (let i = 0; i < state.cpus.length; i++) {
      const index = (state.selector + i) % state.cpus.length;
      const { inserting, removing } = state.cpus[index]!;
      if (!inserting && !removing) continue;
      state.selector = index;
      return;
    }
  }
}
