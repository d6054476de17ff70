import { Msix, overlaps, PciFunction, pci as pciSpec, readConfig } from '@pagurus/dev-pci';
import type { AccessSize, DeviceContext, IoHandler } from '@pagurus/device-model';
import { CAPABILITY, COMMON, DEVICE_STATUS, FEATURE, ISR, LEGACY, MODERN, NO_VECTOR, RING, VIRTIO_PCI } from './spec.js';
import type { VirtioState } from './virtio.state.js';
import type { VirtioLayout } from './virtio-codec.js';
import { legacyRings } from './virtqueue.js';

/** What a device is to its transport. */
export interface VirtioIdentity {
  readonly type: string;
  /** [VIRTIO 5] */
  readonly deviceType: number;
  readonly legacyDeviceId: number;
  readonly classCode: number;
  /** Entries of each queue. */
  readonly queueSizes: readonly number[];
  /** The driver says that a queue has buffers, or is ready altogether. */
  kick(queue: number): void;
}

/** How the transport is built; see the property table of the device. */
export interface TransportOptions extends Omit<VirtioLayout, 'pci'> {
  readonly legacy: boolean;
  readonly pagePerQueue: boolean;
  readonly busMasterBug: boolean;
}

/** Features that exist in the old interface only. */
const LEGACY_ONLY = bit(FEATURE.NOTIFY_ON_EMPTY) | bit(FEATURE.ANY_LAYOUT) | bit(FEATURE.BAD_FEATURE);

function bit(feature: number): bigint {
  return 1n << BigInt(feature);
}

/** What a device with these options offers. */
export function offeredFeatures(features: bigint, options: { legacy: boolean; modern: boolean }): bigint {
  return features | (options.legacy ? bit(FEATURE.BAD_FEATURE) : 0n) | (options.modern ? bit(FEATURE.VERSION_1) : 0n);
}

/**
 * Virtio over PCI: registers in the I/O space of the old interface (BAR 0) and in memory (BAR 4), status, features, queue addresses and
 * interrupts. It knows nothing of what the device does with its queues.
 */
export class VirtioPci {
  readonly pci: PciFunction;
  private readonly msix: Msix | undefined;
  private readonly windowCapability: number | undefined;

  constructor(
    private readonly context: DeviceContext,
    private readonly state: VirtioState,
    private readonly identity: VirtioIdentity,
    private readonly options: TransportOptions,
  ) {
    const { legacy, modern } = options;
    this.pci = new PciFunction(context, state, {
      type: identity.type,
      vendorId: VIRTIO_PCI.VENDOR,
      deviceId: legacy ? identity.legacyDeviceId : VIRTIO_PCI.MODERN_DEVICE + identity.deviceType,
      revision: legacy ? 0 : VIRTIO_PCI.MODERN_REVISION,
      classCode: identity.classCode,
      subsystemVendorId: VIRTIO_PCI.VENDOR,
      subsystemId: legacy ? identity.deviceType : VIRTIO_PCI.MODERN_SUBSYSTEM,
      interruptPin: 1,
    });
    if (modern) this.windowCapability = this.addModern();
    if (options.msixEntries > 0) {
      const { MSIX_BAR: bar, MSIX_BAR_SIZE: size, MSIX_PENDING: pendingAt } = VIRTIO_PCI;
      this.msix = new Msix(this.pci, state.msix, { bar, size, pendingAt, name: 'virtio-pci-msix' });
    }
    // 24 bytes of registers with MSI-X, 20 without, and no own ones: the next power of two.
    if (legacy) this.pci.ioBar(VIRTIO_PCI.LEGACY_BAR, 32, this.legacyHandler(), 'virtio-pci');
    this.pci.onConfigWrite((offset, size) => this.configWritten(offset, size));
    context.onMemoryArrived(() => this.msix?.deliverPending());
  }

  /** The driver is ready, the guest lets the device use memory, and its rings made sense so far. */
  get running(): boolean {
    const { status, broken, disabled } = this.state;
    return (status & DEVICE_STATUS.DRIVER_OK) !== 0 && !broken && !disabled;
  }

