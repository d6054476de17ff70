import {
  BlockError,
  type BlockImage,
  type ByteFile,
  Drive,
  type DriveActivity,
  HttpFile,
  type ImageFormat,
  type ImageHost,
  MemoryFile,
  OverlayImage,
  openFormat,
  openImage,
  SECTOR,
} from '@pagurus/block';
import type { DriveArguments } from '@pagurus/machine';

/** An image that a page gives to its machine: plain data. */
export interface PageDrive {
  readonly media: 'disk' | 'cdrom';
  /**
   * A URL (read in ranges), bytes, or a file in the browser's own file system. Absent: an empty CD drive. What is written to a URL or to
   * bytes is kept in memory.
   */
  readonly source?: { readonly url: string } | { readonly bytes: Uint8Array } | { readonly file: string };
  /** Default: by the first bytes. */
  readonly format?: ImageFormat;
  readonly readOnly?: boolean;
}

/** `FileSystemSyncAccessHandle`: workers only, so that the compiler's DOM does not know it. One holder at a time. */
interface SyncAccessHandle {
  getSize(): number;
  read(target: Uint8Array, options: { at: number }): number;
  write(source: Uint8Array, options: { at: number }): number;
  flush(): void;
  close(): void;
}

/** A file of the origin private file system. Complete at once; survives the page. */
export class OpfsFile implements ByteFile {
  readonly identity: string;

  private constructor(
    readonly name: string,
    readonly readOnly: boolean,
    private readonly handle: SyncAccessHandle,
  ) {
    this.identity = `opfs:${name}`;
  }

  /** @throws {BlockError} `not-found`, `locked`. Only in a worker. */
  static async open(name: string, options: { readonly readOnly: boolean; readonly create?: boolean }): Promise<OpfsFile> {
    try {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('pagurus', { create: true });
      const file = await folder.getFileHandle(name, { create: options.create ?? false });
      const handle = await (file as unknown as { createSyncAccessHandle(): Promise<SyncAccessHandle> }).createSyncAccessHandle();
      return new OpfsFile(name, options.readOnly, handle);
    } catch (error) {
      const kind = error instanceof DOMException ? error.name : '';
      const code = kind === 'NotFoundError' ? 'not-found' : kind === 'NoModificationAllowedError' ? 'locked' : 'io';
      throw new BlockError(code, `${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  get length(): number {
    return this.handle.getSize();
  }

  readNow(offset: number, target: Uint8Array): true {
    const count = this.handle.read(target, { at: offset });
    target.fill(0, count);
    return true;
  }

  writeNow(offset: number, source: Uint8Array): true {
    if (this.readOnly) throw new BlockError('read-only', `${this.name}: was opened read-only`);
    try {
      if (this.handle.write(source, { at: offset }) !== source.length) throw new BlockError('no-space', `${this.name}: no room`);
    } catch (error) {
      const quota = error instanceof DOMException && error.name === 'QuotaExceededError';
      if (quota) throw new BlockError('no-space', `${this.name}: the browser gives no more room`, { cause: error });
      throw error;
    }
    return true;
  }

  flushNow(): true {
    this.handle.flush();
    return true;
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    this.readNow(offset, target);
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    this.writeNow(offset, source);
  }

  async flush(): Promise<void> {
    this.handle.flush();
  }

  async close(): Promise<void> {
    this.handle.close();
  }
}

/** Images of a page: URLs, and names of files in the browser's own file system. */
export function webImageHost(warn: (line: string) => void): ImageHost {
  return {
    warn,
    resolve: (base, name) => (/^https?:/.test(base) ? new URL(name, base).href : name),
    openFile: (name, { readOnly }) =>
      /^(https?|blob):/.test(name) ? HttpFile.open(name, fetch) : OpfsFile.open(name, { readOnly }),
  };
}

/** Opens the drives of a machine. @throws {BlockError} */
export async function openPageDrives(
  drives: readonly (PageDrive | undefined)[],
  activity: DriveActivity,
  warn: (line: string) => void,
): Promise<(DriveArguments | undefined)[]> {
  const host = webImageHost(warn);
  const opened: (DriveArguments | undefined)[] = [];
  for (const [index, drive] of drives.entries()) {
    const image = drive?.source && (await openSource(host, drive.source, drive));
    if (!drive) opened.push(undefined);
    else if (!image) opened.push({ media: drive.media });
    else {
      const firstSector = new Uint8Array(SECTOR);
      if (image.sectors > 0) await image.read(0, firstSector);
      opened.push({ media: drive.media, image: new Drive(image, { id: `ide${index}`, activity, firstSector }) });
    }
  }
  return opened;
}

async function openSource(host: ImageHost, source: NonNullable<PageDrive['source']>, drive: PageDrive): Promise<BlockImage> {
  const format = drive.format === undefined ? {} : { format: drive.format };
  const readOnly = drive.readOnly ?? drive.media === 'cdrom';
  if ('bytes' in source)
    return await openFormat(host, new MemoryFile(source.bytes.slice(), { name: 'bytes' }), { ...format, readOnly });
  if ('file' in source) return await openImage(host, source.file, { ...format, readOnly });
  const image = await openImage(host, source.url, { ...format, readOnly: true });
  return readOnly ? image : new OverlayImage(image, new MemoryFile());
}
