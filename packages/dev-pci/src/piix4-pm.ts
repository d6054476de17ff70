import { type Device, defineDevice, type IoRegion, PropertyError, section } from '@pagurus/device-model';
import { AcpiPm } from './acpi-pm.js';
import { overlaps, readConfig, writeConfig } from './config-space.js';
import { CpuHotplug, type CpuTopology, ONE_CPU } from './cpu-hotplug.js';
import { PciFunction } from './function.js';
import { I2cBus } from './i2c.js';
import { i2cBusVmState } from './i2c.state.js';
import { MEMORY_HOTPLUG, MemoryHotplug, type MemorySlotsService } from './memory-hotplug.js';
import { MOST_MEMORY_SLOTS } from './memory-hotplug.state.js';
import { PciHotplug, type PciHotplugService } from './pci-hotplug.js';
import { type PciProperties, pciProperties } from './pci-properties.js';
import {
  APM_COMMAND,
  APM_PORT,
  APMC_SMI_ENABLE,
  CPU_HOTPLUG,
  GPE,
  GPE_EVENT,
  PCI_HOTPLUG,
  PIIX4_PM,
  PM_PORT,
  PM_REGISTER,
  PORT_BASE_MASK,
  PORT_BLOCK,
  SMBUS,
} from './piix4.spec.js';
import { Piix4PmState, piix4PmVmState } from './piix4-pm.state.js';
import { SmbusHost } from './smbus-host.js';
import { STATUS } from './spec.js';

export interface Piix4PmProperties extends PciProperties {
  smbusBase: number;
  disableS3: number;
  disableS4: number;
  s4Value: number;
  bridgeHotplug: boolean;
  rootHotplug: boolean;
  memoryHotplug: boolean;
  smmCompat: boolean;
  smmEnabled: boolean;
  withoutAcpiIndex: boolean;
  migrateSmbus: boolean;
}

/** What the machine asks of the power management function. */
export interface Piix4PmService {
  /** The bus that {@link smbusEeprom} devices sit on. */
  readonly smbus: I2cBus;
  readonly hotplug: PciHotplugService;
  readonly memorySlots: MemorySlotsService;
  /** A general-purpose event of another device, by the bit of {@link GPE_EVENT}. */
  raiseEvent(bit: number): void;
  /** `system_powerdown`. */
  pressPowerButton(): void;
}

/** How many memory modules the machine has room for; backend `memory-slots`. */
export interface MemorySlotCount {
  readonly count: number;
}

/** Which ports have a device; backend `ports`. */
export interface PortMap {
  claimed(port: number): boolean;
}

/**
 * PIIX4_PM, function 00:01.3: ACPI fixed hardware, APM ports, SMBus, and QEMU's hotplug registers. Output pins `sci` (ISA request 9)
 * and `smi` (a pulse).
 */
