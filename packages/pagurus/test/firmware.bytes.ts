/** What the sources beside this file assemble to, without zeros and without the reset vector; in base64. */
const PROCESSORS = `
+jHAjtiO0LwAQGYxwGajAFBmowRQZqMIUGajDFBmoxBQxgYAgOrHBgGAqgDHBgOAAPDHBgABBgHHBgIBAPDoIQFkZmfHBfAA4P7/AQAAZGZnxwUAA+D+AEUM
AGRmZ8cFAAPg/ghGDABmuAEAAADwZg/BBgRQ85Bmgz4MUAN19mahCFDovQBkZmfHBQAD4P5AQAwA85Bmgz4QUAN19rBFugIE7rAxugEF7vQxwI7YjtBmuQEA
AADwZg/BDgRQicjB4AgFAEGJxOiYAGRmZ8cF8ADg/v8BAAC56APoVwBmoQhQZkBmowhQxgYAUADi7OhDALArugIE7sYGAFAA8Gb/BgxQ+/Tr/OgrAGRmZ6Eg
AOD+ZsHoGAQwugIE7mRmZ8cFsADg/gAAAADGBgBQAPBm/wYQUM+wAYYGAFCEwHQE85Dr9MNmuwoAAAAxyWYx0mb381JBZoXAdfNYBDC6AgTu4vfDHg4fZg8B
FpgBDyDADAEPIsDrALsIAI7jJP4PIsDrAB/DAAAAAAAAAAAAAAAAAP//AAAAk48ADwCIAQ8=
`;
const NUMERIC_ERROR = `
+jHAjtiO0LwAQMcG1AFhAMcG1gEA8LAR5iDmoLAI5iGwcOahsATmIbAC5qGwAeYh5qGw++YhsN/modvjxwYABXsD2S4ABfu5AgDZ6Nnu3vmbkOL2sEW6AgTu
sDG6AQXu9FBSsEa6AgTu5vDb4rAg5qDmIFpYzw==
`;
const DEADLINE = `
+jHAjtiO0LwAQGYxwGajAFDHBgQBlQHHBgYBAPDoogFkZmfHBfAA4P7/AQAAZGZnxwUgA+D+QQAAAOjlAOgAAegpAejTAGRmZ8cFIAPg/kEABADozADo5wDoEAHo
4QDotwDovQBmMcBmMdLowADozwDo+ADoogBmuAEAAABmMdLoqwDo5gDotwDojQDokwBkZmfHBSAD4P5BAAAA6KEA6MoA6HQAZGZnxwUgA+D+QQAEAOhtAGRmZ8cF
IAPg/kEABQDoewBkZmfHBSAD4P5BAAQA6JcA6EEA6EcAZrkQAAAADzJmQg8w6IIA6FMAZrj/////ZonC6DUAZGZnxwWAA+D+ZAAAAOhjAOg0ALBFugIE7rAxugEF
7vSwIFK6AgTuWsMPMWYFgBoGAGaD0gBmowhQZokWDFBmueAGAAAPMMNmueAGAAAPMmY7BghQdRBmOxYMUHUJZgnQdASwMeu8ZgnQdQSwMOuzsD/rrw8xZonD+4A+
AFAAdRIPMWYp2GY9gE8SAHLs+rAt65D6xgYAUACwIeuGZlBmUg8xZisGCFBmGxYMUHMFsGXob//+BgBQZGZnxwWwAOD+AAAAAGZaZljPHg4fZg8BFvgBDyDADAEP
IsDrALsIAI7jJP4PIsDrAB/DAAAAAAAAAAAAAAAAAP//AAAAk48ADwDoAQ8=
`;

/** 64 KiB that begin with the code. */
function firmware(code: string): Uint8Array {
  const bytes = new Uint8Array(0x10000);
  bytes.set(Uint8Array.from(atob(code.replaceAll('\n', '')), (character) => character.charCodeAt(0)));
  // jmp 0xf000:start
  bytes.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0);
  return bytes;
}

/** `processors.asm` */
export const processorsFirmware = (): Uint8Array => firmware(PROCESSORS);
/** `numeric-error.asm` */
export const numericErrorFirmware = (): Uint8Array => firmware(NUMERIC_ERROR);
/** `deadline.asm` */
export const deadlineFirmware = (): Uint8Array => firmware(DEADLINE);
