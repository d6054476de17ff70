import { type Device, defineDevice, PropertyError, section } from '@pagurus/device-model';
import type { I2cBus, I2cSlave } from './i2c.js';
import { EEPROM_SIZE, SMBUS_MODE, SmbusEepromState, smbusEepromVmState } from './smbus-eeprom.state.js';

export interface SmbusEepromProperties {
  address: number;
  migrated: boolean;
}

/**
 * A 256-byte memory on the SMBus, as a memory module carries it. Backends: `smbus`, the bus; `contents` (Uint8Array), what it holds
 * at power-on, default zeros.
 */
export const smbusEeprom = defineDevice<SmbusEepromProperties>({
  type: 'smbus-eeprom',
  doc: 'serial presence detect memory on the SMBus',
  bus: 'system',
  parents: ['smbus-device', 'i2c-slave'],
  properties: {
    address: { name: 'address', type: 'uint8', default: 0x50, doc: '7-bit address on the bus' },
    migrated: {
      name: 'x-smbus-migration',
      type: 'bool',
      default: true,
      doc: 'send the memory once it was used; off up to machine 3.1',
    },
  },
  create(ctx, props): Device {
    // wiring
    const bus = ctx.backend<I2cBus>('smbus');
    if (!bus) throw new PropertyError('smbus-eeprom', 'bus', 'needs an SMBus');
    const contents = ctx.backend<Uint8Array>('contents');

    // state
    const state = new SmbusEepromState();

    // behaviour
    const slave: I2cSlave = {
      address: props.address,
      start(receive) {
        if (!receive) state.mode = state.mode === SMBUS_MODE.IDLE ? SMBUS_MODE.WRITE : SMBUS_MODE.CONFUSED;
        else if (state.mode === SMBUS_MODE.IDLE) state.mode = SMBUS_MODE.READ;
        else if (state.mode === SMBUS_MODE.WRITE && state.bufferLength > 0) {
          write();
          state.mode = SMBUS_MODE.READ;
        } else state.mode = SMBUS_MODE.CONFUSED;
      },
      send(byte) {
        if (state.mode !== SMBUS_MODE.WRITE || state.bufferLength >= state.buffer.length) return;
        state.buffer[state.bufferLength++] = byte;
      },
      receive() {
        if (state.mode !== SMBUS_MODE.READ) return 0xff;
        state.accessed = true;
        const byte = state.data[state.offset]!;
        state.offset = (state.offset + 1) % EEPROM_SIZE;
        return byte;
      },
      refuse() {
        if (state.mode === SMBUS_MODE.READ) state.mode = SMBUS_MODE.DONE;
      },
      stop() {
        if (state.mode === SMBUS_MODE.WRITE && state.bufferLength > 0) write();
        state.mode = SMBUS_MODE.IDLE;
        state.bufferLength = 0;
      },
    };
    bus.attach(slave);

    /** The first byte says where, the others what. */
    function write(): void {
      state.accessed = true;
      state.offset = state.buffer[0]!;
      for (let i = 1; i < state.bufferLength; i++) {
        state.data[state.offset] = state.buffer[i]!;
        state.offset = (state.offset + 1) % EEPROM_SIZE;
      }
    }

    return {
      sections: [section(smbusEepromVmState(props.migrated), state)],
      reset() {
        Object.assign(state, new SmbusEepromState(), { address: props.address });
        state.data.set(contents?.subarray(0, EEPROM_SIZE) ?? []);
      },
      unrealize: () => bus.detach(slave),
    };
  },
});
