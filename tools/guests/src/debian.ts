import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Architecture = 'i386' | 'amd64';
/** The host's own release, or one by name. */
export type Suite = 'host' | 'trixie';

const MIRROR = 'http://deb.debian.org/debian';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Its own lists, states and cache: the host's apt is not touched, and root is not needed. */
class Apt {
  private readonly options: readonly string[];

  constructor(
    readonly folder: string,
    architecture: Architecture,
    suite: Suite,
  ) {
    for (const part of ['apt/lists/partial', 'apt/cache/archives/partial']) mkdirSync(join(folder, part), { recursive: true });
    writeFileSync(join(folder, 'apt/status'), '');
    const options: [string, string][] = [
      ['APT::Architecture', architecture],
      ['APT::Architectures', architecture],
      ['Dir::State', join(folder, 'apt')],
      ['Dir::State::status', join(folder, 'apt/status')],
      ['Dir::Cache', join(folder, 'apt/cache')],
      ['APT::Sandbox::User', ''],
      ['Acquire::Retries', '3'],
    ];
    if (suite !== 'host') {
      const sources = join(folder, 'apt/sources.list');
      writeFileSync(sources, `deb [signed-by=${KEYRING}] ${MIRROR} ${suite} main\n`);
      options.push(['Dir::Etc::sourcelist', sources], ['Dir::Etc::sourceparts', '/dev/null']);
    }
    this.options = options.flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    try {
      this.run('apt-get', 'update');
    } catch {
      // A mirror in the middle of a synchronisation leaves one list out; the download tells whether that matters.
    }
  }

  run(program: 'apt-get' | 'apt-cache', ...args: string[]): string {
    return execFileSync(program, ['-q', ...this.options, ...args], {
      cwd: this.folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

export interface Wanted {
  readonly architecture: Architecture;
  readonly suite: Suite;
  /** Names; a name behind `depends:` stands for the first package that it depends on (the kernel behind `linux-image-amd64`). */
  readonly packages: readonly string[];
  /** With all that they depend on, down to the C library. */
  readonly closure?: boolean;
  /** Folders that nobody needs, e.g. a kernel's modules. */
  readonly without?: readonly string[];
}

/**
 * Debian packages, unpacked side by side into a cache folder by the host's apt, once; nothing is installed.
 * @param name of the folder in the cache.
 * @returns the root of the unpacked files.
 * @throws if they cannot be had.
 */
export function debianPackages(name: string, { architecture, suite, packages, closure = false, without = [] }: Wanted): string {
  const cache = process.env.PAGURUS_DEBIAN_CACHE ?? join(tmpdir(), 'pagurus-debian');
  const folder = join(cache, name);
  const root = join(folder, 'root');
  if (existsSync(root)) return root;
  // Under a name of our own until it is complete: two processes may do this at once.
  const work = join(cache, `${name}.${process.pid}`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, 'root'), { recursive: true });
  try {
    const apt = new Apt(work, architecture, suite);
    const names = packages.map((entry) => {
      if (!entry.startsWith('depends:')) return entry;
      const meta = entry.slice('depends:'.length);
      const found = /Depends: (\S+)/.exec(apt.run('apt-cache', 'depends', meta))?.[1];
      if (!found) throw new Error(`no package behind ${meta}`);
      return found;
    });
    if (closure) apt.run('apt-get', '-y', '--no-install-recommends', '--download-only', 'install', ...names);
    else apt.run('apt-get', 'download', ...names);
    const downloads = closure ? join(work, 'apt/cache/archives') : work;
    for (const file of readdirSync(downloads).filter((entry) => entry.endsWith('.deb')))
      execFileSync('dpkg-deb', ['-x', join(downloads, file), join(work, 'root')]);
    for (const path of without) rmSync(join(work, 'root', path), { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    if (!existsSync(root)) renameSync(join(work, 'root'), root);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return root;
}
