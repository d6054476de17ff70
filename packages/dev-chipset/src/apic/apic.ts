import { type Device, type DeviceContext, defineDevice, NEVER, PropertyError, section } from '@pagurus/device-model';
import type { PicService } from '../i8259/i8259.js';
import { ApicState, apicVmState } from './apic.state.js';
import type { ApicBus, BusAgent, InterruptMessage } from './bus.js';
import {
  APIC_BASE,
  BASE,
  COMMAND,
  DELIVERY,
  DIVIDE_BITS,
  ERROR,
  LENGTH,
  LVT,
  LVT_ENTRY,
  REGISTER,
  REGISTERS_LENGTH,
  SHORTHAND,
  SPURIOUS,
} from './spec.js';
import { currentCount, scheduleTimer, shiftOf, timeAfterExpiry } from './timer.js';
import { clearVector, hasVector, highestVector, setVector } from './vectors.js';

/** Virtual time is a signed number of 64 bits on the wire. */
const LATEST = 2n ** 63n - 1n;

/** What a processor asks of its local APIC. */
export interface ApicService {
  /** INTA: takes the most important request, of the 8259 first, and answers its vector. */
  acknowledge(): number;
  /** MSR IA32_APIC_BASE. */
  base(): number;
  setBase(value: number): void;
  /** CR8 is its upper half. */
  taskPriority(): number;
  setTaskPriority(value: number): void;
  /** Virtual time for IA32_TSC_DEADLINE in that timer mode; undefined disarms. The processor repeats it after a load. */
  setTscDeadline(time: bigint | undefined): void;
  /** Whether a deadline is ahead: neither reached nor dropped with its timer mode. */
  tscDeadlineArmed(): boolean;
  /** Whether the processor stands still until a start-up interrupt comes. */
  waitsForStartup(): boolean;
}

/** What a local APIC does to its processor, beside the pins `intr`, `nmi` and `smi`. */
export interface ApicProcessor {
  /** INIT: registers as after reset; a processor that is not the boot processor waits for `startup`. */
  init(): void;
  /** Starts in real mode at `vector` * 4096. */
  startup(vector: number): void;
}

export interface ApicProperties {
  id: number;
  version: number;
  vapic: boolean;
  legacyInstanceId: boolean;
}

export const apic = defineDevice<ApicProperties>({
  type: 'apic',
  doc: 'local APIC of a processor',
  bus: 'system',
  parents: ['apic-common'],
  properties: {
    id: { name: 'id', type: 'uint8', default: 0, doc: 'APIC id after reset; 0 is the boot processor' },
    version: { name: 'version', type: 'uint32', default: 0x14, doc: 'version register; 0x11 up to pc-i440fx-2.0' },
    vapic: { name: 'vapic', type: 'bool', default: true, doc: 'TPR access optimisation; see kvmvapic' },
    legacyInstanceId: {
      name: 'legacy-instance-id',
      type: 'bool',
      default: false,
      doc: 'sections numbered in order of creation; on up to pc-i440fx-2.6',
    },
  },
  create,
});

