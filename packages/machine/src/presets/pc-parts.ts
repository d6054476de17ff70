import { apicIdOf } from '@pagurus/cpu-wasm';
import {
  ApicBus,
  type ApicProcessor,
  type ApicService,
  apic,
  type DmaService,
  type FwCfgService,
  fwCfg,
  type HpetService,
  hpet,
  i8254,
  i8257,
  i8259,
  ioapic,
  isaParallel,
  isaSerial,
  kvmvapic,
  mc146818rtc,
  type PicService,
  type PitService,
  pcspk,
  port92,
  type RtcService,
} from '@pagurus/dev-chipset';
import { type BackdoorMachine, i8042, vmmouse, vmport } from '@pagurus/dev-ps2';
import type { FloppyControllerService, IdeDriveService } from '@pagurus/dev-storage';
import type { InputPin, PropertyValue, RamBlock } from '@pagurus/device-model';
import type { ComposedDevice, Composer } from '../composer.js';
import { MachineError, type PlugPlace } from '../machine-type.js';
import { wiredOr } from '../wire.js';
import { bootDevice, CMOS, cmosDisks, cmosMemory, EQUIPMENT, e820, FW_CFG, littleEndian } from './firmware-data.js';
import { addFloppies } from './pc-storage.js';

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

const PARALLEL_PORTS = 3;
/** All parallel ports share it. */
const PARALLEL_IRQ = 7;

export interface MemoryLayout {
  readonly below4g: number;
  readonly above4g: number;
}

/** RAM below the PCI hole and above 4 GiB. QEMU's split: from 3.5 GiB on, 3 GiB stay below. */
export function splitMemory(size: number): MemoryLayout {
  const low = size >= 0xe000_0000 ? 0xc000_0000 : size;
  return { below4g: low, above4g: size - low };
}

/** RAM, option ROM area and firmware, as every PC has them. `biosSize` bytes of ROM where no firmware is given. `backend`: id of the memory object that the RAM is. */
export function addMemory(
  composer: Composer,
  biosSize: number = ISA_BIOS.LENGTH,
  backend = '',
): { ram: RamBlock; layout: MemoryLayout } {
  const { memory } = composer.machine;
  const layout = splitMemory(composer.memorySize);
  const ram = memory.allocate(ramName(composer, backend), composer.memorySize);
  memory.addRam(0, Math.min(layout.below4g, 0xa0000), ram, 0, 'ram', { name: 'ram-below-640k' });
  // Behind the screen's window; without a display adapter it is plain RAM.
  const window = Math.min(layout.below4g, 0xc0000) - 0xa0000;
  if (window > 0) memory.addRam(0xa0000, window, ram, 0xa0000, 'ram', { name: 'ram-behind-vga', priority: -1 });
  if (layout.below4g > MIB) memory.addRam(MIB, layout.below4g - MIB, ram, MIB, 'ram', { name: 'ram-below-4g' });
  if (layout.above4g > 0) memory.addRam(FOUR_GIB, layout.above4g, ram, layout.below4g, 'ram', { name: 'ram-above-4g' });

  const firmware = composer.config.firmware;
  const bios = memory.allocate('pc.bios', firmware ? biosLength(firmware) : biosSize);
  if (firmware) composer.rom({ block: bios, offset: 0, bytes: firmware });
  memory.addRam(FOUR_GIB - bios.length, bios.length, bios, 0, 'rom', { name: 'pc.bios' });
  const isaLength = Math.min(ISA_BIOS.LENGTH, bios.length);
  memory.addRam(MIB - isaLength, isaLength, bios, bios.length - isaLength, 'rom', { name: 'isa-bios' });
  const rom = memory.allocate('pc.rom', OPTION_ROM.LENGTH);
  memory.addRam(OPTION_ROM.BASE, OPTION_ROM.LENGTH, rom, 0, 'ram', { name: 'pc.rom' });
  return { ram, layout };
}

/** A block of RAM carries the name of the `-object` that it is, if it is one. */
function ramName(composer: Composer, backend: string): string {
  if (backend === '') return 'pc.ram';
  const found = composer.config.backends?.memdev?.[backend] as { readonly size: number } | undefined;
  if (!found) throw new MachineError(`-machine memory-backend=${backend}: no -object has that id`);
  if (found.size !== composer.memorySize)
    throw new MachineError(`-machine memory-backend=${backend}: it has ${found.size} bytes, -m gives ${composer.memorySize}`);
  return backend;
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
  readonly floppy: FloppyControllerService;
}

