import { Hub, parseAddress, UserNetwork, type UserNetworkOptions } from '@pagurus/dev-net';
import type { NetworkBackend } from '@pagurus/device-model';
import {
  datagramNetwork,
  type HostForward,
  hostNetwork,
  listenStreams,
  NamedOptions,
  type NetdevSpec,
  NetworkGate,
  parseNetdev,
  splitCommas,
  streamNetwork,
  tftpFolder,
} from '@pagurus/host-node';
import type { DeviceArguments } from '@pagurus/machine';
import { UsageError } from './usage-error.js';

/** `-nic`: a network and the card on it. */
interface NicOption {
  readonly netdev: NetdevSpec;
  readonly device: DeviceArguments;
}

/** Networks of a run, opened. */
export interface Networks {
  /** By id, for devices that name them. */
  readonly byId: Readonly<Record<string, NetworkBackend>>;
  /** Lines of `info network`. */
  describe(): string[];
  setRunning(running: boolean): void;
  close(): void;
}

/** QEMU's card addresses: 52:54:00:12:34:56 and on. */
const FIRST_MAC = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56] as const;
const CARDS = ['e1000', 'ne2k_pci', 'ne2k_isa'];
const LARGEST_PREFIX = 30;
/** The name in a DHCP answer. */
const BOOT_FILE_MOST = 127;

/** `-nic KIND,model=…,mac=…,…`: what is not about the card belongs to the network. @throws {UsageError} {@link HostError} */
function parseNic(text: string, index: number, defaultModel: string | undefined): NicOption {
  const [kind = '', ...rest] = splitCommas(text);
  const about = (part: string): boolean => /^(model|mac|addr)=/.test(part);
  const card = new NamedOptions(`-nic ${text}`, rest.filter(about));
  const [model, mac, addr] = [card.text('model') ?? defaultModel, card.text('mac'), card.text('addr')];
  if (model === undefined) throw new UsageError(`-nic ${text}: the machine has no usual card; expected model=${CARDS.join('|')}`);
  if (!CARDS.includes(model))
    throw new UsageError(`-nic ${text}: model '${model}' is not available; expected ${CARDS.join(', ')}`);
  const netdev = parseNetdev(
    '-nic',
    [kind, ...rest.filter((part) => !about(part))].map((part) => part.replaceAll(',', ',,')).join(','),
    `#net${index}`,
  );
  return {
    netdev,
    device: {
      driver: model,
      board: true,
      ...(addr === undefined ? {} : { addr }),
      properties: { netdev: netdev.id, ...(mac === undefined ? {} : { mac }) },
    },
  };
}

/**
 * The networks and cards of a command line: `-nic`'s before `-device`'s; where nobody speaks of networks, a PC has its usual card on a user network.
 * @param model the machine's usual card.
 */
export function networkPlan(
  options: {
    readonly netdevs: readonly NetdevSpec[];
    readonly nics: readonly string[] | undefined;
    readonly noDefaults: boolean;
    readonly devices: readonly DeviceArguments[];
  },
  model: string | undefined,
): { readonly netdevs: readonly NetdevSpec[]; readonly devices: readonly DeviceArguments[] } {
  const usual = model === undefined || options.noDefaults || options.netdevs.length > 0 ? [] : ['user'];
  const nics = (options.nics ?? usual).map((text, index) => parseNic(text, index, model));
  return {
    netdevs: [...options.netdevs, ...nics.map(({ netdev }) => netdev)],
    devices: withMacs([...nics.map(({ device }) => device), ...options.devices]),
  };
}

/** Addresses for cards that were given none, in the order of the command line. */
function withMacs(devices: readonly DeviceArguments[]): DeviceArguments[] {
  let next = 0;
  return devices.map((device) => {
    if (!CARDS.includes(device.driver) || device.properties.mac !== undefined) return device;
    const bytes: number[] = [...FIRST_MAC];
    bytes[5]! += next++;
    const mac = bytes.map((byte) => (byte & 0xff).toString(16).padStart(2, '0')).join(':');
    return { ...device, properties: { ...device.properties, mac } };
  });
}

