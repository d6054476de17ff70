import { addRom, PciFunction } from '@pagurus/dev-pci';
import { type Device, type DeviceContext, type IoHandler, type NetworkBackend, section } from '@pagurus/device-model';
import { parseMac } from '../ethernet.js';
import { fillEeprom, readEecd, readEerd, writeEecd } from './eeprom.js';
import { accessPhy, keptControl, linkDown, negotiated, resetPhy } from './phy.js';
import { BOOT_ROMS, type E1000Properties } from './properties.js';
import { bufferSize, Receiver } from './receive.js';
import { lowHalfOf, REGISTER_RULES } from './registers.js';
import { CAUSE, CTRL, E1000, IO_SIZE, MDIC, MMIO_SIZE, PHY, PHY_CONTROL, PHY_STATUS, REG } from './spec.js';
import { E1000State, e1000VmState } from './state.js';
import { countSent } from './statistics.js';
import { Transmitter } from './transmit.js';

/** How long a link takes to come up. */
const NEGOTIATION = 500_000_000n;
/** Unit of the interrupt timers, and the least pause between interrupts: 7813 a second. [8254x] 13.4.18 */
const MITIGATION_UNIT = 256n;
const LEAST_PAUSE = 500;

/** Registers after reset that are not zero. */
const RESET: readonly (readonly [offset: number, value: number])[] = [
  [REG.PBA, 0x0010_0030],
  [REG.LEDCTL, 0x602],
  [REG.CTRL, 0x0014_0240],
  [REG.STATUS, 0x8008_0783],
  [REG.MANC, 0x0022_2300],
];
const ETHERTYPE_VLAN = 0x8100;
const ADDRESS_VALID = 0x8000_0000;

/** Intel 82540EM, QEMU's default network card. Backends `netdev` and `romfile`. */
export class E1000Card implements Device {
  // Wiring
  private readonly pci: PciFunction;
  private readonly network: NetworkBackend | undefined;
  private readonly transmitter: Transmitter;
  private readonly receiver: Receiver;
  private readonly mitigationTimer;
  private readonly negotiationTimer;
  private readonly mac: Uint8Array;

  // State
  private readonly state = new E1000State();
  readonly sections;

  constructor(
    private readonly context: DeviceContext,
    private readonly props: E1000Properties,
  ) {
    this.mac = parseMac('e1000', props.mac);
    this.pci = new PciFunction(context, this.state, {
      type: 'e1000',
      vendorId: E1000.VENDOR,
      deviceId: E1000.DEVICE,
      revision: E1000.REVISION,
      classCode: E1000.CLASS,
      interruptPin: 1,
    });
    const registers: IoHandler = {
      sizes: [4],
      read: (offset) => this.read(offset),
      write: (offset, value) => this.write(offset, value),
    };
    this.pci.memoryBar(0, MMIO_SIZE, registers, 'e1000-mmio');
    this.pci.ioBar(1, IO_SIZE, { sizes: [1, 2, 4], read: () => 0, write() {} }, 'e1000-io');
    addRom(context, this.pci, {
      file: props.romFile,
      enabled: props.romBar !== 0,
      optional: BOOT_ROMS,
      block: `${this.pci.slot.path}/e1000.rom`,
    });
    const format = { mitigation: props.mitigation, allRegisters: props.extraRegisters, segmentation: props.migrateSegmentation };
    this.sections = [section(e1000VmState(this.pci.description, format), this.state)];
    this.network = context.backend<NetworkBackend>('netdev');
    this.transmitter = new Transmitter(this.state, this.pci.dma, (frame, untagged) => this.send(frame, untagged));
    this.receiver = new Receiver(this.state, this.pci, (bits) => this.raise(bits));
    this.mitigationTimer = context.clock.timer(() => this.mitigationOver());
    this.negotiationTimer = context.clock.timer(() => this.negotiationOver());
    this.network?.connect((frame) => this.receiver.receive(frame));
    context.onMemoryArrived(() => this.goOn());
    this.pci.onConfigWrite(() => this.goOn());
  }

