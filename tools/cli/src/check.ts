import { breaks, checkEffective, checkSchemas, type Finding } from '@pagurus/vmstate';
import { type CheckInput, readCheckInput } from './check-input.js';
import type { CommandHost } from './run.js';
import { parseMachineArguments } from './schema-options.js';
import { UsageError } from './usage-error.js';

export const CHECK_USAGE = 'SRC DST [--effective] [--json] [-device D]...';

/**
 * `pagurus check`: will the destination load what the source sends?
 * @returns the number of breaks, at most 255.
 * @throws {UsageError} and what a machine that cannot be throws.
 */
export async function runCheck(args: readonly string[], host: CommandHost): Promise<number> {
  const { flags, operands, given, passed } = parseMachineArguments('pagurus check', args, {
    flags: ['effective', 'json'],
    values: [],
  });
  if (operands.length !== 2) throw new UsageError(`pagurus check: expected ${CHECK_USAGE}`);
  if (given.has('M') || given.has('machine')) throw new UsageError(`pagurus check: machines are given as ${CHECK_USAGE}`);
  if (operands[0] === '-' && operands[1] === '-') throw new UsageError('pagurus check: only one side can be standard input');
  const source = await readCheckInput(operands[0]!, passed);
  const destination = await readCheckInput(operands[1]!, passed);
  const findings = flags.has('effective') ? compareEffective(source, destination) : compareStatic(source, destination);
  const count = breaks(findings);
  if (flags.has('json')) {
    const document = { source: source.name, destination: destination.name, breaks: count, findings };
    host.out(`${JSON.stringify(document, undefined, 2)}\n`);
  } else host.out(`${findingsText(source.name, destination.name, findings)}\n`);
  return count;
}

function compareStatic(source: CheckInput, destination: CheckInput): Finding[] {
  const stream = source.kind === 'stream' && destination.kind !== 'stream';
  const schema = (input: CheckInput) => {
    if (input.kind === 'effective')
      throw new UsageError(`'${input.name}' is an effective schema; it is compared with --effective only`);
    // A stream has sections that no dump has.
    return stream && input.kind === 'machine' ? input.wholeSchema : input.schema;
  };
  return checkSchemas(schema(source), schema(destination), { stream });
}

function compareEffective(source: CheckInput, destination: CheckInput): Finding[] {
  const effective = (input: CheckInput) => {
    if (input.kind === 'machine' || input.kind === 'effective') return input.document.effective;
    const what = input.kind === 'dump' ? 'a dump does not say how its predicates decide' : 'a stream is one state of many';
    throw new UsageError(
      `'${input.name}': ${what}; --effective takes machine names and the output of pagurus schema --format effective`,
    );
  };
  return checkEffective(effective(source), effective(destination));
}

const ORDER = { error: 0, maybe: 1, warning: 2 } as const;

/** Breaks first; a line each, and a line that counts them. */
export function findingsText(source: string, destination: string, findings: readonly Finding[]): string {
  const lines = [...findings]
    .sort((a, b) => ORDER[a.severity] - ORDER[b.severity])
    .map(({ severity, section, path, message, code }) => {
      const word = severity === 'error' ? 'break' : severity;
      const where = [section, path].filter((part, i, all) => part !== '' && part !== all[i - 1]).join(': ');
      return `${word.padEnd(8)}${where === '' ? '' : `${where}: `}${message} [${code}]`;
    });
  const count = (severity: Finding['severity']) => findings.filter((finding) => finding.severity === severity).length;
  const total = `${source} to ${destination}: ${plural(count('error'), 'break')}, ${plural(count('maybe'), 'maybe')}, ${plural(count('warning'), 'warning')}`;
  return [...lines, total].join('\n');
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 || word === 'maybe' ? '' : 's'}`;
}