  has(feature: number): boolean {
    return (this.state.features & bit(feature)) !== 0n;
  }

  /** The device put a buffer back into a queue and the driver wants to know. */
  notifyQueue(queue: number): void {
    this.interrupt(ISR.QUEUE, this.state.queues.vector[queue]!);
  }

  /** The rings make no sense: nothing more happens until the driver resets the device. */
  fail(message: string): void {
    this.context.log.guestError(`${this.identity.type}: ${message}`);
    this.state.broken = true;
    if (!this.has(FEATURE.VERSION_1)) return;
    this.state.status |= DEVICE_STATUS.NEEDS_RESET;
    this.interrupt(ISR.QUEUE | ISR.CONFIG, this.state.configVector);
  }

  reset(): void {
    this.resetDevice();
    this.msix?.reset();
    this.pci.reset();
  }

  resume(): void {
    this.pci.resume();
    // Up to machine 2.1 a driver could work without having switched bus mastering on.
    if (this.options.busMasterBug && (this.state.status & DEVICE_STATUS.DRIVER) !== 0) this.becomeMaster();
    this.msix?.deliverPending();
  }

  unrealize(): void {
    this.pci.unrealize();
  }

  /** The guest's reset, and part of the machine's. */
  private resetDevice(): void {
    const { state, identity } = this;
    const { queues, modern } = state;
    Object.assign(state, {
      status: 0,
      isr: 0,
      queueSelect: 0,
      features: 0n,
      configVector: NO_VECTOR,
      broken: false,
      started: false,
      disabled: false,
    });
    identity.queueSizes.forEach((size, n) => {
      if (queues.defaultSize[n] === 0) queues.defaultSize[n] = size;
    });
    queues.size.set(queues.defaultSize);
    for (const words of [queues.descriptors, queues.available, queues.used]) words.fill(0n);
    queues.lastAvailable.fill(0);
    queues.vector.fill(NO_VECTOR);
    // Which features are selected, and the words that the driver wrote, stay [QEMU].
    for (const words of [modern.size, modern.enabled, modern.addresses]) words.fill(0);
    this.pci.setInterrupt(false);
  }

  private interrupt(cause: number, vector: number): void {
    this.state.isr |= cause;
    if (this.msix?.enabled) this.msix.notify(vector);
    else this.pci.setInterrupt((this.state.isr & ISR.QUEUE) !== 0);
  }

  private readIsr(): number {
    const { isr } = this.state;
    this.state.isr = 0;
    this.pci.setInterrupt(false);
    return isr;
  }

  private setStatus(value: number): void {
    const { state } = this;
    if (value === 0) return this.resetDevice();
    const changed = state.status ^ value;
    state.status = value;
    if ((changed & DEVICE_STATUS.DRIVER_OK) === 0) return;
    this.setStarted((value & DEVICE_STATUS.DRIVER_OK) !== 0);
    if (this.running) for (const n of this.identity.queueSizes.keys()) this.identity.kick(n);
  }

  private setStarted(started: boolean): void {
    if (this.options.useStarted) this.state.started = started;
  }

  /** Once the driver confirmed its choice nothing changes it any more. */
  private setFeatures(wanted: bigint): void {
    if ((this.state.status & DEVICE_STATUS.FEATURES_OK) === 0) this.state.features = wanted & this.options.hostFeatures;
  }

  private notified(queue: number): void {
    if (queue >= this.identity.queueSizes.length || this.state.broken) return;
    // Drivers of the old interface may begin before they say so.
    if (!this.has(FEATURE.VERSION_1)) this.setStarted(true);
    this.identity.kick(queue);
  }

  private vector(value: number): number {
    return value < this.options.msixEntries ? value : NO_VECTOR;
  }

  private setQueueSize(n: number, size: number): void {
    if (size > 0 && size <= RING.MAX_SIZE && this.state.queues.size[n] !== 0) this.state.queues.size[n] = size;
  }

  private becomeMaster(): void {
    const { pci } = this;
    if (!pci.busMaster) pci.configWrite(pciSpec.PCI.COMMAND, pci.command | pciSpec.COMMAND.MASTER, 2);
  }

