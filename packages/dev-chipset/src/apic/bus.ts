import { BROADCAST, DELIVERY, FORMAT, MESSAGE } from './spec.js';

/** An interrupt on its way to local APICs. */
export interface InterruptMessage {
  /** APIC id, or a set of logical ones. */
  readonly destination: number;
  readonly logical: boolean;
  /** See {@link DELIVERY}. */
  readonly mode: number;
  readonly vector: number;
  readonly level: boolean;
}

/** What the bus needs of a local APIC. */
export interface BusAgent {
  readonly id: number;
  readonly logicalId: number;
  /** {@link FORMAT} */
  readonly format: number;
  /** Task or service priority, whichever is higher; for lowest-priority delivery. */
  readonly priority: number;
  /** Takes a message that is meant for it. */
  accept(message: InterruptMessage): void;
  /** Registers, for the processor that the agent belongs to. */
  read(offset: number): number;
  write(offset: number, value: number): void;
}

/** Gets told that an interrupt was served. */
export interface EndOfInterruptListener {
  endOfInterrupt(vector: number): void;
}

/**
 * The bus between local APICs, I/O APICs and everything that sends interrupt messages. The machine makes one and hands it to the devices
 * as backend `apic-bus`. It has no state of its own.
 */
export class ApicBus {
  /** The processor that accesses memory now: whose registers appear at 0xfee00000. */
  current = 0;
  private readonly agents: BusAgent[] = [];
  private readonly listeners: EndOfInterruptListener[] = [];

  /** Adds the local APIC of the next processor. @returns that processor's number. */
  connect(agent: BusAgent): number {
    return this.agents.push(agent) - 1;
  }

  listen(listener: EndOfInterruptListener): void {
    this.listeners.push(listener);
  }

  /** The APIC of the processor that runs. */
  get local(): BusAgent | undefined {
    return this.agents[this.current];
  }

  deliver(message: InterruptMessage): void {
    this.send(
      this.agents.filter((agent) => isMeant(agent, message)),
      message,
    );
  }

  /** To all, or all but one. */
  broadcast(message: InterruptMessage, except?: BusAgent): void {
    this.send(
      this.agents.filter((agent) => agent !== except),
      message,
    );
  }

  /** A write of `data` to an address in 0xfee00000 to 0xfeefffff by a device. */
  message(address: number, data: number): void {
    this.deliver({
      destination: (address >>> MESSAGE.DESTINATION_SHIFT) & 0xff,
      logical: (address & MESSAGE.LOGICAL) !== 0,
      mode: (data >>> 8) & 7,
      vector: data & 0xff,
      level: (data & MESSAGE.LEVEL) !== 0,
    });
  }

  endOfInterrupt(vector: number): void {
    for (const listener of this.listeners) listener.endOfInterrupt(vector);
  }

  private send(agents: readonly BusAgent[], message: InterruptMessage): void {
    if (message.mode !== DELIVERY.LOWEST_PRIORITY) {
      for (const agent of agents) agent.accept(message);
      return;
    }
    const [first, ...others] = agents;
    if (first) others.reduce((lowest, agent) => (agent.priority < lowest.priority ? agent : lowest), first).accept(message);
  }
}

/** [SDM] "Determining IPI Destination" */
function isMeant(agent: BusAgent, { destination, logical }: InterruptMessage): boolean {
  if (!logical) return destination === BROADCAST || destination === agent.id;
  if (agent.format === FORMAT.FLAT) return (destination & agent.logicalId) !== 0;
  if (agent.format !== FORMAT.CLUSTER) return false;
  return destination >> 4 === agent.logicalId >> 4 && (destination & agent.logicalId & 15) !== 0;
}
