import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseCpu } from '@pagurus/cpu-wasm';
import { compareVersions, type DeviceType, type Property, type PropertyValue } from '@pagurus/device-model';
import { afterAll, describe, expect, it } from 'vitest';
import { compatRows, resolveProperties } from '../compat.js';
import { findMachineType, machineTypes } from './index.js';

/*
 * Property by property: what each device has on each version of the PC, here and on QEMU 7.2 (up to 7.2) or 10.0 (after that), where
 * PAGURUS_SHARED names the folder of recordings.
 */
const shared = process.env.PAGURUS_SHARED;
if (!shared) console.log('properties compared with QEMU: skipped, PAGURUS_SHARED is not set');

interface Recorded {
  readonly 'qemu-system-x86_64': {
    readonly [path: string]: { readonly type: string; readonly properties: Record<string, unknown> };
  };
}

/** Differences that are meant: driver, property, why. */
const REASONS: readonly [driver: RegExp, property: RegExp, reason: string][] = [
  [/./, /^(addr|netdev|drive|chardev|mac|guid|rng)$/, 'what the recorded command line gave it'],
  [/^isa-(serial|parallel|debugcon)$/, /^(index|iobase|irq)$/, 'given by the machine or the command line'],
  [/^virtio-rng-pci$/, /^rng$/, 'a link, which the recording leaves out'],
  [/^virtio-rng-pci$/, /^max-bytes$/, 'no limit: 2^63 - 1 there, the largest exact integer here'],
  [/^virtio-.*-pci$/, /^disable-legacy$/, 'QEMU shows what `auto` has come to on a conventional slot'],
  [/^floppy$/, /^(unit|drive-type)$/, 'QEMU shows what it has chosen for the image'],
  [/^ide-hd$/, /^(unit|serial|cyls|heads|secs)$/, 'QEMU shows what it has chosen for the image'],
  [/./, /^romsize$/, 'QEMU shows the size of the file that it has loaded'],
  [/./, /^rombar$/, 'since 8.0 the default is shown as -1; it is on'],
  [/^PIIX4_PM$/, /^smm-enabled$/, 'the machine sets it by what the processor can'],
  [/^(PIIX4_PM|smbus-eeprom)$/, /^x-smbus-migration$/, 'in QEMU the class of the machine decides'],
  [/^fw_cfg_io$/, /^x-legacy-file-order$/, 'in QEMU the class of the machine decides'],
  [/^apic$/, /^legacy-instance-id$/, 'of the parent type, which QOM does not show'],
  [/^pc-dimm$/, /^slot$/, 'QEMU shows the one that it has chosen'],
  [/^pc-dimm$/, /^memdev$/, 'a link, which the recording leaves out'],
  [/^isa-fdc$/, /^check_media_rate$/, 'no property any more in QEMU 7.2; it is on'],
  [/^e1000$/, /^(autonegotiation|mitigation)$/, 'no properties any more in QEMU 10.0; they are on'],
  [/^pc-dimm$/, /^memdev$/, 'a link, which the recording leaves out'],
  [/^pc-dimm$/, /^slot$/, 'QEMU shows the slot that the module has got'],
  [/^i440FX-pcihost$/, /^short_root_bus$/, 'no property any more in QEMU 10.0'],
];
const reasonOf = (driver: string, property: string): string | undefined =>
  REASONS.find(([d, p]) => d.test(driver) && p.test(property))?.[2];

function recorded(version: string): Recorded {
  const [major] = version.split('.').map(Number);
  const file = join(shared!, 'qemu/props', major! < 8 ? '7.2' : '10.0', `pc-i440fx-${version}.json.gz`);
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as Recorded;
}

/** QOM tells on or off for some, and numbers for sizes. */
function same(ours: PropertyValue, theirs: unknown, property: Property): boolean {
  if (ours === theirs) return true;
  if (property.type === 'bool') return theirs === (ours ? 'on' : 'off');
  return typeof theirs === 'number' && typeof ours === 'number' && ours >>> 0 === theirs >>> 0;
}

/** QEMU 7.2 has none before. */
const versions = machineTypes
  .flatMap((type) => (type.version === undefined ? [] : [type.version]))
  .filter((version) => compareVersions(version, '1.4') >= 0);
let equal = 0;
let explained = 0;

describe.skipIf(!shared)('properties equal QEMU’s', () => {
  afterAll(() => console.log(`properties: ${equal} equal, ${explained} different for a reason`));

  it.each(versions)('pc-i440fx-%s', (version) => {
    const machine = findMachineType(`pc-i440fx-${version}`);
    const objects = Object.values(recorded(version)['qemu-system-x86_64']);
    const rows = compatRows(
      machine.packages.map((entry) => entry.compat),
      version,
    );
    const differences: string[] = [];
    for (const type of machine.packages.flatMap((entry) => entry.types) as DeviceType<Record<string, PropertyValue>>[]) {
      const theirs = objects.find((object) => object.type === type.type)?.properties;
      if (!theirs) continue;
      const { values } = resolveProperties(type, rows, [], {});
      for (const [key, property] of Object.entries(type.properties) as [string, Property][]) {
        if (!(property.name in theirs)) {
          if (reasonOf(type.type, property.name)) explained++;
          else differences.push(`${type.type}.${property.name} is not QEMU's`);
        } else if (same(values[key]!, theirs[property.name], property)) equal++;
        else if (reasonOf(type.type, property.name)) explained++;
        else differences.push(`${type.type}.${property.name}: ${values[key]}, QEMU ${JSON.stringify(theirs[property.name])}`);
      }
    }
    const theirs = objects.find((object) => object.type === 'qemu64-x86_64-cpu')!.properties;
    const cpuRows = rows.filter((row) => ['x86-cpu', 'qemu64-x86-cpu'].includes(row.driver));
    const cpu = parseCpu('qemu64', 'x86_64', Object.fromEntries(cpuRows.map((row) => [row.property, row.value])));
    const ours: Record<string, unknown> = {
      family: cpu.family,
      model: cpu.model,
      stepping: cpu.stepping,
      level: cpu.level,
      xlevel: cpu.xlevel,
      'model-id': cpu.modelId,
      vendor: cpu.vendor,
      'x-vendor-cpuid-only': cpu.vendorCpuidOnly,
      'cpuid-0xb': cpu.topologyLeaf,
      'tcg-cpuid': cpu.hypervisorLeaf,
      popcnt: cpu.features.has('popcnt'),
      abm: cpu.features.has('abm'),
    };
    for (const [name, value] of Object.entries(ours)) {
      if (value === theirs[name]) equal++;
      else differences.push(`qemu64-x86_64-cpu.${name}: ${value}, QEMU ${theirs[name]}`);
    }
    expect(differences).toEqual([]);
  });
});
