import type { CpuBus, CpuExit, CpuPort, CpuRamBlock, FlatRange } from '@pagurus/cpu-wasm';
import type {
  InputPin,
  Log,
  MigrationRamBlock,
  MigrationSection,
  MigrationTarget,
  NetworkBackend,
  RunState,
  Screen,
  StreamSettings,
} from '@pagurus/device-model';
import { section } from '@pagurus/device-model';
import { VirtualClock } from './clock.js';
import { rowsOf } from './compat.js';
import { type ComposedDevice, Composer, type ComposerMachine, type LocalApic } from './composer.js';
import type { MachineConfig } from './config.js';
import { type MachineCpu, makeCpu, type ProcessorNotice } from './cpu.js';
import { MachineLog } from './log.js';
import { machineProperties } from './machine-properties.js';
import { MachineError, type MachineType } from './machine-type.js';
import { PortBus } from './port-bus.js';
import { RunLoop } from './run-loop.js';
import { type SmpLayout, smpLayout } from './smp.js';
import { type MigrationObjectProperties, migrationObject, type Program, streamSettings } from './stream-settings.js';
import { SystemMemory } from './system-memory.js';
import { DETERMINISTIC_RTC, type HostClock, MachineTime, timerVmState } from './time.js';

const PAGE = 4096;
/** What MADT entries and physical destinations of interrupts can name. */
const MOST_PROCESSORS = 255;

/** Why a machine ended. */
export interface Shutdown {
  readonly reason: string;
  /** From isa-debug-exit; otherwise undefined. */
  readonly exitCode?: number;
}

export interface MachineEvents {
  /** Run state changed. */
  state?(state: RunState): void;
  /** The guest (or the monitor) reset the machine. */
  reset?(reason: string): void;
  /** The guest powered off; the machine is stopped in state `shutdown`. */
  shutdown?(shutdown: Shutdown): void;
  /** A defect of the emulator surfaced; the machine is stopped in state `internal-error`. */
  error?(error: unknown): void;
}

/** Host clocks of a browser or Node.js. */
export const systemClock: HostClock = {
  monotonic: () => BigInt(Math.round(performance.now() * 1e6)),
  wall: () => BigInt(Date.now()) * 1_000_000n,
};

/**
 * A running PC. Create with {@link createMachine}; it starts in state `prelaunch`.
 */
export class Machine implements MigrationTarget {
  readonly machineName: string;
  readonly settings: StreamSettings & { readonly program: Program };
  readonly memory: SystemMemory;
  readonly ports = new PortBus();
  readonly clock: VirtualClock;
  readonly time: MachineTime;
  readonly composer: Composer;
  readonly smp: SmpLayout;
  readonly events: MachineEvents[] = [];
  /** `-no-reboot`: a reset becomes a shutdown. */
  noReboot = false;

  private readonly loop: RunLoop;
  private readonly logs: MachineLog;
  private state: RunState = 'prelaunch';
  private sectionRank: ReturnType<NonNullable<MachineType['sectionRank']>> | undefined;
  private mapStale = true;
  private resuming = false;
  private pendingReset: string | undefined;
  private pendingShutdown: Shutdown | undefined;
  private readonly freshlyLogged = new Set<string>();
  private readonly cpuPart: MachineCpu;

