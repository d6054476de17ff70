import { type FakeContextOptions, loadSection, realize, saveSection } from '@pagurus/device-testkit';
import { describeConformance } from '@pagurus/device-testkit/vitest';
import { describe, expect, it } from 'vitest';
import { golden, recordedBytes } from '../../test/recorded.js';
import type { FwCfgService } from '../fw-cfg/fw-cfg.js';
import { vmcoreinfo } from './vmcoreinfo.js';

/** Keeps files and lets a test be the guest. */
class FakeFwCfg implements Pick<FwCfgService, 'addFile' | 'dmaEnabled'> {
  dmaEnabled = true;
  readonly files = new Map<
    string,
    { bytes: Uint8Array; written: ((bytes: Uint8Array, offset: number, length: number) => void) | undefined }
  >();
  addFile: FwCfgService['addFile'] = (name, contents, options = {}) => {
    this.files.set(name, { bytes: contents as Uint8Array, written: options.written });
  };
  write(name: string, ...bytes: number[]): void {
    const file = this.files.get(name)!;
    file.bytes.set(bytes);
    file.written!(file.bytes, 0, bytes.length);
  }
}

const context = (fw = new FakeFwCfg()): FakeContextOptions => ({ backends: { 'fw-cfg': fw } });
const NOTE = [1, 0, 1, 0, 0x34, 0x12, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0];

describe('vmcoreinfo', () => {
  it('offers ELF and takes the guest’s note', () => {
    const fw = new FakeFwCfg();
    const { device } = realize(vmcoreinfo, { context: () => context(fw) });
    expect([...fw.files.get('etc/vmcoreinfo')!.bytes]).toEqual([1, ...Array(15).fill(0)]);
    fw.write('etc/vmcoreinfo', ...NOTE);
    expect(device.sections[0]!.state).toEqual({
      hasVmcoreinfo: true,
      hostFormat: 1,
      guestFormat: 1,
      size: 0x1234,
      paddr: 0x8000_0000n,
    });
    device.reset();
    expect(device.sections[0]!.state).toMatchObject({ hasVmcoreinfo: false, size: 0 });
  });

  it('takes half a note for none', () => {
    const fw = new FakeFwCfg();
    const { device } = realize(vmcoreinfo, { context: () => context(fw) });
    fw.write('etc/vmcoreinfo', ...NOTE.slice(0, 8));
    expect(device.sections[0]!.state).toMatchObject({ hasVmcoreinfo: false, size: 0x1234 });
  });

  it('shows the note again after a load', () => {
    const [source, target] = [new FakeFwCfg(), new FakeFwCfg()];
    const first = realize(vmcoreinfo, { context: () => context(source) }).device;
    source.write('etc/vmcoreinfo', ...NOTE);
    const second = realize(vmcoreinfo, { context: () => context(target) }).device;
    loadSection(second.sections[0]!, saveSection(first.sections[0]!)!.bytes);
    second.resume!();
    expect([...target.files.get('etc/vmcoreinfo')!.bytes]).toEqual(NOTE);
  });

  it('is after reset what QEMU sends, and needs fw_cfg', () => {
    const { device } = realize(vmcoreinfo, { context });
    expect(saveSection(device.sections[0]!)!.bytes).toEqual(recordedBytes('vmcoreinfo', 'misc-pvpanic'));
    const readOnly = Object.assign(new FakeFwCfg(), { dmaEnabled: false });
    expect(() => realize(vmcoreinfo, { context: () => context(readOnly) })).toThrow('fw_cfg with DMA');
    expect(() => realize(vmcoreinfo)).toThrow('vmcoreinfo.fw-cfg: the machine has no fw_cfg that guests can write');
  });
});

describeConformance(vmcoreinfo, {
  context,
  sections: [{ name: 'vmcoreinfo', version: 1, size: 17 }],
  ports: [],
  script: [({ context }) => (context.backends['fw-cfg'] as FakeFwCfg).write('etc/vmcoreinfo', ...NOTE)],
  events: [
    ({ context }, random) =>
      (context.backends['fw-cfg'] as FakeFwCfg).write(
        'etc/vmcoreinfo',
        ...NOTE.slice(0, random.below(17)).map((byte) => byte ^ random.below(2)),
      ),
  ],
  golden: golden('vmcoreinfo'),
  fuzz: { steps: 2000 },
});
