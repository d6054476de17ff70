/** QKeyCode of a `KeyboardEvent.code`; undefined for keys that a PC keyboard has not. */
export function qcodeOf(code: string): string | undefined {
  const letter = /^Key([A-Z])$/.exec(code);
  if (letter) return letter[1]!.toLowerCase();
  const digit = /^Digit([0-9])$/.exec(code);
  if (digit) return digit[1];
  const functionKey = /^F([1-9]|1[0-2])$/.exec(code);
  if (functionKey) return `f${functionKey[1]}`;
  const keypad = /^Numpad([0-9])$/.exec(code);
  if (keypad) return `kp_${keypad[1]}`;
  return OTHER[code];
}

const OTHER: Readonly<Record<string, string>> = {
  Enter: 'ret',
  Escape: 'esc',
  Backspace: 'backspace',
  Tab: 'tab',
  Space: 'spc',
  Minus: 'minus',
  Equal: 'equal',
  BracketLeft: 'bracket_left',
  BracketRight: 'bracket_right',
  Backslash: 'backslash',
  IntlBackslash: 'less',
  Semicolon: 'semicolon',
  Quote: 'apostrophe',
  Backquote: 'grave_accent',
  Comma: 'comma',
  Period: 'dot',
  Slash: 'slash',
  ShiftLeft: 'shift',
  ShiftRight: 'shift_r',
  ControlLeft: 'ctrl',
  ControlRight: 'ctrl_r',
  AltLeft: 'alt',
  AltRight: 'alt_r',
  MetaLeft: 'meta_l',
  MetaRight: 'meta_r',
  CapsLock: 'caps_lock',
  NumLock: 'num_lock',
  ScrollLock: 'scroll_lock',
  Insert: 'insert',
  Delete: 'delete',
  Home: 'home',
  End: 'end',
  PageUp: 'pgup',
  PageDown: 'pgdn',
  ArrowUp: 'up',
  ArrowDown: 'down',
  ArrowLeft: 'left',
  ArrowRight: 'right',
  NumpadEnter: 'kp_enter',
  NumpadAdd: 'kp_add',
  NumpadSubtract: 'kp_subtract',
  NumpadMultiply: 'kp_multiply',
  NumpadDivide: 'kp_divide',
  NumpadDecimal: 'kp_decimal',
};