  // Behaviour

  reset(): void {
    const { state } = this;
    this.mitigationTimer.cancel();
    this.negotiationTimer.cancel();
    const { pci, mac } = state;
    mac.fill(0);
    Object.assign(state, new E1000State(), { pci, mac });
    for (const [offset, value] of RESET) mac[offset / 4] = value;
    if (this.props.initVet) mac[REG.VET / 4] = ETHERTYPE_VLAN;
    mac[REG.RA / 4] = this.mac[0]! + this.mac[1]! * 0x100 + this.mac[2]! * 0x1_0000 + this.mac[3]! * 0x100_0000;
    mac[REG.RA / 4 + 1] = ADDRESS_VALID + this.mac[4]! + this.mac[5]! * 0x100;
    resetPhy(state.phy);
    fillEeprom(state.eeprom, this.mac, E1000.DEVICE);
    this.receiver.reset();
    this.pci.reset();
  }

  /** Timers are not in the stream: mitigation ends and negotiation begins anew, as in QEMU. */
  resume(): void {
    this.pci.resume();
    this.mitigationTimer.cancel();
    this.negotiationTimer.cancel();
    if (this.state.mitigating) this.mitigationTimer.arm(this.context.clock.now() + 1n);
    const pending = this.negotiates && (this.state.phy[PHY.STATUS]! & PHY_STATUS.AUTONEG_DONE) === 0;
    if (pending) this.negotiationTimer.arm(this.context.clock.now() + NEGOTIATION);
  }

  unrealize(): void {
    this.mitigationTimer.cancel();
    this.negotiationTimer.cancel();
    this.pci.unrealize();
  }

  private read(offset: number): number {
    const { state } = this;
    const at = offset & ~3;
    switch (at) {
      case REG.EECD:
        return readEecd(state);
      case REG.EERD:
        return readEerd(state);
      case REG.ICR:
        return this.readCause();
      case REG.CTRL:
      case REG.MDIC:
      case REG.ICS:
      case REG.IMS:
      case REG.RCTL:
        return state.mac[at / 4]!;
      default:
        return this.readPlain(at);
    }
  }

  private readPlain(offset: number): number {
    const { mac } = this.state;
    const rule = REGISTER_RULES.get(offset);
    if (!rule || (rule.extra && !this.props.extraRegisters)) return 0;
    const value = mac[offset / 4]!;
    if (!rule.clearOnRead) return (value & rule.visible) >>> 0;
    mac[offset / 4] = 0;
    const low = lowHalfOf(offset);
    if (low !== undefined) mac[low / 4] = 0;
    return value;
  }

  private write(offset: number, value: number): void {
    const { mac } = this.state;
    const at = offset & ~3;
    switch (at) {
      case REG.CTRL:
        mac[at / 4] = value & ~CTRL.RESET;
        break;
      case REG.EECD:
        writeEecd(this.state, value);
        break;
      case REG.EERD:
        mac[at / 4] = value;
        break;
      case REG.MDIC:
        this.writeMdic(value);
        break;
      case REG.ICR:
        this.setCause(mac[REG.ICR / 4]! & ~value);
        break;
      case REG.ICS:
        this.raise(value);
        break;
      case REG.IMS:
        mac[REG.IMS / 4]! |= value;
        this.raise(0);
        break;
      case REG.IMC:
        mac[REG.IMS / 4]! &= ~value;
        this.raise(0);
        break;
      case REG.RCTL:
        mac[at / 4] = value;
        this.state.rxBufferSize = bufferSize(value);
        this.state.rxMinShift = ((value >> 8) & 3) + 1;
        break;
      default:
        this.writePlain(at, value);
    }
    if (at === REG.TDT || at === REG.TCTL) this.transmit();
    if (at === REG.RDT || at === REG.RCTL) this.receiver.flush();
  }