  private configWritten(offset: number, size: AccessSize): void {
    if (overlaps(offset, size, pciSpec.PCI.COMMAND, 1)) {
      if (this.options.useDisabledFlag) this.state.disabled = !this.pci.busMaster;
      if (!this.pci.busMaster) this.setStatusAfterStop();
    }
    if (this.windowCapability !== undefined && overlaps(offset, size, this.windowCapability + CAPABILITY.LENGTH, 4))
      this.window((at, length) => {
        this.modernWrite(at, readConfig(this.pci.config, this.windowCapability! + CAPABILITY.LENGTH, length), length);
      });
  }

  /** A device that may not use memory any more is not running. */
  private setStatusAfterStop(): void {
    const { status } = this.state;
    if ((status & DEVICE_STATUS.DRIVER_OK) !== 0) this.setStatus(status & ~DEVICE_STATUS.DRIVER_OK);
  }

  // --- the old interface

  private legacyHandler(): IoHandler {
    return {
      sizes: [1, 2, 4],
      read: (offset) => this.legacyRead(offset),
      write: (offset, value) => this.legacyWrite(offset, value),
    };
  }

  private legacyRead(offset: number): number {
    const { state } = this;
    const { queues, queueSelect: n } = state;
    switch (offset) {
      case LEGACY.HOST_FEATURES:
        return Number(this.options.hostFeatures & 0xffff_ffffn);
      case LEGACY.GUEST_FEATURES:
        return Number(state.features & 0xffff_ffffn);
      case LEGACY.QUEUE_PFN:
        return Number((queues.descriptors[n]! / BigInt(LEGACY.PAGE)) & 0xffff_ffffn);
      case LEGACY.QUEUE_SIZE:
        return queues.size[n]!;
      case LEGACY.QUEUE_SELECT:
        return n;
      case LEGACY.STATUS:
        return state.status;
      case LEGACY.ISR:
        return this.readIsr();
      case LEGACY.CONFIG_VECTOR:
        return this.msix?.enabled ? state.configVector : 0xffff_ffff;
      case LEGACY.QUEUE_VECTOR:
        return this.msix?.enabled ? queues.vector[n]! : 0xffff_ffff;
      default:
        return 0xffff_ffff;
    }
  }

  private legacyWrite(offset: number, value: number): void {
    const { state } = this;
    const { queues, queueSelect: n } = state;
    switch (offset) {
      case LEGACY.GUEST_FEATURES: {
        const bad = (value & (1 << FEATURE.BAD_FEATURE)) !== 0;
        this.setFeatures(bad ? 0n : BigInt(value >>> 0));
        break;
      }
      case LEGACY.QUEUE_PFN:
        if (value === 0) this.resetDevice();
        else if (queues.size[n] !== 0) {
          queues.descriptors[n] = BigInt(value >>> 0) * BigInt(LEGACY.PAGE);
          legacyRings(queues, n);
        }
        break;
      case LEGACY.QUEUE_SELECT:
        if ((value & 0xffff) < queues.size.length) state.queueSelect = value & 0xffff;
        break;
      case LEGACY.QUEUE_NOTIFY:
        this.notified(value & 0xffff);
        break;
      case LEGACY.STATUS:
        this.setStatus(value & 0xff);
        // Linux before 2.6.34 forgets to switch bus mastering on.
        if ((value & 0xff) === (DEVICE_STATUS.ACKNOWLEDGE | DEVICE_STATUS.DRIVER)) this.becomeMaster();
        break;
      case LEGACY.CONFIG_VECTOR:
        if (this.msix?.enabled) state.configVector = this.vector(value & 0xffff);
        break;
      case LEGACY.QUEUE_VECTOR:
        if (this.msix?.enabled && queues.size[n] !== 0) queues.vector[n] = this.vector(value & 0xffff);
        break;
    }
  }

  // --- the modern interface

