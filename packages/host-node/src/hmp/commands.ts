import { parseDeviceOptions, parseMemoryObject } from '../device-options.js';
import { HostError } from '../errors.js';
import { dumpScreen } from '../screendump.js';
import { changeArguments } from './drives.js';
import { INFO } from './info.js';
import { formatDump, parseAddress, parseDumpFormat } from './memory-dump.js';
import { defaultSnapshotName, snapshotPath } from './snapshot-path.js';
import type { MonitorTarget } from './target.js';

/** A monitor command. Its result is what is printed; it throws an error of one line. */
export interface MonitorCommand {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** What stands behind the name. */
  readonly usage: string;
  readonly help: string;
  run(target: MonitorTarget, args: readonly string[]): string | undefined | Promise<string | undefined>;
}

const HOLD_MILLISECONDS = 100;

/** @throws {HostError} unless there are between `least` and `most` arguments. */
function arity(command: string, args: readonly string[], least: number, most = least): void {
  if (args.length >= least && args.length <= most) return;
  throw new HostError('syntax', args.length < least ? `${command}: too few arguments` : `${command}: unexpected '${args[most]}'`);
}

function onOff(command: string, text: string): boolean {
  if (text === 'on') return true;
  if (text === 'off') return false;
  throw new HostError('syntax', `${command}: '${text}': expected on or off`);
}

function dump(kind: 'physical' | 'virtual', target: MonitorTarget, args: readonly string[]): string {
  const command = kind === 'physical' ? 'xp' : 'x';
  const format = args[0]?.startsWith('/') ? args[0].slice(1) : undefined;
  const rest = format === undefined ? args : args.slice(1);
  arity(command, rest, 1);
  const parsed = parseDumpFormat(format ?? '');
  const address = parseAddress(rest[0]!, (name) => target.register?.(name));
  const { format: form } = parsed;
  if (form === 'i') {
    if (!target.disassemble) throw new HostError('unsupported', `${command}: there is no disassembler`);
    return target.disassemble(kind, address, parsed.count).join('\n');
  }
  const bytes = target.readMemory(kind, address, parsed.count * parsed.size);
  return formatDump(bytes, address, { ...parsed, format: form }, kind === 'physical' ? 16 : 8);
}

function sendKey(target: MonitorTarget, args: readonly string[]): undefined {
  arity('sendkey', args, 1, 2);
  const hold = args[1] === undefined ? HOLD_MILLISECONDS : Number(args[1]);
  if (!Number.isInteger(hold) || hold < 0 || hold > 60_000)
    throw new HostError('syntax', `sendkey: '${args[1]}': expected milliseconds`);
  const names = args[0]!.split('-').map((name) => (name === '<' ? 'less' : name));
  for (const name of names) if (!target.keyNames.includes(name)) throw new HostError('syntax', `sendkey: unknown key '${name}'`);
  target.sendKeys(names, hold);
}

function mouseNumber(command: string, text: string | undefined): number {
  const value = Number(text ?? 0);
  if (!Number.isInteger(value) || Math.abs(value) > 0x7fff)
    throw new HostError('syntax', `${command}: '${text}': expected a whole number`);
  return value;
}

