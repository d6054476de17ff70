/**
 * What is looked at between instructions when EVENTS is not 0, in the order of the SDM (volume 3, table 6-2): pending exception, traps of the
 * instruction before, SMI, NMI, interrupts; then whether the next instruction must run alone, and whether the host wants out.
 */
import {
  BREAKPOINTS, BREAK_CODE, CURRENT_BLOCK, DELIVERING, DR, EFLAGS, EVENTS, EVENT_EXCEPTION, EVENT_EXIT, EVENT_HALT, EVENT_INTR, EVENT_LIMIT, EVENT_MISSING,
  EVENT_NMI, EVENT_PATCHED, EVENT_SHUTDOWN, EVENT_SMI, EVENT_STEP, EXCEPTION_CODE, EXCEPTION_DR6, EXCEPTION_HAS_CODE, EXCEPTION_KIND,
  EXCEPTION_VECTOR, FETCH_BASE, FETCH_MASK, HALTED, INSTRUCTIONS, INTERRUPT_SHADOW, LAST_DELIVERY, LIMIT, NMI_BLOCKED, NMI_PENDING, PATCHED_OP,
  PATCHED_RECORD, RIP, RUN_HALTED, RUN_LIMIT, RUN_MISSING, RUN_REQUESTED, RUN_SHUTDOWN, SHUTDOWN, STEPPING, STEP_DR6,
} from '../src/layout';
import { acknowledge } from './bus';
import { DB, DF, KIND_EXTERNAL, KIND_FAULT, KIND_TRAP, PF } from './exceptions';
import { interrupt } from './interrupts';
import { enterSmm } from './smm';
import { anyWithheld, begin, commit, rememberAlone } from './withheld';
import { FLAG_RF, FLAG_TF, eflags, signal, unsignal, updateEvents } from './state';

const GO: i32 = -1;
const GO_ALONE: i32 = -2;

/** Answers RUN_*, or -1 to go on, -2 to run the next instruction alone. */
export function boundary(): i32 {
  store<u32>(CURRENT_BLOCK, 0);
  const patched = load<u32>(PATCHED_RECORD);
  if (patched) {
    store<u16>(patched, u16(load<u32>(PATCHED_OP)));
    store<u32>(PATCHED_RECORD, 0);
  }
  let events = load<u32>(EVENTS);
  if (events & EVENT_MISSING) {
    // whatever else waits is looked at when the page is there
    unsignal(EVENT_MISSING);
    return RUN_MISSING;
  }
  if (events & EVENT_PATCHED) unsignal(EVENT_PATCHED);
  if (events & EVENT_SHUTDOWN) return RUN_SHUTDOWN;
  if (events & EVENT_EXCEPTION) {
    store<u32>(STEPPING, 0);
    store<u32>(STEP_DR6, 0);
    deliverException();
    return load<u32>(EVENTS) & EVENT_SHUTDOWN ? RUN_SHUTDOWN : onward();
  }
  if (load<u32>(STEPPING) && load<u32>(INTERRUPT_SHADOW) == 2) {
    // MOV SS and POP SS hold traps back: single step for good, data breakpoints until behind the next instruction
    const data = load<u32>(STEP_DR6) & 15;
    store<u32>(STEP_DR6, data);
    store<u32>(STEPPING, u32(data != 0));
  } else if (load<u32>(STEPPING)) {
    begin();
    store<u32>(STEPPING, 0);
    const bits = load<u32>(STEP_DR6);
    store<u32>(STEP_DR6, 0);
    debugException(bits, KIND_TRAP);
    return onward();
  }
  const shadow = load<u32>(INTERRUPT_SHADOW);
  if (shadow != 2 && events & EVENT_SMI) {
    begin();
    enterSmm();
    commit();
    return onward();
  }
  if (shadow != 2 && events & EVENT_NMI) {
    begin();
    wake();
    store<u32>(NMI_PENDING, 0);
    store<u32>(NMI_BLOCKED, 1);
    updateEvents();
    interrupt(2, KIND_EXTERNAL, false, 0, load<u64>(RIP));
    commit();
    return onward();
  }
  if (!shadow && events & EVENT_INTR) {
    wake();
    const vector = acknowledge() & 0xff;
    if (anyWithheld()) {
      // taken from the controller for good: what is missing later finds it pending
      store<i32>(EXCEPTION_VECTOR, i32(vector));
      store<u32>(EXCEPTION_HAS_CODE, 0);
      store<u32>(EXCEPTION_KIND, KIND_EXTERNAL);
      store<i32>(DELIVERING, -1);
      signal(EVENT_EXCEPTION);
      begin();
      store<i32>(EXCEPTION_VECTOR, -1);
      unsignal(EVENT_EXCEPTION);
    }
    interrupt(vector, KIND_EXTERNAL, false, 0, load<u64>(RIP));
    commit();
    return onward();
  }
  if (events & EVENT_EXIT) {
    unsignal(EVENT_EXIT);
    return RUN_REQUESTED;
  }
  if (events & EVENT_LIMIT || load<i64>(INSTRUCTIONS) >= load<i64>(LIMIT)) {
    unsignal(EVENT_LIMIT);
    return RUN_LIMIT;
  }
  if (load<u32>(HALTED)) return RUN_HALTED;
  events = load<u32>(EVENTS);
  if (!(events & EVENT_STEP)) return GO;

  // the next instruction runs alone: shadow of STI or MOV SS, TF, breakpoint registers
  if (load<u32>(BREAKPOINTS) & BREAK_CODE && !shadow && codeBreakpoint()) return onward();
  if (anyWithheld()) rememberAlone();
  if (eflags() & FLAG_TF) {
    store<u32>(STEPPING, 1);
    store<u32>(STEP_DR6, load<u32>(STEP_DR6) | 0x4000);
  }
  store<u32>(INTERRUPT_SHADOW, 0);
  if (eflags() & FLAG_RF) store<u64>(EFLAGS, load<u64>(EFLAGS) & ~u64(FLAG_RF));
  updateEvents();
  if (load<u32>(STEP_DR6) & 15) signal(EVENT_PATCHED);
  return GO_ALONE;
}

