import { FILE_ENTRY, KEY, KEY_BIT, KEY_MASK, LEGACY_ORDER, LEGACY_RANK } from './spec.js';

/** Contents that lie elsewhere, e.g. in a RAM block that migrates. */
export interface FwCfgSource {
  readonly length: number;
  /** Copies out; `offset + target.length` is at most `length`. */
  read(offset: number, target: Uint8Array): void;
}

/** One thing that firmware can read. */
export interface Item {
  /** Replaced as a whole when the host changes it. */
  contents: Uint8Array | FwCfgSource;
  /** Called when the guest selects it (ACPI tables are built then). */
  readonly selected?: (() => void) | undefined;
  /** The guest may write it by DMA; called after it did. Only for contents that are bytes. */
  readonly written?: ((bytes: Uint8Array, offset: number, length: number) => void) | undefined;
}

/** Copies what there is of an item from `offset` on into `target`. @returns the number of bytes. */
export function copyOut({ contents }: Item, offset: number, target: Uint8Array): number {
  const length = Math.max(0, Math.min(target.length, contents.length - offset));
  if (length === 0) return 0;
  if (contents instanceof Uint8Array) target.set(contents.subarray(offset, offset + length));
  else contents.read(offset, target.subarray(0, length));
  return length;
}

/** Items by key, and files in a directory whose keys follow the order of names, or on old machines a fixed one. */
export class Items {
  private readonly byKey = new Map<number, Item>();
  private readonly files: { readonly name: string; readonly item: Item }[] = [];
  private directory: Item | undefined;

  constructor(
    private readonly fileSlots: number,
    private readonly legacyOrder = false,
  ) {}

  /** @throws {RangeError} for a key that is taken or out of range. */
  set(key: number, item: Item): void {
    if (key < 0 || key > 0xffff || (key & KEY_BIT.WRITE_CHANNEL) !== 0 || !this.inRange(key))
      throw new RangeError(`fw_cfg: key 0x${key.toString(16)} is out of range`);
    if (this.byKey.has(key)) throw new RangeError(`fw_cfg: key 0x${key.toString(16)} is taken`);
    this.byKey.set(key, item);
  }

  /** @throws {RangeError} for a name that is taken or too long, or a full directory. */
  addFile(name: string, item: Item): void {
    if (name.length === 0 || name.length >= FILE_ENTRY.NAME_LENGTH)
      throw new RangeError(`fw_cfg: file name '${name}' has ${name.length} characters; 1 to ${FILE_ENTRY.NAME_LENGTH - 1} fit`);
    if (this.files.some((file) => file.name === name)) throw new RangeError(`fw_cfg: file '${name}' exists`);
    if (this.files.length >= this.fileSlots)
      throw new RangeError(`fw_cfg: no slot for file '${name}'; x-file-slots is ${this.fileSlots}`);
    this.files.push({ name, item });
    if (this.legacyOrder) this.files.sort((a, b) => legacyRank(a.name) - legacyRank(b.name));
    else this.files.sort((a, b) => (a.name < b.name ? -1 : 1));
    this.directory = undefined;
  }

  /** @throws {RangeError} if there is no such file. */
  modifyFile(name: string, contents: Item['contents']): void {
    const item = this.file(name);
    if (!item) throw new RangeError(`fw_cfg: no file '${name}'`);
    item.contents = contents;
    this.directory = undefined;
  }

  file(name: string): Item | undefined {
    return this.files.find((entry) => entry.name === name)?.item;
  }

  /** The item that a key selects; undefined = there is nothing. The old write channel bit does not count. */
  find(selected: number): Item | undefined {
    const key = selected & ~KEY_BIT.WRITE_CHANNEL;
    if (key === KEY.FILE_DIR) return this.fileDirectory();
    if (key >= KEY.FILE_FIRST && key < KEY.FILE_FIRST + this.files.length) return this.files[key - KEY.FILE_FIRST]!.item;
    return this.byKey.get(key);
  }

  /** Whether a key lies in the table at all; selecting another one makes the selection invalid. */
  inRange(key: number): boolean {
    return (key & KEY_MASK) < KEY.FILE_FIRST + this.fileSlots;
  }

  private fileDirectory(): Item {
    if (this.directory) return this.directory;
    const bytes = new Uint8Array(4 + FILE_ENTRY.LENGTH * this.fileSlots);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.files.length);
    this.files.forEach(({ name, item }, index) => {
      const at = 4 + FILE_ENTRY.LENGTH * index;
      view.setUint32(at, item.contents.length);
      view.setUint16(at + 4, KEY.FILE_FIRST + index);
      for (let i = 0; i < name.length; i++) bytes[at + FILE_ENTRY.NAME_OFFSET + i] = name.charCodeAt(i);
    });
    this.directory = { contents: bytes };
    return this.directory;
  }
}

function legacyRank(name: string): number {
  if (name.startsWith('vgaroms/')) return LEGACY_RANK.VGA_ROM;
  if (name.startsWith('opt/')) return LEGACY_RANK.USER;
  return LEGACY_ORDER[name] ?? LEGACY_RANK.UNKNOWN;
}
