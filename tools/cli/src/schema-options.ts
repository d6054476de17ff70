import { OPTION_TABLE, parseRunOptions, type RunOptions } from './run-options.js';
import { UsageError } from './usage-error.js';

/** Arguments of a command that takes QEMU's options for a machine besides its own. */
export interface MachineArguments {
  /** Own options that take no value and were given, without dashes. */
  readonly flags: ReadonlySet<string>;
  /** Own options with a value. */
  readonly values: ReadonlyMap<string, string>;
  /** What is no option. */
  readonly operands: readonly string[];
  /** The machine. */
  readonly machine: RunOptions;
  /** QEMU's options that were given, without dashes. */
  readonly given: ReadonlySet<string>;
  /** The same with their values, as they were given. */
  readonly passed: readonly string[];
}

/** Options of QEMU that say what a machine is; what it does (`-S`, `-incoming`, …) is of no interest to a machine that never runs. */
const MACHINE_OPTIONS: readonly string[] =
  'M machine target cpu m smp accel device global nodefaults nographic vga serial debugcon chardev name uuid'.split(' ');

/**
 * Splits a command line.
 * @param command for messages, e.g. `pagurus schema`.
 * @throws {UsageError} for an option that is neither.
 */
export function parseMachineArguments(
  command: string,
  args: readonly string[],
  own: { readonly flags: readonly string[]; readonly values: readonly string[] },
): MachineArguments {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const operands: string[] = [];
  const rest: string[] = [];
  const given = new Set<string>();
  for (let i = 0; i < args.length; i++) {
    const text = args[i]!;
    const name = text.replace(/^--?/, '');
    const value = (): string => {
      const next = args[++i];
      if (next === undefined) throw new UsageError(`${text}: expected a value behind it`);
      return next;
    };
    if (!text.startsWith('-') || text === '-') operands.push(text);
    else if (own.flags.includes(name)) flags.add(name);
    else if (own.values.includes(name)) values.set(name, value());
    else {
      const row = OPTION_TABLE.find(({ names }) => names.includes(name));
      if (!row || !MACHINE_OPTIONS.includes(name)) {
        const known = [...own.flags, ...own.values].map((option) => `--${option}`);
        throw new UsageError(
          `${command}: unknown option '${text}'; expected ${known.join(', ')} or an option that makes a machine`,
        );
      }
      given.add(name);
      rest.push(text, ...(row.value === undefined ? [] : [value()]));
    }
  }
  const machine = parseRunOptions(rest);
  if (machine.list) throw new UsageError(`${command}: lists are given by pagurus machines, devices and cpus`);
  return { flags, values, operands, machine, given, passed: rest };
}