/** After a delivery: the host's wish to leave or another event is looked at first. */
function onward(): i32 {
  return load<u32>(EVENTS) ? boundary() : GO;
}

function wake(): void {
  if (!load<u32>(HALTED)) return;
  store<u32>(HALTED, 0);
  unsignal(EVENT_HALT);
}

@inline function contributory(vector: i32): bool {
  return vector == 0 || (vector >= 10 && vector <= 13);
}

function deliverException(): void {
  begin();
  let vector = load<i32>(EXCEPTION_VECTOR);
  let hasCode = load<u32>(EXCEPTION_HAS_CODE) != 0;
  let code = load<u32>(EXCEPTION_CODE);
  let kind = load<u32>(EXCEPTION_KIND);
  const first = load<i32>(DELIVERING);
  store<i32>(EXCEPTION_VECTOR, -1);
  unsignal(EVENT_EXCEPTION);
  if (first == 8) {
    store<i32>(DELIVERING, -1);
    store<u32>(SHUTDOWN, 1);
    signal(EVENT_SHUTDOWN);
    commit();
    return;
  }
  if ((contributory(first) && contributory(vector)) || (first == i32(PF) && (vector == i32(PF) || contributory(vector)))) {
    vector = i32(DF);
    hasCode = true;
    code = 0;
    kind = KIND_FAULT;
  }
  wake();
  if (vector == i32(DB)) setDebugStatus(load<u32>(EXCEPTION_DR6));
  // a handler that faults at its first instruction, for ever, must not stop time
  if (load<i64>(INSTRUCTIONS) == load<i64>(LAST_DELIVERY)) {
    store<i64>(INSTRUCTIONS, load<i64>(INSTRUCTIONS) + 1);
    if (load<i64>(INSTRUCTIONS) >= load<i64>(LIMIT)) signal(EVENT_LIMIT);
  }
  store<i64>(LAST_DELIVERY, load<i64>(INSTRUCTIONS));
  store<i32>(DELIVERING, vector);
  interrupt(u32(vector), kind, hasCode, code, load<u64>(RIP));
  store<i32>(DELIVERING, -1);
  commit();
}

function setDebugStatus(bits: u32): void {
  store<u64>(DR + 48, load<u64>(DR + 48) | u64(bits));
  store<u64>(DR + 56, load<u64>(DR + 56) & ~(<u64>0x2000)); // GD
}

/** #DB outside an instruction. */
export function debugException(bits: u32, kind: u32): void {
  begin();
  setDebugStatus(bits);
  store<i32>(DELIVERING, i32(DB));
  interrupt(DB, kind, false, 0, load<u64>(RIP));
  store<i32>(DELIVERING, -1);
  commit();
}

/** Instruction breakpoint at RIP? Delivers it. */
function codeBreakpoint(): bool {
  if (eflags() & FLAG_RF) return false;
  const linear = (load<u64>(RIP) + load<u64>(FETCH_BASE)) & load<u64>(FETCH_MASK);
  const control = load<u32>(DR + 56);
  let hit: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    if ((control >> (i * 2)) & 3 && !((control >> (16 + i * 4)) & 15) && load<u64>(DR + i * 8) == linear) hit |= 1 << i;
  }
  if (!hit) return false;
  debugException(hit, KIND_FAULT);
  return true;
}