  /** Use {@link createMachine}. */
  constructor(
    // biome-ignore lint/suspicious/noExplicitAny: a machine type of any properties.
    readonly type: MachineType<any>,
    readonly config: MachineConfig,
    cpuModule: WebAssembly.Module,
  ) {
    this.machineName = type.name;
    const host = config.hostClock ?? systemClock;
    const memorySize = config.memory ?? type.defaultMemory;
    if (!Number.isInteger(memorySize) || memorySize <= 0 || memorySize % PAGE !== 0)
      throw new MachineError(`memory size ${memorySize} is not a positive multiple of ${PAGE} bytes`);
    this.logs = new MachineLog(config.log ?? (() => {}));
    this.memory = new SystemMemory({
      allocate: (name, length) => this.cpu.allocate(name, length),
      mapChanged: () => {
        this.mapStale = true;
        if (this.cpuPart !== undefined) this.pushMap();
      },
    });
    const bus: CpuBus = {
      portRead: (port, size) => this.ports.read(port, size),
      portWrite: (port, value, size) => this.ports.write(port, value, size),
      mmioRead: (address, size) => this.memory.mmioRead(address, size),
      mmioWrite: (address, value, size) => this.memory.mmioWrite(address, value, size),
      acknowledgeInterrupt: () => this.composer.acknowledgeInterrupt(),
      timestamp: () => this.time.timestamp(),
    };
    this.smp = smpLayout(config.smp ?? {}, type.preferSockets ?? false, type.name, type.maxCpus ?? MOST_PROCESSORS);
    this.cpuPart = makeCpu(cpuModule, {
      bus,
      memorySize,
      model: cpuModel(type, config),
      target: config.target ?? 'i386',
      properties: cpuProperties(type, config),
      count: this.smp.cpus,
      topology: this.smp,
      notice: (what) => this.noticed(what),
      selected: (processor) => {
        this.composer?.processorSelected(processor);
        this.composer?.systemManagement(this.cpu.systemManagement);
      },
    });
    this.time = new MachineTime(
      host,
      config.rtc ?? (config.icount ? DETERMINISTIC_RTC : { clock: 'host' }),
      config.icount,
      () => this.cpu.instructions,
    );
    this.clock = new VirtualClock(this.time, () => this.loop?.deadlineMoved());
    this.loop = new RunLoop(this.cpuPart.processors, this.clock, this.time, {
      monotonic: () => host.monotonic(),
      afterRun: (exit) => this.afterRun(exit),
      hostBusy: () => (config.hostWork?.pending ?? 0) > 0,
    });
    config.hostWork?.onStart(() => this.loop.hostWorkStarted());
    this.composer = new Composer(this.composerView(), type, config, memorySize);
    this.settings = streamSettings(this.composer.resolve(migrationObject).values as unknown as MigrationObjectProperties);
    this.composer.addInternal('timer', this.timerDevice());
    for (const [id, network] of Object.entries(config.backends?.netdev ?? {}))
      this.composer.addInternal(`netdev/${id}`, { sections: (network as NetworkBackend).sections ?? [], reset() {} });
    this.composer.addInternal('cpu', this.cpuPart.devices[0]!);
    type.build(this.composer, machineProperties(type, config));
    const devices = config.devices ?? [];
    for (const device of devices.filter(({ board }) => board)) this.composer.plug(device);
    this.composer.sections.boardIsComplete();
    this.sectionRank = type.sectionRank?.(this.settings.program);
    for (const device of devices.filter(({ board }) => !board)) this.composer.plug(device);
    for (const row of this.composer.unusedGlobals().filter(({ driver }) => !driver.endsWith('-cpu')))
      config.log?.(`warning: -global ${row.driver}.${row.property}=${row.value} has no effect: no such device in ${type.name}`);
    this.resetDevices();
  }

  get cpu(): CpuPort {
    return this.cpuPart.cpu;
  }

  /** `info registers`. */
  registersText(processor = 0): string {
    return this.cpuPart.registersText(processor);
  }

  get devices(): readonly ComposedDevice[] {
    return this.composer.devices;
  }

  /** A device's service by device id. @throws {MachineError} if there is none. */
  service<S extends object>(id: string): S {
    const found = this.devices.find((entry) => entry.id === id);
    if (!found?.device.services) throw new MachineError(`no device '${id}' with services in ${this.machineName}`);
    return found.device.services as S;
  }

  /** The first screen of the machine, or undefined without a display adapter. */
  screen(): Screen | undefined {
    for (const { device } of this.devices) {
      const services = device.services as Partial<Screen> | undefined;
      if (services?.text && services.image) return services as Screen;
    }
    return undefined;
  }

  get runState(): RunState {
    return this.state;
  }

  // --- running ---------------------------------------------------------------------------------------------------------

