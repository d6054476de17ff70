import type { Key } from 'node:readline';

/** Characters of a US keyboard, without and with Shift, and their keys by QEMU's names. */
const CHARACTERS = new Map<string, readonly string[]>();
for (const letter of 'abcdefghijklmnopqrstuvwxyz') {
  CHARACTERS.set(letter, [letter]);
  CHARACTERS.set(letter.toUpperCase(), ['shift', letter]);
}
for (const [plain, shifted, key] of [
  ...Array.from('1234567890', (digit, i) => [digit, '!@#$%^&*()'[i]!, digit] as const),
  ['-', '_', 'minus'],
  ['=', '+', 'equal'],
  ['[', '{', 'bracket_left'],
  [']', '}', 'bracket_right'],
  [';', ':', 'semicolon'],
  ["'", '"', 'apostrophe'],
  ['`', '~', 'grave_accent'],
  ['\\', '|', 'backslash'],
  [',', '<', 'comma'],
  ['.', '>', 'dot'],
  ['/', '?', 'slash'],
] as const) {
  CHARACTERS.set(plain, [key]);
  CHARACTERS.set(shifted, ['shift', key]);
}
CHARACTERS.set(' ', ['spc']);

/** What a terminal sends for Control and these. */
const CONTROLS: Readonly<Record<string, string>> = {
  '\x00': 'spc',
  '\x1c': 'backslash',
  '\x1d': 'bracket_right',
  '\x1e': '6',
  '\x1f': 'minus',
};

/** Node.js's names of keys without a character. */
const NAMED: Readonly<Record<string, string>> = {
  return: 'ret',
  enter: 'ret',
  tab: 'tab',
  backspace: 'backspace',
  escape: 'esc',
  space: 'spc',
  up: 'up',
  down: 'down',
  left: 'left',
  right: 'right',
  home: 'home',
  end: 'end',
  insert: 'insert',
  delete: 'delete',
  pageup: 'pgup',
  pagedown: 'pgdn',
  ...Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`f${i + 1}`, `f${i + 1}`])),
};

/**
 * The keys, modifiers first, that a person with a US keyboard pressed to make a terminal send this; undefined where no such keyboard could.
 * @param key what `node:readline` made of the terminal's bytes.
 */
export function pressedKeys(key: Key): readonly string[] | undefined {
  const { sequence = '', name } = key;
  // Escape twice is no Alt with Escape.
  const alt = key.meta && name !== 'escape' ? ['alt'] : [];
  const last = sequence.at(-1) ?? '';
  if (CONTROLS[last] !== undefined) return ['ctrl', ...alt, CONTROLS[last]];
  const named = name === undefined ? undefined : NAMED[name];
  if (named !== undefined) return [...(key.ctrl ? ['ctrl'] : []), ...alt, ...(key.shift ? ['shift'] : []), named];
  if (key.ctrl && name !== undefined) return CHARACTERS.has(name) ? ['ctrl', ...alt, ...CHARACTERS.get(name)!] : undefined;
  const keys = CHARACTERS.get(last);
  return keys && [...alt, ...keys];
}
