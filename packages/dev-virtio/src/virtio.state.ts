import { MsixState, PciDeviceState } from '@pagurus/dev-pci';
import { NO_VECTOR, STREAM_QUEUES } from './spec.js';

/** Every queue that a stream has room for, by number; a device uses the first few. Addresses are guest physical. */
export class QueuesState {
  /** Entries of each ring; 0 ends the device's queues. */
  readonly size = new Uint32Array(STREAM_QUEUES);
  /** Entries after a reset. */
  readonly defaultSize = new Uint32Array(STREAM_QUEUES);
  readonly descriptors = new BigUint64Array(STREAM_QUEUES);
  readonly available = new BigUint64Array(STREAM_QUEUES);
  readonly used = new BigUint64Array(STREAM_QUEUES);
  /** Index of the next available entry that the device takes. */
  readonly lastAvailable = new Uint16Array(STREAM_QUEUES);
  /** MSI-X vector. */
  readonly vector = new Uint16Array(STREAM_QUEUES).fill(NO_VECTOR);
}

/** What the modern registers hold apart from the device: queue addresses count once the queue is enabled. */
export class ModernState {
  deviceFeatureSelect = 0;
  driverFeatureSelect = 0;
  readonly driverFeatures = new Uint32Array(2);
  readonly size = new Uint16Array(STREAM_QUEUES);
  readonly enabled = new Uint8Array(STREAM_QUEUES);
  /** Six words for each queue: descriptors, available ring, used ring, low word first. */
  readonly addresses = new Uint32Array(6 * STREAM_QUEUES);
}

/** All that a virtio device over PCI remembers. */
export class VirtioState {
  readonly pci = new PciDeviceState();
  readonly msix: MsixState;
  readonly queues = new QueuesState();
  readonly modern = new ModernState();
  configVector: number = NO_VECTOR;
  status = 0;
  isr = 0;
  queueSelect = 0;
  /** Features that the driver took, bit by number. */
  features = 0n;
  /** Copy of the device's own registers. */
  config: Uint8Array = new Uint8Array(0);
  /** The rings made no sense; nothing happens until a reset. */
  broken = false;
  /** The driver has begun to use the queues. */
  started = false;
  /** The guest switched bus mastering off. */
  disabled = false;

  constructor(msixEntries: number) {
    this.msix = new MsixState(msixEntries);
  }
}

/** The state of one section: QEMU sends a single field, made by hand. */
export class VirtioSectionState {
  readonly virtio: VirtioState;

  constructor(msixEntries: number) {
    this.virtio = new VirtioState(msixEntries);
  }
}
