/**
 * The pattern that the embedded guest keeps in its region, computed on the host. The definition is embedded/region.inc's.
 */
const GOLDEN = 0x9e3779b1;
const GENERATION = 0x85ebca6b;
const MIX = 0x2c1b3c6d;
const STEP = 0x61c88647;
const DWORDS = 1024;

/** How often `page` has been rewritten when `written` pages of a region of `pages` have been, in turn from page 0 on. */
export function pageGeneration(page: number, pages: number, written: number): number {
  return Math.floor((written + pages - 1 - page) / pages);
}

/** First dword of a page. */
export function pageSeed(page: number, pages: number, written: number): number {
  let x = (Math.imul(page, GOLDEN) + Math.imul(pageGeneration(page, pages, written), GENERATION)) | 0;
  x ^= x >>> 15;
  x = Math.imul(x, MIX);
  x ^= x >>> 12;
  return x >>> 0;
}

/** All 4096 bytes of a page, as they must lie in guest memory. */
export function pageBytes(page: number, pages: number, written: number): Uint8Array {
  const bytes = new Uint8Array(DWORDS * 4);
  const view = new DataView(bytes.buffer);
  let dword = pageSeed(page, pages, written);
  for (let i = 0; i < DWORDS; i++) {
    view.setUint32(i * 4, dword, true);
    dword = (dword + STEP) >>> 0;
  }
  return bytes;
}

/** Sum of a page's dwords, modulo 2^32. */
export function pageSum(page: number, pages: number, written: number): number {
  return (Math.imul(pageSeed(page, pages, written), DWORDS) + Math.imul(STEP, (DWORDS * (DWORDS - 1)) / 2)) >>> 0;
}

/** Sum of `count` pages from `first` on, going round at the end of the region, modulo 2^32. */
export function sliceSum(first: number, count: number, pages: number, written: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum + pageSum((first + i) % pages, pages, written)) >>> 0;
  return sum;
}
