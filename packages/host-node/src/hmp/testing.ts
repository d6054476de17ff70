import type { RunState, Screen } from '@pagurus/device-model';
import { HostError } from '../errors.js';
import type { MonitorTarget } from './target.js';

/** A machine that only remembers what was asked of it. For tests. */
export function fakeTarget(change: Partial<MonitorTarget> = {}): MonitorTarget & { calls: string[] } {
  const calls: string[] = [];
  const call =
    (name: string) =>
    (...args: unknown[]): void => {
      calls.push([name, ...args].join(' '));
    };
  const screen: Screen = {
    text: () => ({
      columns: 4,
      rows: 2,
      lines: ['ab  ', 'cd  '],
      attributes: new Uint8Array(8),
      cursor: { column: 1, row: 1 },
    }),
    image: () => ({ width: 2, height: 1, rgba: Uint8Array.of(255, 0, 0, 255, 0, 0, 255, 255) }),
    size: () => ({ width: 2, height: 1 }),
  };
  return {
    calls,
    version: '1.2.3',
    name: 'crab',
    machineName: 'pc-i440fx-7.2',
    runState: () => 'running' as RunState,
    stop: call('stop'),
    cont: call('cont'),
    reset: call('reset'),
    powerdown: call('powerdown'),
    quit: call('quit'),
    registers: () => 'EAX=00000000',
    deviceAdd: ({ driver, ...rest }) => void calls.push(`add ${driver} ${JSON.stringify(rest)}`),
    deviceDel: call('del'),
    objectAdd: ({ id, size }) => void calls.push(`object ${id} ${size}`),
    devices: () => [
      { id: 'rtc', type: 'mc146818rtc', path: undefined, properties: [{ name: 'base_year', value: '1980' }] },
      { id: 'pm', type: 'PIIX4_PM', path: '0000:00:01.3', properties: [] },
    ],
    regions: (space) =>
      space === 'memory'
        ? [{ base: 0n, length: 0xa0000n, name: 'pc.ram', kind: 'ram' }]
        : [{ base: 0x60n, length: 1n, name: 'i8042-data', kind: 'i/o' }],
    pci: () => [
      {
        bus: 0,
        device: 1,
        function: 3,
        kind: 'Bridge',
        vendorId: 0x8086,
        deviceId: 0x7113,
        irq: 9,
        bars: [{ index: 4, space: 'io', base: 0x700n, length: 0x40n }],
        id: 'pm',
      },
    ],
    pic: () => ['pic0: irr=00 imr=f8 isr=00'],
    roms: () => [{ address: 0xfffc0000n, length: 0x40000, name: 'bios-256k.bin' }],
    keyNames: ['ctrl', 'alt', 'delete', 'less', 'a'],
    sendKeys: (names, hold) => void calls.push(`keys ${names.join('+')} ${hold}`),
    moveMouse: call('mouse'),
    setMouseButtons: call('buttons'),
    screen: () => screen,
    networks: () => ['net0: user'],
    readMemory: (kind, address, length) => {
      calls.push(`read ${kind} ${address} ${length}`);
      return Uint8Array.from({ length }, (_, i) => (Number(address) + i) & 0xff);
    },
    instructionCount: () => 4711,
    breakAt: call('break'),
    clearBreak: call('clear'),
    migration: {
      info: () => ({ status: 'none' }),
      migrate: async (uri) => {
        calls.push(`migrate ${uri}`);
        if (uri.includes('bad')) throw new HostError('refused', 'cannot connect to tcp:bad:1: connection refused');
      },
      cancel: call('cancel'),
      incoming: async (uri) => void calls.push(`incoming ${uri}`),
      parameters: () => new Map([['downtime-limit', '300 ms']]),
      setParameter: call('parameter'),
      capabilities: () => new Map([['xbzrle', false]]),
      setCapability: call('capability'),
    },
    saveSnapshot: async (path) => void calls.push(`save ${path}`),
    loadSnapshot: async (path) => void calls.push(`load ${path}`),
    ...change,
  };
}
