import { I2cBusState, NO_SLAVE } from './i2c.state.js';

/** A device on an I²C bus. */
export interface I2cSlave {
  /** 7-bit address, 0x08 to 0x77. */
  readonly address: number;
  /** Start, or repeated start, with the direction of what follows. */
  start(receive: boolean): void;
  send(byte: number): void;
  receive(): number;
  /** The master does not want another byte. */
  refuse(): void;
  stop(): void;
}

/** The bus between a host controller and its slaves. One transfer at a time. */
export class I2cBus {
  readonly state = new I2cBusState();
  private readonly slaves = new Map<number, I2cSlave>();

  /** @throws RangeError if the address is taken. */
  attach(slave: I2cSlave): void {
    if (this.slaves.has(slave.address)) throw new RangeError(`I2C address 0x${slave.address.toString(16)} is taken`);
    this.slaves.set(slave.address, slave);
  }

  detach(slave: I2cSlave): void {
    this.slaves.delete(slave.address);
  }

  /** False if nobody answers. Before a stop it is a repeated start, which stays with the present slave, as on QEMU. */
  start(address: number, receive: boolean): boolean {
    const slave = this.current ?? this.slaves.get(address);
    if (!slave) return false;
    this.state.savedAddress = slave.address;
    slave.start(receive);
    return true;
  }

  send(byte: number): void {
    this.current?.send(byte);
  }

  receive(): number {
    return this.current?.receive() ?? 0xff;
  }

  refuse(): void {
    this.current?.refuse();
  }

  stop(): void {
    this.current?.stop();
    this.state.savedAddress = NO_SLAVE;
  }

  private get current(): I2cSlave | undefined {
    return this.slaves.get(this.state.savedAddress);
  }
}
