/** Kinds of drives, numbers as the CMOS has them plus one for "none". */
export type DriveType = '120' | '144' | '288';

/** A layout that a drive can read. */
export interface FloppyFormat {
  readonly drive: DriveType;
  readonly sectors: number;
  readonly tracks: number;
  readonly sides: 1 | 2;
  /** Code of the data rate select register. */
  readonly rate: number;
}

const RATE = { K500: 0, K300: 1, K250: 2, M1: 3 } as const;

const formats = (drive: DriveType, rate: number, rows: readonly (readonly [sectors: number, tracks: number, sides: 1 | 2])[]) =>
  rows.map(([sectors, tracks, sides]): FloppyFormat => ({ drive, sectors, tracks, sides, rate }));

/** In the order of preference for images of equal size; the first of a drive is what it takes a disk of another size for. [QEMU] */
const FORMATS: readonly FloppyFormat[] = [
  ...formats('144', RATE.K500, [
    [18, 80, 2],
    [20, 80, 2],
    [21, 80, 2],
    [21, 82, 2],
    [21, 83, 2],
    [22, 80, 2],
    [23, 80, 2],
    [24, 80, 2],
  ]),
  ...formats('288', RATE.M1, [
    [36, 80, 2],
    [39, 80, 2],
    [40, 80, 2],
    [44, 80, 2],
    [48, 80, 2],
  ]),
  ...formats('144', RATE.K250, [
    [9, 80, 2],
    [10, 80, 2],
    [10, 82, 2],
    [10, 83, 2],
    [13, 80, 2],
    [14, 80, 2],
  ]),
  ...formats('120', RATE.K500, [
    [15, 80, 2],
    [18, 80, 2],
    [18, 82, 2],
    [18, 83, 2],
    [20, 80, 2],
  ]),
  ...formats('120', RATE.K250, [
    [9, 80, 2],
    [11, 80, 2],
  ]),
  ...formats('120', RATE.K300, [
    [9, 40, 2],
    [9, 40, 1],
    [10, 41, 2],
    [10, 42, 2],
  ]),
  ...formats('120', RATE.K250, [
    [8, 40, 2],
    [8, 40, 1],
  ]),
  ...formats('144', RATE.K250, [[9, 80, 1]]),
];

const sizeOf = ({ sectors, tracks, sides }: FloppyFormat): number => sectors * tracks * sides;

/** 3.5 inch drives read each other's disks, as far as the image's size goes. */
const sameWidth = (a: DriveType, b: DriveType): boolean => (a === '120') === (b === '120');

/**
 * The layout of an image in a drive.
 * @param drive undefined: the drive is whatever the image needs.
 */
export function pickFormat(sectors: number, drive: DriveType | undefined): FloppyFormat {
  const equal = FORMATS.filter((format) => sizeOf(format) === sectors);
  const exact = equal.find((format) => drive === undefined || format.drive === drive);
  if (exact) return exact;
  if (drive === undefined) return FORMATS[0]!;
  return equal.find((format) => sameWidth(format.drive, drive)) ?? FORMATS.find((format) => format.drive === drive)!;
}

/** Sides, tracks and sectors as the CMOS tells them: 0x20 = 1.2 MB, 0x40 = 1.44 MB, 0x50 = 2.88 MB. */
export const CMOS_TYPE: { readonly [type in DriveType]: number } = { '120': 2, '144': 4, '288': 5 };
