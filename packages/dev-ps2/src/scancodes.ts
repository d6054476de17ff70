/**
 * Which bytes a key sends. Keys go by QEMU's QKeyCode names, codes by scan code set. [KBD] section "Scan codes"; what that book lacks
 * (multimedia, Japanese and Sun keys) is as QEMU 7.2 sends it, observed at port 0x60.
 */

/** name, then the code in sets 1, 2 and 3 in hexadecimal; `-` for a key that the set lacks. */
const KEYS = `
  ro 73 51 - | kp_comma 7e 6d - | kp_equals 59 0f - | power e05e e037 - | hiragana 77 62 87 | henkan 79 64 86
  yen 7d 6a 5d | sleep e05f e03f - | wake e063 e05e - | audionext e019 e04d 93 | audioprev e010 e015 94
  audiostop e024 e03b 98 | audioplay e022 e034 - | audiomute e020 e023 9c | volumeup e030 e032 95
  volumedown e02e e021 9d | mediaselect e06d e050 - | mail e06c e048 - | calculator e021 e02b a3 | computer e06b e040 -
  ac_home e032 e03a 97 | ac_back e06a e038 - | ac_forward e069 e030 - | ac_refresh e067 e020 - | ac_bookmarks e066 e018 -
  muhenkan 7b 67 85 | katakanahiragana 70 13 87 | lang1 72 - - | lang2 71 - - | shift 2a 12 12 | shift_r 36 59 59
  alt 38 11 19 | alt_r e038 e011 39 | ctrl 1d 14 11 | ctrl_r e01d e014 58 | menu e01e - 91 | esc 01 76 08 | 1 02 16 16
  2 03 1e 1e | 3 04 26 26 | 4 05 25 25 | 5 06 2e 2e | 6 07 36 36 | 7 08 3d 3d | 8 09 3e 3e | 9 0a 46 46 | 0 0b 45 45
  minus 0c 4e 4e | equal 0d 55 55 | backspace 0e 66 66 | tab 0f 0d 0d | q 10 15 15 | w 11 1d 1d | e 12 24 24 | r 13 2d 2d
  t 14 2c 2c | y 15 35 35 | u 16 3c 3c | i 17 43 43 | o 18 44 44 | p 19 4d 4d | bracket_left 1a 54 54
  bracket_right 1b 5b 5b | ret 1c 5a 5a | a 1e 1c 1c | s 1f 1b 1b | d 20 23 23 | f 21 2b 2b | g 22 34 34 | h 23 33 33
  j 24 3b 3b | k 25 42 42 | l 26 4b 4b | semicolon 27 4c 4c | apostrophe 28 52 52 | grave_accent 29 0e 0e
  backslash 2b 5d 5c | z 2c 1a 1a | x 2d 22 22 | c 2e 21 21 | v 2f 2a 2a | b 30 32 32 | n 31 31 31 | m 32 3a 3a
  comma 33 41 41 | dot 34 49 49 | slash 35 4a 4a | asterisk 37 7c 7e | spc 39 29 29 | caps_lock 3a 58 14 | f1 3b 05 07
  f2 3c 06 0f | f3 3d 04 17 | f4 3e 0c 1f | f5 3f 03 27 | f6 40 0b 2f | f7 41 83 37 | f8 42 0a 3f | f9 43 01 47
  f10 44 09 4f | num_lock 45 77 76 | scroll_lock 46 7e 5f | kp_divide e035 e04a 4a | kp_multiply 37 7c 7e
  kp_subtract 4a 7b 4e | kp_add 4e 79 7c | kp_enter e01c e05a 79 | kp_decimal 53 71 71 | kp_0 52 70 70 | kp_1 4f 69 69
  kp_2 50 72 72 | kp_3 51 7a 7a | kp_4 4b 6b 6b | kp_5 4c 73 73 | kp_6 4d 74 74 | kp_7 47 6c 6c | kp_8 48 75 75
  kp_9 49 7d 7d | less 56 61 13 | f11 57 78 56 | f12 58 07 5e | home e047 e06c 6e | pgup e049 e07d 6f | pgdn e051 e07a 6d
  end e04f e069 65 | left e04b e06b 61 | up e048 e075 63 | down e050 e072 60 | right e04d e074 6a | insert e052 e070 67
  delete e053 e071 64 | stop e068 e028 0a | again e005 - 0b | props e006 - 0c | undo e007 - 10 | front e00c - -
  copy e078 - 18 | open 64 - 20 | paste 65 - 28 | find e041 - 30 | cut e03c - 38 | lf 5b - - | help e075 - 09
  meta_l e05b e01f 8b | meta_r e05c e027 8c | compose e05d e02f 8d
`;

type Codes = readonly [set1: number, set2: number, set3: number];

const KEY_CODES: ReadonlyMap<string, Codes> = new Map(
  KEYS.trim()
    .split(/\s*[|\n]\s*/)
    .map((entry) => {
      const [name, ...codes] = entry.split(' ');
      const [set1, set2, set3] = codes.map((code) => (code === '-' ? 0 : Number.parseInt(code, 16)));
      return [name!, [set1!, set2!, set3!]];
    }),
);

/** All names that {@link makeCode} knows. */
export const KEY_NAMES: readonly string[] = [...KEY_CODES.keys(), 'pause', 'print', 'sysrq'];