  private addModern(): number {
    const { pci, options } = this;
    const step = options.pagePerQueue ? MODERN.NOTIFY_PAGE : MODERN.NOTIFY_STEP;
    const notify = options.pagePerQueue ? step * this.state.queues.size.length : MODERN.PART;
    this.capability(CAPABILITY.COMMON, MODERN.COMMON, MODERN.PART);
    this.capability(CAPABILITY.ISR, MODERN.ISR, MODERN.PART);
    this.capability(CAPABILITY.DEVICE, MODERN.DEVICE, MODERN.PART);
    this.capability(CAPABILITY.NOTIFY, MODERN.NOTIFY, notify, step);
    const at = this.capability(CAPABILITY.PCI_CONFIG, 0, 0, 0);
    pci.config[at + 4] = 0;
    // The guest chooses register, offset and length of the window, and writes its data.
    pci.wmask[at + 4] = 0xff;
    pci.wmask.fill(0xff, at + 8, at + CAPABILITY.LONG_LENGTH);
    this.openWindow(at);
    const size = options.pagePerQueue ? 0x80_0000 : VIRTIO_PCI.MODERN_BAR_SIZE;
    pci.memoryBar(VIRTIO_PCI.MODERN_BAR, size, this.modernHandler(), 'virtio-pci-modern', { wide: true, prefetchable: true });
    return at;
  }

  private capability(kind: number, offset: number, length: number, tail?: number): number {
    const { pci } = this;
    const size = tail === undefined ? CAPABILITY.LENGTH : CAPABILITY.LONG_LENGTH;
    const at = pci.addCapability(CAPABILITY.ID, size);
    const view = new DataView(pci.config.buffer, pci.config.byteOffset + at, size);
    view.setUint8(2, size);
    view.setUint8(3, kind);
    view.setUint8(4, VIRTIO_PCI.MODERN_BAR);
    view.setUint32(8, offset, true);
    view.setUint32(12, length, true);
    if (tail !== undefined) view.setUint32(16, tail, true);
    return at;
  }

  /** Reading the window's data reads the register that it points to, before configuration space answers. */
  private openWindow(at: number): void {
    const { pci } = this;
    const plain = pci.configRead.bind(pci);
    pci.configRead = (offset, size) => {
      if (overlaps(offset, size, at + CAPABILITY.LENGTH, 4))
        this.window((target, length) => {
          const value = this.modernRead(target, length);
          for (let i = 0; i < length; i++) pci.config[at + CAPABILITY.LENGTH + i] = (value >>> (8 * i)) & 0xff;
        });
      return plain(offset, size);
    };
  }

  private window(action: (offset: number, length: AccessSize) => void): void {
    const { config } = this.pci;
    const at = this.windowCapability!;
    const offset = readConfig(config, at + 8, 4);
    const length = readConfig(config, at + 12, 4);
    if (config[at + 4] !== VIRTIO_PCI.MODERN_BAR || offset % (length || 1) !== 0) return;
    if (length === 1 || length === 2 || length === 4) action(offset, length);
  }

  private modernHandler(): IoHandler {
    return {
      sizes: [1, 2, 4],
      read: (offset, size) => this.modernRead(offset, size),
      write: (offset, value, size) => this.modernWrite(offset, value, size),
    };
  }

  private modernRead(offset: number, _size: AccessSize): number {
    if (offset < MODERN.ISR) return this.commonRead(offset);
    if (offset < MODERN.DEVICE) return offset === MODERN.ISR ? this.readIsr() : 0;
    return offset < MODERN.NOTIFY ? 0xffff_ffff : 0;
  }

  private modernWrite(offset: number, value: number, size: AccessSize): void {
    if (offset < MODERN.ISR) this.commonWrite(offset, size === 4 ? value >>> 0 : value & (2 ** (8 * size) - 1));
    else if (offset >= MODERN.NOTIFY) {
      const step = this.options.pagePerQueue ? MODERN.NOTIFY_PAGE : MODERN.NOTIFY_STEP;
      this.notified(Math.floor((offset - MODERN.NOTIFY) / step));
    }
  }

