import type { PointerEvent } from '@pagurus/device-model';
import { clearQueue, dequeue, enqueue, QUEUE_LIMIT } from './common.state.js';
import { Ps2MouseState } from './mouse.state.js';
import { AUX, AUX_ID, AUX_STATUS, REPLY } from './spec.js';

const BUTTON_BIT = { left: 1, right: 2, middle: 4 } as const;

/** Behaviour over {@link Ps2MouseState}. `dataReady` is the mouse's data line: high while bytes wait. */
export class Ps2Mouse {
  readonly state = new Ps2MouseState();

  constructor(private readonly dataReady: (level: boolean) => void) {}

  /** Power-on. */
  reset(): void {
    Object.assign(this.state, new Ps2MouseState());
    this.dataReady(false);
  }

  /** Movement in screen coordinates (y downwards) or a button. A disabled mouse sees nothing, and no mouse knows positions. */
  pointer(event: PointerEvent): void {
    const { state } = this;
    if ((state.status & AUX_STATUS.ENABLED) === 0 || event.kind === 'position') return;
    if (event.kind === 'move') {
      state.dx = (state.dx + event.dx) | 0;
      state.dy = (state.dy - event.dy) | 0;
      state.dz = (state.dz + event.dz) | 0;
    } else {
      const bit = BUTTON_BIT[event.button];
      state.buttons = event.down ? state.buttons | bit : state.buttons & ~bit;
    }
    this.report();
  }

  /** A movement that means nothing, to raise the interrupt on behalf of a paravirtual mouse. */
  poke(): void {
    this.state.dx = (this.state.dx + 1) | 0;
    this.report();
  }

  /** Host wrote a byte meant for the mouse (through controller command 0xd4). */
  receive(byte: number): void {
    const { common } = this.state;
    const pending = common.writeCmd;
    common.writeCmd = -1;
    this.reply(pending === -1 ? this.command(byte) : this.argument(pending, byte));
    if (pending === -1 && byte === AUX.READ_DATA && this.state.wrap === 0) this.sendPacket();
  }

  /** Next byte for the host; the last one again when the queue is empty. */
  read(): number {
    const { common } = this.state;
    if (common.count === 0) return dequeue(common);
    const byte = dequeue(common);
    this.dataReady(false);
    if (common.count > 0) this.dataReady(true);
    return byte;
  }

  /** A byte of the controller that old machines send through the mouse's queue. */
  inject(byte: number): void {
    enqueue(this.state.common, byte);
    this.dataReady(true);
  }

  /** @returns the mouse's answer. */
  private command(byte: number): readonly number[] {
    const { state } = this;
    if (state.wrap !== 0) {
      if (byte === AUX.RESET_WRAP) {
        state.wrap = 0;
        return [REPLY.ACK];
      }
      if (byte !== AUX.RESET) return [byte];
    }
    switch (byte) {
      case AUX.SCALE_1_1:
        state.status &= ~AUX_STATUS.SCALE_2_1;
        return [REPLY.ACK];
      case AUX.SCALE_2_1:
        state.status |= AUX_STATUS.SCALE_2_1;
        return [REPLY.ACK];
      case AUX.SET_STREAM:
        state.status &= ~AUX_STATUS.REMOTE;
        return [REPLY.ACK];
      case AUX.SET_WRAP:
        state.wrap = 1;
        return [REPLY.ACK];
      case AUX.SET_REMOTE:
        state.status |= AUX_STATUS.REMOTE;
        return [REPLY.ACK];
      case AUX.READ_ID:
        return [REPLY.ACK, state.type];
      case AUX.SET_RESOLUTION:
      case AUX.SET_SAMPLE_RATE:
        state.common.writeCmd = byte;
        return [REPLY.ACK];
      case AUX.STATUS_REQUEST:
        return [REPLY.ACK, state.status, state.resolution, state.sampleRate];
      case AUX.READ_DATA:
        return [REPLY.ACK];
      case AUX.ENABLE:
        state.status |= AUX_STATUS.ENABLED;
        return [REPLY.ACK];
      case AUX.DISABLE:
        state.status &= ~AUX_STATUS.ENABLED;
        return [REPLY.ACK];
      case AUX.DEFAULT:
        this.setDefaults();
        return [REPLY.ACK];
      case AUX.RESET:
        this.setDefaults();
        state.type = AUX_ID.PLAIN;
        clearQueue(state.common);
        return [REPLY.ACK, REPLY.BAT_OK, state.type];
      default:
        // The mouse stays silent where a real one would ask to resend; QEMU does the same.
        return [];
    }
  }

