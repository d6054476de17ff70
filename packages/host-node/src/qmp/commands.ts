import { writeFileSync } from 'node:fs';
import type { RunState } from '@pagurus/device-model';
import { systemError } from '../errors.js';
import { executeMonitorLine } from '../hmp/commands.js';
import type { MonitorTarget } from '../hmp/target.js';
import { dumpScreen } from '../screendump.js';
import { type Arguments, QmpError } from './arguments.js';

/** A command. Its result is the member `return` of the answer. */
export interface QmpCommand {
  readonly name: string;
  run(target: MonitorTarget, args: Arguments): unknown;
}

/** Which QEMU's protocol this is. */
export const QEMU_VERSION = { major: 10, minor: 0, micro: 0 } as const;
const DUMP_MOST = 1 << 30;
const HOLD_MILLISECONDS = 100;

/** Events that a client may see. */
export const QMP_EVENTS = [
  'STOP',
  'RESUME',
  'RESET',
  'SHUTDOWN',
  'POWERDOWN',
  'MIGRATION',
  'DEVICE_DELETED',
  'BLOCK_IO_ERROR',
] as const;

const status = (state: RunState): { running: boolean; status: RunState } => ({ running: state === 'running', status: state });

/** Lets what fails at once fail the command; what takes longer is told by `query-migrate`. */
async function begun(done: Promise<void>): Promise<void> {
  done.catch(() => {});
  await Promise.race([done, new Promise((resolve) => setImmediate(resolve))]);
}

function saveMemory(kind: 'physical' | 'virtual', target: MonitorTarget, args: Arguments): undefined {
  const [address, size, path] = [args.integer('val'), args.integer('size'), args.string('filename')];
  if (kind === 'virtual') args.optionalInteger('cpu-index');
  args.done();
  if (size > DUMP_MOST) throw new QmpError('GenericError', `'size' is ${size}; at most ${DUMP_MOST}`);
  const bytes = target.readMemory(kind, BigInt(address), size);
  try {
    writeFileSync(path, bytes);
  } catch (error) {
    throw systemError(`cannot write '${path}'`, error);
  }
}

function keyNames(target: MonitorTarget, keys: readonly Arguments[]): string[] {
  return keys.map((key) => {
    if (key.string('type') !== 'qcode') throw new QmpError('GenericError', "Parameter 'type' expects 'qcode'");
    const name = key.string('data');
    key.done();
    if (!target.keyNames.includes(name)) throw new QmpError('GenericError', `Parameter 'data' does not accept value '${name}'`);
    return name;
  });
}

