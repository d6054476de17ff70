/** QEMU's firmware configuration device: docs/specs/fw_cfg.rst of QEMU 7.2, [fw_cfg]. All on I/O ports, x86. */

/** Ports relative to the base 0x510. */
export const FW_CFG_BASE = 0x510;
export const PORT = { SELECTOR: 0, DATA: 1, DMA_HIGH: 4, DMA_LOW: 8 } as const;
export const PORT_COUNT = { WITHOUT_DMA: 2, WITH_DMA: 12 } as const;

/** Selector keys that the device itself fills. */
export const KEY = { SIGNATURE: 0x00, ID: 0x01, FILE_DIR: 0x19, FILE_FIRST: 0x20, INVALID: 0xffff } as const;
/** Bits of a key: an architecture's own items, and the old write channel, which is gone. */
export const KEY_BIT = { ARCH_LOCAL: 0x8000, WRITE_CHANNEL: 0x4000 } as const;
export const KEY_MASK = 0x3fff;

/** Item {@link KEY.ID}, u32 little-endian. */
export const ID = { TRADITIONAL: 0x01, DMA: 0x02 } as const;

/** The DMA address register reads as this ("QEMU CFG", big-endian), by which a guest finds the interface. */
export const DMA_SIGNATURE = { HIGH: 0x51454d55, LOW: 0x20434647 } as const;

/**
 * FWCfgDmaAccess in guest memory, big-endian: u32 control, u32 length, u64 address. Control:
 *
 *     31..16  15..5  4      3       2     1     0
 *     key     0      write  select  skip  read  error
 */
export const DMA_CONTROL = { ERROR: 0x01, READ: 0x02, SKIP: 0x04, SELECT: 0x08, WRITE: 0x10 } as const;
export const DMA_ACCESS_LENGTH = 16;

/** A directory entry: u32 size, u16 key, u16 reserved, 56 characters of name; numbers big-endian. */
export const FILE_ENTRY = { LENGTH: 64, NAME_OFFSET: 8, NAME_LENGTH: 56 } as const;

/**
 * Order of files on machines up to 2.5; the guest's keys depend on it. Files of the user (`opt/…`) and of devices come at their ranks in
 * order of creation, unknown ones last.
 */
export const LEGACY_ORDER: { readonly [name: string]: number } = {
  'etc/boot-menu-wait': 10,
  'bootsplash.jpg': 11,
  'bootsplash.bmp': 12,
  'etc/boot-fail-wait': 15,
  'etc/smbios/smbios-tables': 20,
  'etc/smbios/smbios-anchor': 30,
  'etc/e820': 40,
  'etc/reserved-memory-end': 50,
  'genroms/kvmvapic.bin': 55,
  'genroms/linuxboot.bin': 60,
  'etc/system-states': 90,
  'etc/vmcoreinfo': 110,
  'etc/pvpanic-port': 110,
  'etc/extra-pci-roots': 120,
  'etc/acpi/tables': 130,
  'etc/table-loader': 140,
  'etc/tpm/log': 150,
  'etc/acpi/rsdp': 160,
  bootorder: 170,
};
export const LEGACY_RANK = { VGA_ROM: 70, USER: 100, UNKNOWN: 200 } as const;
