import type { RunState } from '@pagurus/device-model';
import { blockText, snapshotsText } from './drives.js';
import type {
  MonitorDevice,
  MonitorMigrationInfo,
  MonitorPciFunction,
  MonitorRegion,
  MonitorRom,
  MonitorTarget,
} from './target.js';

const hex = (value: bigint | number, digits: number): string => value.toString(16).padStart(digits, '0');
const kilobytes = (bytes: number): string => `${Math.floor(bytes / 1024)} kbytes`;

/** `running`, or `paused (REASON)`, as QEMU says it. */
export function statusText(state: RunState): string {
  if (state === 'running') return 'VM status: running';
  return state === 'paused' ? 'VM status: paused' : `VM status: paused (${state})`;
}

/** One indented block per device. */
export function qtreeText(devices: readonly MonitorDevice[]): string {
  return devices
    .map((device) =>
      [
        `dev: ${device.type}, id "${device.id}"${device.path === undefined ? '' : `, path ${device.path}`}`,
        ...device.properties.map(({ name, value }) => `  ${name} = ${value}`),
      ].join('\n'),
    )
    .join('\n');
}

export function mtreeText(memory: readonly MonitorRegion[], io: readonly MonitorRegion[]): string {
  const lines = (regions: readonly MonitorRegion[], digits: number): string[] =>
    regions.map(({ base, length, name, kind }) => `  ${hex(base, digits)}-${hex(base + length - 1n, digits)} (${kind}): ${name}`);
  return ['address-space: memory', ...lines(memory, 16), '', 'address-space: I/O', ...lines(io, 16)].join('\n');
}

export function pciText(functions: readonly MonitorPciFunction[]): string {
  return functions
    .map((f) =>
      [
        `  Bus  ${f.bus}, device ${String(f.device).padStart(3)}, function ${f.function}:`,
        `    ${f.kind}: PCI device ${hex(f.vendorId, 4)}:${hex(f.deviceId, 4)}`,
        ...(f.irq === undefined ? [] : [`      IRQ ${f.irq}`]),
        ...(f.bridge ? bridgeLines(f.bus, f.bridge) : []),
        ...f.bars.map(({ index, space, wide, base, length }) =>
          space === 'io'
            ? `      BAR${index}: I/O at 0x${hex(base, 4)} [0x${hex(base + length - 1n, 4)}].`
            : `      BAR${index}: ${wide ? 64 : 32} bit memory at 0x${hex(base, 8)} [0x${hex(base + length - 1n, 8)}].`,
        ),
        `      id "${f.id}"`,
      ].join('\n'),
    )
    .join('\n');
}

function bridgeLines(
  bus: number,
  { secondary, subordinate, io, memory, prefetchable }: NonNullable<MonitorPciFunction['bridge']>,
): string[] {
  const range = ([first, last]: readonly [bigint, bigint], digits: number): string =>
    `[0x${hex(first, digits)}, 0x${hex(last, digits)}]`;
  return [
    `      BUS ${bus}.`,
    `      secondary bus ${secondary}.`,
    `      subordinate bus ${subordinate}.`,
    `      IO range ${range(io, 4)}`,
    `      memory range ${range(memory, 8)}`,
    `      prefetchable memory range ${range(prefetchable, 8)}`,
  ];
}

export function romsText(roms: readonly MonitorRom[]): string {
  return roms
    .map(({ address, length, name }) => `addr=${hex(address, 16)} size=0x${hex(length, 6)} mem=rom name="${name}"`)
    .join('\n');
}

export function migrateText(info: MonitorMigrationInfo): string {
  const lines: string[] = [];
  const address = info['socket-address'];
  if (address !== undefined) lines.push(`socket address: [ ${address} ]`);
  const reason = info['error-desc'];
  if (info.status !== 'none') lines.push(`Migration status: ${info.status}${reason === undefined ? '' : ` (${reason})`}`);
  const milliseconds = (label: string, value: number | undefined): void => {
    if (value !== undefined) lines.push(`${label}: ${Math.round(value)} ms`);
  };
  milliseconds('total time', info['total-time']);
  milliseconds('expected downtime', info['expected-downtime']);
  milliseconds('downtime', info.downtime);
  milliseconds('setup', info['setup-time']);
  const { ram } = info;
  if (ram) {
    lines.push(
      `transferred ram: ${kilobytes(ram.transferred)}`,
      `throughput: ${ram.mbps.toFixed(2)} mbps`,
      `remaining ram: ${kilobytes(ram.remaining)}`,
      `total ram: ${kilobytes(ram.total)}`,
      `duplicate: ${ram.duplicate} pages`,
      `skipped: ${ram.skipped} pages`,
      `normal: ${ram.normal} pages`,
      `normal bytes: ${kilobytes(ram['normal-bytes'])}`,
      `dirty sync count: ${ram['dirty-sync-count']}`,
      `page size: ${kilobytes(ram['page-size'])}`,
      `pages-per-second: ${ram['pages-per-second']}`,
      `precopy ram: ${kilobytes(ram['precopy-bytes'])}`,
      `downtime ram: ${kilobytes(ram['downtime-bytes'])}`,
    );
    if (ram['dirty-pages-rate'] > 0) lines.push(`dirty pages rate: ${ram['dirty-pages-rate']} pages`);
  }
  return lines.length === 0 ? 'no migration yet' : lines.join('\n');
}

/** `info` subjects: name, one line of help, text. */
export const INFO: readonly { readonly name: string; readonly help: string; text(target: MonitorTarget): string }[] = [
  { name: 'status', help: 'run state', text: (target) => statusText(target.runState()) },
  { name: 'version', help: 'version of Pagurus', text: (target) => `Pagurus ${target.version}` },
  { name: 'name', help: 'name of the machine (-name)', text: (target) => target.name ?? '' },
  { name: 'registers', help: 'registers of the CPU', text: (target) => target.registers() },
  { name: 'qtree', help: 'devices and their properties', text: (target) => qtreeText(target.devices()) },
  {
    name: 'mtree',
    help: 'who answers which address',
    text: (target) => mtreeText(target.regions('memory'), target.regions('io')),
  },
  {
    name: 'pci',
    help: 'functions on the PCI bus',
    text: (target) => {
      const functions = target.pci();
      return functions ? pciText(functions) : 'PCI not supported';
    },
  },
  { name: 'network', help: 'networks (-netdev, -nic)', text: (target) => target.networks().join('\n') },
  { name: 'pic', help: 'interrupt controllers', text: (target) => target.pic().join('\n') },
  { name: 'roms', help: 'ROM images', text: (target) => romsText(target.roms()) },
  {
    name: 'replay',
    help: 'instructions executed (deterministic machines)',
    text: (target) => `instruction count = ${target.instructionCount()}`,
  },
  { name: 'block', help: 'drives and their images', text: (target) => blockText(target.drives?.list() ?? []) },
  { name: 'snapshots', help: 'internal snapshots of the images', text: (target) => snapshotsText(target.drives?.list() ?? []) },
  { name: 'migrate', help: 'migration in progress or done last', text: (target) => migrateText(target.migration.info()) },
  {
    name: 'migrate_parameters',
    help: 'migration parameters',
    text: (target) => [...target.migration.parameters()].map(([name, value]) => `${name}: ${value}`).join('\n'),
  },
  {
    name: 'migrate_capabilities',
    help: 'migration capabilities',
    text: (target) => [...target.migration.capabilities()].map(([name, on]) => `${name}: ${on ? 'on' : 'off'}`).join('\n'),
  },
];
