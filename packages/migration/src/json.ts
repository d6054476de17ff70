import { fromBase64, toBase64 } from './base64.js';
import type { Command } from './command.js';
import type { Configuration, ConfigurationSubsection } from './configuration.js';
import type { DecodedBy, SectionType, StreamEvent } from './events.js';
import { PAGE_SIZE } from './format.js';
import {
  arrayAt,
  bigintAt,
  booleanAt,
  hexAt,
  jsonError,
  nodeFromJson,
  nodeToJson,
  numberAt,
  objectAt,
  stringAt,
} from './json-values.js';
import type { MappedRamHeader, RamBlockInfo, RamRecord } from './ram-records.js';
import { decodeXbzrle, encodeXbzrleRuns, XbzrleError } from './xbzrle.js';

/*
 * A stream as JSON, lossless and readable line by line, so that neither writer nor reader holds it whole:
 *
 *     {"format": "pagurus-stream", "version": 1, "events": [
 *     {"kind": "header", "version": 3},
 *     …
 *     ]}
 */

export const JSON_OPENING = '{"format": "pagurus-stream", "version": 1, "events": [';
export const JSON_CLOSING = ']}';

/** An event as a JSON value. Offsets, printed values and everything else that follows from the rest is left out. */
export function eventToJson(event: StreamEvent): object {
  switch (event.kind) {
    case 'configuration':
      return { kind: event.kind, ...event.configuration };
    case 'command':
      return { kind: event.kind, command: commandToJson(event.command) };
    case 'package':
      return { kind: event.kind, size: event.size };
    case 'section': {
      const { kind, type, sectionId, idstr, instance, version } = event;
      return { kind, type, sectionId, idstr, instance, version };
    }
    case 'state':
      return { kind: event.kind, decodedBy: event.decodedBy, node: nodeToJson(event.node) };
    case 'eof':
      return { kind: event.kind };
    case 'vmdesc':
      return { kind: event.kind, declaredLength: event.declaredLength, text: event.text };
    case 'trailing':
      return { kind: event.kind, data: toBase64(event.bytes) };
    case 'header':
    case 'section-end':
    case 'package-end':
      return event;
    default:
      return recordToJson(event);
  }
}

function recordToJson(record: RamRecord): object {
  if (record.kind === 'ram-block') return { kind: record.kind, ...blockToJson(record.block) };
  if (!('block' in record)) return record;
  const page = { kind: record.kind, block: record.block.name, offset: record.offset };
  switch (record.kind) {
    case 'ram-zero':
      return { ...page, continued: record.continued, byte: record.byte };
    case 'ram-page':
      return { ...page, continued: record.continued, data: toBase64(record.bytes) };
    case 'ram-compressed':
      return { ...page, continued: record.continued, data: toBase64(record.data) };
    case 'ram-mapped':
      return { ...page, stored: record.stored, data: toBase64(record.bytes) };
    case 'ram-xbzrle':
      return { ...page, continued: record.continued, ...deltaToJson(record.delta) };
  }
}

/** Runs, if encoding them gives the same delta; else the delta as it is. */
function deltaToJson(delta: Uint8Array): object {
  try {
    const runs = decodeXbzrle(delta, PAGE_SIZE);
    const again = encodeXbzrleRuns(runs);
    if (again.length === delta.length && again.every((byte, i) => byte === delta[i])) {
      return { runs: runs.map((run) => [run.skip, toBase64(run.bytes)]) };
    }
  } catch (error) {
    if (!(error instanceof XbzrleError)) throw error;
  }
  return { data: toBase64(delta) };
}

function blockToJson(block: RamBlockInfo): object {
  const { name, usedLength, pageSize, address, mapped } = block;
  return {
    name,
    usedLength,
    ...(pageSize === undefined ? {} : { pageSize: pageSize.toString() }),
    ...(address === undefined ? {} : { address: address.toString() }),
    ...(mapped ? { mapped: { ...mapped, bitmap: toBase64(mapped.bitmap) } } : {}),
  };
}

