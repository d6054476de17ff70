// npm run docs: docs/reference/*.md from the code: machines with what their versions change, devices with their properties and sections,
// CPU models, options. `--check` compares only, for tests.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { fail, filesBelow, ROOT, step } from './lib.mjs';

const FOLDER = 'docs/reference';
const NOTE = '<!-- Built from the code by `npm run docs`. -->\n\n';

const pagurus = (...args) =>
  execFileSync(process.execPath, [join(ROOT, 'packages/pagurus/bin/pagurus.js'), ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
const json = (...args) => JSON.parse(pagurus(...args, '--json'));
const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');
const table = (head, rows) =>
  rows.length === 0
    ? ''
    : `${[head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n')}\n\n`;

/** Device type -> { package, schema } of all lock files. */
function lockedDevices() {
  const found = new Map();
  for (const path of filesBelow('packages', (file) => file.endsWith('vmstate.lock.json'))) {
    const lock = JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
    for (const [type, device] of Object.entries(lock.devices)) found.set(type, { package: lock.package, schema: device.schema });
  }
  return found;
}

function machines() {
  const list = json('machines');
  let text = `# Machine types\n\n${NOTE}`;
  text += table(
    ['machine', 'alias', 'default CPU', 'memory', 'what'],
    list.map((m) => [m.name, m.alias ?? '', m.default_cpu, `${m.default_memory / 2 ** 20} MiB`, m.doc]),
  );
  text += `## Properties (\`-machine\`)\n\n`;
  const properties = new Map(list.flatMap((m) => m.properties.map((p) => [p.name, p])));
  text += table(
    ['property', 'type', 'default', 'what'],
    [...properties.values()].map((p) => [p.name, p.type, p.default, p.doc]),
  );
  text +=
    '## What each version changes\n\nAgainst the next newer one, in the order in which the rows are applied. An older machine has them all.\n\n';
  let newer = [];
  for (const m of list) {
    const rows = json('machines', '--compat', m.name).compat;
    const own = rows.slice(newer.length);
    if (m.version === undefined) continue;
    text += `### ${m.name}\n\n${
      own.length > 0
        ? table(
            ['driver', 'property', 'value'],
            own.map((r) => [r.driver, r.property, r.value]),
          )
        : 'Nothing.\n\n'
    }`;
    newer = rows;
  }
  return text;
}

function fieldRows(fields, indent = '') {
  return fields.flatMap((field) => [
    [`${indent}${field.field}`, field.size, field.version_id || '', field.field_exists ? 'conditional' : ''],
    ...(field.Description?.Fields ? fieldRows(field.Description.Fields, `${indent}${field.field}.`) : []),
  ]);
}

function section(description, level) {
  let text = `${'#'.repeat(level)} Section \`${description.name}\`, version ${description.version_id}, reads from ${description.minimum_version_id}\n\n`;
  text += table(['field', 'bytes', 'since version', ''], fieldRows(description.Fields ?? []));
  for (const sub of description.Subsections ?? [])
    text += section(sub, Math.min(level + 1, 5)).replace('# Section', '# Subsection');
  return text;
}

function devices() {
  const locks = lockedDevices();
  let text = `# Devices\n\n${NOTE}Properties with the newest machine's defaults; sizes are those of the state's members.\n\n`;
  for (const { type } of json('devices')) {
    const device = json('devices', type);
    const lock = locks.get(type);
    text += `## ${type}\n\n${device.doc}. Bus: ${device.bus}.${lock ? ` Package: \`${lock.package}\`.` : ''}\n\n`;
    text += table(
      ['property', 'type', 'default', 'what'],
      device.properties.map((p) => [p.name, p.type, p.default, p.doc]),
    );
    for (const { version, property, value } of device.history)
      text += `- machine ${version} and older: \`${property}=${value}\`\n`;
    if (device.history.length > 0) text += '\n';
    for (const { Description } of lock?.schema ?? []) text += section(Description, 3);
  }
  return text;
}

function processors() {
  let text = `# CPU models\n\n${NOTE}`;
  for (const target of ['i386', 'x86_64']) {
    text += `## ${target}\n\n`;
    text += table(
      ['model', 'what', "features of QEMU's model that this CPU lacks"],
      json('cpus', '--target', target).map((model) => [model.name, model.doc, model.filtered.join(' ')]),
    );
  }
  return text;
}

const options = () => `# Options of \`pagurus run\`\n\n${NOTE}\`\`\`text\n${pagurus('run', '-help').trimEnd()}\n\`\`\`\n`;

build();
const pages = { 'machines.md': machines(), 'devices.md': devices(), 'cpus.md': processors(), 'options.md': options() };
const check = process.argv.includes('--check');
mkdirSync(join(ROOT, FOLDER), { recursive: true });
for (const [name, content] of Object.entries(pages)) {
  const text = `${content.trimEnd()}\n`;
  const path = join(ROOT, FOLDER, name);
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  if (check) fail(`${FOLDER}/${name} is not what the code says: run npm run docs`);
  writeFileSync(path, text);
  step(`wrote ${FOLDER}/${name}`);
}
