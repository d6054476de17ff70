import { compareVersions } from '@pagurus/device-model';
import { describe, expect, it } from 'vitest';
import { compat } from './compat.js';
import { parseCpu } from './models.js';

/** A model as a machine version has it: rows from the newest level to the oldest, later ones win. */
function on(version: string, model: string, target: 'i386' | 'x86_64') {
  const rows: Record<string, string> = {};
  const levels = Object.keys(compat).sort((a, b) => compareVersions(b, a));
  for (const level of levels.filter((name) => compareVersions(name, version) >= 0)) {
    Object.assign(rows, compat[level]!['x86-cpu'], compat[level]![`${model}-x86-cpu`]);
  }
  return parseCpu(model, target, rows);
}

describe('processors of older machine versions', () => {
  it.each([
    ['7.2', 15, 107, 1, 13, '2.5+'],
    ['6.1', 15, 107, 1, 13, '2.5+'],
    ['6.0', 6, 6, 3, 13, '2.5+'],
    ['2.4', 6, 6, 3, 13, '2.4.0'],
    ['2.3', 6, 6, 3, 4, '2.3.0'],
    ['1.7', 6, 6, 3, 4, '1.7.0'],
    ['1.4', 6, 2, 3, 4, '1.4.0'],
  ])('qemu64 on %s', (version, family, model, stepping, level, name) => {
    expect(on(version, 'qemu64', 'x86_64')).toMatchObject({
      family,
      model,
      stepping,
      level,
      modelId: `QEMU Virtual CPU version ${name}`,
    });
  });

  it('qemu32 is model 3 up to 1.6, model 6 after it', () => {
    expect(on('1.6', 'qemu32', 'i386').model).toBe(3);
    expect(on('1.7', 'qemu32', 'i386').model).toBe(6);
  });

  it.each([
    ['2.5', false],
    ['2.4', true],
  ])('POPCNT of the default models on %s: %s', (version, present) => {
    expect(on(version, 'qemu64', 'x86_64').features.has('popcnt')).toBe(present);
    expect(on(version, 'qemu32', 'i386').features.has('popcnt')).toBe(present);
  });

  it('leaves appear with the version that brought them', () => {
    expect([on('2.8', 'pentium3', 'i386').hypervisorLeaf, on('2.9', 'pentium3', 'i386').hypervisorLeaf]).toEqual([false, true]);
    expect([on('2.6', 'kvm64', 'x86_64').topologyLeaf, on('2.7', 'kvm64', 'x86_64').topologyLeaf]).toEqual([false, true]);
    expect([on('6.0', 'kvm64', 'x86_64').vendorCpuidOnly, on('6.1', 'kvm64', 'x86_64').vendorCpuidOnly]).toEqual([false, true]);
  });

  it('names a feature that a version would have and this CPU lacks', () => {
    const without = parseCpu('qemu64', 'x86_64', { sse4a: 'on' }, (feature) => feature !== 'sse4a');
    expect(without.features.has('sse4a')).toBe(false);
    expect(without.filtered).toContain('sse4a');
  });
});
