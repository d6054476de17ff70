import { type PciProperties, pciProperties } from '@pagurus/dev-pci';
import {
  type Device,
  type DeviceContext,
  defineDevice,
  type EntropySource,
  PropertyError,
  type PropertyTable,
  section,
} from '@pagurus/device-model';
import { FEATURE, RNG, VIRTIO_PCI } from './spec.js';
import { VirtioSectionState } from './virtio.state.js';
import { virtioVmState } from './virtio-codec.js';
import { offeredFeatures, type TransportOptions, VirtioPci } from './virtio-pci.js';
import { type Buffer, type Segment, SplitQueue } from './virtqueue.js';

export interface VirtioRngProperties extends PciProperties {
  rng: string;
  maxBytes: number;
  period: number;
  vectors: number;
  disableLegacy: string;
  disableModern: boolean;
  migrateExtra: boolean;
  pagePerQueue: boolean;
  busMasterBug: boolean;
  disablePcie: boolean;
  ignoreBackendFeatures: boolean;
  indirect: boolean;
  eventIndex: boolean;
  notifyOnEmpty: boolean;
  anyLayout: boolean;
  queueReset: boolean;
  packed: boolean;
  iommu: boolean;
  useStarted: boolean;
  useDisabledFlag: boolean;
  disableLegacyCheck: boolean;
}

/** A driver's buffer is filled at most this far: the used length says so, and no length that a guest invents costs more. */
const MOST_BYTES = 16 * 1024;

const UNLIMITED = Number.MAX_SAFE_INTEGER;

const bool = (name: string, value: boolean, doc: string) => ({ name, type: 'bool', default: value, doc }) as const;

const properties: PropertyTable<VirtioRngProperties> = {
  ...pciProperties,
  rng: { name: 'rng', type: 'str', default: '', doc: 'where entropy comes from' },
  maxBytes: { name: 'max-bytes', type: 'uint64', default: UNLIMITED, doc: 'bytes per period; a limit is not modelled' },
  period: { name: 'period', type: 'uint32', default: 0x1_0000, doc: 'milliseconds that max-bytes is for; no effect' },
  vectors: { name: 'vectors', type: 'uint32', default: 2, doc: 'MSI-X vectors, 0 = no MSI-X (machine 7.1 and older)' },
  disableLegacy: {
    name: 'disable-legacy',
    type: 'str',
    default: 'auto',
    doc: 'no registers in I/O space: on, off or auto (off on a conventional bus)',
  },
  disableModern: bool('disable-modern', false, 'no registers in memory'),
  migrateExtra: bool('migrate-extra', true, 'send the state of the modern registers; off up to machine 2.4'),
  pagePerQueue: bool('page-per-vq', false, 'a page for the notification register of each queue; on up to machine 2.7'),
  busMasterBug: bool(
    'virtio-pci-bus-master-bug-migration',
    false,
    'streams of drivers without bus mastering are put right; on up to machine 2.1',
  ),
  disablePcie: bool('x-disable-pcie', false, 'PCI Express only, no effect; on up to machine 2.4'),
  ignoreBackendFeatures: bool('x-ignore-backend-features', false, 'no effect here; on up to machine 2.7'),
  indirect: bool('indirect_desc', true, 'offer indirect descriptors'),
  eventIndex: bool('event_idx', true, 'offer event indices'),
  notifyOnEmpty: bool('notify_on_empty', true, 'offer an interrupt when a queue ran empty'),
  anyLayout: bool('any_layout', true, 'offer any layout of descriptors; off up to machine 2.3'),
  queueReset: bool('queue_reset', true, 'offer the reset of a single queue; off up to machine 7.1'),
  packed: bool('packed', false, 'packed rings; not modelled'),
  iommu: bool('iommu_platform', false, 'addresses of an IOMMU; not modelled'),
  useStarted: bool('use-started', true, 'send that the device was started; off up to machine 4.0'),
  useDisabledFlag: bool('use-disabled-flag', true, 'stop without bus mastering, and send it; off up to machine 4.2'),
  disableLegacyCheck: bool('x-disable-legacy-check', false, 'no effect on this device; on up to machine 5.0'),
};

/** The entropy device. Backend `rng`; without one, buffers wait. */
export const virtioRngPci = defineDevice<VirtioRngProperties>({
  type: 'virtio-rng-pci',
  doc: 'virtio entropy device, PCI',
  bus: 'pci',
  parents: ['pci-device', 'virtio-pci', 'virtio-device', 'virtio-rng-device'],
  properties,
  create: (context, props) => createVirtioRng(context, props),
});

