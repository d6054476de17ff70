import { type Device, type DeviceContext, defineDevice, type PointerEvent, PropertyError, section } from '@pagurus/device-model';
import type { Ps2PointerService } from './i8042.js';
import { EVENT_WORDS, QUEUE_WORDS, VmmouseState, vmmouseVmState } from './vmmouse.state.js';
import type { BackdoorRegisters, VmportService } from './vmport.js';
import { VMMOUSE, VMMOUSE_BUTTON, VMMOUSE_COMMAND, VMMOUSE_ERROR, VMMOUSE_ID } from './vmware.spec.js';

const BUTTON_BIT = { left: VMMOUSE_BUTTON.LEFT, right: VMMOUSE_BUTTON.RIGHT, middle: VMMOUSE_BUTTON.MIDDLE } as const;

/** Absolute mouse behind the VMware backdoor. Backends `vmport` and `i8042` (services of those devices). */
export const vmmouse = defineDevice<object>({
  type: 'vmmouse',
  doc: 'VMware absolute mouse',
  bus: 'isa',
  properties: {},
  create: (context) => new Vmmouse(context),
});

class Vmmouse implements Device {
  // Wiring
  private readonly pointer: Ps2PointerService | undefined;

  // State
  private readonly state = new VmmouseState();
  readonly sections = [section(vmmouseVmState, this.state)];

  constructor(private readonly context: DeviceContext) {
    const port = context.backend<VmportService>('vmport');
    if (!port) throw new PropertyError('vmmouse', 'vmport', 'needs the vmport device (machine property vmport)');
    this.pointer = context.backend<Ps2PointerService>('i8042');
    port.register(VMMOUSE.STATUS, () => ((this.state.status << 16) | this.state.count) >>> 0);
    port.register(VMMOUSE.COMMAND, (registers) => this.command(registers));
    port.register(VMMOUSE.DATA, (registers) => this.data(registers));
  }

  // Behaviour

  reset(): void {
    Object.assign(this.state, new VmmouseState());
    this.route();
  }

  resume(): void {
    this.route();
  }

  private command(registers: BackdoorRegisters): number {
    const { state } = this;
    switch (registers.ebx) {
      case VMMOUSE_COMMAND.READ_ID:
        this.push(VMMOUSE_ID);
        state.status = 0;
        break;
      case VMMOUSE_COMMAND.DISABLE:
        state.status = VMMOUSE_ERROR;
        break;
      case VMMOUSE_COMMAND.REQUEST_RELATIVE:
        this.request(false);
        break;
      case VMMOUSE_COMMAND.REQUEST_ABSOLUTE:
        this.request(true);
        break;
      default:
        this.context.log.guestError(`vmmouse: command 0x${registers.ebx.toString(16)} does not exist`);
    }
    this.route();
    return registers.eax;
  }

  /** A disabled mouse stays as it is. */
  private request(absolute: boolean): void {
    if (this.state.status === 0) this.state.absolute = absolute;
  }

  /** Gives EBX words (1 to 6) in EAX, EBX, ECX, EDX, ESI, EDI. */
  private data(registers: BackdoorRegisters): number {
    const { state } = this;
    const size = registers.ebx;
    if (size === 0 || size > 6 || size > state.count) {
      this.context.log.guestError(`vmmouse: ${size} words asked for, ${state.count} there`);
      state.status = VMMOUSE_ERROR;
      this.route();
      return registers.eax;
    }
    const words = [...state.queue.subarray(0, size)];
    const names = ['eax', 'ebx', 'ecx', 'edx', 'esi', 'edi'] as const;
    for (const [i, word] of words.entries()) registers[names[i]!] = word;
    state.count -= size;
    state.queue.copyWithin(0, size, size + state.count);
    return registers.eax;
  }

  /** Events come here while the guest uses this mouse, and to the PS/2 mouse otherwise. */
  private route(): void {
    this.pointer?.takePointer(this.state.status === 0 ? (event) => this.event(event) : undefined);
  }

  private event(event: PointerEvent): void {
    const { state } = this;
    if (!this.take(event) || state.count > QUEUE_WORDS - EVENT_WORDS) return;
    const relative = event.kind === 'move' && !state.absolute;
    this.push(state.buttons);
    this.push(state.absolute ? state.x * 2 : relative ? event.dx : 0);
    this.push(state.absolute ? state.y * 2 : relative ? event.dy : 0);
    this.push(event.kind === 'move' ? event.dz : 0);
    this.pointer?.poke();
  }

  /** @returns whether there is something to report: positions count in absolute mode, movements in relative mode, the wheel in both. */
  private take(event: PointerEvent): boolean {
    const { state } = this;
    switch (event.kind) {
      case 'button': {
        const bit = BUTTON_BIT[event.button];
        state.buttons = event.down ? state.buttons | bit : state.buttons & ~bit;
        return true;
      }
      case 'position':
        state.x = event.x;
        state.y = event.y;
        return state.absolute;
      case 'move':
        return !state.absolute || event.dz !== 0;
    }
  }

  private push(word: number): void {
    const { state } = this;
    if (state.count >= QUEUE_WORDS) return;
    state.queue[state.count++] = word;
  }
}
