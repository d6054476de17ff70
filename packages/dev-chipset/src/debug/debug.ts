import { type CharacterBackend, type Device, type DeviceContext, defineDevice } from '@pagurus/device-model';

export interface DebugconProperties {
  iobase: number;
  readback: number;
  chardev: string;
}

/**
 * Bochs' port 0xe9 hack: every byte written goes to the host. A read answers `readback`, by which a guest finds out that it is there.
 * No state, no section.
 */
export const debugcon = defineDevice<DebugconProperties>({
  type: 'isa-debugcon',
  doc: 'debug console: bytes written to a port go to a character device',
  bus: 'isa',
  properties: {
    iobase: { name: 'iobase', type: 'uint32', default: 0xe9, doc: 'I/O port' },
    readback: { name: 'readback', type: 'uint32', default: 0xe9, doc: 'what a read answers' },
    chardev: { name: 'chardev', type: 'str', default: '', doc: 'character device that gets the bytes' },
  },
  create(context: DeviceContext, { iobase, readback }): Device {
    const output = context.backend<CharacterBackend>('chardev');
    const region = context.ports.add(
      iobase,
      1,
      { read: () => readback & 0xff, write: (_, value) => output?.write(Uint8Array.of(value)) },
      { name: 'isa-debugcon' },
    );
    return { sections: [], reset() {}, unrealize: () => region.remove() };
  },
});

export interface DebugExitProperties {
  iobase: number;
  iosize: number;
}

/** Ends the machine: the process's exit code is `(value << 1) | 1`, so that a guest can never claim 0. Reads answer 0. No section. */
export const debugExit = defineDevice<DebugExitProperties>({
  type: 'isa-debug-exit',
  doc: 'a write to its port ends the machine with an exit code',
  bus: 'isa',
  properties: {
    iobase: { name: 'iobase', type: 'uint32', default: 0x501, doc: 'first I/O port' },
    iosize: { name: 'iosize', type: 'uint32', default: 2, doc: 'number of ports' },
  },
  create(context: DeviceContext, { iobase, iosize }): Device {
    const region = context.ports.add(
      iobase,
      iosize,
      {
        sizes: [1, 2, 4],
        read: () => 0,
        write: (_, value) => context.requestShutdown('isa-debug-exit', ((value << 1) | 1) & 0xff),
      },
      { name: 'isa-debug-exit' },
    );
    return { sections: [], reset() {}, unrealize: () => region.remove() };
  },
});
