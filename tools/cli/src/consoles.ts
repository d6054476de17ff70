import type { CharacterBackend } from '@pagurus/device-model';
import { CharacterMux, type CharacterSpec, type HostCharacter, openCharacter } from '@pagurus/host-node';
import type { RunOptions } from './run-options.js';
import { UsageError } from './usage-error.js';

/** The character devices of a run, opened, and who uses which. */
export interface Consoles {
  readonly serial: readonly (CharacterBackend | undefined)[];
  readonly parallel: readonly (CharacterBackend | undefined)[];
  readonly debugcon: CharacterBackend | undefined;
  /** Of monitors for programs. */
  readonly qmp: readonly CharacterBackend[];
  /** The monitor's side, and whether it shows its prompt at once or only when the input comes to it. */
  readonly monitor: { readonly backend: CharacterBackend; readonly greet: boolean } | undefined;
  /** `-chardev`s by id, for devices that name them. */
  readonly byId: Readonly<Record<string, CharacterBackend>>;
  close(): Promise<void>;
}

export interface ConsoleHost {
  /** Ctrl-A x. */
  quit(): void;
  /** One line for people. */
  note(line: string): void;
  /** A page of the display; undefined: there is no display that has some. */
  readonly page: ((name: string) => HostCharacter) | undefined;
}

type OpenSpec = Exclude<CharacterSpec, { kind: 'none' | 'chardev' }>;

/** What a page of the display is called. */
const PAGE_NAMES: Readonly<Record<string, string>> = { '-monitor': 'compat_monitor0', '-debugcon': 'debugcon', '-qmp': 'qmp' };
const pageName = (who: string): string => PAGE_NAMES[who] ?? who.replace(/^-/, '').replace(/ (?=\d)/, '');

/**
 * Opens what `-serial`, `-parallel`, `-debugcon`, `-qmp`, `-monitor` and `-chardev` name, in that order. Where one is shared (`mon:stdio`, `mux=on`), the monitor
 * joins it unless it has a device of its own.
 * @throws {UsageError} {@link HostError}
 */
export async function openConsoles(options: RunOptions, host: ConsoleHost): Promise<Consoles> {
  const opened: HostCharacter[] = [];
  const muxes = new Map<string, CharacterMux>();
  const plain = new Map<string, CharacterBackend>();
  let terminalUser: string | undefined;

  async function open(spec: OpenSpec, who: string): Promise<HostCharacter> {
    if (spec.kind === 'vc') {
      if (!host.page) throw new UsageError(`${who} vc: expected -display curses, too; nothing shows consoles here`);
      const page = host.page(pageName(who));
      opened.push(page);
      return page;
    }
    if (spec.kind === 'stdio') {
      if (host.page) throw new UsageError(`${who}: stdio is in use by -display curses; expected vc (Alt-2, Alt-3, ...)`);
      if (terminalUser !== undefined)
        throw new UsageError(
          `${who}: stdio is in use by ${terminalUser}; share it with mon:stdio or -chardev stdio,id=ID,mux=on`,
        );
      terminalUser = who;
    }
    const character = await openCharacter(spec, {
      signal: spec.kind === 'stdio' && !spec.mux,
      listening: (uri) => {
        if (spec.kind === 'socket' && spec.wait) host.note(`${who}: waiting for a client on ${uri}`);
      },
    });
    opened.push(character);
    return character;
  }

  /** A side of what the spec names; `key` is the same for all who share it. */
  async function attach(spec: OpenSpec, who: string, key: string): Promise<CharacterBackend> {
    if (!('mux' in spec) || !spec.mux) {
      if (plain.has(key)) throw new UsageError(`${who}: ${key} is in use; give it mux=on to share it`);
      const character = await open(spec, who);
      plain.set(key, character);
      return character;
    }
    let mux = muxes.get(key);
    if (!mux) {
      mux = new CharacterMux(await open(spec, who), { quit: () => host.quit() });
      muxes.set(key, mux);
    }
    return mux.addPort();
  }

  async function user(spec: CharacterSpec, who: string): Promise<CharacterBackend | undefined> {
    if (spec.kind === 'none') return undefined;
    if (spec.kind !== 'chardev') return await attach(spec, who, who);
    const named = options.chardevs.get(spec.id);
    if (!named || named.kind === 'none' || named.kind === 'chardev')
      throw new UsageError(`${who} chardev:${spec.id}: no -chardev has that id`);
    return await attach(named, who, `chardev '${spec.id}'`);
  }

  const close = async (): Promise<void> => {
    await Promise.all(opened.map((character) => character.close()));
  };
  try {
    // A PC has one port of each kind unless something else is said, with nobody at the other end where nothing shows it.
    const usual = (given: readonly CharacterSpec[], driver: string, spec: CharacterSpec): readonly CharacterSpec[] =>
      given.length > 0 || options.noDefaults || options.devices.some((device) => device.driver === driver) ? given : [spec];
    const console: CharacterSpec = options.noGraphic ? { kind: 'stdio', mux: true } : { kind: host.page ? 'vc' : 'null' };
    const specs = usual(options.serial, 'isa-serial', console);
    const serial: (CharacterBackend | undefined)[] = [];
    for (const [i, spec] of specs.entries()) serial.push(await user(spec, `-serial ${i}`));
    const parallel: (CharacterBackend | undefined)[] = [];
    for (const [i, spec] of usual(options.parallel, 'isa-parallel', { kind: 'null' }).entries())
      parallel.push(await user(spec, `-parallel ${i}`));
    const debugcon = options.debugcon && (await user(options.debugcon, '-debugcon'));
    const qmp: CharacterBackend[] = [];
    for (const spec of options.qmp) {
      const backend = await user(spec, '-qmp');
      if (backend) qmp.push(backend);
    }
    let monitor: Consoles['monitor'];
    const wanted = options.monitor ?? (host.page && !options.noDefaults ? ({ kind: 'vc' } as const) : undefined);
    if (wanted) {
      const before = muxes.size;
      const backend = await user(wanted, '-monitor');
      const alone = muxes.size !== before || wanted.kind !== 'chardev';
      if (backend) monitor = { backend, greet: alone };
    } else {
      const shared = muxes.values().next();
      if (!shared.done) monitor = { backend: shared.value.addPort(), greet: false };
    }
    const byId: Record<string, CharacterBackend> = {};
    for (const { properties } of options.devices) {
      const id = properties.chardev;
      if (typeof id === 'string' && byId[id] === undefined && options.chardevs.has(id)) {
        const backend = await user({ kind: 'chardev', id }, `-device chardev=${id}`);
        if (backend) byId[id] = backend;
      }
    }
    return { serial, parallel, debugcon, qmp, monitor, byId, close };
  } catch (error) {
    await close();
    throw error;
  }
}