function commandToJson(command: Command): object {
  if (command.name === 'POSTCOPY_ADVISE' && command.pageSizes) {
    const { ofBlocks, ofTarget } = command.pageSizes;
    return { name: command.name, pageSizes: { ofBlocks: ofBlocks.toString(), ofTarget: ofTarget.toString() } };
  }
  if (command.name !== 'POSTCOPY_RAM_DISCARD') return command;
  return {
    ...command,
    ranges: command.ranges.map(({ start, length }) => ({ start: start.toString(), length: length.toString() })),
  };
}

/** Turns JSON values back into events, in order. @throws {StreamError} `json` */
export class EventsFromJson {
  private readonly blocks = new Map<string, RamBlockInfo>();
  private count = 0;

  next(json: unknown): StreamEvent {
    const path = `events[${this.count++}]`;
    const object = objectAt(json, path);
    const kind = stringAt(object.kind, `${path}.kind`);
    const number = (key: string) => numberAt(object[key], `${path}.${key}`);
    const text = (key: string) => stringAt(object[key], `${path}.${key}`);
    const flag = (key: string) => booleanAt(object[key], `${path}.${key}`);
    const data = (key = 'data') => fromBase64(text(key)) ?? jsonError(`${path}.${key}`, 'base64');
    const page = () => ({
      block: this.blocks.get(text('block')) ?? jsonError(`${path}.block`, 'a RAM block named before'),
      offset: number('offset'),
    });
    switch (kind) {
      case 'header':
        return { kind, version: number('version') };
      case 'configuration':
        return { kind, configuration: configurationFromJson(object, path), offset: -1, length: -1 };
      case 'command':
        return { kind, command: commandFromJson(objectAt(object.command, `${path}.command`), `${path}.command`), offset: -1 };
      case 'package':
        return { kind, size: number('size'), offset: -1 };
      case 'package-end':
        return { kind };
      case 'section':
        return {
          kind,
          type: text('type') as SectionType,
          sectionId: number('sectionId'),
          idstr: text('idstr'),
          instance: number('instance'),
          version: number('version'),
          offset: -1,
        };
      case 'state':
        return {
          kind,
          decodedBy: text('decodedBy') as DecodedBy,
          node: nodeFromJson(object.node, `${path}.node`),
          values: {},
          fields: [],
        };
      case 'section-end':
        return {
          kind,
          length: object.length === -1 ? -1 : number('length'),
          footer: flag('footer'),
          sectionId: number('sectionId'),
        };
      case 'eof':
        return { kind, offset: -1 };
      case 'vmdesc':
        return { kind, declaredLength: number('declaredLength'), text: text('text'), offset: -1 };
      case 'trailing':
        return { kind, bytes: data(), offset: -1 };
      case 'ram-total':
        return { kind, total: number('total') };
      case 'ram-block': {
        const block = blockFromJson(object, path);
        this.blocks.set(block.name, block);
        return { kind, block, streamOffset: -1 };
      }
      case 'ram-eos':
      case 'ram-multifd-flush':
        return { kind };
      case 'ram-zero':
        return { kind, ...page(), continued: flag('continued'), byte: number('byte') };
      case 'ram-page':
        return { kind, ...page(), continued: flag('continued'), bytes: data() };
      case 'ram-compressed':
        return { kind, ...page(), continued: flag('continued'), data: data() };
      case 'ram-mapped':
        return { kind, ...page(), stored: flag('stored'), bytes: data() };
      case 'ram-xbzrle':
        return {
          kind,
          ...page(),
          continued: flag('continued'),
          delta: object.runs === undefined ? data() : deltaFromJson(object.runs, `${path}.runs`),
        };
      default:
        return jsonError(`${path}.kind`, 'a kind of event', kind);
    }
  }
}

function deltaFromJson(json: unknown, path: string): Uint8Array {
  const runs = arrayAt(json, path).map((run, i) => {
    const [skip, bytes] = arrayAt(run, `${path}[${i}]`);
    return {
      skip: numberAt(skip, `${path}[${i}][0]`),
      bytes: fromBase64(stringAt(bytes, `${path}[${i}][1]`)) ?? jsonError(`${path}[${i}][1]`, 'base64'),
    };
  });
  return encodeXbzrleRuns(runs);
}

