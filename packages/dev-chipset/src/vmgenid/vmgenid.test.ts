import { type Bench, type FakeContextOptions, loadSection, realize, restore, saveBench } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { golden } from '../../test/recorded.js';
import type { FwCfgService } from '../fw-cfg/fw-cfg.js';
import { vmgenid } from './vmgenid.js';

class FakeFwCfg implements Pick<FwCfgService, 'addFile' | 'dmaEnabled'> {
  dmaEnabled = true;
  readonly files = new Map<
    string,
    { bytes: Uint8Array; written: ((bytes: Uint8Array, offset: number, length: number) => void) | undefined }
  >();
  addFile: FwCfgService['addFile'] = (name, contents, options = {}) => {
    this.files.set(name, { bytes: contents as Uint8Array, written: options.written });
  };
}

const context = (fw = new FakeFwCfg()): FakeContextOptions => ({ backends: { 'fw-cfg': fw } });
const files = (bench: Bench) => (bench.context.backends['fw-cfg'] as FakeFwCfg).files;
const guid = '00112233-4455-6677-8899-aabbccddeeff';
const BYTES = [0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];

/** Firmware says where it has put the page. */
function tellAddress(bench: Bench, address: number): void {
  const file = files(bench).get('etc/vmgenid_addr')!;
  new DataView(file.bytes.buffer).setBigUint64(0, BigInt(address), true);
  file.written!(file.bytes, 0, 8);
}

describe('vmgenid', () => {
  it('gives firmware a page with the identifier at 40', () => {
    const bench = realize(vmgenid, { properties: { guid }, context });
    const page = files(bench).get('etc/vmgenid_guid')!.bytes;
    expect([page.length, ...page.subarray(38, 58)]).toEqual([4096, 0, 0, ...BYTES, 0, 0]);
  });

  it('writes its own identifier into a guest that is loaded, and tells it', () => {
    const source = realize(vmgenid, { properties: { guid: guid.replace('ff', '00') }, context });
    tellAddress(source, 0x4028);
    const target = restore(vmgenid, { properties: { guid }, context }, saveBench(source));
    expect([...target.context.memory.bytes.subarray(0x4028, 0x4038)]).toEqual(BYTES);
    expect(target.context.line('changed').rises).toBe(0);
    target.context.advance(1n);
    expect(target.context.line('changed').rises).toBe(1);
    expect([...files(target).get('etc/vmgenid_addr')!.bytes]).toEqual([0x28, 0x40, 0, 0, 0, 0, 0, 0]);
  });

  it('waits for the guest’s page', () => {
    const source = realize(vmgenid, { context });
    tellAddress(source, 0x4028);
    const target = realize(vmgenid, { properties: { guid }, context });
    target.context.memory.withhold();
    loadSection(target.device.sections[0]!, saveBench(source).sections[0]!.bytes);
    target.device.resume!();
    expect(target.context.line('changed').rises).toBe(0);
    target.context.memory.arrive();
    target.context.advance(1n);
    expect([target.context.line('changed').rises, target.context.memory.bytes[0x4028]]).toEqual([1, 0x33]);
  });

  it('leaves a guest alone that has told no address, or an absurd one', () => {
    for (const address of [0, 2 ** 52]) {
      const source = realize(vmgenid, { context });
      tellAddress(source, address);
      const target = restore(vmgenid, { properties: { guid }, context }, saveBench(source));
      expect(target.context.line('changed').rises).toBe(0);
    }
  });

  it('forgets the address at reset', () => {
    const bench = realize(vmgenid, { context });
    tellAddress(bench, 0x4000);
    bench.device.reset();
    expect([...files(bench).get('etc/vmgenid_addr')!.bytes]).toEqual(Array(8).fill(0));
  });

  it('refuses what is no identifier, and needs fw_cfg', () => {
    expect(() => realize(vmgenid, { properties: { guid: 'auto' }, context })).toThrow(
      "vmgenid.guid: 'auto' is not an identifier",
    );
    const readOnly = Object.assign(new FakeFwCfg(), { dmaEnabled: false });
    expect(() => realize(vmgenid, { context: () => context(readOnly) })).toThrow('fw_cfg with DMA');
    expect(() => realize(vmgenid)).toThrow('vmgenid.fw-cfg: the machine has no fw_cfg that guests can write');
  });
});

describeConformance(vmgenid, {
  context,
  sections: [{ name: 'vmgenid', version: 1, size: 8 }],
  ports: [],
  golden: golden('vmgenid'),
  fuzz: { steps: 1000 },
});
