// npm run lock: writes vmstate.lock.json of every device package. npm run lock:check: compares; any difference is an error, and so is a
// changeset that asks for less than the change needs. The change is counted from what {@link previousLock} finds in the history.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { ROOT } from './lib.mjs';

const BUMPS = ['none', 'patch', 'minor', 'major'];

/** Packages that the changesets raise, by name, with the highest bump: `---\n'@pagurus/dev-ps2': minor\n---`. */
export function changesetBumps(texts) {
  const bumps = {};
  for (const text of texts) {
    const header = /^---\n([\s\S]*?)\n---/.exec(text)?.[1] ?? '';
    for (const [, name, bump] of header.matchAll(/^['"]?([^'":\n]+)['"]?:\s*(patch|minor|major)\s*$/gm))
      if (BUMPS.indexOf(bump) > BUMPS.indexOf(bumps[name] ?? 'none')) bumps[name] = bump;
  }
  return bumps;
}

/** What a package's changesets lack, in words; undefined if nothing. Below version 1 a break is a minor release. */
export function missingBump(name, version, needed, bumps, since = 'the last release') {
  const least = needed === 'major' && version.startsWith('0.') ? 'minor' : needed;
  const given = bumps[name] ?? 'none';
  if (BUMPS.indexOf(given) >= BUMPS.indexOf(least)) return undefined;
  return `${name}: the changes since ${since} need a ${least} changeset, there is ${given === 'none' ? 'none' : `a ${given} one`} (npm run changeset)`;
}

function changesets() {
  const folder = join(ROOT, '.changeset');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.md') && name !== 'README.md')
    .map((name) => readFileSync(join(folder, name), 'utf8'));
}

function git(root, ...args) {
  const result = spawnSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  return result.status === 0 ? result.stdout : undefined;
}

/**
 * What a package's lock is compared with: its last release (the tag that changesets makes, `NAME@VERSION`); before the first release where
 * this branch left the main one (`base`, or the merge base with origin/main or main); on the main branch the commit before.
 * @returns { since, text }, undefined where the history has no such lock: a new package, a clone without history.
 */
export function previousLock(root, { name, version, path }, base) {
  const commits = [`refs/tags/${name}@${version}`];
  const head = git(root, 'rev-parse', 'HEAD')?.trim();
  const bases = [base, ...['origin/main', 'main'].map((branch) => git(root, 'merge-base', 'HEAD', branch)?.trim())];
  commits.push(bases.find((commit) => commit && commit !== head) ?? 'HEAD^');
  for (const since of commits) {
    const text = git(root, 'show', `${since}:${path}`);
    if (text !== undefined) return { since: since.replace('refs/tags/', ''), text };
  }
  return undefined;
}

/** The lock of the device that `npm create @pagurus/device` makes. */
const TEMPLATE_LOCK = 'tools/create-device/template/vmstate.lock.json.template';

