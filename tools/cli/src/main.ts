import { errorLine } from '@pagurus/host-node';
import { Command, CommanderError, Option } from 'commander';
import { CHECK_USAGE, runCheck } from './check.js';
import { runLock } from './check-lock.js';
import { ENCODINGS, type Encoding, runConvert } from './convert.js';
import { runDemo } from './demo.js';
import { DOCTOR_USAGE, runDoctor } from './doctor.js';
import { EXIT_CODE_TEXT, EXIT_CODES } from './exit-codes.js';
import { runInspect } from './inspect.js';
import { printCompat, printCpus, printDevice, printDevices, printMachines } from './lists.js';
import { ownProgram } from './machine-process.js';
import { type CommandHost, runCommand } from './run.js';
import { runSchema, SCHEMA_USAGE } from './schema.js';
import { VERSION } from './version.js';

const processHost: CommandHost = {
  out: (text) => void process.stdout.write(text),
  error: (line) => void process.stderr.write(`pagurus: ${line}\n`),
};

/**
 * The `pagurus` command.
 * @param args without the program's name.
 * @returns the exit code.
 */
export async function main(args: readonly string[], host: CommandHost = processHost): Promise<number> {
  try {
    // QEMU's options are words behind one dash, which no option library reads; `run` has its own table.
    const own = WITH_QEMU_OPTIONS[args[0] ?? ''];
    const [asked, ...more] = args.slice(1);
    if (own && !(own.usage && more.length === 0 && (asked === '--help' || asked === '-h')))
      return await own.run(args.slice(1), host);
    let code: number = EXIT_CODES.OK;
    await program(host, (result) => {
      code = result;
    }).parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.OK : EXIT_CODES.USAGE;
    const name = error instanceof Error ? error.name : '';
    const expected = INPUT_ERRORS.includes(name) || STREAM_ERRORS.includes(name);
    const stack = (process.env.PAGURUS_DEBUG || !expected) && error instanceof Error ? `\n${error.stack}` : '';
    host.error(errorLine(error) + stack);
    return INPUT_ERRORS.includes(name) ? EXIT_CODES.USAGE : EXIT_CODES.FAILED;
  }
}

/** Commands that take QEMU's options. */
const WITH_QEMU_OPTIONS: {
  readonly [command: string]: {
    run(args: readonly string[], host: CommandHost): Promise<number>;
    readonly doc: string;
    /** Without it the command has a help of its own. */
    readonly usage?: string;
  };
} = {
  run: { run: runCommand, doc: "run a machine, with QEMU's options (pagurus run -help)" },
  schema: {
    run: runSchema,
    doc: 'what a machine would send, as QEMU describes it, evaluated, or as JSON Schema',
    usage: SCHEMA_USAGE,
  },
  check: { run: runCheck, doc: 'would DST load what SRC sends? Exit code: the number of breaks', usage: CHECK_USAGE },
  doctor: { run: runDoctor, doc: 'everything that keeps a stream from being loaded, and why probably', usage: DOCTOR_USAGE },
};

/** Errors that say what is wrong with what was given; any other is a defect, and its stack is worth showing. */
const INPUT_ERRORS = ['UsageError', 'HostError', 'MachineError', 'PropertyError', 'BootError', 'CpuModelError'];
const STREAM_ERRORS = ['StreamError', 'StateError'];

const collect = (value: string, all: readonly string[]): string[] => [...all, value];

function program(host: CommandHost, done: (code: number) => void): Command {
  const root = new Command('pagurus')
    .description('A PC whose state outlives the program that wrote it. Speaks QEMU: options, machine names, migration streams.')
    .version(VERSION)
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => host.out(text),
      writeErr: (text) => host.error(text.trimEnd()),
      outputError: (text, write) =>
        write(
          text
            .replace(/^error: /, '')
            .replaceAll('\n', ' ')
            .trimEnd(),
        ),
    })
    .addHelpText('after', `\n${EXIT_CODE_TEXT}`);
  const json = (): Option => new Option('--json', 'machine-readable output, and nothing else, on standard output');
  const list = (options: { json?: boolean }) => ({ json: options.json ?? false, out: host.out });
  const lines = { out: host.out, error: (text: string) => host.error(text.replace(/^pagurus /, '')) };

  for (const [name, { doc, usage = '[options...]' }] of Object.entries(WITH_QEMU_OPTIONS))
    root.command(name).description(doc).usage(usage).allowUnknownOption().argument('[options...]');
  root
    .command('inspect')
    .description('show what is in a migration stream, field by field')
    .argument('<stream>', 'file, or - for standard input')
    .addOption(json())
    .option('--section <id>', 'only this section: name, last part of its name, either with #instance')
    .option('--ram', 'count pages by block and kind')
    .option('--extract-ram <folder>', "write the blocks' contents into a folder")
    .action(async (stream: string, options: { json?: boolean; section?: string; ram?: boolean; extractRam?: string }) => {
      done(await runInspect({ stream, ...options }, lines));
    });
  root
    .command('convert')
    .description('re-encode a migration stream, or rewrite it for another machine version')
    .argument('<in>', 'stream in any encoding, or - for standard input')
    .argument('<out>', 'file, or - for standard output')
    .addOption(new Option('--to <format>', 'what to write').choices([...ENCODINGS]).makeOptionMandatory())
    .option('--machine <machine>', 'rewrite for this machine type')
    .option('--from <machine>', 'the machine type that the stream comes from, where it does not say')
    .option('--filter <module>', 'apply the filters that this module exports; may be given several times', collect, [])
    .action(
      async (
        input: string,
        out: string,
        { filter, ...options }: { to: Encoding; machine?: string; from?: string; filter: string[] },
      ) => {
        done(await runConvert({ input, output: out, filters: filter, ...options }, lines));
      },
    );
  root
    .command('machines')
    .description('list machine types')
    .addOption(json())
    .option('--compat <machine>', 'what the version of this machine changes')
    .action((options: { json?: boolean; compat?: string }) => {
      if (options.compat === undefined) printMachines(list(options));
      else printCompat(options.compat, list(options));
    });
  root
    .command('devices')
    .description('list device types, or the properties of one')
    .argument('[device]')
    .addOption(json())
    .action((device: string | undefined, options: { json?: boolean }) => {
      if (device === undefined) printDevices(list(options));
      else printDevice(device, list(options));
    });
  root
    .command('cpus')
    .description('list CPU models')
    .addOption(json())
    .addOption(new Option('--target <target>', 'whose').choices(['i386', 'x86_64']).default('i386'))
    .action((options: { json?: boolean; target: 'i386' | 'x86_64' }) => printCpus(options.target, list(options)));
  root
    .command('lock')
    .description('write, or compare, the lock of what the devices of a package send')
    .argument('[folder]', 'of the built package', '.')
    .option('--check', 'compare only; differences are an error')
    .action(async (folder: string, options: { check?: boolean }) => {
      done(await runLock({ folder, check: options.check ?? false }, host));
    });
  root
    .command('demo')
    .description('boot the embedded guest and move it, running, to another process')
    .addOption(json())
    .option('--interactive', 'leave the guest at its prompt afterwards')
    .action(async (options: { json?: boolean; interactive?: boolean }) => {
      const { interactive = false, json: machineReadable = false } = options;
      done(await runDemo({ interactive, json: machineReadable, program: ownProgram() }, host));
    });
  return root;
}
