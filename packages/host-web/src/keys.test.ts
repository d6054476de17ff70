import { describe, expect, it } from 'vitest';
import { qcodeOf } from './keys.js';

describe('qcodeOf', () => {
  it.each([
    ['KeyA', 'a'],
    ['Digit7', '7'],
    ['F12', 'f12'],
    ['Numpad0', 'kp_0'],
    ['ShiftRight', 'shift_r'],
    ['Enter', 'ret'],
    ['F13', undefined],
    ['AudioVolumeUp', undefined],
  ])('%s is %s', (code, qcode) => {
    expect(qcodeOf(code)).toBe(qcode);
  });
});
