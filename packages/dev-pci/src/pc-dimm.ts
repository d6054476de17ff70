import { type Device, defineDevice, PropertyError } from '@pagurus/device-model';
import type { MemorySlotsService } from './memory-hotplug.js';

export interface PcDimmProperties {
  memdev: string;
  address: number;
  slot: number;
  node: number;
}

/** A `memory-backend-ram` object; backend `memdev`. */
export interface MemoryBackend {
  readonly size: number;
}

/** Where memory modules may lie, and their slots; backend `memory`. */
export interface MemoryRegion {
  readonly slots: MemorySlotsService;
  readonly first: number;
  /** Behind the last byte. */
  readonly end: number;
  /** Bytes that may be added in all: `maxmem` less what the machine has. */
  readonly room: number;
  /** Modules that are there. */
  readonly taken: { readonly address: number; readonly size: number }[];
}

/** Of a module's address and size. [QEMU] */
const ALIGNMENT = 2 ** 21;
const ANY_SLOT = -1;

/** A memory module: a RAM block in a slot, which guests find through ACPI. Its service tells the slot. */
export const pcDimm = defineDevice<PcDimmProperties>({
  type: 'pc-dimm',
  doc: 'memory module',
  bus: 'none',
  properties: {
    memdev: { name: 'memdev', type: 'str', default: '', doc: 'id of the memory-backend-ram object that it consists of' },
    address: { name: 'addr', type: 'uint64', default: 0, doc: 'physical address; 0 = the first that is free' },
    slot: { name: 'slot', type: 'int32', default: ANY_SLOT, doc: 'number of the slot; -1 = the first that is free' },
    node: { name: 'node', type: 'uint32', default: 0, doc: 'NUMA node; there is node 0' },
  },
  create(ctx, props): Device {
    const refuse = (name: string, text: string): PropertyError => new PropertyError('pc-dimm', name, text);
    const region = ctx.backend<MemoryRegion>('memory');
    if (!region || region.slots.count === 0) throw refuse('slot', 'the machine has no memory slots (-m size,slots=N,maxmem=S)');
    if (props.memdev === '') throw refuse('memdev', 'expected the id of a memory-backend-ram object');
    if (props.node !== 0) throw refuse('node', `there is no NUMA node ${props.node}`);
    const { size } = ctx.backend<MemoryBackend>('memdev')!;
    const number = region.slots.find(props.slot === ANY_SLOT ? undefined : props.slot);
    if (number === undefined)
      throw refuse(
        'slot',
        props.slot === ANY_SLOT ? 'no slot is free' : `slot ${props.slot} is taken, or there is none of that number`,
      );
    const used = region.taken.reduce((sum, module) => sum + module.size, 0);
    if (used + size > region.room)
      throw refuse(
        'memdev',
        `${size} bytes: not enough space, 0x${used.toString(16)} in use of 0x${region.room.toString(16)} for modules`,
      );
    if (props.address % ALIGNMENT !== 0) throw refuse('addr', `0x${props.address.toString(16)} is not a multiple of 2 MiB`);
    const free = (address: number): boolean =>
      address >= region.first &&
      address + size <= region.end &&
      region.taken.every((module) => address + size <= module.address || module.address + module.size <= address);
    const candidates = [region.first, ...region.taken.map((module) => module.address + module.size)]
      .map((address) => Math.ceil(address / ALIGNMENT) * ALIGNMENT)
      .sort((a, b) => a - b);
    const address = props.address === 0 ? candidates.find(free) : props.address;
    if (address === undefined || !free(address))
      throw refuse('addr', `no room for ${size} bytes at 0x${(address ?? 0).toString(16)}`);

    const block = ctx.mmio.allocate(props.memdev, size);
    const window = ctx.mmio.addRam(address, size, block, 0, 'ram', { name: props.memdev });
    const module = { address, size, node: props.node };
    region.taken.push(module);
    return {
      sections: [],
      services: { slot: number, module } satisfies PcDimmService,
      reset() {},
      unrealize() {
        window.remove();
        region.taken.splice(region.taken.indexOf(module), 1);
      },
    };
  },
});

export interface PcDimmService {
  readonly slot: number;
  readonly module: { readonly address: number; readonly size: number; readonly node: number };
}