export interface IsaOptions {
  /** QEMU creates the DMA controllers before the bridge on PCI machines, after the clock on ISA ones. */
  readonly dmaFirst: boolean;
  /** An I/O APIC, whether or not the processor has a local one. */
  readonly ioApic: boolean;
  readonly i8042: boolean;
  readonly vmport: boolean;
  readonly hpet: boolean;
  /** Interval timer and speaker; default on. */
  readonly pit?: boolean;
}

/**
 * The devices of an AT: interrupt controllers, timer, speaker, clock, DMA, keyboard, port 92, fw_cfg, serial ports; with a local APIC
 * where the processor has one.
 */
export function addIsaDevices(composer: Composer, options: IsaOptions): IsaParts {
  const { machine } = composer;
  const dma: DmaService[] = [];
  // The local APIC comes first and asks a controller that is created behind it.
  let picService: PicService | undefined;
  const lazyPic: PicService = { acknowledge: () => picService!.acknowledge(), output: () => picService?.output() ?? false };
  const apicBus = new ApicBus();
  const localApics = machine.hasApic ? addLocalApics(composer, apicBus, lazyPic) : [];

  const fw = composer.add(fwCfg);
  if (options.dmaFirst) for (const controller of addDma(composer)) dma.push(controller);

  const pic = composer.add(i8259);
  picService = pic.device.services as PicService;
  for (const localApic of localApics) composer.connect(pic, 'int', composer.input(localApic, 'lint0'));
  if (localApics.length === 0) {
    composer.connect(pic, 'int', machine.interruptPin(0));
    composer.acknowledgeInterrupt = lazyPic.acknowledge;
  }
  const ioApic = options.ioApic ? composer.add(ioapic, { backends: { 'apic-bus': apicBus, pic: lazyPic } }) : undefined;
  composer.interruptControllers.push(...[ioApic, pic, ...localApics].filter((controller) => controller !== undefined));
  const shared = Array.from({ length: 24 }, (_, n) => wiredOr(requestPin(composer, n, pic, ioApic)));
  const irq = (n: number): InputPin => shared[n]!();

  const events = options.hpet ? composer.add(hpet) : undefined;
  if (events) for (let n = 0; n < 24; n++) composer.connect(events, `irq${n}`, irq(n));
  const rtc = composer.add(mc146818rtc);
  composer.connect(rtc, 'irq', events ? composer.input(events, 'rtc') : irq(8));
  if (options.pit ?? true) {
    const pit = composer.add(i8254);
    composer.connect(pit, 'irq', irq(0));
    if (events) composer.connect(events, 'pit-enabled', composer.input(pit, 'irq-enable'));
    composer.add(pcspk, { backends: { pit: pit.device.services as PitService } });
  }
  if (!options.dmaFirst) for (const controller of addDma(composer)) dma.push(controller);

  const fwCfgService = fw.device.services as FwCfgService;
  if (events) fwCfgService.addBytes(FW_CFG.HPET, (events.device.services as HpetService).firmwareTable());
  const ports = { irq };
  addSerialPorts(composer, ports);
  addParallelPorts(composer, ports);
  const floppy = addFloppies(composer, irq, dma[0]!);
  const parts: IsaParts = { irq, pic, rtc, fwCfg: fwCfgService, dma, floppy };
  if (options.i8042) addKeyboard(composer, parts, options.vmport);
  composer.connect(composer.add(port92), 'a20', machine.a20Pin);
  addNumericError(composer, irq(NUMERIC_ERROR.IRQ));
  return parts;
}

/**
 * The coprocessor's error (FERR#) is request 13 until software writes to port F0, which also tells the processor to ignore it (IGNNE#).
 * [IBM-AT] "80287 Numeric Coprocessor"; [SDM] volume 1, appendix D
 */
const NUMERIC_ERROR = { IRQ: 13, PORT: 0xf0 } as const;

function addNumericError(composer: Composer, request: InputPin): void {
  const { ports, ignoreNumericErrorPin } = composer.machine;
  composer.numericError = () => request(true);
  const write = (): void => {
    request(false);
    ignoreNumericErrorPin(true);
  };
  ports.add(NUMERIC_ERROR.PORT, 1, { read: () => 0xff, write }, { name: 'coprocessor' });
}

