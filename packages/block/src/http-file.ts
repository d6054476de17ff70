import type { ByteFile } from './byte-file.js';
import { BlockError } from './errors.js';

/** The part of `fetch` that is used; both hosts have it. */
export type Fetch = (url: string, init: { readonly headers: Readonly<Record<string, string>> }) => Promise<HttpResponse>;

export interface HttpResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Bytes per request and per cache entry. */
const PIECE = 2 ** 17;
/** Pieces that are kept. */
const KEPT = 64;
const ATTEMPTS = 3;

/** A file behind a URL, read in ranges (RFC 9110, 14). Read-only; what was read last is kept, up to 8 MiB. */
export class HttpFile implements ByteFile {
  readonly readOnly = true;
  private readonly pieces = new Map<number, Promise<Uint8Array>>();

  private constructor(
    readonly name: string,
    readonly length: number,
    private readonly version: string | undefined,
    private readonly fetch: Fetch,
  ) {}

  get identity(): string {
    return this.name;
  }

  /** @throws {BlockError} `not-found`, `io`, or `unsupported` where the server knows no ranges. */
  static async open(url: string, fetch: Fetch): Promise<HttpFile> {
    const { response } = await request(fetch, url, 0, 1, undefined);
    const range = response.headers.get('content-range');
    const length = Number(/^bytes \d+-\d+\/(\d+)$/.exec(range ?? '')?.[1]);
    if (!Number.isSafeInteger(length))
      throw new BlockError('unsupported', `${url}: the server does not tell the file's length (${range})`);
    const tag = response.headers.get('etag') ?? response.headers.get('last-modified');
    return new HttpFile(url, length, tag ?? undefined, fetch);
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    const end = Math.min(offset + target.length, this.length);
    target.fill(0, Math.max(0, end - offset));
    const first = Math.floor(offset / PIECE);
    const pieces: Promise<void>[] = [];
    for (let index = first; index * PIECE < end; index++)
      pieces.push(
        this.piece(index).then((bytes) => {
          const from = Math.max(offset, index * PIECE);
          const to = Math.min(end, index * PIECE + bytes.length);
          target.set(bytes.subarray(from - index * PIECE, to - index * PIECE), from - offset);
        }),
      );
    await Promise.all(pieces);
  }

  async write(): Promise<void> {
    throw new BlockError('read-only', `${this.name}: is read-only`);
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {
    this.pieces.clear();
  }

  private piece(index: number): Promise<Uint8Array> {
    const kept = this.pieces.get(index);
    this.pieces.delete(index);
    const piece = kept ?? this.load(index * PIECE, Math.min(PIECE, this.length - index * PIECE));
    this.pieces.set(index, piece);
    // What failed is asked anew.
    piece.catch(() => this.pieces.delete(index));
    for (const oldest of this.pieces.keys()) {
      if (this.pieces.size <= KEPT) break;
      this.pieces.delete(oldest);
    }
    return piece;
  }

  private async load(offset: number, length: number): Promise<Uint8Array> {
    const { response, bytes } = await request(this.fetch, this.name, offset, length, this.version);
    const total = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
    const tag = response.headers.get('etag') ?? response.headers.get('last-modified') ?? undefined;
    if (total !== String(this.length) || tag !== this.version)
      throw new BlockError('io', `${this.name}: the file changed while it was in use`);
    return bytes;
  }
}

async function request(
  fetch: Fetch,
  url: string,
  offset: number,
  length: number,
  version: string | undefined,
): Promise<{ response: HttpResponse; bytes: Uint8Array }> {
  const headers = { range: `bytes=${offset}-${offset + length - 1}` };
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(url, { headers });
      if (response.status === 404 || response.status === 410)
        throw new BlockError('not-found', `${url}: the server has no such file`);
      if (response.status === 401 || response.status === 403)
        throw new BlockError('permission', `${url}: the server refuses it (${response.status})`);
      if (response.status === 200) throw new BlockError('unsupported', `${url}: the server does not serve ranges of it`);
      if (response.status === 416 && version === undefined) throw new BlockError('format', `${url}: the file is empty`);
      if (response.status !== 206) throw new Error(`status ${response.status}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (bytes.length !== length) throw new Error(`${bytes.length} bytes came instead of ${length}`);
      return { response, bytes };
    } catch (error) {
      if (error instanceof BlockError) throw error;
      if (attempt === ATTEMPTS) {
        const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
        throw new BlockError('io', `${url}: ${error instanceof Error ? error.message : String(error)}${cause}`, { cause: error });
      }
    }
  }
}
