/** How often a second the picture of a frame buffer is brought up to date. */
import { createMachine } from 'pagurus';

/** [VBE] of Bochs: the display interface's registers at 0x1ce and 0x1cf. */
const DISPI = { XRES: 1, YRES: 2, BPP: 3, ENABLE: 4 } as const;
const LINEAR = 0x41;
const FRAME_BUFFER = 0xe000_0000;
/** Lines that a guest has drawn in between: one row of characters. */
const FEW_LINES = 16;

export interface ScreenRow {
  readonly mode: string;
  readonly changed: 'all' | 'few lines' | 'nothing';
  readonly updatesPerSecond: number;
}

/** 256 colours at 640 × 480, 32 bits at 1024 × 768 and 1920 × 1080; all lines drawn by the guest since, one row of characters, or nothing. */
export async function screenSuite(milliseconds = 1000): Promise<ScreenRow[]> {
  const machine = await createMachine('pc-i440fx-7.2', { memory: 8 * 2 ** 20, noDefaults: true, vga: 'std' });
  const { ports, memory } = machine;
  const screen = machine.screen()!;
  const bus = machine.devices.find(({ type }) => type === 'VGA')!.path!;
  const slot = Number.parseInt(/:(\w+)\.0$/.exec(bus)![1]!, 16);
  const configure = (register: number, value: number, size: 2 | 4): void => {
    ports.write(0xcf8, (0x8000_0000 | (slot << 11) | register) >>> 0, 4);
    ports.write(0xcfc, value, size);
  };
  configure(0x10, FRAME_BUFFER, 4);
  configure(0x04, 3, 2);
  ports.write(0x3c0, 0x20, 1);
  const rows: ScreenRow[] = [];
  for (const [width, height, bits] of [
    [640, 480, 8],
    [1024, 768, 32],
    [1920, 1080, 32],
  ] as const) {
    for (const [register, value] of [
      [DISPI.ENABLE, 0],
      [DISPI.XRES, width],
      [DISPI.YRES, height],
      [DISPI.BPP, bits],
      [DISPI.ENABLE, LINEAR],
    ] as const) {
      ports.write(0x1ce, register, 2);
      ports.write(0x1cf, value, 2);
    }
    const picture = screen.image();
    if (picture.width !== width || picture.height !== height)
      throw new Error(`the mode is ${picture.width} x ${picture.height}, not ${width} x ${height}`);
    const line = (width * bits) / 8;
    const cases = [
      ['all', Uint8Array.from({ length: line * height }, (_, i) => i * 7), 0],
      ['few lines', new Uint8Array(line * FEW_LINES).fill(0x55), Math.floor(height / 2) * line],
      ['nothing', new Uint8Array(0), 0],
    ] as const;
    for (const [changed, bytes, offset] of cases) {
      let updates = 0;
      let spent = 0;
      for (const end = performance.now() + milliseconds; performance.now() < end; updates++) {
        if (bytes.length > 0) memory.write(FRAME_BUFFER + offset, bytes);
        const start = performance.now();
        screen.image();
        spent += performance.now() - start;
      }
      rows.push({ mode: `${width}x${height}x${bits}`, changed, updatesPerSecond: (1000 * updates) / spent });
    }
  }
  return rows;
}