/** An interrupt request goes to both controllers; request 2 of the pair is their cascade, where a wire would end nowhere. */
function requestPin(composer: Composer, n: number, pic: ComposedDevice, ioApic: ComposedDevice | undefined): InputPin {
  const first = n < 16 && n !== 2 ? composer.input(pic, `irq${n}`) : undefined;
  const second = ioApic ? composer.input(ioApic, `irq${n}`) : undefined;
  return (level) => {
    first?.(level);
    second?.(level);
  };
}

/** Processors behind the first one, and the local APICs of all. */
function addLocalApics(composer: Composer, bus: ApicBus, pic: PicService): ComposedDevice[] {
  const { machine } = composer;
  if (composer.resolve(apic).values.vapic) composer.add(kvmvapic);
  const services: ApicService[] = [];
  const devices = machine.processorDevices.map((processor, index) => {
    if (index > 0) composer.addInternal(`cpu${index}`, processor);
    const toProcessor: ApicProcessor = {
      init: () => machine.init(index),
      startup: (vector) => machine.startup(index, vector),
    };
    const properties = { id: apicIdOf(index, machine.smp) };
    const device = composer.add(apic, { properties, backends: { 'apic-bus': bus, pic, cpu: toProcessor } });
    composer.connect(device, 'intr', machine.interruptPin(index));
    composer.connect(device, 'nmi', machine.nmiPin(index));
    composer.connect(device, 'smi', machine.smiPin(index));
    services.push(device.device.services as ApicService);
    return device;
  });
  composer.localApics.push(...services);
  composer.processorSelected = (processor) => {
    bus.current = processor;
  };
  composer.acknowledgeInterrupt = () => services[bus.current]!.acknowledge();
  return devices;
}

function addKeyboard(composer: Composer, parts: IsaParts, withVmport: boolean): void {
  const { machine, config } = composer;
  const keyboard = composer.add(i8042, { id: 'i8042', backends: { input: config.input } });
  composer.connect(keyboard, 'kbd-irq', parts.irq(1));
  composer.connect(keyboard, 'mouse-irq', parts.irq(12));
  composer.connect(keyboard, 'a20', machine.a20Pin);
  if (!withVmport) return;
  const port = composer.add(vmport, {
    backends: {
      cpu: machine.backdoor,
      machine: { ramSize: composer.memorySize, ...(config.uuid ? { uuid: config.uuid } : {}) } satisfies BackdoorMachine,
    },
  });
  composer.add(vmmouse, { backends: { vmport: port.device.services, i8042: keyboard.device.services, input: config.input } });
}

function addSerialPorts(composer: Composer, parts: Pick<IsaParts, 'irq'>): void {
  (composer.config.serial ?? []).forEach((chardev, index) => {
    if (!chardev) return;
    const place = SERIAL_PORTS[index];
    if (!place) throw new MachineError(`a PC has ${SERIAL_PORTS.length} serial ports; port ${index} was given`);
    const port = composer.add(isaSerial, { id: `serial${index}`, properties: { index, ...place }, backends: { chardev } });
    composer.connect(port, `irq${place.irq}`, parts.irq(place.irq));
  });
}

