/** The machine that a stream is examined with: what the user says, the rest as the stream has it. */
import { type Machine, machineTypes } from '@pagurus/machine';
import type { Inspection } from '@pagurus/migration';
import { fullSections } from './doctor-stream.js';
import type { RunOptions } from './run-options.js';
import { stillMachine } from './schema-machine.js';
import type { MachineArguments } from './schema-options.js';

/** Options that say which devices there are. With one of them, nothing is guessed. */
const DEVICE_OPTIONS = ['device', 'nodefaults', 'vga', 'serial', 'nographic', 'debugcon'];
/** Cards by the last part of their section's name. */
const CARDS: Readonly<Record<string, string>> = { e1000: 'e1000', ne2000: 'ne2k_pci' };

export interface Guess {
  readonly options: RunOptions;
  /** What was taken from the stream, in words. */
  readonly assumed: readonly string[];
}

/** Fills in what the user did not say. */
export function guessMachine({ machine: options, given }: MachineArguments, inspection: Inspection): Guess {
  const assumed: string[] = [];
  const guessed: RunOptions = { ...options, devices: [...options.devices] };
  const sections = fullSections(inspection);
  if (options.machine === undefined) {
    const { machine } = inspection.configuration ?? {};
    guessed.machine = machineTypes.some(({ name }) => name === machine) ? machine : 'pc';
    assumed.push(`-M ${guessed.machine}`);
  }
  const ram = blockLength(inspection, /^pc\.ram$/);
  if (options.memory === undefined && ram !== undefined) {
    guessed.memory = ram;
    assumed.push(`-m ${ram % 2 ** 20 === 0 ? ram / 2 ** 20 : `${ram / 1024}K`}`);
  }
  if (options.target === undefined && wideRegisters(inspection)) {
    guessed.target = 'x86_64';
    assumed.push('-target x86_64');
  }
  if (!DEVICE_OPTIONS.some((name) => given.has(name))) {
    guessed.noDefaults = true;
    guessed.vga = sections.some(({ name }) => name.endsWith('/vga')) ? 'std' : 'none';
    const ports = sections.filter(({ name }) => name === 'serial').length;
    guessed.serial = Array.from({ length: Math.min(ports, 4) }, () => ({ kind: 'null' }) as const);
    for (const { name } of sections) {
      const card = /^0000:00:([0-9a-f]{2}\.[0-7])\/(.*)$/.exec(name);
      const driver = card && CARDS[card[2]!];
      if (driver) guessed.devices.push({ driver, addr: card[1]!, properties: {} });
    }
    const devices = [guessed.vga === 'std' ? 'VGA' : '', ...guessed.devices.map(({ driver }) => driver)].filter(
      (word) => word !== '',
    );
    if (devices.length > 0) assumed.push(`the devices ${devices.join(', ')}`);
    if (ports > 0) assumed.push(`${ports} serial port${ports === 1 ? '' : 's'}`);
  }
  return { options: guessed, assumed };
}

/** Puts it together; firmware and ROMs as large as the stream's. */
export async function examinedMachine(options: RunOptions, inspection: Inspection): Promise<Machine> {
  const vgaRom = blockLength(inspection, /\/vga\.rom$/);
  return await stillMachine(options, {
    firmware: blockLength(inspection, /^pc\.bios$/),
    ...(vgaRom === undefined ? {} : { roms: { 'vgabios-stdvga.bin': new Uint8Array(vgaRom) } }),
  });
}

function blockLength({ ram }: Inspection, name: RegExp): number | undefined {
  const block = ram?.blocks.find((one) => name.test(one.name));
  return block && block.usedLength > 0 && block.usedLength <= 2 ** 40 ? block.usedLength : undefined;
}

/** General registers of 64 bits are those of QEMU's x86_64 program. */
function wideRegisters({ vmdesc }: Inspection): boolean {
  const cpu = vmdesc?.devices.find((device) => device?.name === 'cpu');
  return cpu?.fields?.some(({ name, size }) => name === 'env.regs' && size === 8) ?? false;
}
