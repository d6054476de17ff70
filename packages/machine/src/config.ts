import type { BlockBackend, CharacterBackend, HostWork, PropertyValue } from '@pagurus/device-model';
import type { GlobalProperty } from './compat.js';
import type { SmbiosOptions } from './firmware-tables/smbios.js';
import type { SmpOptions } from './smp.js';
import type { HostClock, InstructionCountOptions, RtcOptions } from './time.js';

/** `-device DRIVER,id=…,bus=…,addr=…,property=value…` */
export interface DeviceArguments {
  readonly driver: string;
  readonly id?: string;
  /** Name of the bus; default: the first that takes the device. */
  readonly bus?: string;
  readonly addr?: string;
  readonly properties: Readonly<Record<string, PropertyValue>>;
  /** Part of the board, as the card of `-nic` is: made before what is plugged in, with its sections among the board's. */
  readonly board?: boolean;
}

/** A drive on the machine's own controller, e.g. of `-drive if=ide`. */
export interface DriveArguments {
  /** Of the device; default: QEMU's id of a drive in its place. */
  readonly id?: string;
  /** `disk` needs an image; a `cdrom` may be empty. */
  readonly media: 'disk' | 'cdrom';
  readonly image?: BlockBackend;
}

export type { SmbiosOptions } from './firmware-tables/smbios.js';

/** `-boot order=…,once=…,menu=…,splash-time=…,reboot-timeout=…,strict=…`. */
export interface BootOptions {
  readonly order?: string;
  /** The order until the first reset. */
  readonly once?: string;
  readonly menu?: boolean;
  /** Milliseconds that the menu waits for a key. */
  readonly splashTime?: number;
  readonly rebootTimeout?: number;
  /** Firmware boots from nothing but what has a `bootindex`. */
  readonly strict?: boolean;
}

/** Direct kernel boot: `-kernel`, `-initrd`, `-append`. */
export interface KernelOptions {
  readonly image: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly commandLine?: string;
}

/**
 * A machine as data plus the host's handles to it. What is data (`type`, `memory`, `cpu`, `properties`, `devices`, `globals`, `smp`)
 * decides the guest-visible machine completely; handles never do.
 */
export interface MachineConfig {
  /** Bytes of RAM (`-m`). */
  readonly memory?: number;
  /** `-m slots=N,maxmem=BYTES`: room for memory modules. */
  readonly memorySlots?: { readonly count: number; readonly maximum: number };
  /** `-cpu MODEL,+feature,-feature`. */
  readonly cpu?: string;
  /** Processors and their topology (`-smp`). Default: one. */
  readonly smp?: SmpOptions;
  /** Which QEMU binary's CPU section and registers: `qemu-system-i386` or `qemu-system-x86_64`. Default `i386`. */
  readonly target?: 'i386' | 'x86_64';
  /** `-machine` properties. */
  readonly properties?: Readonly<Record<string, string>>;
  readonly devices?: readonly DeviceArguments[];
  readonly globals?: readonly GlobalProperty[];
  /** Without the machine's default devices (`-nodefaults`). */
  readonly noDefaults?: boolean;
  /** `-vga`: undefined = the machine's default. */
  readonly vga?: 'none' | 'std';
  /** `-nographic`: firmware talks to the serial port instead of the screen. */
  readonly noGraphic?: boolean;
  readonly name?: string;
  /** 16 bytes. */
  readonly uuid?: Uint8Array;
  readonly rtc?: RtcOptions;
  readonly icount?: InstructionCountOptions;
  /** `-boot`. */
  readonly boot?: BootOptions;
  /** `-smbios`: what the system management tables say otherwise than usual. */
  readonly smbios?: SmbiosOptions;

  /** Firmware image (`-bios`); required unless a kernel is booted directly. */
  readonly firmware?: Uint8Array;
  /** Option ROMs by file name, e.g. `vgabios-stdvga.bin`. */
  readonly roms?: Readonly<Record<string, Uint8Array>>;
  readonly kernel?: KernelOptions;

  /** Serial ports in order; undefined entries are unused. */
  readonly serial?: readonly (CharacterBackend | undefined)[];
  /** Parallel ports in order (`-parallel`), as for `serial`. */
  readonly parallel?: readonly (CharacterBackend | undefined)[];
  /** Floppy drives A and B, each with its disk at power-on; undefined entries: no drive. */
  readonly floppy?: readonly ({ readonly id?: string; readonly image?: BlockBackend } | undefined)[];
  /** IDE drives: primary master and slave, secondary master and slave; undefined entries are unused. */
  readonly ide?: readonly (DriveArguments | undefined)[];
  /** Backends that device properties name: kind (`chardev`, `drive`, `netdev`, `rng`) -> id -> handle; id '' is for devices that name none. */
  readonly backends?: Readonly<Record<string, Readonly<Record<string, object>>>>;
  /** Keyboard and pointer. */
  readonly input?: object;

  readonly hostClock?: HostClock;
  /** Requests to images that are on their way; without it a machine gives the host its turn every few milliseconds only. */
  readonly hostWork?: HostWork;
  /** One line of diagnostics. Default: dropped. */
  readonly log?: (line: string) => void;
}
