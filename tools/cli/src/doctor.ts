import { readCheckInput } from './check-input.js';
import { withCauses } from './doctor-cause.js';
import { examinedMachine, guessMachine } from './doctor-machine.js';
import { machineObjections, type Objection, schemaObjections, streamObjections } from './doctor-objections.js';
import { type Patient, readPatient } from './doctor-stream.js';
import { EXIT_CODES } from './exit-codes.js';
import { ownCatalogue } from './inspect-catalogue.js';
import { openSource } from './inspect-files.js';
import type { CommandHost } from './run.js';
import { parseMachineArguments } from './schema-options.js';
import { UsageError } from './usage-error.js';

export const DOCTOR_USAGE = 'STREAM [-M MACHINE [OPTION]... | --schema FILE] [--json]';

/**
 * `pagurus doctor`: everything that keeps a stream from being loaded, and why probably.
 * @returns 0 if nothing does, 1 otherwise.
 * @throws {UsageError} and what a machine that cannot be throws.
 */
export async function runDoctor(args: readonly string[], host: CommandHost): Promise<number> {
  const parsed = parseMachineArguments('pagurus doctor', args, { flags: ['json'], values: ['schema'] });
  const [path, ...more] = parsed.operands;
  if (path === undefined || more.length > 0) throw new UsageError(`pagurus doctor: expected ${DOCTOR_USAGE}`);
  const schemaPath = parsed.values.get('schema');
  if (schemaPath !== undefined && parsed.given.size > 0)
    throw new UsageError('pagurus doctor: expected -M or --schema, not both');
  const patient = await readStream(path);
  const { options, assumed } = guessMachine(parsed, patient.inspection);
  const machine = schemaPath === undefined ? await examinedMachine(options, patient.inspection) : undefined;
  const found = streamObjections(patient);
  if (machine) found.push(...machineObjections(patient, machine));
  else if (!patient.inspection.error) found.push(...schemaObjections(patient, await schemaOf(schemaPath!)));
  const objections = (await withCauses(found, patient, machine, options)).sort(byImportance);
  const errors = objections.filter(({ severity }) => severity === 'error').length;
  const against = machine?.machineName ?? schemaPath!;
  if (parsed.flags.has('json')) {
    const document = { stream: path, against, assumed: machine ? assumed : [], loads: errors === 0, objections };
    host.out(`${JSON.stringify(document, undefined, 2)}\n`);
  } else host.out(`${objectionsText(against, machine ? assumed : [], objections)}\n`);
  return errors === 0 ? EXIT_CODES.OK : EXIT_CODES.FAILED;
}

async function readStream(path: string): Promise<Patient> {
  let source: Awaited<ReturnType<typeof openSource>>;
  try {
    source = await openSource(path);
  } catch (error) {
    throw new UsageError(`cannot open '${path}': ${(error as Error).message}`);
  }
  try {
    return await readPatient(source, await ownCatalogue());
  } finally {
    await source.close();
  }
}

async function schemaOf(path: string) {
  const input = await readCheckInput(path);
  if (input.kind === 'dump') return input.schema;
  if (input.kind === 'machine') return input.wholeSchema;
  throw new UsageError(`--schema ${path}: expected a dump of -dump-vmstate or what pagurus schema prints`);
}

/** Errors first, in the order of the stream. */
function byImportance(a: Objection, b: Objection): number {
  const place = ({ offset }: Objection): number => (offset < 0 ? Number.POSITIVE_INFINITY : offset);
  if (a.severity !== b.severity) return a.severity === 'error' ? -1 : 1;
  return place(a) === place(b) ? 0 : place(a) - place(b);
}

function objectionsText(against: string, assumed: readonly string[], objections: readonly Objection[]): string {
  const lines = objections.flatMap(({ severity, code, section, instance, path, offset, message, expected, got, cause }) => {
    const place = [
      section === '' ? '' : `section '${section}'${instance === 0 ? '' : ` ${instance}`}`,
      path === section ? '' : path,
      offset < 0 ? '' : `offset ${offset} (0x${offset.toString(16)})`,
    ].filter((part) => part !== '');
    const values = [expected === undefined ? '' : `expected ${expected}`, got === undefined ? '' : `found ${got}`].filter(
      (part) => part !== '',
    );
    const head = [place.join(', '), message].filter((part) => part !== '').join(': ');
    return [
      `${severity.padEnd(8)}${head}${values.length > 0 ? `: ${values.join(', ')}` : ''} [${code}]`,
      ...(cause === undefined ? [] : [`        probably: ${cause}`]),
    ];
  });
  const errors = objections.filter(({ severity }) => severity === 'error').length;
  const verdict =
    errors === 0 ? `${against} loads this stream` : `${against} refuses this stream: ${errors} error${errors === 1 ? '' : 's'}`;
  return [...(assumed.length > 0 ? [`taken from the stream: ${assumed.join(', ')}`] : []), ...lines, verdict].join('\n');
}