function addParallelPorts(composer: Composer, parts: Pick<IsaParts, 'irq'>): void {
  (composer.config.parallel ?? []).forEach((chardev, index) => {
    if (!chardev) return;
    if (index >= PARALLEL_PORTS) throw new MachineError(`a PC has ${PARALLEL_PORTS} parallel ports; port ${index} was given`);
    const port = composer.add(isaParallel, { id: `parallel${index}`, properties: { index }, backends: { chardev } });
    composer.connect(port, `irq${PARALLEL_IRQ}`, parts.irq(PARALLEL_IRQ));
  });
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
    name: 'isa.0',
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
  const { smp } = composer.machine;
  const { fwCfg: items } = parts;
  items.addBytes(FW_CFG.RAM_SIZE, littleEndian(composer.memorySize, 8));
  items.addBytes(FW_CFG.NB_CPUS, littleEndian(smp.cpus, 2));
  // One more than the highest APIC id that there can be.
  const apicIds = apicIdOf(smp.maxCpus - 1, smp) + 1;
  items.addBytes(FW_CFG.MAX_CPUS, littleEndian(apicIds, 2));
  items.addBytes(FW_CFG.NOGRAPHIC, littleEndian(config.noGraphic ? 1 : 0, 2));
  items.addBytes(FW_CFG.BOOT_MENU, littleEndian(config.boot?.menu ? 1 : 0, 2));
  items.addBytes(FW_CFG.IRQ0_OVERRIDE, littleEndian(1, 4));
  items.addBytes(FW_CFG.NUMA, new Uint8Array(8 * (1 + apicIds)));
  items.addBytes(FW_CFG.UUID, config.uuid ?? new Uint8Array(16));
  const ranges: { base: number; length: number; type: 1 | 2 }[] = [{ base: 0, length: layout.below4g, type: 1 }];
  if (layout.above4g > 0) ranges.push({ base: FOUR_GIB, length: layout.above4g, type: 1 });
  items.addFile('etc/e820', e820(ranges));
  const retry = config.boot?.rebootTimeout ?? -1;
  if (!Number.isInteger(retry) || retry < -1 || retry > 0xffff)
    throw new MachineError(`-boot reboot-timeout=${retry}: expected milliseconds from -1 (never) to 65535`);
  items.addFile('etc/boot-fail-wait', littleEndian(retry < 0 ? 0xffff_ffff : retry, 4));

  const { splashTime } = config.boot ?? {};
  if (splashTime !== undefined) {
    if (!Number.isInteger(splashTime) || splashTime < 0 || splashTime > 0xffff)
      throw new MachineError(`-boot splash-time=${splashTime}: expected milliseconds from 0 to 65535`);
    items.addFile('etc/boot-menu-wait', littleEndian(splashTime, 2));
  }

  const cmos = parts.rtc.device.services as RtcService;
  for (const [index, value] of cmosMemory(layout.below4g, layout.above4g)) cmos.set(index, value);
  cmos.set(CMOS.CPUS_MINUS_1, smp.cpus - 1);
  const floppies = [parts.floppy.cmosType(0), parts.floppy.cmosType(1)] as const;
  cmos.set(CMOS.FLOPPY_TYPES, (floppies[0] << 4) | floppies[1]);
  const drives = floppies.filter((type) => type !== 0).length;
  const floppyBits = drives > 0 ? EQUIPMENT.FLOPPY | ((drives - 1) << EQUIPMENT.FLOPPY_COUNT_SHIFT) : 0;
  cmos.set(CMOS.EQUIPMENT, EQUIPMENT.FPU | EQUIPMENT.PS2_MOUSE | floppyBits);
  const order = bootOrder('order', config.boot?.order ?? 'cad');
  const setOrder = ([first, second, third]: BootOrder): void => {
    cmos.set(CMOS.BOOT_ORDER_1_AND_2, (second << 4) | first);
    // Bit 0: do not look for the boot signature on floppies.
    cmos.set(CMOS.BOOT_ORDER_3_AND_CHECK, third << 4);
  };
  const once = config.boot?.once === undefined ? undefined : bootOrder('once', config.boot.once);
  setOrder(once ?? order);
  // Drives of -device come after the board: the first reset is that of the machine's start.
  let told = false;
  composer.afterReset.push(() => {
    if (told) return;
    told = true;
    const disks = composer.devices.flatMap(({ device }) => (device.services as Partial<IdeDriveService> | undefined)?.disk ?? []);
    for (const [index, value] of cmosDisks(disks)) cmos.set(index, value);
  });
  if (!once) return;
  let resets = 0;
  // The first is that of the machine's start.
  composer.afterReset.push(() => {
    if (++resets === 2) setOrder(order);
  });
}

type BootOrder = readonly [number, number, number];

function bootOrder(option: 'order' | 'once', letters: string): BootOrder {
  const codes = [...letters].map((letter) => {
    const code = bootDevice(letter);
    if (code === undefined)
      throw new MachineError(`-boot ${option}=${letters}: '${letter}' is not a boot device (a, b, c, d, n)`);
    return code;
  });
  if (codes.length > 3) throw new MachineError(`-boot ${option}=${letters}: at most three devices`);
  return [codes[0] ?? 0, codes[1] ?? 0, codes[2] ?? 0];
}
