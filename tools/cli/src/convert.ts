import { rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type ByteSink,
  type ByteSource,
  catalogueOf,
  channelPair,
  type EventHandler,
  type EventSink,
  inspectStream,
  JsonEncoder,
  looksLikeJson,
  parseJson,
  parseStream,
  type RewriteOptions,
  Rewriter,
  type SectionCatalogue,
  StreamEncoder,
} from '@pagurus/migration';
import { type Filter, type Provenance, StateError } from '@pagurus/vmstate';
import { BerEncoder, looksLikeBer, parseBer } from './convert-ber.js';
import { MachineRewriteError, machineOf, machineRewrite, type StreamSection } from './convert-machine.js';
import { describeError, EXIT } from './inspect.js';
import { ownCatalogue } from './inspect-catalogue.js';
import { type CommandOutput, openSink, openSource } from './inspect-files.js';

export const ENCODINGS = ['qemu', 'json', 'ber'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** `pagurus convert IN OUT --to qemu|json|ber [--machine M [--from M]] [--filter F.mjs]...` */
export interface ConvertArguments {
  /** A stream in any encoding; `-` is standard input. */
  readonly input: string;
  /** `-` is standard output. */
  readonly output: string;
  readonly to: Encoding;
  /** Rewrites the stream for this machine type. */
  readonly machine?: string | undefined;
  /** The machine type that the stream comes from, where it does not say: its devices are described as they were in that version. */
  readonly from?: string | undefined;
  /** Modules that export filters by default, one or a list; applied in order, before the rewriting for a machine. */
  readonly filters?: readonly string[] | undefined;
  /** Descriptions of devices. Default: of all devices we have. */
  readonly catalogue?: SectionCatalogue;
}

/**
 * Reads a stream in any encoding and writes it in any, rewritten on the way if that is asked for. OUT appears only when it is complete.
 * @returns 0; 1 if the input is broken or cannot be rewritten; 2 if a file cannot be opened.
 * @throws {UsageError} for a machine that cannot be.
 */
export async function runConvert(args: ConvertArguments, output: CommandOutput): Promise<number> {
  const failed = (error: unknown, code: number): number => {
    output.error(`pagurus convert: ${code === EXIT.BAD_USE ? '' : `${args.input}: `}${describeError(error)}`);
    return code;
  };
  let modules: Filter[];
  try {
    modules = (await Promise.all((args.filters ?? []).map(loadFilters))).flat();
    if ((args.machine ?? args.from) !== undefined && args.input === '-')
      throw new Error('--machine and --from read the stream twice: expected a file, not standard input');
  } catch (error) {
    return failed(error, EXIT.BAD_USE);
  }
  let catalogue = args.catalogue ?? (await ownCatalogue());
  let rewrite: RewriteOptions | undefined = modules.length > 0 ? { filters: modules } : undefined;
  if ((args.machine ?? args.from) !== undefined) {
    try {
      if (args.from !== undefined) {
        const { inspection } = await survey(args.input, catalogue, undefined);
        catalogue = catalogueOf(await machineOf(args.from, inspection));
      }
      if (args.machine === undefined) return await write(args, { catalogue, rewrite }, output, failed);
      const { inspection, sections } = await survey(args.input, catalogue, rewrite);
      const { options, notes } = await machineRewrite({ inspection, sections, from: args.from, to: args.machine });
      rewrite = { ...options, filters: [...modules, ...options.filters] };
      for (const note of notes) output.error(`pagurus convert: note: ${note}`);
    } catch (error) {
      if (error instanceof MachineRewriteError || isStreamError(error)) return failed(error, EXIT.BAD_STREAM);
      if ((error as NodeJS.ErrnoException).code !== undefined) return failed(error, EXIT.BAD_USE);
      throw error;
    }
  }
  return write(args, { catalogue, rewrite }, output, failed);
}

interface Plan {
  readonly catalogue: SectionCatalogue;
  readonly rewrite: RewriteOptions | undefined;
}

async function write(
  { input, output: path, to }: ConvertArguments,
  { catalogue, rewrite }: Plan,
  output: CommandOutput,
  failed: (error: unknown, code: number) => number,
): Promise<number> {
  const partial = path === '-' ? '-' : `${path}.partial`;
  const opened: { close(): Promise<void> }[] = [];
  let source: Awaited<ReturnType<typeof openSource>>;
  let sink: Awaited<ReturnType<typeof openSink>>;
  try {
    source = await openSource(input);
    opened.push(source);
    sink = await openSink(partial);
  } catch (error) {
    for (const file of opened) await file.close();
    return failed(error, EXIT.BAD_USE);
  }
  try {
    const encoder = encoderOf(to, sink);
    const provenance = await parseAny(source, catalogue, rewrite, (event) => encoder.write(event));
    await encoder.end();
    await sink.close();
    if (partial !== '-') await rename(partial, path);
    for (const { filter, section, text } of provenance) output.error(`pagurus convert: ${filter}: ${section}: ${text}`);
    return EXIT.OK;
  } catch (error) {
    await sink.close().catch(() => undefined);
    if (partial !== '-') await rm(partial, { force: true });
    return failed(error, EXIT.BAD_STREAM);
  } finally {
    await source.close();
  }
}

function encoderOf(to: Encoding, sink: ByteSink): EventSink {
  switch (to) {
    case 'qemu':
      return new StreamEncoder(sink);
    case 'json':
      return new JsonEncoder(sink);
    case 'ber':
      return new BerEncoder(sink);
  }
}

/** Reads events in whatever encoding they are. @returns what the filters did. */
async function parseAny(
  source: ByteSource,
  catalogue: SectionCatalogue,
  rewrite: RewriteOptions | undefined,
  handle: EventHandler,
): Promise<readonly Provenance[]> {
  const input = await peeked(source);
  const rewriter = rewrite && new Rewriter(rewrite, handle);
  const next: EventHandler = rewriter ? (event) => rewriter.write(event) : handle;
  if (looksLikeJson(input.first)) await parseJson(input.source, next);
  else if (looksLikeBer(input.first)) await parseBer(input.source, next);
  else await parseStream(input.source, next, { catalogue });
  await rewriter?.end();
  return rewriter?.provenance ?? [];
}

/** What is in a stream after the filters: the walk, and the device sections. */
async function survey(path: string, catalogue: SectionCatalogue, rewrite: RewriteOptions | undefined) {
  const source = await openSource(path);
  try {
    const [near, far] = channelPair();
    const encoder = new StreamEncoder(near);
    const sections: StreamSection[] = [];
    let open: { readonly idstr: string; readonly instance: number } = { idstr: '', instance: 0 };
    const reading = parseAny(source, catalogue, rewrite, (event) => {
      if (event.kind === 'section') open = event;
      else if (event.kind === 'state') sections.push({ idstr: open.idstr, instance: open.instance, node: event.node });
      return encoder.write(event);
    }).then(
      () => encoder.end(),
      (error: unknown) => {
        near.close();
        throw error;
      },
    );
    const [inspection] = await Promise.allSettled([inspectStream(far, { catalogue }), reading]).then(async ([walked]) => {
      await reading;
      if (walked.status === 'rejected') throw walked.reason;
      return [walked.value];
    });
    return { inspection: inspection!, sections };
  } finally {
    await source.close();
  }
}

/** @throws {Error} with the module's name where it exports no filters. */
async function loadFilters(path: string): Promise<Filter[]> {
  const { default: exported } = (await import(pathToFileURL(resolve(path)).href)) as { default?: Filter | readonly Filter[] };
  const filters = Array.isArray(exported) ? (exported as readonly Filter[]) : [exported as Filter | undefined];
  return filters.map((filter, i) => {
    if (typeof filter?.name !== 'string' || !Array.isArray(filter.steps))
      throw new Error(`--filter ${path}: expected a default export of { name, steps }, or a list of such; number ${i} is none`);
    return filter;
  });
}

function isStreamError(error: unknown): boolean {
  return error instanceof StateError || (error instanceof Error && error.name === 'StreamError');
}

/** The first bytes of a source, and a source that still begins with them. */
async function peeked(source: ByteSource): Promise<{ first: Uint8Array; source: ByteSource }> {
  const chunk = await source.read();
  let pending: Uint8Array | undefined = chunk;
  return {
    first: chunk?.slice(0, 16) ?? new Uint8Array(0),
    source: {
      async read() {
        if (pending === undefined) return source.read();
        const first = pending;
        pending = undefined;
        return first;
      },
    },
  };
}
