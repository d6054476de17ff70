import { type PciDeviceState, pci as pciSpec } from '@pagurus/dev-pci';
import {
  type ByteReader,
  type ByteWriter,
  type Codec,
  cloneState,
  type Description,
  fieldsOf,
  load,
  save,
  vmstate,
} from '@pagurus/vmstate';
import { NO_VECTOR, RING, STREAM_QUEUES } from './spec.js';
import { fromPlain, toPlain } from './state-json.js';
import { type VirtioSectionState, VirtioState } from './virtio.state.js';
import { legacyRings } from './virtqueue.js';

/** What decides the layout: properties of the device, not its state. */
export interface VirtioLayout {
  /** Features that the device offers. */
  readonly hostFeatures: bigint;
  readonly msixEntries: number;
  readonly modern: boolean;
  readonly migrateExtra: boolean;
  readonly useStarted: boolean;
  readonly useDisabledFlag: boolean;
  /** Of the PCI function; its state is `VirtioState.pci`. */
  readonly pci: Description<PciDeviceState>;
}

const SUBSECTION = 0x05;
const PCI_LENGTH = 4 + 256 + 16;
/** Byte of the PCI state with the interrupt status: QEMU's virtio sends it clear, because the pins' levels tell. */
const INTERRUPT_STATUS = 4 + pciSpec.PCI.STATUS;
const FEATURES = 'virtio/64bit_features';
const QUEUES = 'virtio/virtqueues';
const RING_SIZE = 'virtio/ringsize';
const BROKEN = 'virtio/broken';
const EXTRA = 'virtio/extra_state';
const MODERN_STATE = 'virtio_pci/modern_state';
const STARTED = 'virtio/started';
const DISABLED = 'virtio/disabled';

/** The device's section: one field that QEMU writes by hand, with subsections of its own inside. */
export function virtioVmState(name: string, version: number, layout: VirtioLayout): Description<VirtioSectionState> {
  const f = fieldsOf<VirtioSectionState>();
  return vmstate<VirtioSectionState>({ name, version, fields: [f.custom('virtio', 'virtio', virtioCodec(layout))] });
}

/** Order of bytes: PCI and MSI-X, common registers, cached device registers, queues, subsections. */
export function virtioCodec(layout: VirtioLayout): Codec<VirtioState> {
  const pending = Math.ceil(layout.msixEntries / 8);
  return {
    type: 'virtio',
    minSize: PCI_LENGTH + 16,
    maxSize: 2 ** 20,
    get: (reader, current) => new Loader(layout, reader, cloneState(current)).load(),
    put: (writer, state) => put(layout, writer, state),
    toJson: toPlain,
    fromJson: (json, current) => {
      const next = cloneState(current);
      fromPlain(json, next, 'virtio');
      if (next.msix.pending.length !== pending) throw new Error('MSI-X state of another size');
      return next;
    },
    examples: [new VirtioState(layout.msixEntries)],
  };
}

/** QEMU sends the queues up to the first without entries. */
function countQueues({ queues }: VirtioState): number {
  const end = queues.size.indexOf(0);
  return end < 0 ? STREAM_QUEUES : end;
}

function put(layout: VirtioLayout, writer: ByteWriter, state: VirtioState): void {
  const { queues, msix } = state;
  const pci = save(layout.pci, state.pci);
  pci[INTERRUPT_STATUS]! &= ~pciSpec.STATUS.INTERRUPT;
  writer.bytes(pci);
  if (layout.msixEntries > 0) {
    writer.bytes(msix.table);
    writer.bytes(msix.pending);
    writer.u16(state.configVector);
  }
  writer.u8(state.status);
  writer.u8(state.isr);
  writer.u16(state.queueSelect);
  writer.u32(Number(state.features & 0xffff_ffffn));
  writer.u32(state.config.length);
  writer.bytes(state.config);
  const count = countQueues(state);
  writer.u32(count);
  for (let n = 0; n < count; n++) {
    writer.u32(queues.size[n]!);
    writer.u64(queues.descriptors[n]!);
    writer.u16(queues.lastAvailable[n]!);
    if (layout.msixEntries > 0) writer.u16(queues.vector[n]!);
  }
  putSubsections(layout, writer, state);
}