/** Opens what `-netdev` and `-nic` name. @throws {UsageError} {@link HostError}; nothing is left open then. */
export async function openNetworks(specs: readonly NetdevSpec[]): Promise<Networks> {
  const gates = new Map<string, NetworkGate>();
  const hubs = new Map<number, Hub>();
  const lines: (() => string)[] = [];
  const closers: (() => void)[] = [];
  const close = (): void => {
    for (const closer of closers) closer();
  };
  const plain = new Map<string, NetworkBackend>();
  try {
    for (const spec of specs) {
      if (plain.has(spec.id)) throw new UsageError(`-netdev ${spec.kind},id=${spec.id}: duplicate id '${spec.id}'`);
      if (spec.kind === 'user') {
        const network = new UserNetwork(hostNetwork, userOptions(spec));
        closers.push(() => network.close());
        for (const forward of spec.forwards) closers.push(await listenForward(network, forward, spec.id));
        plain.set(spec.id, network);
        lines.push(() => `${spec.id}: user${spec.restrict ? ', restricted' : ''}`);
      } else if (spec.kind === 'hubport') {
        const hub = hubs.get(spec.hub) ?? new Hub();
        hubs.set(spec.hub, hub);
        const port = hub.port();
        if (spec.netdev === undefined) plain.set(spec.id, port);
        else {
          const other = plain.get(spec.netdev);
          if (!other) throw new UsageError(`-netdev hubport,id=${spec.id}: no network '${spec.netdev}' before it`);
          port.connect((frame) => other.send(frame));
          other.connect((frame) => port.send(frame));
          plain.delete(spec.netdev);
        }
        lines.push(() => `${spec.id}: port of hub ${spec.hub}${spec.netdev === undefined ? '' : ` to ${spec.netdev}`}`);
      } else {
        const open =
          spec.kind === 'stream'
            ? await streamNetwork(spec.uri, spec.server)
            : await datagramNetwork(spec.remote, spec.local, spec.multicast);
        closers.push(() => open.close());
        plain.set(spec.id, open.network);
        lines.push(() => `${spec.id}: ${open.description}`);
      }
    }
    for (const [id, network] of plain) gates.set(id, new NetworkGate(id, network));
  } catch (error) {
    close();
    throw error;
  }
  return {
    byId: Object.fromEntries(gates),
    describe: () => lines.map((line) => line()),
    setRunning(running) {
      for (const gate of gates.values()) gate.setOpen(running);
    },
    close,
  };
}

function userOptions(spec: Extract<NetdevSpec, { kind: 'user' }>): UserNetworkOptions {
  const address = (name: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    const value = parseAddress(text);
    if (value === undefined)
      throw new UsageError(`-netdev user,id=${spec.id}: ${name}=${text}: expected an address such as 10.0.2.2`);
    return value;
  };
  const [net = '10.0.2.0', bits = '24'] = spec.net?.split('/') ?? [];
  if (!/^\d+$/.test(bits) || Number(bits) < 1 || Number(bits) > LARGEST_PREFIX)
    throw new UsageError(`-netdev user,id=${spec.id}: net=${spec.net}: expected a network such as 10.0.2.0/24`);
  if (Buffer.byteLength(spec.bootFile ?? '') > BOOT_FILE_MOST)
    throw new UsageError(`-netdev user,id=${spec.id}: bootfile has room for ${BOOT_FILE_MOST} bytes`);
  return {
    net: address('net', net),
    prefix: Number(bits),
    host: address('host', spec.host),
    dns: address('dns', spec.dns),
    dhcpStart: address('dhcpstart', spec.dhcpStart),
    hostName: spec.hostName,
    domainName: spec.domainName,
    restrict: spec.restrict,
    ...(spec.tftp === undefined ? {} : { tftp: tftpFolder(spec.tftp) }),
    ...(spec.bootFile === undefined ? {} : { bootFile: spec.bootFile }),
  };
}

async function listenForward(network: UserNetwork, forward: HostForward, id: string): Promise<() => void> {
  const guest = forward.guestAddress === '' ? undefined : parseAddress(forward.guestAddress);
  if (forward.guestAddress !== '' && guest === undefined)
    throw new UsageError(`-netdev user,id=${id}: hostfwd: '${forward.guestAddress}' is not an address`);
  return await listenStreams(forward.hostAddress, forward.hostPort, (open) => network.forward(open, forward.guestPort, guest));
}