function blockFromJson(object: { readonly [key: string]: unknown }, path: string): RamBlockInfo {
  const { pageSize, address, mapped } = object;
  return {
    name: stringAt(object.name, `${path}.name`),
    usedLength: numberAt(object.usedLength, `${path}.usedLength`),
    ...(pageSize === undefined ? {} : { pageSize: bigintAt(pageSize, `${path}.pageSize`) }),
    ...(address === undefined ? {} : { address: bigintAt(address, `${path}.address`) }),
    ...(mapped === undefined ? {} : { mapped: mappedFromJson(objectAt(mapped, `${path}.mapped`), `${path}.mapped`) }),
  };
}

function mappedFromJson(object: { readonly [key: string]: unknown }, path: string): MappedRamHeader {
  const number = (key: string) => numberAt(object[key], `${path}.${key}`);
  return {
    version: number('version'),
    pageSize: number('pageSize'),
    bitmapOffset: number('bitmapOffset'),
    pagesOffset: number('pagesOffset'),
    bitmap: fromBase64(stringAt(object.bitmap, `${path}.bitmap`)) ?? jsonError(`${path}.bitmap`, 'base64'),
  };
}

function configurationFromJson(object: { readonly [key: string]: unknown }, path: string): Configuration {
  const subsections = arrayAt(object.subsections, `${path}.subsections`).map((json, i): ConfigurationSubsection => {
    const at = `${path}.subsections[${i}]`;
    const subsection = objectAt(json, at);
    const version = numberAt(subsection.version, `${at}.version`);
    const name = stringAt(subsection.name, `${at}.name`);
    switch (name) {
      case 'configuration/target-page-bits':
        return { name, version, pageBits: numberAt(subsection.pageBits, `${at}.pageBits`) };
      case 'configuration/capabilities': {
        const names = arrayAt(subsection.capabilities, `${at}.capabilities`);
        return { name, version, capabilities: names.map((capability, k) => stringAt(capability, `${at}.capabilities[${k}]`)) };
      }
      case 'configuration/uuid': {
        const uuid = stringAt(subsection.uuid, `${at}.uuid`);
        if (hexAt(uuid.replaceAll('-', ''), `${at}.uuid`).length !== 16) jsonError(`${at}.uuid`, 'a UUID', uuid);
        return { name, version, uuid };
      }
      default:
        return jsonError(`${at}.name`, 'a configuration subsection', name);
    }
  });
  return { machine: stringAt(object.machine, `${path}.machine`), subsections };
}

function commandFromJson(object: { readonly [key: string]: unknown }, path: string): Command {
  const name = stringAt(object.name, `${path}.name`) as Command['name'];
  switch (name) {
    case 'OPEN_RETURN_PATH':
    case 'POSTCOPY_LISTEN':
    case 'POSTCOPY_RUN':
    case 'ENABLE_COLO':
    case 'POSTCOPY_RESUME':
    case 'SWITCHOVER_START':
      return { name };
    case 'PING':
      return { name, value: numberAt(object.value, `${path}.value`) };
    case 'PACKAGED':
      return { name, size: numberAt(object.size, `${path}.size`) };
    case 'RECV_BITMAP':
      return { name, block: stringAt(object.block, `${path}.block`) };
    case 'POSTCOPY_ADVISE': {
      if (object.pageSizes === undefined) return { name };
      const sizes = objectAt(object.pageSizes, `${path}.pageSizes`);
      return {
        name,
        pageSizes: {
          ofBlocks: bigintAt(sizes.ofBlocks, `${path}.pageSizes.ofBlocks`),
          ofTarget: bigintAt(sizes.ofTarget, `${path}.pageSizes.ofTarget`),
        },
      };
    }
    case 'POSTCOPY_RAM_DISCARD': {
      const ranges = arrayAt(object.ranges, `${path}.ranges`).map((json, i) => {
        const range = objectAt(json, `${path}.ranges[${i}]`);
        return {
          start: bigintAt(range.start, `${path}.ranges[${i}].start`),
          length: bigintAt(range.length, `${path}.ranges[${i}].length`),
        };
      });
      return {
        name,
        version: numberAt(object.version, `${path}.version`),
        block: stringAt(object.block, `${path}.block`),
        ranges,
      };
    }
    default:
      return jsonError(`${path}.name`, 'the name of a command', name);
  }
}