  start(): void {
    if (this.state === 'running') return;
    if (this.state === 'shutdown' || this.state === 'internal-error')
      throw new MachineError(`the machine is in state ${this.state}; reset it first`);
    this.setState('running');
    this.loop.start((error) => this.fail(error));
  }

  stop(state: RunState = 'paused'): void {
    this.loop.stop();
    this.setState(state);
  }

  /** Resolves when the run loop has left the stack. */
  whenStopped(): Promise<void> {
    return this.loop.whenSettled();
  }

  /**
   * Deterministic machines: run without yielding up to an instruction count, then stop in state `paused`.
   * @returns why it came back earlier, or `limit`.
   */
  runUntil(instructions: number): void {
    if (!this.time.counting) throw new MachineError('runUntil needs a deterministic machine (icount)');
    this.setState('running');
    this.loop.runUntil(instructions);
    if (this.state === 'running') this.setState('paused');
  }

  /** HMP `replay_break`: stop at exactly this instruction count. */
  breakAt(instructions: number): void {
    if (!this.time.counting) throw new MachineError('replay_break needs a deterministic machine (-icount shift=N)');
    if (instructions < this.cpu.instructions)
      throw new MachineError(`instruction ${instructions} has passed; the count is ${this.cpu.instructions}`);
    this.loop.breakAt(instructions);
  }

  /** The host has something for the guest (a key, a byte, a packet). */
  wake(): void {
    this.loop.wake();
  }

  requestReset(reason: string): void {
    this.pendingReset = reason;
    this.leaveRun();
  }

  requestShutdown(reason: string, exitCode?: number): void {
    this.pendingShutdown = exitCode === undefined ? { reason } : { reason, exitCode };
    this.leaveRun();
  }

  // --- MigrationTarget ---------------------------------------------------------------------------------------------------

  get ramBlocks(): readonly MigrationRamBlock[] {
    return this.cpu.blocks;
  }

  get sections(): readonly MigrationSection[] {
    return this.composer.sections.list(this.sectionRank);
  }

  async drained(): Promise<void> {
    await this.config.hostWork?.settle(this.state === 'finish-migrate');
  }

  setDirtyLogging(on: boolean): void {
    this.cpu.setDirtyLogging(on);
    this.freshlyLogged.clear();
    if (on) for (const block of this.cpu.blocks) this.freshlyLogged.add(block.name);
  }

  takeDirty(block: MigrationRamBlock): Uint32Array {
    const found = this.cpu.blocks.find((candidate) => candidate.name === block.name);
    if (!found) throw new MachineError(`no RAM block '${block.name}'`);
    const dirty = found.takeMigrationDirty();
    if (this.freshlyLogged.delete(block.name)) {
      const pages = Math.ceil(found.usedLength / PAGE);
      for (let page = 0; page < pages; page++) dirty[page >> 5]! |= 1 << (page & 31);
    }
    return dirty;
  }

  reset(): void {
    this.pendingReset = undefined;
    this.pendingShutdown = undefined;
    for (const block of this.cpu.blocks) for (let at = 0; at < block.usedLength; at += PAGE) block.fillPage(at, 0);
    this.resetDevices();
  }

  resumeAfterLoad(state: RunState): void {
    const putBack = this.composer.holdInterruptControllers();
    this.resuming = true;
    for (const { device } of this.devices) device.resume?.();
    putBack();
    this.resuming = false;
    this.cpuPart.processors.begin();
    this.passApicBases();
    for (const retry of this.composer.memoryArrived) retry();
    this.setState(state === 'running' ? 'paused' : state);
  }

  // --- inner workings ----------------------------------------------------------------------------------------------------

