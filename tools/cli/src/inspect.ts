import {
  applyRamRecord,
  type InspectedSection,
  type Inspection,
  inspectStream,
  type SectionCatalogue,
  StreamError,
} from '@pagurus/migration';
import { ownCatalogue } from './inspect-catalogue.js';
import { BlockFiles, type CommandOutput, inflate, openSource } from './inspect-files.js';
import { inspectionJson } from './inspect-json.js';
import { formatInspection, formatSections } from './inspect-text.js';

/** `pagurus inspect STREAM [--json] [--section ID] [--ram] [--extract-ram DIR]` */
export interface InspectArguments {
  /** File, or `-` for standard input. */
  readonly stream: string;
  readonly json?: boolean;
  /** idstr, the part of it behind the last slash, or either with `#instance`. */
  readonly section?: string;
  /** Counts per block and kind of page. */
  readonly ram?: boolean;
  /** Folder for the blocks' contents. */
  readonly extractRam?: string;
  /** Descriptions of devices. Default: of all devices we have. */
  readonly catalogue?: SectionCatalogue;
}

/** Exit codes of `inspect` and `convert`. */
export const EXIT = { OK: 0, BAD_STREAM: 1, BAD_USE: 2 } as const;

/**
 * Lists what is in a stream.
 * @returns 0; 1 if the stream is broken (what is good of it has been listed); 2 if a file or the section is not there, or the folder cannot be written.
 */
export async function runInspect(args: InspectArguments, output: CommandOutput): Promise<number> {
  let source: Awaited<ReturnType<typeof openSource>>;
  try {
    source = await openSource(args.stream);
  } catch (error) {
    output.error(`pagurus inspect: cannot open '${args.stream}': ${(error as Error).message}`);
    return EXIT.BAD_USE;
  }
  let files: BlockFiles | undefined;
  let inspection: Inspection;
  try {
    if (args.extractRam !== undefined) files = new BlockFiles(args.extractRam);
    inspection = await inspectStream(source, {
      catalogue: args.catalogue ?? (await ownCatalogue()),
      observe: (event) => {
        if (!files) return;
        if (event.kind === 'ram-block') files.add(event.block.name, event.block.usedLength);
        else if (event.kind.startsWith('ram-')) applyRamRecord(event as Parameters<typeof applyRamRecord>[0], files, -1, inflate);
      },
    });
  } catch (error) {
    output.error(`pagurus inspect: ${describeError(error)}`);
    return EXIT.BAD_USE;
  } finally {
    files?.close();
    await source.close();
  }
  const sections = args.section === undefined ? undefined : sectionsNamed(inspection, args.section);
  if (sections?.length === 0 && !inspection.error) {
    output.error(
      `pagurus inspect: no section '${args.section}' in '${args.stream}'; there are: ${sectionNames(inspection).join(' ')}`,
    );
    return EXIT.BAD_USE;
  }
  const text = { ram: args.ram ?? false, wholeBuffers: sections !== undefined };
  if (args.json) output.out(`${inspectionJson(inspection, sections)}\n`);
  else output.out(`${sections ? formatSections(sections, text) : formatInspection(inspection, text)}\n`);
  for (const warning of inspection.warnings) output.error(`pagurus inspect: note: ${warning}`);
  for (const [block, path] of files?.paths ?? []) output.error(`pagurus inspect: RAM block '${block}' is in ${path}`);
  for (const problem of inspection.problems) output.error(`pagurus inspect: ${args.stream}: ${describeError(problem)}`);
  if (!inspection.error) return inspection.problems.length > 0 ? EXIT.BAD_STREAM : EXIT.OK;
  output.error(`pagurus inspect: ${args.stream}: ${describeError(inspection.error)}`);
  return EXIT.BAD_STREAM;
}

/** One line for any failure. */
export function describeError(error: unknown): string {
  return error instanceof StreamError
    ? `${error.message} [${error.code}]`
    : error instanceof Error
      ? error.message
      : String(error);
}

function sectionsNamed(inspection: Inspection, wanted: string): InspectedSection[] {
  const [, name = wanted, instance] = /^(.*?)(?:#(\d+))?$/.exec(wanted) ?? [];
  return sectionsOf(inspection).filter(
    (section) =>
      (section.name === name || section.name.slice(section.name.lastIndexOf('/') + 1) === name) &&
      (instance === undefined || section.instance === Number(instance)),
  );
}

function sectionsOf(inspection: Inspection): InspectedSection[] {
  return inspection.entries.filter((entry) => entry.kind === 'section');
}

function sectionNames(inspection: Inspection): string[] {
  return [...new Set(sectionsOf(inspection).map((section) => section.name))];
}
