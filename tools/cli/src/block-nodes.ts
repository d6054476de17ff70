import { IMAGE_FORMATS, type ImageFormat } from '@pagurus/block';
import { parseSize, splitCommas } from '@pagurus/host-node';
import { type DriveSpec, lockingFlag, plainDrive } from './drive-spec.js';
import { UsageError } from './usage-error.js';

/** One `-blockdev`: a format over a protocol, or a protocol for another to build upon. */
export interface BlockNode {
  readonly what: string;
  readonly name: string;
  /** With dots where QEMU's options have members. */
  readonly options: Readonly<Record<string, string>>;
}

const PROTOCOLS = ['file', 'http', 'https'];
const NULLS = ['null-co', 'null-aio'];
/** Known by name, without effect here. */
const IGNORED = [
  'auto-read-only',
  'cache.direct',
  'aio',
  'discard',
  'detect-zeroes',
  'read-zeroes',
  'latency-ns',
  'lazy-refcounts',
  'sslverify',
];

/** `-blockdev driver=qcow2,node-name=N,file.driver=file,file.filename=F`, or the same as JSON. @throws {UsageError} */
export function parseBlockdev(text: string): BlockNode {
  const what = `-blockdev ${text}`;
  const options: Record<string, string> = {};
  if (text.startsWith('{')) flatten(json(what, text), '', options);
  else
    for (const part of splitCommas(text)) {
      const equals = part.indexOf('=');
      if (equals < 0) throw new UsageError(`${what}: '${part}': expected name=value`);
      options[part.slice(0, equals)] = part.slice(equals + 1);
    }
  const name = options['node-name'];
  if (!name) throw new UsageError(`${what}: expected node-name=`);
  return { what, name, options };
}

function json(what: string, text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch (error) {
    throw new UsageError(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function flatten(value: object, prefix: string, into: Record<string, string>): void {
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry === 'object' && entry !== null) flatten(entry, `${prefix}${key}.`, into);
    else if (typeof entry === 'boolean') into[prefix + key] = entry ? 'on' : 'off';
    else into[prefix + key] = String(entry);
  }
}

/** The images of all nodes that no other node builds upon, as drives of no interface. @throws {UsageError} */
export function drivesOfNodes(nodes: readonly BlockNode[]): readonly DriveSpec[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  if (byName.size < nodes.length) {
    const twice = nodes.find(({ name }, i) => nodes.findIndex((other) => other.name === name) !== i)!;
    throw new UsageError(`${twice.what}: duplicate node-name '${twice.name}'`);
  }
  const used = new Set(nodes.flatMap(({ options }) => (options.file === undefined ? [] : [options.file])));
  return nodes.filter(({ name }) => !used.has(name)).map((node) => driveOf(node, byName));
}

function driveOf(node: BlockNode, all: ReadonlyMap<string, BlockNode>): DriveSpec {
  const top = new NodeOptions(node.what, node.options);
  const driver = top.needed('driver');
  const readOnly = top.flag('read-only', false);
  if (!IMAGE_FORMATS.includes(driver as ImageFormat)) return protocol(node, driver, top, { readOnly, format: 'raw' });
  const format = driver as ImageFormat;
  const noFlush = top.flag('cache.no-flush', false);
  if (top.take('backing') !== undefined)
    throw new UsageError(`${node.what}: backing= is not available; the image's header names it`);
  const reference = top.take('file');
  let below: { readonly node: BlockNode; readonly options: NodeOptions };
  if (reference !== undefined) {
    const found = all.get(reference);
    if (!found) throw new UsageError(`${node.what}: no node '${reference}'`);
    below = { node: found, options: new NodeOptions(found.what, found.options) };
  } else below = { node, options: top.members('file') };
  top.done();
  const name = below.options.needed('driver');
  return protocol({ ...below.node, name: node.name }, name, below.options, { readOnly, format, noFlush });
}

function protocol(
  node: BlockNode,
  driver: string,
  options: NodeOptions,
  more: { readonly readOnly: boolean; readonly format: ImageFormat; readonly noFlush?: boolean },
): DriveSpec {
  const known = [...IMAGE_FORMATS, ...PROTOCOLS, ...NULLS].join(', ');
  if (NULLS.includes(driver)) {
    const text = options.take('size') ?? '1G';
    const nullSize = parseSize(text);
    if (nullSize === undefined) throw new UsageError(`${node.what}: size=${text}: expected a size such as 512, 64k or 1G`);
    const readOnly = options.flag('read-only', more.readOnly);
    options.done();
    return plainDrive(node.what, '', { interface: 'none', id: node.name, readOnly, nullSize });
  }
  if (!PROTOCOLS.includes(driver))
    throw new UsageError(`${node.what}: driver '${driver}' is not available here; there are ${known}`);
  const file = options.needed(driver === 'file' ? 'filename' : 'url');
  const spec = plainDrive(node.what, file, {
    interface: 'none',
    id: node.name,
    format: more.format,
    readOnly: options.flag('read-only', false) || more.readOnly || driver !== 'file',
    noFlush: options.flag('cache.no-flush', false) || more.noFlush === true,
    locking: lockingFlag(options.take('locking'), node.what),
  });
  options.done();
  return spec;
}

/** A node's options, each asked for by name. */
class NodeOptions {
  private readonly left: Map<string, string>;

  constructor(
    private readonly what: string,
    options: Readonly<Record<string, string>>,
  ) {
    this.left = new Map(Object.entries(options));
    this.left.delete('node-name');
    for (const name of IGNORED) this.left.delete(name);
  }

  take(name: string): string | undefined {
    const value = this.left.get(name);
    this.left.delete(name);
    return value;
  }

  needed(name: string): string {
    const value = this.take(name);
    if (!value) throw new UsageError(`${this.what}: expected ${name}=`);
    return value;
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.take(name) ?? (otherwise ? 'on' : 'off');
    if (value !== 'on' && value !== 'off') throw new UsageError(`${this.what}: ${name}=${value}: expected on or off`);
    return value === 'on';
  }

  /** The options below `name.`. */
  members(name: string): NodeOptions {
    const own = [...this.left].filter(([key]) => key.startsWith(`${name}.`));
    for (const [key] of own) this.left.delete(key);
    return new NodeOptions(this.what, Object.fromEntries(own.map(([key, value]) => [key.slice(name.length + 1), value])));
  }

  done(): void {
    for (const name of this.left.keys()) throw new UsageError(`${this.what}: unknown option '${name}'`);
  }
}
