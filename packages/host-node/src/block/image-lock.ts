import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlockError } from '@pagurus/block';

/**
 * Node.js offers no fcntl locks, so that processes of ours find each other through files in a common folder: one per open image,
 * named DEVICE-INODE.PROCESS.NUMBER.r or .w. A process that ended without removing its own is recognised by its number.
 * QEMU's locks are seen where the kernel lists them (/proc/locks); QEMU does not see ours.
 */
const FOLDER = join(tmpdir(), 'pagurus-image-locks');

/** QEMU takes read locks on these bytes of an image that it writes to, and of one that it lets nobody else write to. */
const QEMU_WRITES = 101n;
const QEMU_FORBIDS_WRITERS = 201n;

let count = 0;

export interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
}

/** Holds an image: any number of readers, or one writer. @throws {BlockError} `locked`. */
export class ImageLock {
  private constructor(private readonly path: string) {}

  static take(name: string, { device, inode }: FileIdentity, writer: boolean): ImageLock {
    const other = qemuHolds(device, inode, writer);
    if (other) throw new BlockError('locked', `${name}: a QEMU process has the image open; file.locking=off ignores it`);
    mkdirSync(FOLDER, { recursive: true, mode: 0o1777 });
    const image = `${device}-${inode}`;
    const mine = `${image}.${process.pid}.${count++}.${writer ? 'w' : 'r'}`;
    const path = join(FOLDER, mine);
    closeSync(openSync(path, 'w', 0o666));
    for (const entry of readdirSync(FOLDER)) {
      const parts = entry.split('.');
      if (entry === mine || parts[0] !== image || (parts[3] !== 'w' && !writer)) continue;
      if (isGone(Number(parts[1]))) {
        rmSync(join(FOLDER, entry), { force: true });
        continue;
      }
      rmSync(path, { force: true });
      const who = Number(parts[1]) === process.pid ? 'another drive' : `process ${parts[1]}`;
      throw new BlockError(
        'locked',
        `${name}: ${who} ${parts[3] === 'w' ? 'writes to' : 'reads'} the image; file.locking=off ignores it`,
      );
    }
    return new ImageLock(path);
  }

  release(): void {
    rmSync(this.path, { force: true });
  }
}

function isGone(process_: number): boolean {
  if (!Number.isInteger(process_) || process_ <= 0) return true;
  try {
    process.kill(process_, 0);
    return false;
  } catch (error) {
    return (error as { code?: string }).code === 'ESRCH';
  }
}

/** Lines such as `1: OFDLCK ADVISORY  READ -1 fd:01:4711 100 101`: device in hexadecimal, inode, first and last byte. */
function qemuHolds(device: bigint, inode: bigint, writer: boolean): boolean {
  let text: string;
  try {
    text = readFileSync('/proc/locks', 'latin1');
  } catch {
    return false;
  }
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn);
  const hex = (value: bigint): string => value.toString(16).padStart(2, '0');
  const file = `${hex(major)}:${hex(minor)}:${inode}`;
  const wanted = writer ? [QEMU_WRITES, QEMU_FORBIDS_WRITERS] : [QEMU_WRITES];
  return text.split('\n').some((line) => {
    const [, kind, , , , where, first, last] = line.split(/\s+/);
    if (where !== file || (kind !== 'OFDLCK' && kind !== 'POSIX') || !first || !last) return false;
    const end = last === 'EOF' ? 2n ** 63n : BigInt(last);
    return wanted.some((byte) => BigInt(first) <= byte && byte <= end);
  });
}