  private writePlain(offset: number, value: number): void {
    const rule = REGISTER_RULES.get(offset);
    if (!rule || rule.writable === 0 || (rule.extra && !this.props.extraRegisters)) return;
    this.state.mac[offset / 4] = value & rule.writable;
  }

  private writeMdic(value: number): void {
    const { state } = this;
    const result = accessPhy(state, value, (data) => this.writePhyControl(data));
    state.mac[REG.MDIC / 4] = result;
    if ((result & MDIC.INTERRUPT) !== 0) this.raise(CAUSE.MDIO);
  }

  private writePhyControl(data: number): void {
    this.state.phy[PHY.CONTROL] = keptControl(data);
    if (!this.negotiates || (data & PHY_CONTROL.RESTART) === 0) return;
    linkDown(this.state);
    this.negotiationTimer.arm(this.context.clock.now() + NEGOTIATION);
  }

  private get negotiates(): boolean {
    return this.props.negotiation && (this.state.phy[PHY.CONTROL]! & PHY_CONTROL.AUTONEG) !== 0;
  }

  private negotiationOver(): void {
    negotiated(this.state);
    this.raise(CAUSE.LINK_CHANGE);
  }

  /** The card stands still while it may not use memory. */
  private transmit(): void {
    if (!this.pci.busMaster) return;
    const cause = this.transmitter.run();
    if (cause !== 0) this.raise(cause);
  }

  /** Memory has arrived, or bus mastering may have been switched on. */
  private goOn(): void {
    if (this.transmitter.hasWork) this.transmit();
    this.receiver.flush();
  }

  private send(frame: Uint8Array, untagged: number): void {
    const { state } = this;
    if ((state.phy[PHY.CONTROL]! & PHY_CONTROL.LOOPBACK) !== 0) this.receiver.receive(frame);
    else this.network?.send(frame);
    countSent(state.mac, frame, untagged);
  }

  private readCause(): number {
    const cause = this.state.mac[REG.ICR / 4]!;
    this.setCause(0);
    return cause;
  }

  private raise(bits: number): void {
    this.setCause(this.state.mac[REG.ICR / 4]! | bits);
  }

  /** Sets the causes; the pin follows at once when it falls, and not before the mitigation's pause when it rises. */
  private setCause(bits: number): void {
    const { state } = this;
    state.mac[REG.ICR / 4] = bits;
    state.mac[REG.ICS / 4] = bits;
    const pending = bits & state.mac[REG.IMS / 4]!;
    if (!state.interruptLevel && pending !== 0) {
      if (state.mitigating) return;
      if (this.props.mitigation) this.startMitigation(pending);
    }
    state.interruptLevel = pending !== 0;
    this.pci.setInterrupt(state.interruptLevel);
  }

  /** The shortest of the pauses that the guest asked for. */
  private startMitigation(pending: number): void {
    const { state } = this;
    const delay = (register: number): number => state.mac[register / 4]!;
    const pauses = [delay(REG.ITR)];
    if (state.interruptDelayed && (pending & (CAUSE.TX_QUEUE_EMPTY | CAUSE.TX_DONE)) !== 0) pauses.push(delay(REG.TADV) * 4);
    if (delay(REG.RDTR) !== 0 && (pending & CAUSE.RX_TIMER) !== 0) pauses.push(delay(REG.RADV) * 4);
    const pause = Math.max(Math.min(...pauses.filter((value) => value !== 0), Number.MAX_SAFE_INTEGER), LEAST_PAUSE);
    const ticks = pause === Number.MAX_SAFE_INTEGER ? LEAST_PAUSE : pause;
    state.mitigating = true;
    state.interruptDelayed = false;
    this.mitigationTimer.arm(this.context.clock.now() + BigInt(ticks) * MITIGATION_UNIT);
  }

  private mitigationOver(): void {
    this.state.mitigating = false;
    this.raise(0);
  }
}
