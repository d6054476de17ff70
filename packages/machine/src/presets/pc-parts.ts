import {
  type DmaService,
  type FwCfgService,
  fwCfg,
  i8254,
  i8257,
  i8259,
  isaSerial,
  mc146818rtc,
  type PicService,
  type PitService,
  pcspk,
  port92,
  type RtcService,
} from '@pagurus/dev-chipset';
import { i8042 } from '@pagurus/dev-ps2';
import type { InputPin, PropertyValue, RamBlock } from '@pagurus/device-model';
import type { ComposedDevice, Composer } from '../composer.js';
import { MachineError, type PlugPlace } from '../machine-type.js';
import { wiredOr } from '../wire.js';
import { bootDevice, CMOS, cmosMemory, EQUIPMENT, e820, FW_CFG, littleEndian } from './firmware-data.js';

const MIB = 2 ** 20;
const FOUR_GIB = 2 ** 32;
/** Firmware ends at 4 GiB; its last 128 KiB also appear below 1 MiB. */
const ISA_BIOS = { BASE: 0xe0000, LENGTH: 0x20000 } as const;
const OPTION_ROM = { BASE: 0xc0000, LENGTH: 0x20000 } as const;
const SERIAL_PORTS = [
  { iobase: 0x3f8, irq: 4 },
  { iobase: 0x2f8, irq: 3 },
  { iobase: 0x3e8, irq: 4 },
  { iobase: 0x2e8, irq: 3 },
] as const;

export interface MemoryLayout {
  readonly below4g: number;
  readonly above4g: number;
}

/** RAM below the PCI hole and above 4 GiB. QEMU's split: from 3.5 GiB on, 3 GiB stay below. */
export function splitMemory(size: number): MemoryLayout {
  const low = size >= 0xe000_0000 ? 0xc000_0000 : size;
  return { below4g: low, above4g: size - low };
}

/** RAM, option ROM area and firmware, as every PC has them. */
export function addMemory(composer: Composer): { ram: RamBlock; layout: MemoryLayout } {
  const { memory } = composer.machine;
  const layout = splitMemory(composer.memorySize);
  const ram = memory.allocate('pc.ram', composer.memorySize);
  memory.addRam(0, Math.min(layout.below4g, 0xa0000), ram, 0, 'ram', { name: 'ram-below-640k' });
  if (layout.below4g > MIB) memory.addRam(MIB, layout.below4g - MIB, ram, MIB, 'ram', { name: 'ram-below-4g' });
  if (layout.above4g > 0) memory.addRam(FOUR_GIB, layout.above4g, ram, layout.below4g, 'ram', { name: 'ram-above-4g' });

  const firmware = composer.config.firmware;
  const bios = memory.allocate('pc.bios', firmware ? biosLength(firmware) : ISA_BIOS.LENGTH);
  if (firmware) composer.rom({ block: bios, offset: 0, bytes: firmware });
  memory.addRam(FOUR_GIB - bios.length, bios.length, bios, 0, 'rom', { name: 'pc.bios' });
  const isaLength = Math.min(ISA_BIOS.LENGTH, bios.length);
  memory.addRam(MIB - isaLength, isaLength, bios, bios.length - isaLength, 'rom', { name: 'isa-bios' });
  const rom = memory.allocate('pc.rom', OPTION_ROM.LENGTH);
  memory.addRam(OPTION_ROM.BASE, OPTION_ROM.LENGTH, rom, 0, 'ram', { name: 'pc.rom' });
  return { ram, layout };
}

function biosLength(firmware: Uint8Array): number {
  if (firmware.length === 0 || firmware.length % 0x10000 !== 0 || firmware.length > 16 * MIB)
    throw new MachineError(`firmware has ${firmware.length} bytes; expected a multiple of 65536 up to 16 MiB`);
  return firmware.length;
}

export interface IsaParts {
  /** Shared inputs of the interrupt controllers: every call gives a new pin onto request `n`. */
  irq(n: number): InputPin;
  readonly pic: ComposedDevice;
  readonly rtc: ComposedDevice;
  readonly fwCfg: FwCfgService;
  readonly dma: readonly DmaService[];
}