export const COMMANDS: readonly MonitorCommand[] = [
  { name: 'help', aliases: ['?'], usage: '[COMMAND]', help: 'this list', run: (_target, args) => helpText(args) },
  {
    name: 'info',
    usage: 'SUBJECT',
    help: 'show something; `info` alone lists the subjects',
    run(target, args) {
      if (args.length === 0) return INFO.map(({ name, help }) => `info ${name.padEnd(21)} ${help}`).join('\n');
      arity('info', args, 1);
      const subject = INFO.find(({ name }) => name === args[0]);
      if (!subject)
        throw new HostError('syntax', `info: unknown subject '${args[0]}'; there are: ${INFO.map((i) => i.name).join(', ')}`);
      return subject.text(target);
    },
  },
  {
    name: 'stop',
    aliases: ['s'],
    usage: '',
    help: 'stop the machine',
    run: (target) => void target.stop(),
  },
  { name: 'cont', aliases: ['c'], usage: '', help: 'let it go on', run: (target) => void target.cont() },
  { name: 'quit', aliases: ['q'], usage: '', help: 'end the emulator', run: (target) => void target.quit() },
  { name: 'system_reset', usage: '', help: 'reset', run: (target) => void target.reset() },
  { name: 'system_powerdown', usage: '', help: 'press the power button', run: (target) => void target.powerdown() },
  {
    name: 'device_add',
    usage: 'DRIVER[,PROPERTY=VALUE]...',
    help: 'add a device while the machine runs',
    run(target, args) {
      arity('device_add', args, 1);
      target.deviceAdd(parseDeviceOptions('device_add', args[0]!));
      return undefined;
    },
  },
  {
    name: 'object_add',
    usage: 'memory-backend-ram,id=ID,size=SIZE',
    help: 'memory for a module (pc-dimm)',
    run(target, args) {
      arity('object_add', args, 1);
      target.objectAdd(parseMemoryObject('object_add', args[0]!));
      return undefined;
    },
  },
  {
    name: 'device_del',
    usage: 'ID',
    help: 'ask the guest to let go of a device',
    run(target, args) {
      arity('device_del', args, 1);
      target.deviceDel(args[0]!);
      return undefined;
    },
  },
  {
    name: 'change',
    usage: 'DRIVE [-f] FILE [FORMAT [retain|read-only|read-write]]',
    help: 'another medium for a drive',
    async run(target, args) {
      const { id, file, format, mode, force } = changeArguments(args);
      if (!target.drives) throw new HostError('unsupported', 'change: the machine has no drives');
      await target.drives.change(id, file, format, mode, force);
      return undefined;
    },
  },
  {
    name: 'eject',
    usage: '[-f] DRIVE',
    help: 'take the medium out',
    async run(target, args) {
      const names = args.filter((arg) => arg !== '-f');
      arity('eject', names, 1);
      if (!target.drives) throw new HostError('unsupported', 'eject: the machine has no drives');
      await target.drives.eject(names[0]!, args.includes('-f'));
      return undefined;
    },
  },
  {
    name: 'sendkey',
    usage: 'KEYS [MILLISECONDS]',
    help: 'press keys together, e.g. ctrl-alt-delete',
    run: sendKey,
  },
  {
    name: 'mouse_move',
    usage: 'DX DY [DZ]',
    help: 'move the mouse; DZ turns its wheel, away from the user if positive',
    run(target, args) {
      arity('mouse_move', args, 2, 3);
      const [dx = 0, dy = 0, dz = 0] = [0, 1, 2].map((i) => mouseNumber('mouse_move', args[i]));
      // QEMU turns the wheel by one, whatever the number.
      target.moveMouse(dx, dy, dz === 0 ? 0 : -Math.sign(dz));
      return undefined;
    },
  },
  {
    name: 'mouse_button',
    usage: 'STATE',
    help: 'hold mouse buttons: 1 left, 2 right, 4 middle, or a sum; 0 releases',
    run(target, args) {
      arity('mouse_button', args, 1);
      const state = mouseNumber('mouse_button', args[0]);
      if (state < 0 || state > 7) throw new HostError('syntax', `mouse_button: '${args[0]}': expected 0 to 7`);
      target.setMouseButtons(state);
      return undefined;
    },
  },
  {
    name: 'screendump',
    usage: 'FILE [-f FORMAT]',
    help: 'write the screen to FILE: .png, .ppm, .txt, .json',
    run(target, args) {
      const at = args.indexOf('-f');
      const names = at < 0 ? args : args.toSpliced(at, 2);
      arity('screendump', names, 1);
      const screen = target.screen();
      if (!screen) throw new HostError('unsupported', 'screendump: the machine has no display adapter');
      dumpScreen(screen, names[0]!, at < 0 ? undefined : (args[at + 1] ?? ''));
      return undefined;
    },
  },
  {
    name: 'x',
    usage: '/FMT ADDRESS',
    help: 'dump memory at a virtual address',
    run: (target, args) => dump('virtual', target, args),
  },
  {
    name: 'xp',
    usage: '/FMT ADDRESS',
    help: 'dump memory at a physical address; FMT is COUNT, x d u o c i, b h w g',
    run: (target, args) => dump('physical', target, args),
  },
  {
    name: 'migrate',
    usage: '[-d] URI',
    help: 'send the machine to URI (tcp:, unix:, file:, exec:, fd:); -d does not wait',
    async run(target, args) {
      const flags = args.filter((arg) => /^-[a-z]$/.test(arg));
      for (const flag of flags) if (flag !== '-d') throw new HostError('unsupported', `migrate: '${flag}': expected -d`);
      const uris = args.filter((arg) => !flags.includes(arg));
      arity('migrate', uris, 1);
      const done = target.migration.migrate(uris[0]!);
      if (flags.length === 0) await done;
      else done.catch(() => {}); // `info migrate` tells
      return undefined;
    },
  },
  {
    name: 'migrate_cancel',
    usage: '',
    help: 'give up the migration; the machine runs on',
    run: (target) => void target.migration.cancel(),
  },
  {
    name: 'migrate_incoming',
    usage: 'URI',
    help: 'wait for a migration (started with -incoming defer)',
    async run(target, args) {
      arity('migrate_incoming', args, 1);
      await target.migration.incoming(args[0]!);
      return undefined;
    },
  },
  {
    name: 'migrate_set_parameter',
    usage: 'NAME VALUE',
    help: 'see `info migrate_parameters`',
    run(target, args) {
      arity('migrate_set_parameter', args, 2);
      target.migration.setParameter(args[0]!, args[1]!);
      return undefined;
    },
  },
  {
    name: 'migrate_set_capability',
    usage: 'NAME on|off',
    help: 'see `info migrate_capabilities`',
    run(target, args) {
      arity('migrate_set_capability', args, 2);
      target.migration.setCapability(args[0]!, onOff('migrate_set_capability', args[1]!));
      return undefined;
    },
  },
  {
    name: 'savevm',
    usage: '[NAME]',
    help: 'write the machine to NAME.pagurus (or NAME, if it is a path)',
    async run(target, args) {
      arity('savevm', args, 0, 1);
      const path = snapshotPath(args[0] ?? defaultSnapshotName());
      await target.saveSnapshot(path);
      return `saved to ${path}`;
    },
  },
  {
    name: 'loadvm',
    usage: 'NAME',
    help: 'go back to what savevm wrote',
    async run(target, args) {
      arity('loadvm', args, 1);
      await target.loadSnapshot(snapshotPath(args[0]!));
      return undefined;
    },
  },
  {
    name: 'replay_break',
    usage: 'N',
    help: 'stop exactly when N instructions have been executed (deterministic machines)',
    run(target, args) {
      arity('replay_break', args, 1);
      const count = Number(parseAddress(args[0]!));
      if (!Number.isSafeInteger(count)) throw new HostError('syntax', `replay_break: '${args[0]}' is too large`);
      target.breakAt(count);
      return undefined;
    },
  },
  { name: 'replay_delete_break', usage: '', help: 'forget replay_break', run: (target) => void target.clearBreak() },
];

