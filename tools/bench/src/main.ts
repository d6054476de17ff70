import { parseArgs } from 'node:util';
import { createMachine } from 'pagurus';
import { cpuLoops } from './cpu-loops.js';
import { migrationPause, seabiosBoot, wasmSize } from './machine-suite.js';
import { vmstateSuite } from './vmstate-suite.js';

/** The suites of `npm run bench -- SUITE`; without a name, all. */
const SUITES: Record<string, () => Promise<void>> = {
  async cpu() {
    const size = wasmSize();
    row('CPU module', `${(size.bytes / 1024).toFixed(0)} KiB`, `${(size.gzip / 1024).toFixed(0)} KiB gzip`);
    for (const { loop, mips, spread } of await cpuLoops())
      row(`loop ${loop}`, `${mips.toFixed(0)} million instructions/s`, `± ${spread.toFixed(0)} %`);
  },
  async machine() {
    const boot = await seabiosBoot();
    if (boot)
      row(
        'SeaBIOS to "No bootable device"',
        `${boot.seconds.toFixed(2)} s`,
        `${(boot.instructions / 1e6).toFixed(1)} million instructions`,
      );
    else row('SeaBIOS', 'skipped', 'not installed (package seabios)');
    const move = await migrationPause();
    row(
      'live migration, pause',
      `${move.pause.toFixed(1)} ms`,
      `${move.megabytes.toFixed(1)} MB, ${move.rounds} rounds, ${move.milliseconds.toFixed(0)} ms in all`,
    );
  },
  async vmstate() {
    const machine = await createMachine('pc-i440fx-7.2', {
      memory: 8 * 2 ** 20,
      noDefaults: true,
      icount: { shift: 0, sleep: false },
    });
    const sections = machine.devices.flatMap(({ device }) =>
      device.sections.map(({ description, state }) => ({ name: description.name, description, state })),
    );
    const rows = await vmstateSuite(sections);
    const best = (operation: string) => rows.find((entry) => entry.operation === operation && entry.who === 'plan')!.microseconds;
    for (const { operation, who, microseconds, bytes } of rows)
      row(
        `${operation} device state, ${who}`,
        `${microseconds.toFixed(1)} µs`,
        `${bytes} bytes, ${(microseconds / best(operation)).toFixed(2)} x`,
      );
  },
};

function row(what: string, figure: string, note = ''): void {
  console.log(`${what.padEnd(36)} ${figure.padStart(30)}  ${note}`);
}

const { positionals } = parseArgs({ allowPositionals: true });
const unknown = positionals.filter((name) => !(name in SUITES));
if (unknown.length > 0) {
  console.error(`unknown suite: ${unknown.join(', ')}; known: ${Object.keys(SUITES).join(', ')}`);
  process.exit(2);
}
console.log(`Node.js ${process.versions.node}, V8 ${process.versions.v8}, ${process.arch}; medians\n`);
for (const name of positionals.length > 0 ? positionals : Object.keys(SUITES)) await SUITES[name]!();