  private composerView(): ComposerMachine {
    const { processors } = this.cpuPart;
    const edge =
      (raise: (processor: number) => void) =>
      (processor: number): InputPin =>
      (level) => {
        if (!level) return;
        raise(processor);
        this.loop.wake();
      };
    const self = this;
    return {
      get cpu() {
        return self.cpu;
      },
      memory: this.memory,
      ports: this.ports,
      clock: this.clock,
      log: this.logs.for('machine'),
      logFor: (id): Log => this.logs.for(id),
      requestReset: (reason) => this.requestReset(reason),
      requestShutdown: (reason, exitCode) => this.requestShutdown(reason, exitCode),
      interruptPin: (processor) => (level) => {
        processors.setInterrupt(processor, level);
        if (level) this.loop.wake();
      },
      nmiPin: edge((processor) => processors.nmi(processor)),
      smiPin: edge((processor) => processors.smi(processor)),
      ignoreNumericErrorPin: (level) => this.cpu.setIgnoreNumericError(level, 0),
      hasApic: this.cpuPart.hasApic,
      smp: this.smp,
      processorDevices: this.cpuPart.devices,
      processor: this.cpuPart.identity,
      backdoor: this.cpuPart.backdoor,
      init: (processor) => {
        processors.init(processor);
        this.loop.wake();
      },
      startup: (processor, vector) => {
        processors.startup(processor, vector);
        this.loop.wake();
      },
      setRegisters: (registers) => this.cpuPart.setRegisters(registers),
      // While loaded lines are re-driven, the CPU's own section has the last word on the gate.
      a20Pin: (level) => {
        if (!this.resuming) this.cpu.setA20(level, 0);
      },
    };
  }

  private noticed(what: ProcessorNotice): void {
    const { composer, cpu, cpuPart } = this;
    const apic = composer.localApics[cpu.selected];
    switch (what) {
      case 'apic-base':
        apic?.setBase(cpuPart.apicBase());
        return;
      case 'cr8':
        apic?.setTaskPriority(cpuPart.taskPriorityClass() << 4);
        return;
      case 'time-stamp':
        this.passDeadline(apic, apic?.tscDeadlineArmed() ?? false);
        return;
      case 'tsc-deadline':
        this.passDeadline(apic, true);
        return;
      case 'system-management':
        composer.systemManagement(cpu.systemManagement);
        return;
      case 'numeric-error':
        composer.numericError();
    }
  }

  /** IA32_TSC_DEADLINE of the selected processor is in force, or reads as 0. [SDM] volume 3, 10.5.4.1 */
  private passDeadline(apic: LocalApic | undefined, arm: boolean): void {
    const { time, cpuPart } = this;
    if (arm) {
      const { deadline, offset } = cpuPart.tscDeadline();
      const ticks = time.timestamp();
      // Both are unsigned: a deadline that has passed fires at once, and none is reached by going round.
      const left = deadline - BigInt.asUintN(64, ticks + offset);
      apic?.setTscDeadline(deadline === 0n ? undefined : time.ofTimestamp(ticks) + left);
    }
    if (!apic?.tscDeadlineArmed()) cpuPart.clearTscDeadline();
  }

  /** The APICs have the last word about where they are, the processors about the deadlines of their timers. */
  private passApicBases(): void {
    const { cpuPart, composer } = this;
    for (let n = composer.localApics.length - 1; n >= 0; n--) {
      cpuPart.processors.select(n);
      cpuPart.setApicBase(composer.localApics[n]!.base());
      if (cpuPart.tscDeadline().deadline !== 0n) this.passDeadline(composer.localApics[n], true);
    }
  }

  private timerDevice() {
    const { time } = this;
    return {
      sections: [section(timerVmState, time.state)],
      reset() {},
      beforeSave: () => time.beforeSave(),
      resume: () => {
        // Nothing fires here: what is armed now dates from before the load, until each device has re-armed its own.
        if (time.counting) this.cpuPart.processors.instructions = Number(time.state.icount);
      },
    };
  }

  private leaveRun(): void {
    this.cpuPart.processors.requestExit();
    this.loop.wake();
    // Outside the run loop (monitor, stopped machine) it is done at once.
    if (this.state !== 'running') this.afterRun('requested');
  }