function helpText(args: readonly string[]): string {
  arity('help', args, 0, 1);
  const wanted =
    args[0] === undefined ? COMMANDS : COMMANDS.filter(({ name, aliases }) => name === args[0] || aliases?.includes(args[0]!));
  if (wanted.length === 0) throw new HostError('syntax', `help: unknown command '${args[0]}'`);
  return wanted
    .map(({ name, aliases, usage, help }) => {
      const names = [name, ...(aliases ?? [])].join('|');
      return `${`${names} ${usage}`.trim().padEnd(36)} ${help}`;
    })
    .join('\n');
}

/** Words of a command line: blanks separate, double quotes keep together, a backslash in quotes escapes. @throws {HostError} */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!;
    if (quoted) {
      if (c === '"') quoted = false;
      else if (c === '\\' && i + 1 < line.length) word += { n: '\n', r: '\r' }[line[++i]!] ?? line[i]!;
      else word += c;
    } else if (c === '"') {
      quoted = true;
      word ??= '';
    } else if (/\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + c;
    }
  }
  if (quoted) throw new HostError('syntax', 'a quotation mark is not closed');
  if (word !== undefined) words.push(word);
  return words;
}

/**
 * Runs one line of the human monitor.
 * @returns what it prints, without a final line end; empty if nothing.
 * @throws an error of one line.
 */
export async function executeMonitorLine(target: MonitorTarget, line: string): Promise<string> {
  const [first, ...args] = splitWords(line);
  if (first === undefined) return '';
  // `x/4xw 0` and `xp/4xw 0` without a blank
  const glued = /^(xp?)(\/.*)$/.exec(first);
  const name = glued ? glued[1]! : first;
  const command = COMMANDS.find((candidate) => candidate.name === name || candidate.aliases?.includes(name));
  if (!command) throw new HostError('syntax', `unknown command: '${name}'`);
  return (await command.run(target, glued ? [glued[2]!, ...args] : args)) ?? '';
}
