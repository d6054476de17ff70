// A headless ISA box with two serial ports, versioned by its author: twenty lines, nothing in Pagurus edited.
import { addIsaDevices, addMemory, bootKernel, createMachine, defineMachine, offerIsaBus, pcPackages } from 'pagurus';

export const box = defineMachine({
  name: 'isa-box-1.0',
  doc: 'ISA board with two serial ports',
  version: '7.2', // device behaviour as of QEMU 7.2
  properties: { i8042: { name: 'i8042', type: 'bool', default: false, doc: 'PS/2 controller' } },
  packages: pcPackages,
  defaultCpu: '486',
  defaultMemory: 16 * 2 ** 20,
  build(composer, properties) {
    const { layout } = addMemory(composer);
    const parts = addIsaDevices(composer, { dmaFirst: true, i8042: properties.i8042, vmport: false, hpet: false });
    offerIsaBus(composer, parts);
    bootKernel(composer, layout);
  },
});

/** A serial port that collects what the guest prints. */
export const collector = () => {
  let text = '';
  const backend = { write: (bytes) => (text += String.fromCharCode(...bytes)), connect() {} };
  return { backend, text: () => text };
};

export async function run(image, instructions) {
  const [com1, com2] = [collector(), collector()];
  const machine = await createMachine(box, {
    kernel: { image },
    serial: [com1.backend, com2.backend],
    icount: { shift: 3, sleep: false },
  });
  machine.runUntil(instructions);
  return { machine, com1: com1.text(), com2: com2.text() };
}