  private commonRead(offset: number): number {
    const { state, options } = this;
    const { modern, queues, queueSelect: n } = state;
    const address = addressWord(offset);
    if (address !== undefined) return modern.addresses[6 * n + address]!;
    switch (offset) {
      case COMMON.DEVICE_FEATURE_SELECT:
        return modern.deviceFeatureSelect;
      case COMMON.DEVICE_FEATURE:
        if (modern.deviceFeatureSelect > 1) return 0;
        return Number(((options.hostFeatures & ~LEGACY_ONLY) >> BigInt(32 * modern.deviceFeatureSelect)) & 0xffff_ffffn);
      case COMMON.DRIVER_FEATURE_SELECT:
        return modern.driverFeatureSelect;
      case COMMON.DRIVER_FEATURE:
        return modern.driverFeatures[modern.driverFeatureSelect] ?? 0;
      case COMMON.CONFIG_VECTOR:
        return state.configVector;
      case COMMON.NUM_QUEUES:
        return this.identity.queueSizes.length;
      case COMMON.DEVICE_STATUS:
        return state.status;
      case COMMON.QUEUE_SELECT:
        return n;
      case COMMON.QUEUE_SIZE:
        return queues.size[n]!;
      case COMMON.QUEUE_VECTOR:
        return queues.vector[n]!;
      case COMMON.QUEUE_ENABLE:
        return modern.enabled[n]!;
      case COMMON.QUEUE_NOTIFY_OFF:
        return n;
      default:
        return 0;
    }
  }

  private commonWrite(offset: number, value: number): void {
    const { state } = this;
    const { modern, queues, queueSelect: n } = state;
    const address = addressWord(offset);
    if (address !== undefined) {
      modern.addresses[6 * n + address] = value;
      return;
    }
    switch (offset) {
      case COMMON.DEVICE_FEATURE_SELECT:
        modern.deviceFeatureSelect = value;
        break;
      case COMMON.DRIVER_FEATURE_SELECT:
        modern.driverFeatureSelect = value;
        break;
      case COMMON.DRIVER_FEATURE:
        if (modern.driverFeatureSelect > 1) break;
        modern.driverFeatures[modern.driverFeatureSelect] = value;
        this.setFeatures((BigInt(modern.driverFeatures[1]!) << 32n) | BigInt(modern.driverFeatures[0]!));
        break;
      case COMMON.CONFIG_VECTOR:
        state.configVector = this.vector(value & 0xffff);
        break;
      case COMMON.DEVICE_STATUS:
        this.setStatus(value & 0xff);
        break;
      case COMMON.QUEUE_SELECT:
        if (value < queues.size.length) state.queueSelect = value;
        break;
      case COMMON.QUEUE_SIZE:
        modern.size[n] = value;
        this.setQueueSize(n, modern.size[n]!);
        break;
      case COMMON.QUEUE_VECTOR:
        if (queues.size[n] !== 0) queues.vector[n] = this.vector(value & 0xffff);
        break;
      case COMMON.QUEUE_ENABLE:
        if (value === 1) this.enableQueue(n);
        else this.fail(`wrong value for queue_enable ${value}`);
        break;
      case COMMON.QUEUE_RESET:
        if (value === 1 && this.has(FEATURE.RING_RESET)) this.resetQueue(n);
        break;
    }
  }

  private enableQueue(n: number): void {
    const { modern, queues } = this.state;
    this.setQueueSize(n, modern.size[n]!);
    modern.enabled[n] = 1;
    if (queues.size[n] === 0) return;
    const address = (word: number) =>
      (BigInt(modern.addresses[6 * n + word + 1]!) << 32n) | BigInt(modern.addresses[6 * n + word]!);
    queues.descriptors[n] = address(0);
    queues.available[n] = address(2);
    queues.used[n] = address(4);
  }

  private resetQueue(n: number): void {
    const { modern, queues } = this.state;
    modern.enabled[n] = 0;
    queues.size[n] = queues.defaultSize[n]!;
    for (const words of [queues.descriptors, queues.available, queues.used]) words[n] = 0n;
    queues.lastAvailable[n] = 0;
    queues.vector[n] = NO_VECTOR;
  }
}

/** Word of a queue's three addresses that a common register holds. */
function addressWord(offset: number): number | undefined {
  if (offset < COMMON.QUEUE_DESC || offset >= COMMON.QUEUE_NOTIFY_DATA || offset % 4 !== 0) return undefined;
  return (offset - COMMON.QUEUE_DESC) / 4;
}