  private afterRun(exit: CpuExit): boolean {
    if (exit === 'shutdown') this.pendingReset ??= 'triple fault';
    if (this.pendingReset !== undefined && this.noReboot) {
      this.pendingShutdown ??= { reason: `reset (${this.pendingReset})` };
      this.pendingReset = undefined;
    }
    if (this.pendingShutdown) {
      const shutdown = this.pendingShutdown;
      this.pendingShutdown = undefined;
      this.pendingReset = undefined;
      this.loop.stop();
      this.setState('shutdown');
      for (const events of this.events) events.shutdown?.(shutdown);
      return false;
    }
    if (this.pendingReset !== undefined) {
      const reason = this.pendingReset;
      this.pendingReset = undefined;
      this.resetDevices();
      for (const events of this.events) events.reset?.(reason);
    }
    if (this.loop.atBreakpoint) {
      this.loop.clearBreakpoint();
      this.stop('paused');
      return false;
    }
    return true;
  }

  private resetDevices(): void {
    for (const { block, offset, bytes } of this.composer.roms) block.write(offset, bytes);
    // Backwards: who is interrupted was created before who interrupts, and is reset after it, so that no edge of a reset remains.
    for (const { device } of [...this.devices].reverse()) device.reset();
    this.cpuPart.processors.begin();
    this.passApicBases();
    for (const hook of this.composer.afterReset) hook();
    this.pushMap();
  }

  private pushMap(): void {
    if (!this.mapStale || this.composer === undefined) return;
    this.mapStale = false;
    this.cpu.setMemoryMap(flatRanges(this.memory));
  }

  private setState(state: RunState): void {
    if (state === this.state) return;
    this.state = state;
    for (const events of this.events) events.state?.(state);
  }

  private fail(error: unknown): void {
    this.loop.stop();
    this.setState('internal-error');
    if (this.events.every((events) => !events.error)) throw error;
    for (const events of this.events) events.error?.(error);
  }
}

/**
 * CPU properties that the machine version and `-global` set: rows of the drivers `x86-cpu` and `MODEL-x86-cpu`, and of QEMU's names for
 * them, which have the program's name in place of `x86`.
 */
// biome-ignore lint/suspicious/noExplicitAny: a machine type of any properties.
function cpuProperties(type: MachineType<any>, config: MachineConfig): Record<string, string> {
  const [model] = cpuModel(type, config).split(',');
  const drivers = ['x86', config.target ?? 'i386'].flatMap((name) => [`${name}-cpu`, `${model}-${name}-cpu`]);
  return Object.fromEntries(
    [...rowsOf(type), ...(config.globals ?? [])]
      .filter((row) => drivers.includes(row.driver))
      .map((row) => [row.property, row.value]),
  );
}

/** Text of `-cpu`. */
// biome-ignore lint/suspicious/noExplicitAny: a machine type of any properties.
function cpuModel(type: MachineType<any>, config: MachineConfig): string {
  return config.cpu ?? (config.target === 'x86_64' ? type.defaultCpu64 : undefined) ?? type.defaultCpu;
}

/** The flat map in whole pages: a page with anything but one RAM window is `io` and comes to the memory space's own dispatch. */
function flatRanges(memory: SystemMemory): FlatRange[] {
  const ranges: FlatRange[] = [];
  for (const { base, length, entry } of memory.pieces()) {
    const ram = entry.target.ram;
    if (!ram) continue;
    const first = Math.ceil(base / PAGE) * PAGE;
    const end = Math.floor((base + length) / PAGE) * PAGE;
    const offset = ram.offset + first - entry.base;
    if (end <= first || offset % PAGE !== 0) continue;
    ranges.push({
      base: first,
      length: end - first,
      kind: ram.writable ? 'ram' : 'rom',
      block: ram.block as CpuRamBlock,
      offset,
    });
  }
  return ranges;
}

export interface CreateOptions {
  /** The compiled CPU module; hosts load it (`@pagurus/cpu-wasm/cpu.wasm`). */
  readonly cpuModule: WebAssembly.Module;
}

/**
 * Puts a machine together. It is reset and in state `prelaunch`; call `start()`.
 * @throws {PropertyError} {@link MachineError} for a configuration that cannot be.
 */
// biome-ignore lint/suspicious/noExplicitAny: a machine type of any properties.
export function createMachine(type: MachineType<any>, config: MachineConfig, options: CreateOptions): Machine {
  return new Machine(type, config, options.cpuModule);
}
