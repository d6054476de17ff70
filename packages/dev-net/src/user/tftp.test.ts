import { describe, expect, it } from 'vitest';
import { type FileServer, TftpServer } from './tftp.js';

const text = (value: string): number[] => [...value].map((letter) => letter.charCodeAt(0));
const request = (name: string, ...options: string[]) =>
  Uint8Array.of(0, 1, ...text([name, 'octet', ...options].map((word) => `${word}\0`).join('')));
const acknowledge = (block: number) => Uint8Array.of(0, 4, block >> 8, block & 0xff);
const plain = (answer: Uint8Array | undefined) => answer && String.fromCharCode(...answer.subarray(2)).replaceAll('\0', '|');

/** One file, and how many are open. */
function server(size: number, name = 'boot.bin') {
  const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31) & 0xff);
  const state = { open: 0 };
  const files: FileServer = {
    open(wanted) {
      if (wanted !== name) return undefined;
      state.open++;
      return {
        size,
        read(offset, target) {
          target.set(bytes.subarray(offset, offset + target.length));
          return Math.min(target.length, size - offset);
        },
        close: () => void state.open--,
      };
    },
  };
  return { bytes, state, tftp: new TftpServer(files) };
}

/** A client that takes every block. */
function fetch(tftp: TftpServer, ...options: string[]): number[] {
  const got: number[] = [];
  let answer = tftp.receive('a', request('boot.bin', ...options));
  if (answer?.[1] === 6) answer = tftp.receive('a', acknowledge(0));
  for (; answer?.[1] === 3; answer = tftp.receive('a', acknowledge((answer[2]! << 8) | answer[3]!)))
    got.push(...answer.subarray(4));
  return got;
}

describe('TFTP', () => {
  it.each([0, 1, 511, 512, 513, 1024, 5000])('a file of %i bytes arrives, and is closed', (size) => {
    const { bytes, state, tftp } = server(size);
    expect(fetch(tftp)).toEqual([...bytes]);
    expect(state.open).toBe(0);
  });

  it('agrees on block size and tells the size', () => {
    const { bytes, tftp } = server(5000);
    expect(plain(tftp.receive('a', request('boot.bin', 'blksize', '1432', 'tsize', '0')))).toBe('blksize|1432|tsize|5000|');
    expect(plain(tftp.receive('a', request('boot.bin', 'blksize', '65464')))).toBe('blksize|1468|');
    expect(fetch(tftp, 'blksize', '1432')).toEqual([...bytes]);
  });

  it('goes round with more than 65535 blocks', () => {
    const { bytes, tftp } = server(8 * 65540);
    const got = fetch(tftp, 'blksize', '8');
    expect(got.length).toBe(bytes.length);
    expect(got.slice(-40)).toEqual([...bytes.subarray(-40)]);
  });

  it('sends a block again to who acknowledges the one before again', () => {
    const { tftp } = server(2000);
    const first = tftp.receive('a', request('boot.bin'))!;
    const second = tftp.receive('a', acknowledge(1))!;
    expect(tftp.receive('a', acknowledge(1))).toEqual(second);
    expect(second).not.toEqual(first);
    expect(tftp.receive('a', acknowledge(7))).toBeUndefined();
  });

  it.each([
    ['no such file', request('other'), 1],
    ['writing', Uint8Array.of(0, 2, ...text('x\0octet\0')), 2],
    ['another mode', Uint8Array.of(0, 1, ...text('boot.bin\0netascii\0')), 4],
    ['a transfer that nobody began', acknowledge(1), 5],
  ])('refuses %s', (_what, message, code) => {
    expect([...server(1).tftp.receive('a', message)!.subarray(0, 4)]).toEqual([0, 5, 0, code]);
  });

  it('keeps few files open, whoever asks, and none at the end', () => {
    const { state, tftp } = server(5000);
    for (let i = 0; i < 100; i++) tftp.receive(`guest ${i}`, request('boot.bin'));
    expect(state.open).toBe(16);
    tftp.close();
    expect(state.open).toBe(0);
  });
});
