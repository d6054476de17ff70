import { HostError } from '../errors.js';

/** Where a migration comes from or goes to, as QEMU writes it. */
export type MigrationUri =
  | { readonly transport: 'tcp'; readonly host: string; readonly port: number }
  | { readonly transport: 'unix'; readonly path: string }
  | { readonly transport: 'file'; readonly path: string; readonly offset: number }
  | { readonly transport: 'exec'; readonly command: string }
  | { readonly transport: 'fd'; readonly descriptor: number };

const FORMS = 'tcp:HOST:PORT, unix:PATH, file:PATH[,offset=N], exec:COMMAND or fd:NUMBER';

/**
 * Parses a migration URI.
 * @throws {HostError} `syntax` naming the URI and what was expected, `unsupported` for QEMU's vsock and rdma.
 */
export function parseMigrationUri(uri: string): MigrationUri {
  const bad = (expected: string): HostError => new HostError('syntax', `invalid migration URI '${uri}': expected ${expected}`);
  const colon = uri.indexOf(':');
  const rest = uri.slice(colon + 1);
  switch (colon < 0 ? '' : uri.slice(0, colon)) {
    case 'tcp': {
      const { host, port } = parseHostPort(rest, (expected) => bad(`tcp:HOST:PORT, ${expected}`));
      return { transport: 'tcp', host, port };
    }
    case 'unix':
      if (rest === '') throw bad('unix:PATH');
      return { transport: 'unix', path: rest };
    case 'file': {
      const match = /^(.*?)(?:,offset=(.*))?$/s.exec(rest)!;
      if (match[1] === '') throw bad('file:PATH[,offset=N]');
      const offset = match[2] === undefined ? 0 : Number(match[2] === '' ? Number.NaN : match[2]);
      if (!Number.isSafeInteger(offset) || offset < 0) throw bad('a number of bytes behind offset=');
      return { transport: 'file', path: match[1]!, offset };
    }
    case 'exec':
      if (rest.trim() === '') throw bad('exec:COMMAND');
      return { transport: 'exec', command: rest };
    case 'fd':
      if (!/^\d{1,6}$/.test(rest)) throw bad('fd:NUMBER, an open file descriptor of this process');
      return { transport: 'fd', descriptor: Number(rest) };
    case 'vsock':
    case 'rdma':
      throw new HostError('unsupported', `migration URI '${uri}': this host has no ${uri.slice(0, colon)}; use ${FORMS}`);
    default:
      throw bad(FORMS);
  }
}

/** `HOST:PORT`, `[V6]:PORT` or `:PORT` (any address). */
export function parseHostPort(text: string, bad: (expected: string) => HostError): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? -1);
  if (!match || port < 0 || port > 65535) throw bad('a port between 0 and 65535 behind the last colon');
  return { host: match[1] ?? match[2] ?? '', port };
}

export function formatMigrationUri(uri: MigrationUri): string {
  switch (uri.transport) {
    case 'tcp':
      return `tcp:${uri.host.includes(':') ? `[${uri.host}]` : uri.host}:${uri.port}`;
    case 'unix':
      return `unix:${uri.path}`;
    case 'file':
      return `file:${uri.path}${uri.offset === 0 ? '' : `,offset=${uri.offset}`}`;
    case 'exec':
      return `exec:${uri.command}`;
    case 'fd':
      return `fd:${uri.descriptor}`;
  }
}
