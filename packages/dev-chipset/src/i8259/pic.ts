import { PicState } from './i8259.state.js';
import { CASCADE, EXPECT, ICW1, ICW4, OCW2, OCW3, POLL_PENDING, PORT } from './spec.js';

/** No input qualifies. */
const NONE = 8;

/** Behaviour of one 8259A over its state; `output` is its INT pin. */
export class Pic {
  constructor(
    readonly state: PicState,
    /** Lines that the ELCR lets be level-triggered. */
    private readonly elcrMask: number,
    private readonly master: boolean,
    private readonly output: (level: boolean) => void,
  ) {}

  // --- from the wires ----------------------------------------------------------------------------------------------------

  /** Level on input `irq`, 0..7. An edge stays in the IRR until it is taken, even if the line falls before. */
  input(irq: number, level: boolean): void {
    const { state } = this;
    const bit = 1 << irq;
    if (level) {
      if (this.isLevelTriggered(bit) || !(state.lastIrr & bit)) state.irr |= bit;
      state.lastIrr |= bit;
    } else {
      if (this.isLevelTriggered(bit)) state.irr &= ~bit;
      state.lastIrr &= ~bit;
    }
    this.update();
  }

  /** The request that INT stands for, 0..7, or undefined. */
  pending(): number | undefined {
    const { state } = this;
    const request = this.rank(state.irr & ~state.imr);
    if (request === NONE) return undefined;
    let inService = state.isr;
    if (state.specialMask) inService &= ~state.imr;
    // In special fully nested mode the slave may interrupt its own service. [8259A] "Special Fully Nested Mode"
    if (state.specialFullyNestedMode && this.master) inService &= ~(1 << CASCADE);
    return request < this.rank(inService) ? this.inputOf(request) : undefined;
  }

  /** The processor (or a poll) takes request `irq`. */
  take(irq: number): void {
    const { state } = this;
    const bit = 1 << irq;
    if (!state.autoEoi) state.isr |= bit;
    else if (state.rotateOnAutoEoi) state.priorityAdd = (irq + 1) & 7;
    if (!this.isLevelTriggered(bit)) state.irr &= ~bit;
    // INT falls at the end of the acknowledge sequence, so that a further request makes a new edge for the master.
    this.output(false);
    this.update();
  }

  /** Puts INT at the level that the state asks for. */
  update(): void {
    this.output(this.pending() !== undefined);
  }

  /** RESET of the machine. */
  reset(): void {
    Object.assign(this.state, new PicState());
    this.output(false);
  }

  // --- from the guest ------------------------------------------------------------------------------------------------------

  read(offset: number): number {
    const { state } = this;
    if (state.poll) return this.answerPoll();
    if (offset === PORT.DATA) return state.imr;
    return state.readRegisterSelect ? state.isr : state.irr;
  }

  write(offset: number, value: number): void {
    if (offset === PORT.DATA) this.data(value);
    else if (value & ICW1.SELECT) this.initialize(value);
    else if (value & OCW3.SELECT) this.operation3(value);
    else this.operation2(value >> 5, value & 7);
  }

  readElcr(): number {
    return this.state.elcr;
  }

  writeElcr(value: number): void {
    this.state.elcr = value & this.elcrMask;
  }

  private answerPoll(): number {
    this.state.poll = 0;
    const irq = this.pending();
    if (irq === undefined) return 0;
    this.take(irq);
    return POLL_PENDING | irq;
  }

  /** ICW1: everything but the ELCR and the level-triggered requests starts over. */
  private initialize(icw1: number): void {
    const { elcr, irr } = this.state;
    Object.assign(this.state, new PicState(), {
      elcr,
      irr: irr & elcr,
      initState: EXPECT.ICW2,
      init4: icw1 & ICW1.IC4,
      singleMode: icw1 & ICW1.SINGLE,
      ltim: icw1 & ICW1.LTIM,
    });
    this.update();
  }

  /** OCW1, or the initialization word that is due. */
  private data(value: number): void {
    const { state } = this;
    switch (state.initState) {
      case EXPECT.OCW1:
        state.imr = value;
        this.update();
        return;
      case EXPECT.ICW2:
        state.irqBase = value & 0xf8;
        state.initState = state.singleMode ? this.afterIcw3() : EXPECT.ICW3;
        return;
      case EXPECT.ICW3:
        state.initState = this.afterIcw3();
        return;
      default:
        state.specialFullyNestedMode = value & ICW4.SPECIAL_FULLY_NESTED ? 1 : 0;
        state.autoEoi = value & ICW4.AUTO_EOI ? 1 : 0;
        state.initState = EXPECT.OCW1;
        this.update();
    }
  }

  private afterIcw3(): number {
    return this.state.init4 ? EXPECT.ICW4 : EXPECT.OCW1;
  }

  private operation2(command: number, level: number): void {
    const { state } = this;
    switch (command) {
      case OCW2.ROTATE_AUTO_EOI_CLEAR:
      case OCW2.ROTATE_AUTO_EOI_SET:
        state.rotateOnAutoEoi = command === OCW2.ROTATE_AUTO_EOI_SET ? 1 : 0;
        return;
      case OCW2.EOI:
      case OCW2.ROTATE_EOI: {
        const rank = this.rank(state.isr);
        if (rank !== NONE) this.endOfInterrupt(this.inputOf(rank), command === OCW2.ROTATE_EOI);
        return;
      }
      case OCW2.SPECIFIC_EOI:
      case OCW2.ROTATE_SPECIFIC_EOI:
        this.endOfInterrupt(level, command === OCW2.ROTATE_SPECIFIC_EOI);
        return;
      case OCW2.SET_PRIORITY:
        state.priorityAdd = (level + 1) & 7;
        this.update();
        return;
      case OCW2.NO_OPERATION:
        return;
    }
  }

  private operation3(value: number): void {
    const { state } = this;
    if (value & OCW3.POLL) state.poll = 1;
    if (value & OCW3.READ) state.readRegisterSelect = value & OCW3.READ_ISR;
    if (value & OCW3.ENABLE_SPECIAL_MASK) {
      state.specialMask = value & OCW3.SPECIAL_MASK ? 1 : 0;
      this.update();
    }
  }

  private endOfInterrupt(irq: number, rotate: boolean): void {
    this.state.isr &= ~(1 << irq);
    if (rotate) this.state.priorityAdd = (irq + 1) & 7;
    this.update();
  }

  // --- priorities ------------------------------------------------------------------------------------------------------------

  /** Rank of the most important input in `mask`: 0 is the highest, {@link NONE} if the mask is empty. */
  private rank(mask: number): number {
    for (let rank = 0; rank < NONE; rank++) if (mask & (1 << this.inputOf(rank))) return rank;
    return NONE;
  }

  private inputOf(rank: number): number {
    return (rank + this.state.priorityAdd) & 7;
  }

  private isLevelTriggered(bit: number): boolean {
    return this.state.ltim !== 0 || (this.state.elcr & bit) !== 0;
  }
}
