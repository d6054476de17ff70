/**
 * Numbers of virtio over PCI and of the entropy device. Documents: [VIRTIO] Virtual I/O Device Version 1.1; [LEGACY] Virtio PCI Card
 * Specification 0.9.5; [PCI] PCI Local Bus Specification 3.0, section 6.8 (MSI-X). [QEMU]: seen in streams of QEMU 7.2 and 10.0.
 */

/** [VIRTIO 4.1.2]. A transitional or legacy device has the old numbers, a modern-only one 0x1040 + type. */
export const VIRTIO_PCI = {
  VENDOR: 0x1af4,
  MODERN_DEVICE: 0x1040,
  MODERN_SUBSYSTEM: 0x1100,
  MODERN_REVISION: 1,
  LEGACY_BAR: 0,
  MSIX_BAR: 1,
  MODERN_BAR: 4,
  /** Memory behind BAR 4. */
  MODERN_BAR_SIZE: 0x4000,
  MSIX_BAR_SIZE: 0x1000,
  /** [QEMU] Pending bits lie in the second half of the register. */
  MSIX_PENDING: 0x800,
  /** PCI class "others" of an unclassified device. */
  CLASS_OTHERS: 0x00ff,
} as const;

/** [VIRTIO 5.4] */
export const RNG = { TYPE: 4, LEGACY_DEVICE: 0x1005, QUEUE_SIZE: 8, QUEUES: 1 } as const;

/** [VIRTIO 2.1] Device status. */
export const DEVICE_STATUS = {
  ACKNOWLEDGE: 1,
  DRIVER: 2,
  DRIVER_OK: 4,
  FEATURES_OK: 8,
  NEEDS_RESET: 0x40,
  FAILED: 0x80,
} as const;

/** [VIRTIO 6], by bit number. */
export const FEATURE = {
  NOTIFY_ON_EMPTY: 24,
  ANY_LAYOUT: 27,
  INDIRECT_DESC: 28,
  EVENT_IDX: 29,
  /** [LEGACY] Not for negotiation: says that a driver wrote back more than it was offered. */
  BAD_FEATURE: 30,
  VERSION_1: 32,
  ACCESS_PLATFORM: 33,
  RING_PACKED: 34,
  RING_RESET: 40,
} as const;

/** [VIRTIO 4.1.4.8] Registers behind I/O BAR 0; the device's own follow at 20, or at 24 while MSI-X is on. */
export const LEGACY = {
  HOST_FEATURES: 0,
  GUEST_FEATURES: 4,
  QUEUE_PFN: 8,
  QUEUE_SIZE: 12,
  QUEUE_SELECT: 14,
  QUEUE_NOTIFY: 16,
  STATUS: 18,
  ISR: 19,
  CONFIG_VECTOR: 20,
  QUEUE_VECTOR: 22,
  END: 20,
  END_MSIX: 24,
  /** The queue's page number counts these. */
  PAGE: 4096,
} as const;

/** [VIRTIO 4.1.4.3] Common configuration. */
export const COMMON = {
  DEVICE_FEATURE_SELECT: 0,
  DEVICE_FEATURE: 4,
  DRIVER_FEATURE_SELECT: 8,
  DRIVER_FEATURE: 12,
  CONFIG_VECTOR: 16,
  NUM_QUEUES: 18,
  DEVICE_STATUS: 20,
  CONFIG_GENERATION: 21,
  QUEUE_SELECT: 22,
  QUEUE_SIZE: 24,
  QUEUE_VECTOR: 26,
  QUEUE_ENABLE: 28,
  QUEUE_NOTIFY_OFF: 30,
  QUEUE_DESC: 32,
  QUEUE_AVAIL: 40,
  QUEUE_USED: 48,
  QUEUE_NOTIFY_DATA: 56,
  QUEUE_RESET: 58,
} as const;

/** [VIRTIO 4.1.4] Vendor capability: 16 bytes, 20 with the tail of notify and PCI configuration access. */
export const CAPABILITY = {
  ID: 0x09,
  COMMON: 1,
  NOTIFY: 2,
  ISR: 3,
  DEVICE: 4,
  PCI_CONFIG: 5,
  LENGTH: 16,
  LONG_LENGTH: 20,
} as const;

/** [QEMU] Offsets in BAR 4. */
export const MODERN = {
  COMMON: 0,
  ISR: 0x1000,
  DEVICE: 0x2000,
  NOTIFY: 0x3000,
  PART: 0x1000,
  NOTIFY_STEP: 4,
  NOTIFY_PAGE: 0x1000,
} as const;

/** [VIRTIO 4.1.5.1.2] No MSI-X vector. */
export const NO_VECTOR = 0xffff;

/** [VIRTIO 4.1.4.5] Interrupt status bits. */
export const ISR = { QUEUE: 1, CONFIG: 2 } as const;

/** [VIRTIO 2.6] Split ring. */
export const RING = {
  DESCRIPTOR: 16,
  NEXT: 1,
  WRITE: 2,
  INDIRECT: 4,
  /** In `avail.flags`. */
  NO_INTERRUPT: 1,
  /** Alignment of the used ring in the legacy layout. */
  ALIGN: 4096,
  /** Largest queue of this implementation and of QEMU. */
  MAX_SIZE: 1024,
} as const;

/** [QEMU] Queues that a stream always has, used or not. */
export const STREAM_QUEUES = 1024;