function create(context: DeviceContext, properties: ApicProperties): Device {
  // wiring
  const bus = context.backend<ApicBus>('apic-bus');
  if (!bus) throw new PropertyError('apic', 'apic-bus', 'the machine has to make an ApicBus');
  /** The 8259 pair; absent on machines without. */
  const pic = context.backend<PicService>('pic');
  const processor = context.backend<ApicProcessor>('cpu');
  const { clock } = context;
  const intr = context.line('intr');
  const nmi = context.line('nmi');
  const smi = context.line('smi');
  const timer = clock.timer(timerExpired);
  const agent: BusAgent = {
    get id() {
      return state.id;
    },
    get logicalId() {
      return state.logDest;
    },
    get format() {
      return state.destMode;
    },
    get priority() {
      return processorPriority();
    },
    accept,
    read: readRegister,
    write: writeRegister,
  };
  const region = bus.connect(agent) === 0 ? addRegion(context, bus) : undefined;

  // state
  const state = new ApicState(properties.id);

  // behaviour

  // --- requests ----------------------------------------------------------------------------------------------------------------

  function softwareEnabled(): boolean {
    return (state.spuriousVec & SPURIOUS.ENABLE) !== 0;
  }

  function processorPriority(): number {
    const inService = (highestVector(state.isr) ?? 0) & 0xf0;
    return state.tpr >> 4 >= inService >> 4 ? state.tpr : inService;
  }

  /** The request that the priority lets through; `held` if there is one that it does not. */
  function pending(): number | 'held' | undefined {
    const request = highestVector(state.irr);
    if (request === undefined) return undefined;
    const priority = processorPriority() & 0xf0;
    return priority !== 0 && (request & 0xf0) <= priority ? 'held' : request;
  }

  /** Requests of the 8259 pass: through LINT0, or around an APIC that is switched off. */
  function acceptsExternal(): boolean {
    return !(state.apicBase & APIC_BASE.ENABLE) || !(state.lvt[LVT.LINT0]! & LVT_ENTRY.MASKED);
  }

  function externalPending(): boolean {
    if (!pic?.output() || !acceptsExternal()) return false;
    return !(state.apicBase & APIC_BASE.ENABLE) || modeOf(state.lvt[LVT.LINT0]!) === DELIVERY.EXTERNAL;
  }

  function update(): void {
    const own = softwareEnabled() && typeof pending() === 'number';
    intr.set(own || externalPending());
  }

  function request(vector: number, level: boolean): void {
    setVector(state.irr, vector);
    if (level) setVector(state.tmr, vector);
    else clearVector(state.tmr, vector);
    update();
  }

  function acknowledge(): number {
    // Requests of the 8259 know no priority.
    if (externalPending()) return pic!.acknowledge();
    const vector = softwareEnabled() ? pending() : undefined;
    if (typeof vector !== 'number') return state.spuriousVec & SPURIOUS.VECTOR;
    clearVector(state.irr, vector);
    setVector(state.isr, vector);
    update();
    return vector;
  }

  function endOfInterrupt(): void {
    const vector = highestVector(state.isr);
    if (vector === undefined) return;
    clearVector(state.isr, vector);
    if (!(state.spuriousVec & SPURIOUS.NO_EOI_BROADCAST) && hasVector(state.tmr, vector)) bus!.endOfInterrupt(vector);
    update();
  }

  // --- sources -----------------------------------------------------------------------------------------------------------------

  /** A local interrupt, by its entry of the table. */
  function local(index: number): void {
    const entry = state.lvt[index]!;
    if (entry & LVT_ENTRY.MASKED) return;
    const wired = index === LVT.LINT0 || index === LVT.LINT1;
    switch (modeOf(entry)) {
      case DELIVERY.FIXED:
        request(entry & LVT_ENTRY.VECTOR, wired && (entry & LVT_ENTRY.LEVEL) !== 0);
        return;
      case DELIVERY.SMI:
        pulse(smi);
        return;
      case DELIVERY.NMI:
        pulse(nmi);
        return;
      default:
        update();
    }
  }

  /** A pin: INT of the 8259 pair on LINT0, NMI on LINT1. */
  function pin(index: number, level: boolean): void {
    const entry = state.lvt[index]!;
    if (level) local(index);
    else if (!(entry & LVT_ENTRY.MASKED) && modeOf(entry) === DELIVERY.FIXED && entry & LVT_ENTRY.LEVEL) {
      clearVector(state.irr, entry & LVT_ENTRY.VECTOR);
    }
    update();
  }

  /** From the bus. */
  function accept({ mode, vector, level }: InterruptMessage): void {
    switch (mode) {
      case DELIVERY.FIXED:
      case DELIVERY.LOWEST_PRIORITY:
        request(vector, level);
        return;
      case DELIVERY.SMI:
        pulse(smi);
        return;
      case DELIVERY.NMI:
        pulse(nmi);
        return;
      case DELIVERY.INIT:
        initialize();
        processor?.init();
        return;
      case DELIVERY.STARTUP:
        startup(vector);
        return;
      default:
        context.log.guestError(`interrupt message with delivery mode ${mode}`);
    }
  }

  /** INIT keeps address and id. [SDM] "Local APIC State After It Receives an INIT-Deassert IPI" */
  function initialize(): void {
    const { apicBase, id, arbId, sipiVector } = state;
    Object.assign(state, new ApicState(properties.id), { apicBase, id, arbId, sipiVector });
    timer.cancel();
    update();
  }

  function startup(vector: number): void {
    if (!state.waitForSipi) return;
    state.waitForSipi = 0;
    state.sipiVector = vector;
    processor?.startup(vector);
  }

  /** [SDM] "Issuing Interprocessor Interrupts" */
  function command(): void {
    const [low, high] = [state.icr[0]!, state.icr[1]!];
    const message: InterruptMessage = {
      destination: high >>> 24,
      logical: (low & COMMAND.LOGICAL) !== 0,
      mode: (low >>> LVT_ENTRY.MODE_SHIFT) & LVT_ENTRY.MODE,
      vector: low & LVT_ENTRY.VECTOR,
      level: (low & COMMAND.LEVEL) !== 0,
    };
    // "INIT level de-assert" only set the arbitration ids of old processors.
    if (message.mode === DELIVERY.INIT && message.level && !(low & COMMAND.ASSERT)) return;
    switch ((low >>> COMMAND.SHORTHAND_SHIFT) & 3) {
      case SHORTHAND.NONE:
        bus!.deliver(message);
        return;
      case SHORTHAND.SELF:
        accept(message);
        return;
      case SHORTHAND.ALL:
        bus!.broadcast(message);
        return;
      default:
        bus!.broadcast(message, agent);
    }
  }

  // --- timer -------------------------------------------------------------------------------------------------------------------

  function reschedule(time: bigint): void {
    scheduleTimer(state, time);
    if (state.timerExpiry === NEVER) timer.cancel();
    else timer.arm(state.timerExpiry);
  }

  function timerExpired(): void {
    const deadlineMode = (state.lvt[LVT.TIMER]! & LVT_ENTRY.TSC_DEADLINE) !== 0;
    state.timerExpiry = NEVER;
    local(LVT.TIMER);
    if (!deadlineMode) reschedule(timeAfterExpiry(state, clock.now()));
  }

  // --- registers -----------------------------------------------------------------------------------------------------------------

  function readRegister(offset: number): number {
    const index = offset >> 4;
    if (index >= REGISTER.IN_SERVICE && index < REGISTER.ERROR_STATUS) {
      return [state.isr, state.tmr, state.irr][(index - REGISTER.IN_SERVICE) >> 3]![index & 7]!;
    }
    if (index >= REGISTER.LOCAL_VECTORS && index < REGISTER.INITIAL_COUNT) return state.lvt[index - REGISTER.LOCAL_VECTORS]!;
    switch (index) {
      case REGISTER.ID:
        return (state.id << 24) >>> 0;
      case REGISTER.VERSION:
        return properties.version | ((LVT.COUNT - 1) << 16);
      case REGISTER.TASK_PRIORITY:
        return state.tpr;
      case REGISTER.PROCESSOR_PRIORITY:
        return processorPriority();
      case REGISTER.ARBITRATION_PRIORITY:
      case REGISTER.END_OF_INTERRUPT:
        return 0;
      case REGISTER.LOGICAL_DESTINATION:
        return (state.logDest << 24) >>> 0;
      case REGISTER.DESTINATION_FORMAT:
        return ((state.destMode << 28) | 0x0fff_ffff) >>> 0;
      case REGISTER.SPURIOUS_VECTOR:
        return state.spuriousVec;
      case REGISTER.ERROR_STATUS:
        return state.esr;
      case REGISTER.COMMAND_LOW:
      case REGISTER.COMMAND_HIGH:
        return state.icr[index & 1]!;
      case REGISTER.INITIAL_COUNT:
        return state.initialCount;
      case REGISTER.CURRENT_COUNT:
        return currentCount(state, clock.now());
      case REGISTER.DIVIDE:
        return state.divideConf;
      default:
        state.esr |= ERROR.ILLEGAL_REGISTER;
        return 0;
    }
  }

  function writeRegister(offset: number, value: number): void {
    const index = offset >> 4;
    if (index >= REGISTER.LOCAL_VECTORS && index < REGISTER.INITIAL_COUNT) {
      writeVector(index - REGISTER.LOCAL_VECTORS, value);
      return;
    }
    switch (index) {
      case REGISTER.ID:
        state.id = value >>> 24;
        return;
      case REGISTER.TASK_PRIORITY:
        setTaskPriority(value);
        return;
      case REGISTER.END_OF_INTERRUPT:
        endOfInterrupt();
        return;
      case REGISTER.LOGICAL_DESTINATION:
        state.logDest = value >>> 24;
        return;
      case REGISTER.DESTINATION_FORMAT:
        state.destMode = value >>> 28;
        return;
      case REGISTER.SPURIOUS_VECTOR:
        state.spuriousVec = value & SPURIOUS.WRITABLE;
        update();
        return;
      case REGISTER.ERROR_STATUS:
        state.esr = 0;
        return;
      case REGISTER.COMMAND_LOW:
        state.icr[0] = value;
        command();
        return;
      case REGISTER.COMMAND_HIGH:
        state.icr[1] = value;
        return;
      case REGISTER.INITIAL_COUNT:
        state.initialCount = value;
        state.initialCountLoadTime = clock.now();
        // The same moment: by the clock's next reading a short count may be over, and would never fire.
        reschedule(state.initialCountLoadTime);
        return;
      case REGISTER.DIVIDE:
        state.divideConf = value & DIVIDE_BITS;
        state.countShift = shiftOf(state.divideConf);
        reschedule(clock.now());
        return;
      default:
        if (!isReadOnly(index)) state.esr |= ERROR.ILLEGAL_REGISTER;
    }
  }

  function writeVector(index: number, value: number): void {
    const before = state.lvt[index]!;
    state.lvt[index] = value;
    if (index === LVT.TIMER) {
      // A deadline belongs to its mode, and outlives masking.
      if (!(before & value & LVT_ENTRY.TSC_DEADLINE)) state.timerExpiry = NEVER;
      reschedule(clock.now());
    } else if (index === LVT.LINT0 && pic?.output()) pin(LVT.LINT0, true);
    update();
  }

  function setTaskPriority(value: number): void {
    state.tpr = value & 0xff;
    update();
  }

  return {
    sections: [section(apicVmState, state, properties.legacyInstanceId ? {} : { instance: properties.id })],
    inputs: {
      lint0: (level) => pin(LVT.LINT0, level),
      lint1: (level) => pin(LVT.LINT1, level),
    },
    services: {
      acknowledge,
      base: () => state.apicBase,
      setBase(value) {
        // What was disabled stays so until reset. The registers do not move, as in QEMU.
        const enable = state.apicBase & value & APIC_BASE.ENABLE;
        state.apicBase = ((value & APIC_BASE.ADDRESS) | (state.apicBase & APIC_BASE.BOOT_PROCESSOR) | enable) >>> 0;
        if (!enable) state.spuriousVec &= ~SPURIOUS.ENABLE;
        update();
      },
      taskPriority: () => state.tpr,
      setTaskPriority,
      setTscDeadline(time) {
        if (!(state.lvt[LVT.TIMER]! & LVT_ENTRY.TSC_DEADLINE)) return;
        if (time === undefined) state.timerExpiry = NEVER;
        else state.timerExpiry = time < 0n ? 0n : time > LATEST ? LATEST : time;
        if (time === undefined) timer.cancel();
        else timer.arm(state.timerExpiry);
      },
      tscDeadlineArmed: () => (state.lvt[LVT.TIMER]! & LVT_ENTRY.TSC_DEADLINE) !== 0 && state.timerExpiry !== NEVER,
      waitsForStartup: () => state.waitForSipi !== 0,
    } satisfies ApicService,
    reset() {
      Object.assign(state, new ApicState(properties.id));
      timer.cancel();
      update();
    },
    resume() {
      if (state.timerExpiry === NEVER) timer.cancel();
      else timer.arm(state.timerExpiry);
      update();
    },
    unrealize() {
      timer.cancel();
      region?.remove();
    },
  };
}