function head(writer: ByteWriter, name: string): void {
  writer.u8(SUBSECTION);
  writer.u8(name.length);
  writer.bytes(Uint8Array.from(name, (letter) => letter.charCodeAt(0)));
  writer.u32(1);
}

function putSubsections(layout: VirtioLayout, writer: ByteWriter, state: VirtioState): void {
  const { queues } = state;
  if (layout.hostFeatures >> 32n !== 0n) {
    head(writer, FEATURES);
    writer.u64(state.features);
  }
  if (layout.modern) {
    head(writer, QUEUES);
    for (let n = 0; n < STREAM_QUEUES; n++) {
      writer.u64(queues.available[n]!);
      writer.u64(queues.used[n]!);
    }
  }
  if (queues.size.some((size, n) => size !== queues.defaultSize[n])) {
    head(writer, RING_SIZE);
    for (const size of queues.defaultSize) writer.u32(size);
  }
  if (state.broken) putFlag(writer, BROKEN);
  if (layout.migrateExtra) {
    head(writer, EXTRA);
    if (layout.modern) putModern(writer, state);
  }
  if (layout.useStarted && state.started) putFlag(writer, STARTED);
  if (layout.useDisabledFlag && state.disabled) putFlag(writer, DISABLED);
}

function putFlag(writer: ByteWriter, name: string): void {
  head(writer, name);
  writer.u8(1);
}

function putModern(writer: ByteWriter, { modern }: VirtioState): void {
  head(writer, MODERN_STATE);
  writer.u32(modern.deviceFeatureSelect);
  writer.u32(modern.driverFeatureSelect);
  for (const word of modern.driverFeatures) writer.u32(word);
  for (let n = 0; n < STREAM_QUEUES; n++) {
    writer.u16(modern.size[n]!);
    writer.u8(0);
    writer.u8(modern.enabled[n]!);
    for (let word = 0; word < 6; word++) writer.u32(modern.addresses[6 * n + word]!);
  }
}

/** One pass over untrusted bytes into `state`, which nobody else holds. */
class Loader {
  private ringSizes = false;

  constructor(
    private readonly layout: VirtioLayout,
    private readonly reader: ByteReader,
    private readonly state: VirtioState,
  ) {}

  load(): VirtioState {
    const { layout, reader, state } = this;
    load(layout.pci, state.pci, reader.bytes(PCI_LENGTH));
    const { config: space, irqState } = state.pci;
    if (irqState.some((level) => level !== 0)) space[pciSpec.PCI.STATUS]! |= pciSpec.STATUS.INTERRUPT;
    else space[pciSpec.PCI.STATUS]! &= ~pciSpec.STATUS.INTERRUPT;
    if (layout.msixEntries > 0) {
      state.msix.table.set(reader.bytes(state.msix.table.length));
      state.msix.pending.set(reader.bytes(state.msix.pending.length));
      state.configVector = this.vector();
    }
    state.status = reader.u8();
    state.isr = reader.u8();
    state.queueSelect = this.limited(reader.u16(), STREAM_QUEUES - 1, 'selected queue');
    state.features = BigInt(reader.u32());
    // A longer copy than ours is cut; of a shorter one our tail stays.
    const config = reader.bytes(reader.u32());
    state.config.set(config.subarray(0, state.config.length));
    this.queues();
    Object.assign(state, { broken: false, started: false, disabled: false });
    this.subsections('virtio/', (name) => this.subsection(name));
    // Without the subsection every size is its default: what an older or newer QEMU has for the same queue.
    if (!this.ringSizes) state.queues.defaultSize.set(state.queues.size);
    const foreign = state.features & ~layout.hostFeatures;
    if (foreign !== 0n)
      reader.fail(
        'invalid',
        `Features 0x${state.features.toString(16)} unsupported. Allowed features: 0x${layout.hostFeatures.toString(16)}`,
      );
    return state;
  }