/** The devices of an AT: interrupt controllers, timer, speaker, clock, DMA, keyboard, port 92, fw_cfg, serial ports. */
export function addIsaDevices(composer: Composer, options: { dmaFirst: boolean; i8042: boolean }): IsaParts {
  const { machine, config } = composer;
  const dma: DmaService[] = [];
  const fw = composer.add(fwCfg);
  if (options.dmaFirst) for (const controller of addDma(composer)) dma.push(controller);

  const pic = composer.add(i8259);
  composer.connect(pic, 'int', machine.interruptPin);
  composer.acknowledgeInterrupt = () => (pic.device.services as PicService).acknowledge();
  // Request 2 is the cascade: a pin wired there goes nowhere, as on the board.
  const shared = Array.from({ length: 16 }, (_, n) => wiredOr(n === 2 ? () => {} : composer.input(pic, `irq${n}`)));
  const irq = (n: number): InputPin => shared[n]!();

  const rtc = composer.add(mc146818rtc);
  composer.connect(rtc, 'irq', irq(8));
  const pit = composer.add(i8254);
  composer.connect(pit, 'irq', irq(0));
  composer.add(pcspk, { backends: { pit: pit.device.services as PitService } });
  if (!options.dmaFirst) for (const controller of addDma(composer)) dma.push(controller);

  if (options.i8042) {
    const keyboard = composer.add(i8042, { id: 'i8042', backends: { input: config.input } });
    composer.connect(keyboard, 'kbd-irq', irq(1));
    composer.connect(keyboard, 'mouse-irq', irq(12));
    composer.connect(keyboard, 'a20', machine.a20Pin);
  }
  composer.connect(composer.add(port92), 'a20', machine.a20Pin);

  const parts: IsaParts = { irq, pic, rtc, fwCfg: fw.device.services as FwCfgService, dma };
  (config.serial ?? []).forEach((chardev, index) => {
    if (!chardev) return;
    const place = SERIAL_PORTS[index];
    if (!place) throw new MachineError(`a PC has ${SERIAL_PORTS.length} serial ports; port ${index} was given`);
    const port = composer.add(isaSerial, {
      id: `serial${index}`,
      properties: { index, iobase: place.iobase, irq: place.irq },
      backends: { chardev },
    });
    composer.connect(port, `irq${place.irq}`, irq(place.irq));
  });
  return parts;
}

function addDma(composer: Composer): DmaService[] {
  return [0, 1].map((controller) => composer.add(i8257, { properties: dmaProperties(controller) }).device.services as DmaService);
}

/** The second controller moves words: ports 0xc0, every second one; page registers beside the first's. */
function dmaProperties(controller: number): Record<string, PropertyValue> {
  return controller === 0
    ? { base: 0, 'page-base': 0x80, 'pageh-base': 0x480, dshift: 0 }
    : { base: 0xc0, 'page-base': 0x88, 'pageh-base': 0x488, dshift: 1 };
}

/** ISA devices of `-device`: an output pin `irqN` goes to request N. */
export function offerIsaBus(composer: Composer, parts: IsaParts): void {
  composer.offerBus({
    kind: 'isa',
    plug: (): PlugPlace => ({
      slot: undefined,
      path: undefined,
      connect: (pin) => {
        const request = /^irq(\d+)$/.exec(pin);
        return request ? parts.irq(Number(request[1])) : undefined;
      },
    }),
  });
}

/** What firmware asks fw_cfg and the CMOS for. */
export function tellFirmware(composer: Composer, parts: IsaParts, layout: MemoryLayout): void {
  const { config } = composer;
  const { fwCfg: items } = parts;
  items.addBytes(FW_CFG.RAM_SIZE, littleEndian(composer.memorySize, 8));
  items.addBytes(FW_CFG.NB_CPUS, littleEndian(1, 2));
  items.addBytes(FW_CFG.MAX_CPUS, littleEndian(1, 2));
  items.addBytes(FW_CFG.NOGRAPHIC, littleEndian(config.noGraphic ? 1 : 0, 2));
  items.addBytes(FW_CFG.BOOT_MENU, littleEndian(config.boot?.menu ? 1 : 0, 2));
  items.addBytes(FW_CFG.IRQ0_OVERRIDE, littleEndian(1, 4));
  items.addBytes(FW_CFG.NUMA, new Uint8Array(16));
  items.addBytes(FW_CFG.UUID, config.uuid ?? new Uint8Array(16));
  const ranges: { base: number; length: number; type: 1 | 2 }[] = [{ base: 0, length: layout.below4g, type: 1 }];
  if (layout.above4g > 0) ranges.push({ base: FOUR_GIB, length: layout.above4g, type: 1 });
  items.addFile('etc/e820', e820(ranges));
  const retry = config.boot?.rebootTimeout ?? -1;
  if (!Number.isInteger(retry) || retry < -1 || retry > 0xffff)
    throw new MachineError(`-boot reboot-timeout=${retry}: expected milliseconds from -1 (never) to 65535`);
  items.addFile('etc/boot-fail-wait', littleEndian(retry < 0 ? 0xffff_ffff : retry, 4));

  const cmos = parts.rtc.device.services as RtcService;
  for (const [index, value] of cmosMemory(layout.below4g, layout.above4g)) cmos.set(index, value);
  cmos.set(CMOS.CPUS_MINUS_1, 0);
  cmos.set(CMOS.EQUIPMENT, EQUIPMENT.FPU | EQUIPMENT.PS2_MOUSE);
  const [first, second, third] = bootOrder(config.boot?.order ?? 'cad');
  cmos.set(CMOS.BOOT_ORDER_1_AND_2, (second << 4) | first);
  // Bit 0: do not look for the boot signature on floppies.
  cmos.set(CMOS.BOOT_ORDER_3_AND_CHECK, third << 4);
}

function bootOrder(letters: string): [number, number, number] {
  const codes = [...letters].map((letter) => {
    const code = bootDevice(letter);
    if (code === undefined) throw new MachineError(`-boot order=${letters}: '${letter}' is not a boot device (a, b, c, d, n)`);
    return code;
  });
  if (codes.length > 3) throw new MachineError(`-boot order=${letters}: at most three devices`);
  return [codes[0] ?? 0, codes[1] ?? 0, codes[2] ?? 0];
}
