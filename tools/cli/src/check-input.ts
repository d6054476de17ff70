/** What `pagurus check` and `pagurus doctor --schema` compare: dumps, streams, their descriptions, machines. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Inspection, inspectStream } from '@pagurus/migration';
import { type MachineSchema, schemaFromVmdesc, type Vmdesc } from '@pagurus/vmstate';
import { describeError } from './inspect.js';
import { openSource } from './inspect-files.js';
import { parseRunOptions } from './run-options.js';
import { type EffectiveDocument, effectiveDocument, vmstateSchema } from './schema.js';
import { stillMachine } from './schema-machine.js';
import { UsageError } from './usage-error.js';

export type CheckInput =
  | { readonly kind: 'dump'; readonly name: string; readonly schema: MachineSchema }
  /** What one stream sent. */
  | { readonly kind: 'stream'; readonly name: string; readonly schema: MachineSchema }
  | { readonly kind: 'effective'; readonly name: string; readonly document: EffectiveDocument }
  | {
      readonly kind: 'machine';
      readonly name: string;
      readonly schema: MachineSchema;
      /** With the sections that dumps do not have. */
      readonly wholeSchema: MachineSchema;
      readonly document: EffectiveDocument;
    };

const MAGIC = 'QEVM';

/**
 * Reads one side of a comparison.
 * @param text a file (`-` is standard input), or a machine as behind `-M`.
 * @param machineArguments further options of QEMU for machines.
 * @throws {UsageError} for what is neither, and for JSON of another shape.
 */
export async function readCheckInput(text: string, machineArguments: readonly string[] = []): Promise<CheckInput> {
  if (text !== '-' && !existsSync(text)) return await machineInput(text, machineArguments);
  if (text === '-' || (await startsWithMagic(text))) return await streamInput(text);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(text, 'utf8'));
  } catch (error) {
    throw new UsageError(`'${text}' is neither a migration stream nor JSON: ${(error as Error).message}`);
  }
  return jsonInput(text, value);
}

async function machineInput(text: string, machineArguments: readonly string[]): Promise<CheckInput> {
  if (/[/\\]|\.json$/.test(text)) throw new UsageError(`there is no file '${text}'`);
  const machine = await stillMachine(parseRunOptions(['-M', text, ...machineArguments]));
  return {
    kind: 'machine',
    name: text,
    schema: vmstateSchema(machine),
    wholeSchema: vmstateSchema(machine, true),
    document: effectiveDocument(machine),
  };
}

async function startsWithMagic(path: string): Promise<boolean> {
  const source = await openSource(path);
  try {
    const first = await source.read();
    return first !== undefined && Buffer.from(first.subarray(0, 4)).toString('latin1') === MAGIC;
  } finally {
    await source.close();
  }
}

async function streamInput(path: string): Promise<CheckInput> {
  const source = await openSource(path);
  let inspection: Inspection;
  try {
    inspection = await inspectStream(source);
  } finally {
    await source.close();
  }
  const { vmdesc, configuration, error } = inspection;
  if (vmdesc) return vmdescInput(configuration?.machine ?? path, vmdesc);
  throw new UsageError(
    `'${path}': ${error ? describeError(error) : 'the stream carries no description'}; pagurus doctor examines streams without one`,
  );
}

function vmdescInput(name: string, vmdesc: Vmdesc): CheckInput {
  return { kind: 'stream', name, schema: schemaFromVmdesc(vmdesc, name) };
}

/** @throws {UsageError} */
function jsonInput(path: string, value: unknown): CheckInput {
  const object = (one: unknown): one is Record<string, unknown> => typeof one === 'object' && one !== null && !Array.isArray(one);
  if (object(value)) {
    if (Array.isArray(value.devices)) return vmdescInput(path, value as unknown as Vmdesc);
    if (object(value.effective) && typeof value.machine === 'string')
      return { kind: 'effective', name: value.machine, document: value as unknown as EffectiveDocument };
    const sections = Object.entries(value);
    if (sections.length > 0 && sections.every(([, section]) => object(section) && typeof section.Name === 'string')) {
      const schema = value as MachineSchema;
      return { kind: 'dump', name: schema.vmschkmachine?.Name ?? path, schema };
    }
  }
  throw new UsageError(
    `'${path}': expected a dump of -dump-vmstate, the description of a stream, or what pagurus schema prints (vmstate, effective)`,
  );
}