  private argument(command: number, byte: number): readonly number[] {
    switch (command) {
      case AUX.SET_SAMPLE_RATE:
        this.setSampleRate(byte);
        return [REPLY.ACK];
      case AUX.SET_RESOLUTION:
        this.state.resolution = byte;
        return [REPLY.ACK];
      default:
        // Only a foreign stream can name another command here: take the byte as a command of its own.
        return this.command(byte);
    }
  }

  private setDefaults(): void {
    this.state.sampleRate = 100;
    this.state.resolution = 2;
    this.state.status = 0;
  }

  /** Rates 200, 100, 80 in a row make it a wheel mouse; 200, 200, 80 an Explorer. [IMPS2] */
  private setSampleRate(rate: number): void {
    const { state } = this;
    state.sampleRate = rate;
    switch (state.detectState) {
      case 1:
        state.detectState = rate === 100 ? 2 : rate === 200 ? 3 : 0;
        break;
      case 2:
        if (rate === 80) state.type = AUX_ID.WHEEL;
        state.detectState = 0;
        break;
      case 3:
        if (rate === 80) state.type = AUX_ID.EXPLORER;
        state.detectState = 0;
        break;
      default:
        state.detectState = rate === 200 ? 1 : state.detectState;
    }
  }

  /** All bytes or none: a part of a reply would put the driver out of step. */
  private reply(bytes: readonly number[]): void {
    const { common } = this.state;
    if (bytes.length === 0 || QUEUE_LIMIT - common.count < bytes.length) return;
    for (const byte of bytes) enqueue(common, byte);
    this.dataReady(true);
  }

  private report(): void {
    if ((this.state.status & (AUX_STATUS.ENABLED | AUX_STATUS.REMOTE)) === AUX_STATUS.ENABLED) this.sendPackets();
  }

  /** As many packets as the movement needs and the queue takes. */
  private sendPackets(): void {
    const { state } = this;
    while (this.sendPacket() && (state.dx !== 0 || state.dy !== 0 || state.dz !== 0));
  }

  /** @returns false if the queue has no room for a whole packet. */
  private sendPacket(): boolean {
    const { state } = this;
    const { common } = state;
    if (QUEUE_LIMIT - common.count < (state.type === AUX_ID.PLAIN ? 3 : 4)) return false;
    const dx = clamp(state.dx, 127);
    const dy = clamp(state.dy, 127);
    enqueue(common, 0x08 | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0) | (state.buttons & 7));
    enqueue(common, dx & 0xff);
    enqueue(common, dy & 0xff);
    state.dx -= dx;
    state.dy -= dy;
    this.sendWheel();
    this.dataReady(true);
    return true;
  }

  private sendWheel(): void {
    const { state } = this;
    if (state.type === AUX_ID.WHEEL) {
      const dz = clamp(state.dz, 127);
      enqueue(state.common, dz & 0xff);
      state.dz -= dz;
    } else if (state.type === AUX_ID.EXPLORER) {
      const dz = clamp(state.dz, 7);
      enqueue(state.common, (dz & 0x0f) | ((state.buttons & 0x18) << 1));
      state.dz -= dz;
    } else state.dz = 0;
  }
}

function clamp(value: number, limit: number): number {
  return Math.min(Math.max(value, -limit), limit);
}
