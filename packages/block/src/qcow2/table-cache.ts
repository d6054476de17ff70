import type { ByteFile } from '../byte-file.js';

/** A table of one cluster (L2 table, refcount block) in memory. */
export interface Table {
  /** Where it lies in the file. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Changed bytes that the file does not have; none when `to` is 0. */
  from: number;
  to: number;
}

/** Bytes of tables that a cache keeps, but at least {@link LEAST} tables. */
const KEPT_BYTES = 2 * 2 ** 20;
const LEAST = 4;

/** Tables that were used last. A changed one stays until it was written; who changes asks {@link full} before. */
export class TableCache {
  private readonly tables = new Map<number, Table>();
  private readonly pending = new Set<Table>();
  private readonly most: number;

  constructor(
    private readonly file: ByteFile,
    private readonly cluster: number,
  ) {
    this.most = Math.max(LEAST, Math.floor(KEPT_BYTES / cluster));
  }

  async get(offset: number): Promise<Table> {
    const kept = this.tables.get(offset);
    if (kept) {
      this.tables.delete(offset);
      this.tables.set(offset, kept);
      return kept;
    }
    const bytes = new Uint8Array(this.cluster);
    await this.file.read(offset, bytes);
    return this.add(offset, bytes);
  }

  /** A new table, all of it changed. */
  create(offset: number, contents?: Uint8Array): Table {
    const table = this.add(offset, contents?.slice() ?? new Uint8Array(this.cluster));
    this.change(table, 0, this.cluster);
    return table;
  }

  change(table: Table, at: number, length: number): void {
    this.pending.add(table);
    table.from = table.to === 0 ? at : Math.min(table.from, at);
    table.to = Math.max(table.to, at + length);
  }

  /** So many tables are changed that they should be written before another is. */
  get full(): boolean {
    return this.pending.size >= this.most / 2;
  }

  get changed(): boolean {
    return this.pending.size > 0;
  }

  /** Writes all changes. What fails stays changed. */
  async write(): Promise<void> {
    for (const table of [...this.pending].sort((a, b) => a.offset - b.offset)) {
      const { from, to } = table;
      await this.file.write(table.offset + from, table.bytes.subarray(from, to));
      table.from = table.to = 0;
      this.pending.delete(table);
    }
  }

  /** Forgets a table whose cluster is free. */
  drop(offset: number): void {
    const table = this.tables.get(offset);
    if (table) this.pending.delete(table);
    this.tables.delete(offset);
  }

  clear(): void {
    this.tables.clear();
    this.pending.clear();
  }

  private add(offset: number, bytes: Uint8Array): Table {
    for (const [key, table] of this.tables) {
      if (this.tables.size < this.most) break;
      if (table.to === 0) this.tables.delete(key);
    }
    const table: Table = { offset, bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), from: 0, to: 0 };
    this.tables.set(offset, table);
    return table;
  }
}