/** One range for all processors: whoever accesses it sees its own registers. Messages of devices go to the bus. */
function addRegion({ mmio }: DeviceContext, bus: ApicBus) {
  const isMessage = (offset: number): boolean => offset >= REGISTERS_LENGTH || offset < 0x10;
  return mmio.add(
    BASE,
    LENGTH,
    {
      sizes: [1, 2, 4],
      read: (offset, size) => (size === 4 && !isMessage(offset) ? (bus.local?.read(offset) ?? 0) : 0),
      write(offset, value, size) {
        if (size !== 4) return;
        if (isMessage(offset)) bus.message(offset, value);
        else bus.local?.write(offset, value);
      },
    },
    { name: 'apic-msi', priority: 0x1000 },
  );
}

function modeOf(entry: number): number {
  return (entry >>> LVT_ENTRY.MODE_SHIFT) & LVT_ENTRY.MODE;
}

function isReadOnly(index: number): boolean {
  const single: readonly number[] = [
    REGISTER.VERSION,
    REGISTER.ARBITRATION_PRIORITY,
    REGISTER.PROCESSOR_PRIORITY,
    REGISTER.CURRENT_COUNT,
  ];
  return single.includes(index) || (index >= REGISTER.IN_SERVICE && index < REGISTER.ERROR_STATUS);
}

function pulse(line: { set(level: boolean): void }): void {
  line.set(true);
  line.set(false);
}
