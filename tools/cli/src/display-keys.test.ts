import { emitKeypressEvents, type Key } from 'node:readline';
import { PassThrough } from 'node:stream';
import { KEY_NAMES } from '@pagurus/dev-ps2';
import { describe, expect, it } from 'vitest';
import { pressedKeys } from './display-keys.js';

/** What keys become of what a terminal sends. */
function typed(bytes: string): (readonly string[] | undefined)[] {
  const terminal = new PassThrough();
  const keys: (readonly string[] | undefined)[] = [];
  emitKeypressEvents(terminal);
  terminal.on('keypress', (_text: string, key: Key) => keys.push(pressedKeys(key)));
  terminal.emit('data', Buffer.from(bytes));
  return keys;
}

describe('keys of a terminal', () => {
  it.each([
    ['a', 'a'],
    ['A', 'shift-a'],
    ['7', '7'],
    ['&', 'shift-7'],
    ['"', 'shift-apostrophe'],
    ['|', 'shift-backslash'],
    [' ', 'spc'],
    ['\r', 'ret'],
    ['\t', 'tab'],
    ['\x7f', 'backspace'],
    ['\x03', 'ctrl-c'],
    ['\x1a', 'ctrl-z'],
    ['\x00', 'ctrl-spc'],
    ['\x1c', 'ctrl-backslash'],
    ['\x1d', 'ctrl-bracket_right'],
    ['\x1bx', 'alt-x'],
    ['\x1b[A', 'up'],
    ['\x1b[1;5C', 'ctrl-right'],
    ['\x1b[5~', 'pgup'],
    ['\x1b[3~', 'delete'],
    ['\x1bOP', 'f1'],
    ['\x1b[24~', 'f12'],
    ['\x1b[Z', 'shift-tab'],
  ])('%j is %s', (bytes, expected) => {
    expect(typed(bytes).map((keys) => keys?.join('-'))).toEqual([expected]);
  });

  it('has a key for every printable character of ASCII, by names that the keyboard knows', () => {
    for (let code = 0x20; code < 0x7f; code++) {
      const [keys] = typed(String.fromCharCode(code));
      expect(keys, String.fromCharCode(code)).toBeDefined();
      for (const key of keys!) expect(KEY_NAMES).toContain(key);
    }
  });

  it('takes Escape for itself, once or twice, also behind Alt', () => {
    // What node:readline says when nothing has followed for a while.
    expect(pressedKeys({ sequence: '\x1b', name: 'escape', meta: true })).toEqual(['esc']);
    expect(pressedKeys({ sequence: '\x1b\x1b', name: 'escape', meta: true })).toEqual(['esc']);
  });

  it('knows no key for what a US keyboard lacks', () => {
    expect(typed('é')).toEqual([undefined]);
  });
});
