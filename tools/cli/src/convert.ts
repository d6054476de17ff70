import { rename, rm } from 'node:fs/promises';
import type { ByteSource } from '@pagurus/migration';
import { convertFromJson, convertToJson, convertToQemu, looksLikeJson, type SectionCatalogue } from '@pagurus/migration';
import { describeError, EXIT } from './inspect.js';
import { ownCatalogue } from './inspect-catalogue.js';
import { type CommandOutput, openSink, openSource } from './inspect-files.js';

/** `pagurus convert IN OUT --to qemu|json` */
export interface ConvertArguments {
  /** A stream or its JSON; `-` is standard input. */
  readonly input: string;
  /** `-` is standard output. */
  readonly output: string;
  readonly to: 'qemu' | 'json';
  /** Descriptions of devices. Default: of all devices we have. */
  readonly catalogue?: SectionCatalogue;
}

/**
 * Reads a stream, in QEMU's format or in JSON, and writes it in the other or the same. OUT appears only when it is complete.
 * @returns 0; 1 if the input is broken; 2 if a file cannot be opened.
 */
export async function runConvert(args: ConvertArguments, output: CommandOutput): Promise<number> {
  const partial = args.output === '-' ? '-' : `${args.output}.partial`;
  const opened: { close(): Promise<void> }[] = [];
  try {
    const source = await openSource(args.input);
    opened.push(source);
    const sink = await openSink(partial);
    opened.push(sink);
  } catch (error) {
    for (const file of opened) await file.close();
    output.error(`pagurus convert: ${describeError(error)}`);
    return EXIT.BAD_USE;
  }
  const [source, sink] = opened as [Awaited<ReturnType<typeof openSource>>, Awaited<ReturnType<typeof openSink>>];
  try {
    const input = await peeked(source);
    const options = { catalogue: args.catalogue ?? (await ownCatalogue()) };
    if (looksLikeJson(input.first)) {
      if (args.to !== 'qemu') throw new Error(`'${args.input}' is JSON already`);
      await convertFromJson(input.source, sink);
    } else if (args.to === 'qemu') await convertToQemu(input.source, sink, options);
    else await convertToJson(input.source, sink, options);
    await sink.close();
    if (partial !== '-') await rename(partial, args.output);
    return EXIT.OK;
  } catch (error) {
    output.error(`pagurus convert: ${args.input}: ${describeError(error)}`);
    await sink.close().catch(() => undefined);
    if (partial !== '-') await rm(partial, { force: true });
    return EXIT.BAD_STREAM;
  } finally {
    await source.close();
  }
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