  private limited(value: number, most: number, what: string): number {
    if (value > most) this.reader.fail('out-of-range', `${what} is ${value}`, { expected: `at most ${most}`, got: `${value}` });
    return value;
  }

  private vector(): number {
    const value = this.reader.u16();
    return value === NO_VECTOR ? value : this.limited(value, this.layout.msixEntries - 1, 'interrupt vector');
  }

  private queues(): void {
    const { reader, layout, state } = this;
    const { queues } = state;
    const count = this.limited(reader.u32(), STREAM_QUEUES, 'Invalid number of virtqueues: it');
    queues.size.fill(0);
    for (let n = 0; n < count; n++) {
      queues.size[n] = this.limited(reader.u32(), RING.MAX_SIZE, `size of queue ${n}`);
      queues.descriptors[n] = reader.u64();
      queues.lastAvailable[n] = reader.u16();
      if (layout.msixEntries > 0) queues.vector[n] = this.vector();
      if (queues.descriptors[n] === 0n && queues.lastAvailable[n] !== 0)
        reader.fail('invalid', `VQ ${n} address 0x0 inconsistent with Host index 0x${queues.lastAvailable[n]!.toString(16)}`);
      legacyRings(queues, n);
    }
  }

  /** Takes subsections as long as their names begin with `prefix`, in any order, as QEMU does. */
  private subsections(prefix: string, take: (name: string) => void): void {
    const { reader } = this;
    while (reader.peek(0) === SUBSECTION) {
      const length = reader.peek(1) ?? 0;
      const letters = Array.from({ length }, (_, i) => reader.peek(2 + i) ?? 0);
      const name = String.fromCharCode(...letters);
      if (!name.startsWith(prefix)) return;
      reader.bytes(2 + length);
      const version = reader.u32();
      if (version !== 1)
        reader.fail(version > 1 ? 'version-too-new' : 'version-too-old', `${name} is of version ${version}`, {
          expected: '1',
          got: String(version),
        });
      take(name);
    }
  }

  private subsection(name: string): void {
    const { reader, state } = this;
    const { queues } = state;
    switch (name) {
      case 'virtio/device_endian':
        if (reader.u8() === 2) reader.fail('invalid', 'the guest used the device with big-endian words; a PC has none');
        return;
      case FEATURES:
        state.features = reader.u64();
        return;
      case QUEUES:
        for (let n = 0; n < STREAM_QUEUES; n++) {
          queues.available[n] = reader.u64();
          queues.used[n] = reader.u64();
        }
        return;
      case RING_SIZE:
        this.ringSizes = true;
        for (let n = 0; n < STREAM_QUEUES; n++)
          queues.defaultSize[n] = this.limited(reader.u32(), RING.MAX_SIZE, `default size of queue ${n}`);
        return;
      case BROKEN:
        state.broken = reader.u8() !== 0;
        return;
      case EXTRA:
        this.subsections('virtio_pci/', (inner) => {
          if (inner !== MODERN_STATE) reader.fail('unknown-subsection', `${inner} is not known here`);
          this.modern();
        });
        return;
      case STARTED:
        state.started = reader.u8() !== 0;
        return;
      case DISABLED:
        state.disabled = reader.u8() !== 0;
        return;
      default:
        reader.fail('unknown-subsection', `${name} is not known here`);
    }
  }

  private modern(): void {
    const { reader } = this;
    const { modern } = this.state;
    modern.deviceFeatureSelect = reader.u32();
    modern.driverFeatureSelect = reader.u32();
    modern.driverFeatures[0] = reader.u32();
    modern.driverFeatures[1] = reader.u32();
    for (let n = 0; n < STREAM_QUEUES; n++) {
      modern.size[n] = reader.u16();
      reader.u8();
      modern.enabled[n] = Number(reader.u8() !== 0);
      for (let word = 0; word < 6; word++) modern.addresses[6 * n + word] = reader.u32();
    }
  }
}
