import { clearQueue, dequeue, enqueue, RING } from './common.state.js';
import { Ps2KeyboardState } from './keyboard.state.js';
import { makeCode, modifierBit, releaseCode, TRANSLATE } from './scancodes.js';
import { KBD, REPLY } from './spec.js';

/** Behaviour over {@link Ps2KeyboardState}. `dataReady` is the keyboard's data line: high while bytes wait. */
export class Ps2Keyboard {
  readonly state = new Ps2KeyboardState();

  constructor(private readonly dataReady: (level: boolean) => void) {}

  /** Power-on. */
  reset(): void {
    Object.assign(this.state, new Ps2KeyboardState());
    this.dataReady(false);
  }

  setTranslation(on: boolean): void {
    this.state.translate = on;
  }

  /** A key by QEMU's QKeyCode name. Unknown names and a disabled keyboard do nothing. */
  key(qcode: string, down: boolean): void {
    const { state } = this;
    if (!state.scanEnabled) return;
    const modifier = modifierBit(qcode);
    state.modifiers = down ? state.modifiers | modifier : state.modifiers & ~modifier;
    const set = state.scancodeSet;
    const codes = down ? makeCode(qcode, set, state.modifiers) : releaseCode(qcode, set, state.modifiers);
    if (codes.length === 0) return;
    for (const code of codes) this.putCode(code);
    this.dataReady(true);
  }

  /** Host wrote a byte meant for the keyboard. Replies that nobody fetched are dropped. */
  receive(byte: number): void {
    const { state } = this;
    this.dropReplies();
    const pending = state.common.writeCmd;
    state.common.writeCmd = -1;
    this.reply(pending === -1 ? this.command(byte) : this.argument(pending, byte));
  }

  /** Next byte for the host; the last one again when the queue is empty. */
  read(): number {
    const { state } = this;
    const { common } = state;
    if (common.count === 0) return dequeue(common);
    const byte = dequeue(common);
    if (common.rptr === state.replyEnd) state.replyEnd = -1;
    this.dataReady(false);
    if (common.count > 0) this.dataReady(true);
    return byte;
  }

  /** A byte of the controller that old machines send through the keyboard's queue. */
  inject(byte: number): void {
    enqueue(this.state.common, byte);
    this.dataReady(true);
  }

  /** @returns the keyboard's answer. */
  private command(byte: number): readonly number[] {
    const { state } = this;
    switch (byte) {
      case 0x00:
        return [REPLY.ACK];
      case KBD.ECHO:
        return [KBD.ECHO];
      case KBD.READ_ID:
        return [REPLY.ACK, 0xab, state.translate ? TRANSLATE[0x83]! : 0x83];
      case KBD.ENABLE:
        state.scanEnabled = true;
        return [REPLY.ACK];
      case KBD.SET_LEDS:
      case KBD.SCANCODE_SET:
      case KBD.SET_RATE:
      case KBD.KEY_MAKE_BREAK:
        state.common.writeCmd = byte;
        return [REPLY.ACK];
      case KBD.DEFAULT_DISABLE:
        this.setDefaults();
        state.scanEnabled = false;
        return [REPLY.ACK];
      case KBD.DEFAULT:
        this.setDefaults();
        return [REPLY.ACK];
      case KBD.ALL_TYPEMATIC:
        return [REPLY.ACK];
      case KBD.RESET:
        this.setDefaults();
        return [REPLY.ACK, REPLY.BAT_OK];
      default:
        return [REPLY.RESEND];
    }
  }

  private argument(command: number, byte: number): readonly number[] {
    switch (command) {
      case KBD.SCANCODE_SET:
        return this.scancodeSet(byte);
      case KBD.SET_LEDS:
        this.state.leds = byte;
        return [REPLY.ACK];
      case KBD.SET_RATE:
        // Typematic rate and delay: accepted; the host's keyboard repeats, not ours.
        return [REPLY.ACK];
      case KBD.KEY_MAKE_BREAK:
        return [REPLY.ACK];
      default:
        // Only a foreign stream can name another command here: take the byte as a command of its own.
        return this.command(byte);
    }
  }

  /** Argument 0 asks for the set, which comes back translated like any other byte. */
  private scancodeSet(byte: number): readonly number[] {
    const { state } = this;
    if (byte === 0) return [REPLY.ACK, state.translate ? (TRANSLATE[state.scancodeSet] ?? 0) : state.scancodeSet];
    if (byte > 3) return [REPLY.RESEND];
    state.scancodeSet = byte;
    return [REPLY.ACK];
  }

  private setDefaults(): void {
    const { state } = this;
    state.scanEnabled = true;
    state.scancodeSet = 2;
    state.leds = 0;
    state.replyEnd = -1;
    clearQueue(state.common);
  }

  /** Replies go in front of queued keys. */
  private reply(bytes: readonly number[]): void {
    const { state } = this;
    const { common } = state;
    common.rptr = (common.rptr - bytes.length) & (RING - 1);
    for (const [i, byte] of bytes.entries()) common.data[(common.rptr + i) % RING] = byte;
    common.count += bytes.length;
    state.replyEnd = (common.rptr + bytes.length) % RING;
    this.dataReady(true);
  }

  private dropReplies(): void {
    const { state } = this;
    if (state.replyEnd === -1) return;
    state.common.count -= (state.replyEnd - state.common.rptr) & (RING - 1);
    state.common.rptr = state.replyEnd;
    state.replyEnd = -1;
  }

  private putCode(code: number): void {
    const { state } = this;
    if (!state.translate) enqueue(state.common, code);
    else if (code === 0xf0) state.needHighBit = true;
    else {
      enqueue(state.common, TRANSLATE[code]! | (state.needHighBit ? 0x80 : 0));
      state.needHighBit = false;
    }
  }
}
