import { MemoryFile } from './byte-file.js';
import { BlockError } from './errors.js';
import type { BlockImage } from './image.js';
import { type ImageHost, type OpenImageOptions, openImage } from './open.js';

/** Files in memory, as a host. For tests. */
export class MemoryHost implements ImageHost {
  readonly files = new Map<string, MemoryFile>();
  readonly warnings: string[] = [];

  add(name: string, file: MemoryFile): this {
    this.files.set(name, file);
    return this;
  }

  async openFile(name: string): Promise<MemoryFile> {
    const file = this.files.get(name);
    if (!file) throw new BlockError('not-found', `${name}: no such file`);
    return file;
  }

  resolve(_base: string, name: string): string {
    return name;
  }

  warn(line: string): void {
    this.warnings.push(line);
  }

  open(name: string, options: OpenImageOptions = {}): Promise<BlockImage> {
    return openImage(this, name, options);
  }
}

/** A file whose writes and flushes are remembered. */
export class LoggedFile extends MemoryFile {
  readonly log: ({ readonly offset: number; readonly bytes: Uint8Array } | 'flush')[] = [];

  override async write(offset: number, source: Uint8Array): Promise<void> {
    this.log.push({ offset, bytes: source.slice() });
    await super.write(offset, source);
  }

  override async flush(): Promise<void> {
    this.log.push('flush');
  }
}

/** Numbers that are the same every time. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

export function randomBytes(random: (below: number) => number, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random(256));
}
