import type { MigrationRamBlock, MigrationTarget } from '@pagurus/device-model';
import { PAGE_SIZE } from './format.js';

/** A page that is still to be sent. */
export interface DirtyPage {
  readonly block: MigrationRamBlock;
  /** Byte offset in the block. */
  readonly offset: number;
}

interface BlockBits {
  readonly block: MigrationRamBlock;
  readonly pages: number;
  readonly words: Uint32Array;
}

/** Which pages differ from what the destination has. Walks round and round through the blocks. */
export class DirtyPages {
  /** Pages still to be sent. */
  count = 0;
  /** Pages in all. */
  readonly total: number;
  private readonly blocks: BlockBits[];
  private blockIndex = 0;
  private wordIndex = 0;

  constructor(blocks: readonly MigrationRamBlock[]) {
    this.blocks = blocks.map((block) => {
      const pages = block.usedLength / PAGE_SIZE;
      return { block, pages, words: new Uint32Array(Math.ceil(pages / 32)) };
    });
    this.total = this.blocks.reduce((sum, { pages }) => sum + pages, 0);
  }

  markAll(): void {
    for (const { pages, words } of this.blocks) {
      words.fill(0xffff_ffff);
      if (pages % 32 !== 0) words[words.length - 1] = (1 << (pages % 32)) - 1;
    }
    this.count = this.total;
  }

  /** Takes over what the machine logged since the last time. @returns pages that became dirty again. */
  sync(target: MigrationTarget): number {
    let added = 0;
    for (const { block, pages, words } of this.blocks) {
      const logged = target.takeDirty(block);
      const length = Math.min(words.length, logged.length);
      for (let i = 0; i < length; i++) {
        let fresh = logged[i]! & ~words[i]!;
        if (i === words.length - 1 && pages % 32 !== 0) fresh &= (1 << (pages % 32)) - 1;
        if (fresh === 0) continue;
        words[i]! |= fresh;
        added += bitCount(fresh);
      }
    }
    this.count += added;
    return added;
  }

  /** The next page to be sent, marked clean; undefined when all are. */
  take(): DirtyPage | undefined {
    if (this.count === 0) return undefined;
    for (;;) {
      const { block, words } = this.blocks[this.blockIndex]!;
      while (this.wordIndex < words.length) {
        const word = words[this.wordIndex]!;
        if (word !== 0) {
          const bit = 31 - Math.clz32(word & -word);
          words[this.wordIndex] = word & (word - 1);
          this.count--;
          return { block, offset: (this.wordIndex * 32 + bit) * PAGE_SIZE };
        }
        this.wordIndex++;
      }
      this.wordIndex = 0;
      this.blockIndex = (this.blockIndex + 1) % this.blocks.length;
    }
  }
}

function bitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555);
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333);
  return (((bits + (bits >>> 4)) & 0x0f0f_0f0f) * 0x0101_0101) >>> 24;
}