/** In the order in which `query-commands` lists them. */
export const QMP_COMMANDS: readonly QmpCommand[] = [
  { name: 'query-version', run: (target) => ({ qemu: QEMU_VERSION, package: `Pagurus ${target.version}` }) },
  { name: 'query-commands', run: () => [{ name: 'qmp_capabilities' }, ...QMP_COMMANDS.map(({ name }) => ({ name }))] },
  { name: 'query-events', run: () => QMP_EVENTS.map((name) => ({ name })) },
  { name: 'query-status', run: (target) => status(target.runState()) },
  { name: 'query-name', run: ({ name }) => (name === undefined ? {} : { name }) },
  { name: 'query-uuid', run: ({ uuid }) => ({ UUID: uuid ?? '00000000-0000-0000-0000-000000000000' }) },
  { name: 'query-kvm', run: () => ({ enabled: false, present: false }) },
  { name: 'stop', run: (target) => void target.stop() },
  { name: 'cont', run: (target) => void target.cont() },
  { name: 'quit', run: (target) => void target.quit() },
  { name: 'system_reset', run: (target) => void target.reset() },
  { name: 'system_powerdown', run: (target) => void target.powerdown() },
  {
    name: 'human-monitor-command',
    async run(target, args) {
      const line = args.string('command-line');
      args.optionalInteger('cpu-index');
      args.done();
      // What goes wrong is said in the text, as a person would see it.
      const text = await executeMonitorLine(target, line).catch((error: Error) => `Error: ${error.message.split('\n')[0]}`);
      return text === '' ? '' : `${text.replaceAll('\n', '\r\n')}\r\n`;
    },
  },
  {
    name: 'device_add',
    run(target, args) {
      const driver = args.string('driver');
      const [id, bus, addr] = [args.optionalString('id'), args.optionalString('bus'), args.optionalString('addr')];
      const place = { ...(id === undefined ? {} : { id }), ...(bus === undefined ? {} : { bus }) };
      target.deviceAdd({ driver, ...place, ...(addr === undefined ? {} : { addr }), properties: args.remainingTexts() });
      return undefined;
    },
  },
  {
    name: 'device_del',
    run(target, args) {
      const id = args.string('id');
      args.done();
      if (!target.devices().some((device) => device.id === id)) throw new QmpError('DeviceNotFound', `Device '${id}' not found`);
      target.deviceDel(id);
      return undefined;
    },
  },
  {
    name: 'send-key',
    run(target, args) {
      const hold = args.optionalInteger('hold-time') ?? HOLD_MILLISECONDS;
      target.sendKeys(keyNames(target, args.objects('keys')), hold);
      return undefined;
    },
  },
  {
    name: 'screendump',
    run(target, args) {
      const [path, format] = [args.string('filename'), args.optionalString('format')];
      args.done();
      const screen = target.screen();
      if (!screen) throw new QmpError('GenericError', 'There is no console to take a screendump from');
      dumpScreen(screen, path, format ?? (/\.(png|txt|json)$/.test(path) ? undefined : 'ppm'));
      return undefined;
    },
  },
  { name: 'pmemsave', run: (target, args) => saveMemory('physical', target, args) },
  { name: 'memsave', run: (target, args) => saveMemory('virtual', target, args) },
  {
    name: 'migrate',
    async run(target, args) {
      const uri = args.string('uri');
      args.optionalBoolean('detach');
      if (args.optionalBoolean('resume')) throw new QmpError('GenericError', 'Cannot resume if there is no paused migration');
      args.done();
      await begun(target.migration.migrate(uri));
      return undefined;
    },
  },
  { name: 'migrate_cancel', run: (target) => void target.migration.cancel() },
  {
    name: 'migrate-incoming',
    async run(target, args) {
      const uri = args.string('uri');
      args.done();
      await target.migration.incoming(uri);
      return undefined;
    },
  },
  {
    name: 'query-migrate',
    run(target) {
      const info = target.migration.info();
      return info.status === 'none' ? {} : info;
    },
  },
  {
    name: 'query-migrate-capabilities',
    run: (target) => [...target.migration.capabilities()].map(([capability, state]) => ({ capability, state })),
  },
  {
    name: 'migrate-set-capabilities',
    run(target, args) {
      const changes = args.objects('capabilities').map((entry) => {
        const change = { capability: entry.string('capability'), state: entry.boolean('state') };
        entry.done();
        return change;
      });
      const known = target.migration.capabilities();
      for (const { capability } of changes)
        if (!known.has(capability))
          throw new QmpError('GenericError', `Parameter 'capability' does not accept value '${capability}'`);
      for (const { capability, state } of changes) target.migration.setCapability(capability, state);
      return undefined;
    },
  },
  {
    name: 'query-migrate-parameters',
    run: (target) =>
      Object.fromEntries(
        [...target.migration.parameters()].map(([name, text]) => {
          const number = /^(\d+)( |$)/.exec(text)?.[1];
          return [name, number === undefined ? text : Number(number)];
        }),
      ),
  },
  {
    name: 'migrate-set-parameters',
    run(target, args) {
      const known = target.migration.parameters();
      const changes = args.remaining();
      for (const [name, value] of changes) {
        if (!known.has(name)) throw new QmpError('GenericError', `Parameter '${name}' is unexpected`);
        if (!['number', 'string', 'boolean'].includes(typeof value))
          throw new QmpError('GenericError', `Invalid parameter type for '${name}', expected: integer`);
      }
      // Numbers are bytes, not the monitor's MiB.
      for (const [name, value] of changes) {
        const bytes = typeof value === 'number' && / bytes/.test(known.get(name)!);
        target.migration.setParameter(
          name,
          bytes ? `${value}b` : typeof value === 'boolean' ? (value ? 'on' : 'off') : `${value}`,
        );
      }
      return undefined;
    },
  },
];