export const piix4Pm = defineDevice<Piix4PmProperties>({
  type: 'PIIX4_PM',
  doc: 'Intel 82371AB power management: ACPI, SMBus, hotplug',
  bus: 'pci',
  parents: ['pci-device'],
  properties: {
    ...pciProperties,
    smbusBase: {
      name: 'smb_io_base',
      type: 'uint32',
      default: SMBUS.DEFAULT_BASE,
      doc: 'ports of the SMBus controller at power-on',
    },
    disableS3: { name: 'disable_s3', type: 'uint8', default: 0, doc: '1 = the tables offer no suspend to RAM' },
    disableS4: { name: 'disable_s4', type: 'uint8', default: 0, doc: '1 = the tables offer no suspend to disk' },
    s4Value: { name: 's4_val', type: 'uint8', default: 2, doc: 'sleep type of suspend to disk' },
    bridgeHotplug: {
      name: 'acpi-pci-hotplug-with-bridge-support',
      type: 'bool',
      default: true,
      doc: 'hotplug registers for 256 buses; off up to machine 1.7',
    },
    rootHotplug: { name: 'acpi-root-pci-hotplug', type: 'bool', default: true, doc: 'devices of the root bus can be plugged' },
    memoryHotplug: {
      name: 'memory-hotplug-support',
      type: 'bool',
      default: true,
      doc: 'send the memory hotplug selector; off up to machine 2.0',
    },
    smmCompat: { name: 'smm-compat', type: 'bool', default: false, doc: 'SMM as on machines up to 5.2' },
    smmEnabled: { name: 'smm-enabled', type: 'bool', default: false, doc: 'the processor has system management mode' },
    withoutAcpiIndex: {
      name: 'x-not-migrate-acpi-index',
      type: 'bool',
      default: false,
      doc: 'do not send the acpi-index register; on up to machine 6.2',
    },
    migrateSmbus: {
      name: 'x-smbus-migration',
      type: 'bool',
      default: true,
      doc: 'send the SMBus controller; off up to machine 3.1 (a property of the machine on QEMU)',
    },
  },
  create(ctx, props): Device {
    // wiring
    const smi = ctx.line('smi');
    const sci = ctx.line('sci');
    const portMap = ctx.backend<PortMap>('ports');
    const topology = ctx.backend<CpuTopology>('cpus') ?? ONE_CPU;
    const i2c = new I2cBus();
    const smbus = new SmbusHost(i2c, ctx.log);

    // state
    const slots = ctx.backend<MemorySlotCount>('memory-slots')?.count ?? 0;
    if (slots > MOST_MEMORY_SLOTS || (slots > 0 && !props.memoryHotplug))
      throw new PropertyError(
        'PIIX4_PM',
        'memory-hotplug-support',
        `${slots} memory slots: expected at most ${props.memoryHotplug ? MOST_MEMORY_SLOTS : 0}`,
      );
    const state = new Piix4PmState(smbus.state, topology.apicIds.length, slots);
    const pci = new PciFunction(ctx, state, {
      type: 'PIIX4_PM',
      vendorId: PIIX4_PM.VENDOR_ID,
      deviceId: PIIX4_PM.DEVICE_ID,
      revision: PIIX4_PM.REVISION,
      classCode: PIIX4_PM.CLASS,
      status: STATUS.FAST_BACK_TO_BACK | STATUS.DEVSEL_MEDIUM,
      interruptPin: 1,
      hotpluggable: false,
    });

    // behaviour
    const acpi = new AcpiPm(ctx, state, sci, { hibernate: props.s4Value });
    const notify = (event: number) => (): void => acpi.raiseGeneral(event);
    const hotplug = new PciHotplug(
      pci.slot.bus,
      state,
      { bridges: props.bridgeHotplug, root: props.rootHotplug, notify: notify(GPE_EVENT.PCI_HOTPLUG) },
      ctx.log,
    );
    const memory = new MemoryHotplug(state.memoryHotplug, ctx.log, notify(GPE_EVENT.MEMORY_HOTPLUG));
    const cpus = new CpuHotplug(topology, state, ctx.log, showCpuRegisters);

    const add = (
      base: number,
      length: number,
      handler: Parameters<typeof ctx.ports.add>[2],
      name: string,
      enabled = true,
    ): IoRegion => ctx.ports.add(base, length, handler, { name, enabled });
    const pmRegions = [
      { region: add(0, 4, acpi.events, 'acpi-evt', false), offset: PM_PORT.STATUS },
      { region: add(0, 2, acpi.control, 'acpi-cnt', false), offset: PM_PORT.CONTROL },
      { region: add(0, 4, acpi.counter, 'acpi-tmr', false), offset: PM_PORT.TIMER },
    ];
    const smbusRegion = add(0, PORT_BLOCK, smbus.registers, 'pm-smbus', false);
    const cpuBitmap = add(CPU_HOTPLUG.PORT, CPU_HOTPLUG.BITMAP_LENGTH, cpus.bitmap, 'acpi-cpu-hotplug');
    const cpuRegisters = add(CPU_HOTPLUG.PORT, CPU_HOTPLUG.LENGTH, cpus.registers, 'acpi-cpu-hotplug', false);
    const fixedRegions = [
      add(
        APM_PORT.CONTROL,
        2,
        { read: (offset) => (offset === 0 ? state.apm.control : state.apm.status), write: writeApm },
        'apm-io',
      ),
      add(GPE.PORT, GPE.LENGTH, acpi.generalEvents, 'acpi-gpe0'),
      add(PCI_HOTPLUG.PORT, PCI_HOTPLUG.LENGTH, hotplug.registers, 'acpi-pci-hotplug'),
      ...(slots > 0 ? [add(MEMORY_HOTPLUG.PORT, MEMORY_HOTPLUG.LENGTH, memory.registers, 'acpi-mem-hotplug')] : []),
    ];
    powerOn();

    pci.onConfigWrite((offset, size) => {
      const touched = (register: number, length: number): boolean => overlaps(offset, size, register, length);
      if (touched(PM_REGISTER.PM_BASE, 4) || touched(PM_REGISTER.PM_ENABLE, 1)) updatePmPorts();
      if (touched(PM_REGISTER.SMBUS_BASE, 4) || touched(PM_REGISTER.SMBUS_CONFIG, 1)) updateSmbusPorts();
    });

    function writeApm(offset: number, value: number): void {
      if (offset !== 0) {
        state.apm.status = value;
        return;
      }
      state.apm.control = value;
      if (value === APM_COMMAND.ACPI_ENABLE) acpi.setSciEnable(true);
      else if (value === APM_COMMAND.ACPI_DISABLE) acpi.setSciEnable(false);
      if ((pci.config[PM_REGISTER.DEVICE_ACTIVITY_B]! & APMC_SMI_ENABLE) === 0) return;
      smi.set(true);
      smi.set(false);
    }

    function updatePmPorts(): void {
      const enabled = (pci.config[PM_REGISTER.PM_ENABLE]! & 1) !== 0;
      const base = readConfig(pci.config, PM_REGISTER.PM_BASE, 4) & PORT_BASE_MASK;
      for (const { region, offset } of pmRegions) region.update({ base: base + offset, enabled });
    }

    function updateSmbusPorts(): void {
      const enabled = (pci.config[PM_REGISTER.SMBUS_CONFIG]! & 1) !== 0;
      const base = readConfig(pci.config, PM_REGISTER.SMBUS_BASE, 4) & PORT_BASE_MASK;
      smbusRegion.update({ base, enabled });
    }

    function showCpuRegisters(): void {
      cpuBitmap.update({ enabled: state.cpuHotplugLegacy });
      cpuRegisters.update({ enabled: !state.cpuHotplugLegacy });
    }

    /** What is set once and then left to the guest. */
    function powerOn(): void {
      const present = (port: number, value: number): number => (portMap?.claimed(port) ? value : 0);
      pci.config[PM_REGISTER.PARALLEL] = 0x10 | present(0x378, 0x80);
      pci.config[PM_REGISTER.FIXED] = 0x60;
      pci.config[PM_REGISTER.SERIAL] = present(0x3f8, 0x08) | present(0x2f8, 0x90);
      writeConfig(pci.config, PM_REGISTER.SMBUS_BASE, props.smbusBase | 1, 4);
      pci.config[PM_REGISTER.SMBUS_CONFIG] = 0x09;
      updateSmbusPorts();
    }

    return {
      sections: [
        section(i2cBusVmState, i2c.state, { plainName: true }),
        section(piix4PmVmState(pci.description, layout(props)), state),
      ],
      services: {
        smbus: i2c,
        hotplug,
        memorySlots: memory,
        raiseEvent: (bit) => acpi.raiseGeneral(bit),
        pressPowerButton: () => acpi.pressPowerButton(),
      } satisfies Piix4PmService,
      reset() {
        pci.reset();
        pci.config.fill(0, 0x58, 0x5c);
        pci.config[PM_REGISTER.DEVICE_ACTIVITY_B] = props.smmEnabled ? 0 : APMC_SMI_ENABLE;
        writeConfig(pci.config, PM_REGISTER.PM_BASE, 1, 4);
        pci.config[PM_REGISTER.PM_ENABLE] = 0;
        updatePmPorts();
        acpi.reset();
        hotplug.reset();
      },
      resume() {
        pci.resume();
        updatePmPorts();
        updateSmbusPorts();
        showCpuRegisters();
        acpi.resume();
      },
      unrealize() {
        acpi.unrealize();
        pci.unrealize();
        for (const region of [...pmRegions.map((entry) => entry.region), ...fixedRegions, smbusRegion, cpuBitmap, cpuRegisters])
          region.remove();
      },
    };
  },
});

function layout(props: Piix4PmProperties) {
  return {
    bridges: props.bridgeHotplug,
    memoryHotplug: props.memoryHotplug,
    smbus: props.migrateSmbus,
    acpiIndex: !props.withoutAcpiIndex,
  };
}
