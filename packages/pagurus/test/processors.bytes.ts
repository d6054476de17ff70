/** What processors.asm assembles to, up to its reset vector: 413 bytes in base64. */
const CODE = `
+jHAjtiO0LwAQGYxwGajAFBmowRQZqMIUGajDFBmoxBQxgYAgOrHBgGAqgDHBgOAAPDHBgABBgHHBgIBAPDoIQFkZmfHBfAA4P7/AQAAZGZnxwUAA+D+AEUM
AGRmZ8cFAAPg/ghGDABmuAEAAADwZg/BBgRQ85Bmgz4MUAN19mahCFDovQBkZmfHBQAD4P5AQAwA85Bmgz4QUAN19rBFugIE7rAxugEF7vQxwI7YjtBmuQEA
AADwZg/BDgRQicjB4AgFAEGJxOiYAGRmZ8cF8ADg/v8BAAC56APoVwBmoQhQZkBmowhQxgYAUADi7OhDALArugIE7sYGAFAA8Gb/BgxQ+/Tr/OgrAGRmZ6Eg
AOD+ZsHoGAQwugIE7mRmZ8cFsADg/gAAAADGBgBQAPBm/wYQUM+wAYYGAFCEwHQE85Dr9MNmuwoAAAAxyWYx0mb381JBZoXAdfNYBDC6AgTu4vfDHg4fZg8B
FpgBDyDADAEPIsDrALsIAI7jJP4PIsDrAB/DAAAAAAAAAAAAAAAAAP//AAAAk48ADwCIAQ8=
`;

/** The firmware of 64 KiB. */
export function processorsFirmware(): Uint8Array {
  const firmware = new Uint8Array(0x10000);
  firmware.set(Uint8Array.from(atob(CODE.replaceAll('\n', '')), (character) => character.charCodeAt(0)));
  // jmp 0xf000:start
  firmware.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0);
  return firmware;
}
