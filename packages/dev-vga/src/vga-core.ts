import type { DeviceContext, IoHandler, IoRegion, RamBlock } from '@pagurus/device-model';
import { Dispi } from './dispi.js';
import { VgaRegisters } from './registers.js';
import { VgaScreen } from './screen.js';
import { DISPI, PORT, WINDOW, WINDOW_PRIORITY } from './spec.js';
import { VgaState } from './vga.state.js';
import { VgaWindow } from './window.js';

/** What ISA and PCI cards share: registers, dispi, legacy ports and window, screen. */
export class VgaCore {
  // Wiring
  readonly registers: VgaRegisters;
  readonly dispi: Dispi;
  readonly screen: VgaScreen;
  private readonly window: VgaWindow;
  private readonly regions: IoRegion[] = [];
  /** The window as plain memory, while it is that, and where it begins. */
  private alias: { readonly region: IoRegion; readonly bank: number } | undefined;

  constructor(
    private readonly context: DeviceContext,
    readonly memory: RamBlock,
    private readonly bigEndianDefault: boolean,
    readonly state: VgaState,
  ) {
    this.screen = new VgaScreen(this.state, memory);
    this.window = new VgaWindow(this.state, memory);
    const display = () => this.screen.touch();
    const remap = () => this.remap();
    this.dispi = new Dispi(this.state, memory, { display, memory: remap });
    this.registers = new VgaRegisters(this.state, { display, memory: remap, override: () => this.dispi.override() });
    this.addPorts();
    this.regions.push(
      context.mmio.add(WINDOW.BASE, WINDOW.LENGTH, this.window, { name: 'vga-lowmem', priority: WINDOW_PRIORITY }),
    );
  }

  // Behaviour

  reset(): void {
    Object.assign(this.state, new VgaState(this.memory.length), { bigEndian: this.bigEndianDefault });
    this.resume();
  }

  resume(): void {
    this.dispi.override();
    this.screen.touch();
    this.remap();
  }

  setByteOrder(bigEndian: boolean): void {
    this.state.bigEndian = bigEndian;
    this.screen.touch();
  }

  unrealize(): void {
    this.alias?.region.remove();
    this.alias = undefined;
    for (const region of this.regions) region.remove();
  }

  private addPorts(): void {
    const { ports } = this.context;
    for (const [base, length] of [
      [PORT.CRTC_MONO, 2],
      [PORT.STATUS1_MONO, 1],
      [PORT.FIRST, 16],
      [PORT.CRTC_COLOUR, 2],
      [PORT.STATUS1_COLOUR, 1],
    ] as const) {
      const handler: IoHandler = {
        read: (offset) => this.registers.read(base + offset),
        write: (offset, value) => this.registers.write(base + offset, value),
      };
      this.regions.push(ports.add(base, length, handler, { name: 'vga' }));
    }
    this.regions.push(ports.add(DISPI.PORT, 4, this.dispiPorts(), { name: 'vbe' }));
  }

  /** Index at 0x1ce, data at 0x1cf (PC) and 0x1d0; words only, other widths find nobody. */
  private dispiPorts(): IoHandler {
    return {
      sizes: [1, 2, 4],
      read: (offset, size) => {
        if (size !== 2 || offset > 2) return 2 ** (8 * size) - 1;
        return offset === 0 ? this.dispi.readIndex() : this.dispi.read();
      },
      write: (offset, value, size) => {
        if (size !== 2 || offset > 2) return;
        if (offset === 0) this.dispi.writeIndex(value);
        else this.dispi.write(value);
      },
    };
  }

  /** Where the first half of the window is plain memory it is mapped as such: 256-colour programs write it at full speed. */
  private remap(): void {
    const { state, memory } = this;
    const mapped = ((state.graphics[6]! >> 2) & 3) <= 1;
    const bank = ((state.graphics[6]! >> 2) & 3) === 1 ? state.bankOffset : 0;
    const possible = mapped && this.window.linear && bank >= 0 && bank % 4096 === 0 && bank + WINDOW.HALF <= memory.length;
    if (this.alias && possible && this.alias.bank === bank) return;
    this.alias?.region.remove();
    this.alias = undefined;
    if (!possible) return;
    const options = { name: 'vga.chain4', priority: WINDOW_PRIORITY + 1 };
    this.alias = { region: this.context.mmio.addRam(WINDOW.BASE, WINDOW.HALF, memory, bank, 'ram', options), bank };
  }
}