const refuse = (name: string, text: string): PropertyError => new PropertyError('virtio-rng-pci', name, text);

/** @throws {PropertyError} for what is not modelled or cannot be. */
function transportOptions(props: VirtioRngProperties): TransportOptions {
  if (!['on', 'off', 'auto'].includes(props.disableLegacy))
    throw refuse('disable-legacy', `'${props.disableLegacy}' is not 'on', 'off' or 'auto'`);
  if (props.packed) throw refuse('packed', 'packed rings are not modelled');
  if (props.iommu) throw refuse('iommu_platform', 'there is no IOMMU');
  if (props.maxBytes !== UNLIMITED) throw refuse('max-bytes', 'a limit is not modelled');
  // The pending bits lie at 0x800 in the register, behind the table.
  if (props.vectors > 128) throw refuse('vectors', `${props.vectors} is more than 128`);
  const legacy = props.disableLegacy !== 'on';
  const modern = !props.disableModern;
  if (!legacy && !modern) throw refuse('disable-modern', 'device cannot work as neither modern nor legacy mode is enabled');
  const offers: readonly (readonly [boolean, number])[] = [
    [props.indirect, FEATURE.INDIRECT_DESC],
    [props.eventIndex, FEATURE.EVENT_IDX],
    [props.notifyOnEmpty, FEATURE.NOTIFY_ON_EMPTY],
    [props.anyLayout, FEATURE.ANY_LAYOUT],
    [props.queueReset, FEATURE.RING_RESET],
  ];
  const features = offers.reduce((sum, [on, bit]) => (on ? sum | (1n << BigInt(bit)) : sum), 0n);
  return {
    hostFeatures: offeredFeatures(features, { legacy, modern }),
    msixEntries: props.vectors,
    legacy,
    modern,
    migrateExtra: props.migrateExtra,
    useStarted: props.useStarted,
    useDisabledFlag: props.useDisabledFlag,
    pagePerQueue: props.pagePerQueue,
    busMasterBug: props.busMasterBug,
  };
}

function createVirtioRng(context: DeviceContext, props: VirtioRngProperties): Device {
  const options = transportOptions(props);
  const source = context.backend<EntropySource>('rng');
  const state = new VirtioSectionState(options.msixEntries);
  const { virtio } = state;
  const transport = new VirtioPci(
    context,
    virtio,
    {
      type: 'virtio-rng-pci',
      deviceType: RNG.TYPE,
      legacyDeviceId: RNG.LEGACY_DEVICE,
      classCode: VIRTIO_PCI.CLASS_OTHERS,
      queueSizes: [RNG.QUEUE_SIZE],
      kick: () => serve(),
    },
    options,
  );
  const queue = new SplitQueue(context.memory, virtio.queues, 0, () => virtio.features);
  /** A page that was asked for has not come; derived from the rings after a load. */
  let waiting = false;

  /** Fills what the driver made available, at most a ring full: more can't be there at once. */
  function serve(): void {
    waiting = false;
    if (!source) return;
    for (let left = queue.size; left > 0 && transport.running && queue.ready; left--) {
      const taken = queue.peek();
      if (taken === 'empty') return;
      const answer = taken === 'missing' ? taken : 'error' in taken ? taken : push(taken.buffer, source);
      if (answer === 'missing') {
        waiting = true;
        return;
      }
      if (typeof answer === 'object') return transport.fail(answer.error);
      if (answer) transport.notifyQueue(0);
    }
  }

  function push(buffer: Buffer, from: EntropySource) {
    const writable = clip(buffer.writable, MOST_BYTES);
    return queue.push({ ...buffer, writable }, () => {
      const bytes = new Uint8Array(writable.reduce((sum, { length }) => sum + length, 0));
      if (bytes.length > 0) from.fill(bytes);
      return bytes;
    });
  }

  context.onMemoryArrived(() => {
    if (waiting) serve();
  });

  return {
    sections: [section(virtioVmState('virtio-rng', 1, { ...options, pci: transport.pci.description }), state)],
    reset() {
      waiting = false;
      transport.reset();
    },
    resume() {
      transport.resume();
      serve();
    },
    unrealize: () => transport.unrealize(),
  };
}

/** The first `most` bytes of a buffer. */
function clip(segments: readonly Segment[], most: number): Segment[] {
  const clipped: Segment[] = [];
  let left = most;
  for (const { address, length } of segments) {
    if (left === 0) break;
    clipped.push({ address, length: Math.min(length, left) });
    left -= Math.min(length, left);
  }
  return clipped;
}
