import type { SocketUri } from '../channel/socket.js';
import { parseHostPort } from '../channel/uri.js';
import { HostError } from '../errors.js';
import { NamedOptions, splitCommas } from '../options.js';

/** What `-serial`, `-debugcon`, `-monitor` and `-chardev` can name. */
export type CharacterSpec =
  | { readonly kind: 'none' }
  | { readonly kind: 'null' }
  /** A page of the display that shows consoles (`-display curses`). */
  | { readonly kind: 'vc' }
  /** `mux`: shared with others, Ctrl-A escapes (`mon:stdio`, `mux=on`). */
  | { readonly kind: 'stdio'; readonly mux: boolean; readonly signal?: boolean }
  | { readonly kind: 'file'; readonly path: string; readonly append: boolean; readonly mux: boolean }
  | { readonly kind: 'pipe'; readonly path: string; readonly mux: boolean }
  | { readonly kind: 'ringbuf'; readonly size: number; readonly mux: boolean }
  | {
      readonly kind: 'socket';
      readonly uri: SocketUri;
      readonly server: boolean;
      readonly wait: boolean;
      /** Client: seconds until it tries again. */
      readonly reconnect?: number;
      readonly mux: boolean;
    }
  /** A `-chardev` by its id. */
  | { readonly kind: 'chardev'; readonly id: string };

const SHORT =
  'none, null, stdio, vc, mon:stdio, file:PATH, pipe:PATH, tcp:HOST:PORT[,server=on][,wait=off], unix:PATH[,server=on][,wait=off] or chardev:ID';
const LONG = 'null, stdio, file, pipe, ringbuf or socket';
const RING_SIZE = 65536;
const RING_MOST = 1 << 28;

function ringSize(options: NamedOptions): number {
  const size = options.size('size', RING_SIZE);
  if (size < 1 || size > RING_MOST) throw options.fail(`size=${size}: expected 1 to ${RING_MOST}`);
  return size;
}

/** What QEMU's sockets can besides. */
const NOT_HERE = ['telnet', 'websocket', 'tn3270', 'tls-creds', 'tls-authz', 'fd', 'abstract', 'logfile', 'logappend'];

function socketFlags(options: NamedOptions): { server: boolean; wait: boolean; reconnect?: number } {
  for (const name of NOT_HERE) {
    const value = options.text(name);
    if (value !== undefined && value !== 'off')
      throw new HostError('unsupported', options.fail(`'${name}' is not available`).message);
  }
  const server = options.flag('server', false);
  const reconnect = options.integer('reconnect', 0);
  const milliseconds = options.integer('reconnect-ms', 0);
  if (server && reconnect + milliseconds > 0) throw options.fail("'reconnect' is for clients, not with server=on");
  options.flag('nodelay', true);
  options.flag('delay', false);
  const seconds = reconnect + milliseconds / 1000;
  return { server, wait: options.flag('wait', server), ...(seconds > 0 ? { reconnect: seconds } : {}) };
}

/**
 * `-serial`, `-debugcon`, `-monitor`: QEMU's short form.
 * @param option for messages, e.g. `-serial`.
 * @throws {HostError}
 */
export function parseCharacter(text: string, option: string): CharacterSpec {
  const what = `${option} ${text}`;
  const colon = text.indexOf(':');
  const rest = text.slice(colon + 1);
  switch (colon < 0 ? text : text.slice(0, colon + 1)) {
    case 'none':
      return { kind: 'none' };
    case 'null':
      return { kind: 'null' };
    case 'vc':
      return { kind: 'vc' };
    case 'stdio':
      return { kind: 'stdio', mux: false };
    case 'mon:': {
      const spec = parseCharacter(rest, option);
      if (spec.kind === 'none' || spec.kind === 'null' || spec.kind === 'vc' || spec.kind === 'chardev')
        throw new HostError('syntax', `${what}: expected mon:stdio or mon: and another console`);
      return { ...spec, mux: true };
    }
    case 'file:':
      if (rest === '') break;
      return { kind: 'file', path: rest, append: false, mux: false };
    case 'pipe:':
      if (rest === '') break;
      return { kind: 'pipe', path: rest, mux: false };
    case 'chardev:':
      if (rest === '') break;
      return { kind: 'chardev', id: rest };
    case 'tcp:':
    case 'unix:': {
      const [place = '', ...entries] = splitCommas(rest);
      const options = new NamedOptions(what, entries);
      const flags = socketFlags(options);
      options.done('server, wait, nodelay, reconnect');
      if (text.startsWith('unix:')) {
        if (place === '') break;
        return { kind: 'socket', uri: { transport: 'unix', path: place }, ...flags, mux: false };
      }
      const { host, port } = parseHostPort(place, (expected) => options.fail(`expected tcp:HOST:PORT, ${expected}`));
      return { kind: 'socket', uri: { transport: 'tcp', host, port }, ...flags, mux: false };
    }
    case 'vc:':
    case 'pty':
    case 'telnet:':
    case 'udp:':
    case 'websocket:':
    case '/dev/':
      throw new HostError('unsupported', `${what}: not something this host has; expected ${SHORT}`);
    default:
  }
  throw new HostError('syntax', `${what}: expected ${SHORT}`);
}

/**
 * `-chardev KIND,id=ID,…`: QEMU's long form.
 * @throws {HostError}
 */
export function parseChardev(text: string): { id: string; spec: CharacterSpec } {
  const [kind = '', ...entries] = splitCommas(text);
  const options = new NamedOptions(`-chardev ${text}`, entries);
  const id = options.text('id');
  if (id === undefined || !/^[A-Za-z][\w.-]*$/.test(id)) throw options.fail('expected id=NAME, letters first');
  const mux = options.flag('mux', false);
  const spec = ((): CharacterSpec => {
    switch (kind) {
      case 'null':
        return { kind: 'null' };
      case 'stdio': {
        return { kind: 'stdio', mux, signal: options.flag('signal', true) };
      }
      case 'file': {
        const path = options.text('path');
        if (!path) throw options.fail('expected path=FILE');
        return { kind: 'file', path, append: options.flag('append', false), mux };
      }
      case 'pipe': {
        const path = options.text('path');
        if (!path) throw options.fail('expected path=PIPE');
        return { kind: 'pipe', path, mux };
      }
      case 'ringbuf':
      case 'memory':
        return { kind: 'ringbuf', size: ringSize(options), mux };
      case 'socket': {
        const [path, host, port] = [options.text('path'), options.text('host'), options.text('port')];
        const flags = socketFlags(options);
        if (path) return { kind: 'socket', uri: { transport: 'unix', path }, ...flags, mux };
        const place = parseHostPort(`${host ?? ''}:${port ?? ''}`, (expected) =>
          options.fail(`expected path= or host= and port=, ${expected}`),
        );
        return { kind: 'socket', uri: { transport: 'tcp', ...place }, ...flags, mux };
      }
      default:
        throw new HostError('unsupported', `-chardev ${text}: unknown kind '${kind}'; expected ${LONG}`);
    }
  })();
  options.done('the options of its kind');
  return { id, spec };
}