const MODIFIER = { SHIFT: 0x01, SHIFT_R: 0x02, CTRL: 0x04, CTRL_R: 0x08, ALT: 0x10, ALT_R: 0x20 } as const;
const SHIFT_OR_CTRL = MODIFIER.SHIFT | MODIFIER.SHIFT_R | MODIFIER.CTRL | MODIFIER.CTRL_R;
const CTRL = MODIFIER.CTRL | MODIFIER.CTRL_R;

/** The bit that stands for a modifier key in {@link Ps2KeyboardState.modifiers}; 0 for any other key. */
export function modifierBit(qcode: string): number {
  switch (qcode) {
    case 'shift':
      return MODIFIER.SHIFT;
    case 'shift_r':
      return MODIFIER.SHIFT_R;
    case 'ctrl':
      return MODIFIER.CTRL;
    case 'ctrl_r':
      return MODIFIER.CTRL_R;
    case 'alt':
      return MODIFIER.ALT;
    case 'alt_r':
      return MODIFIER.ALT_R;
    default:
      return 0;
  }
}

/** Bytes for a key going down, before translation; empty for an unknown key. */
export function makeCode(qcode: string, set: number, modifiers: number): readonly number[] {
  if (qcode === 'pause') return pause(set, modifiers);
  if (qcode === 'print' || qcode === 'sysrq') return printScreen(set, modifiers, true);
  const code = codeOf(qcode, set);
  if (code === 0) return [];
  return code > 0xff ? [0xe0, code & 0xff] : [code];
}

/** Bytes for a key going up, before translation; empty for an unknown key. */
export function releaseCode(qcode: string, set: number, modifiers: number): readonly number[] {
  if (qcode === 'pause') return set === 3 ? [0xf0, 0x62] : [];
  if (qcode === 'print' || qcode === 'sysrq') return printScreen(set, modifiers, false);
  const code = codeOf(qcode, set);
  if (code === 0) return [];
  const prefix = code > 0xff ? [0xe0] : [];
  return set === 1 ? [...prefix, (code & 0xff) | 0x80] : [...prefix, 0xf0, code & 0xff];
}

function codeOf(qcode: string, set: number): number {
  return KEY_CODES.get(qcode)?.[set - 1] ?? 0;
}

/** Pause sends make and break at once and nothing when it goes up; with Ctrl it is Break. */
function pause(set: number, modifiers: number): readonly number[] {
  const breaks = (modifiers & CTRL) !== 0;
  if (set === 1) return breaks ? [0xe0, 0x46, 0xe0, 0xc6] : [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5];
  if (set === 2) return breaks ? [0xe0, 0x7e, 0xe0, 0xf0, 0x7e] : [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77];
  return set === 3 ? [0x62] : [];
}

/** Print Screen pretends a Shift around itself; with Alt it is SysRq and lets go of Alt meanwhile. */
function printScreen(set: number, modifiers: number, down: boolean): readonly number[] {
  if (set === 3) return down ? [0x57] : [0xf0, 0x57];
  if (set !== 1 && set !== 2) return [];
  const one = set === 1;
  if ((modifiers & MODIFIER.ALT) !== 0) {
    if (one) return down ? [0xb8, 0x38, 0x54] : [0xd4, 0xb8, 0x38];
    return down ? [0xf0, 0x11, 0x11, 0x84] : [0xf0, 0x84, 0xf0, 0x11, 0x11];
  }
  if ((modifiers & MODIFIER.ALT_R) !== 0) {
    if (one) return down ? [0xe0, 0xb8, 0xe0, 0x38, 0x54] : [0xd4, 0xe0, 0xb8, 0xe0, 0x38];
    return down ? [0xe0, 0xf0, 0x11, 0xe0, 0x11, 0x84] : [0xf0, 0x84, 0xe0, 0xf0, 0x11, 0xe0, 0x11];
  }
  if ((modifiers & SHIFT_OR_CTRL) !== 0) {
    if (one) return down ? [0xe0, 0x37] : [0xe0, 0xb7];
    return down ? [0xe0, 0x7c] : [0xe0, 0xf0, 0x7c];
  }
  if (one) return down ? [0xe0, 0x2a, 0xe0, 0x37] : [0xe0, 0xb7, 0xe0, 0xaa];
  return down ? [0xe0, 0x12, 0xe0, 0x7c] : [0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12];
}

/** The controller's translation, sets 2 and 3 to set 1. [8042] "Scan code translation". From 0x80 on a code stands for itself, but for two. */
export const TRANSLATE: Uint8Array = translation(`
  ff 43 41 3f 3d 3b 3c 58 64 44 42 40 3e 0f 29 59
  65 38 2a 70 1d 10 02 5a 66 71 2c 1f 1e 11 03 5b
  67 2e 2d 20 12 05 04 5c 68 39 2f 21 14 13 06 5d
  69 31 30 23 22 15 07 5e 6a 72 32 24 16 08 09 5f
  6b 33 25 17 18 0b 0a 60 6c 34 35 26 27 19 0c 61
  6d 73 28 74 1a 0d 62 6e 3a 36 1c 1b 75 2b 63 76
  55 56 77 78 79 7a 0e 7b 7c 4f 7d 4b 47 7e 7f 6f
  52 53 50 4c 4d 48 01 45 57 4e 51 4a 37 49 46 54
`);

function translation(text: string): Uint8Array {
  const table = Uint8Array.from({ length: 256 }, (_, code) => code);
  for (const [code, byte] of text.trim().split(/\s+/).entries()) table[code] = Number.parseInt(byte, 16);
  table[0x83] = 0x41;
  table[0x84] = 0x54;
  return table;
}
