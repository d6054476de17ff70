import { type Device, type DeviceContext, defineDevice, type IoHandler, type PropertyTable } from '@pagurus/device-model';
import { VMPORT } from './vmware.spec.js';

/** General registers as a backdoor call sees and changes them; unsigned 32 bits each. */
export interface BackdoorRegisters {
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
  esi: number;
  edi: number;
}

/** Backend `cpu`: the registers of the vCPU that executes the port access. Without it the port answers nothing. */
export interface BackdoorCpu {
  registers(): BackdoorRegisters;
  setRegisters(registers: BackdoorRegisters): void;
}

/** Backend `machine`: what the backdoor tells about it. */
export interface BackdoorMachine {
  /** Bytes of guest RAM. */
  readonly ramSize: number;
  /** 16 bytes in the order of the text form; zeros if the user gave none. */
  readonly uuid?: Uint8Array;
}

/** Handles a command; may change the registers. @returns the new EAX. */
export type BackdoorCommand = (registers: BackdoorRegisters) => number;

/** Service of the port: other devices answer commands of their own. */
export interface VmportService {
  register(command: number, handler: BackdoorCommand): void;
}

export interface VmportProperties {
  readSetEax: boolean;
  signalUnsupported: boolean;
  reportVmxType: boolean;
  commandsV2: boolean;
  vmxVersion: number;
  vmxType: number;
}

const properties: PropertyTable<VmportProperties> = {
  readSetEax: { name: 'x-read-set-eax', type: 'bool', default: true, doc: 'a read gives all of EAX, also to narrow accesses' },
  signalUnsupported: { name: 'x-signal-unsupported-cmd', type: 'bool', default: true, doc: 'unknown commands give 0xffffffff' },
  reportVmxType: { name: 'x-report-vmx-type', type: 'bool', default: true, doc: 'the version command tells the product in ECX' },
  commandsV2: { name: 'x-cmds-v2', type: 'bool', default: true, doc: 'answer UUID, clock rate and vCPU information' },
  vmxVersion: { name: 'vmware-vmx-version', type: 'uint32', default: 6, doc: 'version of the virtual machine monitor' },
  vmxType: { name: 'vmware-vmx-type', type: 'uint8', default: 2, doc: 'product: 2 = server' },
};

/** VMware's backdoor, by which guests find the absolute mouse. No state of its own. */
export const vmport = defineDevice<VmportProperties>({
  type: 'vmport',
  doc: 'VMware backdoor port',
  bus: 'isa',
  properties,
  create: (context, props) => new Vmport(context, props),
});

class Vmport implements Device {
  // Wiring
  private readonly region;
  private readonly commands = new Map<number, BackdoorCommand>();
  readonly sections = [];
  readonly services: VmportService = { register: (command, handler) => void this.commands.set(command, handler) };

  constructor(
    private readonly context: DeviceContext,
    private readonly props: VmportProperties,
  ) {
    const handler: IoHandler = {
      read: () => this.call(),
      // A write is a call whose answer only changes registers.
      write: () => void this.call(),
      sizes: [4],
    };
    // QEMU claims one port and answers wide accesses there; our bus asks for the whole width.
    this.region = context.ports.add(VMPORT.PORT, 4, handler, { name: 'vmport' });
    const machine = context.backend<BackdoorMachine>('machine');
    this.commands.set(VMPORT.VERSION, (registers) => this.version(registers));
    this.commands.set(VMPORT.RAM_SIZE, (registers) => {
      registers.ebx = 0x1177;
      return (machine?.ramSize ?? 0) >>> 0;
    });
    if (!props.commandsV2) return;
    this.commands.set(VMPORT.BIOS_UUID, (registers) => uuid(registers, machine?.uuid));
    this.commands.set(VMPORT.CLOCK_RATE, (registers) => {
      registers.ebx = 0xffff_ffff; // unknown
      return registers.eax;
    });
    this.commands.set(VMPORT.VCPU_INFO, () => 0);
  }

  // Behaviour

  reset(): void {}

  unrealize(): void {
    this.region.remove();
  }

  private call(): number {
    const cpu = this.context.backend<BackdoorCpu>('cpu');
    if (!cpu) return 0xffff_ffff;
    const registers = cpu.registers();
    const handler = registers.eax === VMPORT.MAGIC ? this.commands.get(registers.ecx & 0xffff) : undefined;
    if (!handler) {
      const result = this.props.signalUnsupported ? 0xffff_ffff : registers.eax;
      registers.eax = result;
      if (this.props.readSetEax) cpu.setRegisters(registers);
      return result;
    }
    registers.eax = handler(registers) >>> 0;
    cpu.setRegisters(registers);
    return registers.eax;
  }

  private version(registers: BackdoorRegisters): number {
    registers.ebx = VMPORT.MAGIC;
    if (this.props.reportVmxType) registers.ecx = this.props.vmxType;
    return this.props.vmxVersion;
  }
}

function uuid(registers: BackdoorRegisters, bytes: Uint8Array = new Uint8Array(16)): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  registers.ebx = view.getUint32(4, true);
  registers.ecx = view.getUint32(8, true);
  registers.edx = view.getUint32(12, true);
  return view.getUint32(0, true);
}
