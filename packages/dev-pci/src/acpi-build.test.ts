import { readFileSync } from 'node:fs';
import { goldenSection, realize, saveSections } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { expect, it } from 'vitest';
import { type AcpiBuildService, acpiBuild } from './acpi-build.js';

const fixture = (name: string) => new Uint8Array(readFileSync(new URL(`../fixtures/${name}.bin`, import.meta.url)));

it('forgets on reset that the tables were fetched', () => {
  const { device } = realize(acpiBuild);
  const service = device.services as AcpiBuildService;
  const sent = () => [...saveSections(device.sections)[0]!.bytes];
  expect([service.patched, sent()]).toEqual([false, [0]]);
  service.markPatched();
  expect([service.patched, sent()]).toEqual([true, [1]]);
  device.reset();
  expect([service.patched, sent()]).toEqual([false, [0]]);
});

describeConformance(acpiBuild, {
  sections: [{ name: 'acpi_build', version: 1, size: 1 }],
  events: [({ device }) => (device.services as AcpiBuildService).markPatched()],
  golden: ['reset', 'seabios', 'devstate'].map((state) =>
    goldenSection('acpi_build', fixture(`${state}.acpi_build`), { origin: `QEMU 7.2 ${state}` }),
  ),
});
