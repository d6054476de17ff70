import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { DeviceType } from '@pagurus/device-model';
import { type BenchOptions, type FakeContext, loadSection, realize } from '@pagurus/device-testkit';
import { describe as describeState } from '@pagurus/vmstate';
import { expect, it } from 'vitest';
import { acpiBuild } from './acpi-build.js';
import { I2cBus } from './i2c.js';
import { i440fx } from './i440fx.js';
import { i440fxPciHost } from './pci-host.js';
import { piix3 } from './piix3.js';
import { piix4Pm } from './piix4-pm.js';
import { smbusEeprom } from './smbus-eeprom.js';
import { testSlot } from './testing.js';

const file = (name: string) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));
const recorded = JSON.parse(gunzipSync(file('vmdesc.json.gz')).toString()) as Record<string, object>;

const slot = (devfn: number): BenchOptions<object> => ({
  context: () => ({ slot: (made: FakeContext) => testSlot(made, devfn) }),
});
const cpus = { apicIds: [0, 1, 2], present: (index: number) => index < 2 };

// biome-ignore lint/suspicious/noExplicitAny: types of different properties.
const cases: [string, string, DeviceType<any>, BenchOptions<object>][] = [
  ['devstate.PCIHost', 'devstate.PCIHost', i440fxPciHost, {}],
  ['devstate.PCIBUS', 'devstate.PCIBUS', i440fxPciHost, {}],
  ['devstate.I440FX', 'devstate.I440FX', i440fx, slot(0)],
  ['devstate.PIIX3', 'devstate.PIIX3', piix3, slot(8)],
  ['devstate.i2c_bus', 'devstate.i2c_bus', piix4Pm, slot(11)],
  ['devstate.piix4_pm', 'devstate.piix4_pm', piix4Pm, slot(11)],
  [
    'cpuhp.piix4_pm',
    'cpuhp.piix4_pm',
    piix4Pm,
    { context: () => ({ slot: (made: FakeContext) => testSlot(made, 11), backends: { cpus } }) },
  ],
  ['smbus.smbus-eeprom', 'smbus.smbus-eeprom-1', smbusEeprom, { context: () => ({ backends: { smbus: new I2cBus() } }) }],
  ['devstate.acpi_build', 'devstate.acpi_build', acpiBuild, {}],
];

it.each(cases)('%s is described as QEMU 7.2 describes it', (name, bytes, type, options) => {
  const { device } = realize(type, options);
  const section = device.sections.find(({ description }) => description.name === name.slice(name.indexOf('.') + 1))!;
  loadSection(section, new Uint8Array(file(`${bytes}.bin`)));
  expect(describeState(section.description, section.state)).toEqual(recorded[name]);
});