/** A lock's text with a line for each machine version, oldest first; one that is new has what the next newer one has. */
export function withVersions(text, versions) {
  const line = (version) => new RegExp(`^    "${version.replaceAll('.', '\\.')}": (.*?),?$`, 'm').exec(text)?.[1];
  let next = line('newest');
  const lines = [...versions].reverse().map((version) => {
    next = line(version) ?? next;
    return `    "${version}": ${next},`;
  });
  return text.replace(/("machines": \{\n)[\s\S]*?(?= {4}"newest")/, (_all, head) => `${head}${lines.reverse().join('\n')}\n`);
}

async function main(check) {
  build();
  const load = (path) => import(pathToFileURL(join(ROOT, path)).href);
  const cli = await load('tools/cli/dist/check-lock.js');
  const { compareLocks, minimumBump } = await load('packages/vmstate/dist/index.js');
  const bumps = changesetBumps(changesets());
  let wrong = 0;
  const complain = (text) => {
    console.error(text);
    wrong++;
  };
  for (const folder of readdirSync(join(ROOT, 'packages')).filter((name) => name.startsWith('dev-'))) {
    const { devicePackage } = await load(`packages/${folder}/dist/index.js`);
    if (!devicePackage) continue;
    const path = join(ROOT, 'packages', folder, cli.LOCK_FILE);
    const { name, version } = JSON.parse(readFileSync(join(ROOT, 'packages', folder, 'package.json'), 'utf8'));
    const lock = await cli.lockPackage(devicePackage);
    const committed = existsSync(path) ? cli.unpackLock(readFileSync(path, 'utf8'), path) : undefined;
    const differences = committed ? compareLocks(committed, lock) : [];
    if (!committed || differences.length > 0 || readFileSync(path, 'utf8') !== cli.packLock(lock)) {
      if (committed) console.error(cli.differencesText(name, differences));
      if (check) complain(`${name}: the lock is not that of the code: see above, then npm run lock, and commit it`);
      else if (differences.some(({ verdict }) => verdict !== 'compatible') && !process.argv.includes('--force'))
        complain(`${name}: not written; frozen machine versions must send what they sent (--force writes it all the same)`);
      else writeFileSync(path, cli.packLock(lock));
    }
    if (!check) continue;
    const previous = previousLock(ROOT, { name, version, path: `packages/${folder}/${cli.LOCK_FILE}` }, process.env.PAGURUS_BASE);
    if (previous === undefined) {
      console.error(`${name}: no lock in the history to compare with`);
      continue;
    }
    const since = compareLocks(cli.unpackLock(previous.text, `${previous.since}:${path}`), lock);
    const lacking = missingBump(name, version, minimumBump(since), bumps, previous.since);
    if (lacking) complain(`${cli.differencesText(name, since)}\n${lacking}`);
  }
  const template = join(ROOT, TEMPLATE_LOCK);
  const text = readFileSync(template, 'utf8');
  const grown = withVersions(text, [...cli.FROZEN].reverse());
  if (grown !== text) {
    if (check) complain(`${TEMPLATE_LOCK}: machine versions are missing: npm run lock, and commit it`);
    else writeFileSync(template, grown);
  }
  if (wrong > 0) process.exit(1);
  console.error(check ? 'lock: every device package is as locked' : 'lock: written');
}

/** A history with a release, a branch and neither. */
function historyCases() {
  const root = mkdtempSync(join(tmpdir(), 'pagurus-lock-'));
  const pack = { name: '@pagurus/dev-a', version: '0.1.0', path: 'lock.json' };
  const run = (...args) => git(root, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args);
  const commit = (text) => {
    writeFileSync(join(root, 'lock.json'), text);
    run('add', '.');
    run('commit', '-q', '-m', text);
  };
  const found = (base) => previousLock(root, pack, base)?.text;
  try {
    run('init', '-q', '-b', 'main');
    const cases = [[found(), undefined]];
    for (const text of ['one', 'two', 'three']) commit(text);
    cases.push([found(), 'two']);
    run('checkout', '-q', '-b', 'mine');
    for (const text of ['four', 'five']) commit(text);
    cases.push([found(), 'three'], [found('HEAD~3'), 'two']);
    run('tag', '@pagurus/dev-a@0.1.0', 'HEAD~4');
    cases.push([found(), 'one'], [previousLock(root, { ...pack, path: 'none' }), undefined]);
    return cases;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** What a history without releases, branches or breaks never comes to. */
function selfTest() {
  const bumps = changesetBumps([
    "---\n'@pagurus/dev-a': patch\n'@pagurus/dev-b': minor\n---\ntext: major\n",
    '---\n"@pagurus/dev-a": minor\n---\n',
  ]);
  const cases = [
    [bumps['@pagurus/dev-a'], 'minor'],
    [bumps['@pagurus/dev-b'], 'minor'],
    [Object.keys(bumps).length, 2],
    [missingBump('@pagurus/dev-a', '1.0.0', 'minor', bumps), undefined],
    [missingBump('@pagurus/dev-a', '0.3.0', 'major', bumps), undefined],
    [missingBump('@pagurus/dev-a', '1.0.0', 'major', bumps)?.includes('need a major changeset, there is a minor one'), true],
    [missingBump('@pagurus/dev-c', '1.0.0', 'patch', bumps)?.includes('there is none'), true],
    [missingBump('@pagurus/dev-c', '1.0.0', 'none', bumps), undefined],
    ...historyCases(),
  ];
  const failed = cases.filter(([got, expected]) => got !== expected);
  for (const [got, expected] of failed) console.error(`lock self-test: ${got} instead of ${expected}`);
  if (failed.length > 0) process.exit(1);
  console.error(`lock: ${cases.length} rules checked`);
}

if (process.argv.includes('--self-test')) selfTest();
else await main(process.argv.includes('--check'));
