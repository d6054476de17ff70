import { parseArgs } from 'node:util';
import { createMachine } from 'pagurus';
import { cpuLoops } from './cpu-loops.js';
import { diskSuite } from './disk-suite.js';
import { buildOf, type GuestRow, geometricMean, guestSuite } from './guest-suite.js';
import { exitsPerSecond, migrationPause, seabiosBoot, wasmSize } from './machine-suite.js';
import { screenSuite } from './screen-suite.js';
import { OPERATIONS, vmstateSuite } from './vmstate-suite.js';

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '1' },
    'bench-ms': { type: 'string', default: '400' },
    only: { type: 'string', default: '' },
    architecture: { type: 'string', default: 'i386,amd64' },
  },
});

/** The suites of `npm run bench -- SUITE`; without a name, all. */
const SUITES: Record<string, () => Promise<void>> = {
  async cpu() {
    const size = wasmSize();
    row('CPU module', `${(size.bytes / 1024).toFixed(0)} KiB`, `${(size.gzip / 1024).toFixed(0)} KiB gzip`);
    for (const { loop, mips, spread } of await cpuLoops())
      row(`loop ${loop}`, `${mips.toFixed(0)} million instructions/s`, `± ${spread.toFixed(0)} %`);
    const boot = await seabiosBoot(1);
    if (boot) row('decoded code (SeaBIOS)', `${boot.bytesPerDecoded.toFixed(0)} bytes/instruction`);
    await guest();
  },
  async machine() {
    const boot = await seabiosBoot();
    if (boot)
      row(
        'SeaBIOS to "No bootable device"',
        `${boot.seconds.toFixed(2)} s`,
        `${(boot.instructions / 1e6).toFixed(1)} million instructions; decode cache ${boot.bytesPerDecoded.toFixed(0)} bytes/instruction`,
      );
    else row('SeaBIOS', 'skipped', 'not installed (package seabios)');
    for (const kind of ['port', 'mmio'] as const)
      row(
        `${kind === 'port' ? 'port' : 'MMIO'} exits`,
        `${((await exitsPerSecond(kind)) / 1e6).toFixed(2)} million/s`,
        'reads of a device',
      );
    const move = await migrationPause();
    row(
      'live migration, pause',
      `${move.pause.toFixed(1)} ms`,
      `${move.megabytes.toFixed(1)} MB, ${move.rounds} rounds, ${move.milliseconds.toFixed(0)} ms in all`,
    );
  },
  async screen() {
    for (const { mode, changed, updatesPerSecond } of await screenSuite())
      row(`screen ${mode}, ${changed} changed`, `${updatesPerSecond.toFixed(0)} updates/s`);
  },
  async disk() {
    const figures = await diskSuite(Number(options.runs), (text) => console.error(text));
    for (const { engine, format, rates } of figures)
      for (const [name, rate] of rates) {
        const peer = figures.find((other) => other.engine === 'qemu' && other.format === format)?.rates.get(name);
        const note = engine === 'pagurus' && peer !== undefined ? `${(rate / peer).toFixed(2)} of QEMU's` : '';
        row(`IDE ${format}, ${engine}, ${name}`, rate.toFixed(1), note);
      }
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
    for (const operation of OPERATIONS) {
      const group = rows.filter((entry) => entry.operation === operation);
      const plan = group.find(({ who }) => who === 'plan')!.microseconds;
      for (const { who, microseconds, bytes } of group) {
        const note = who === 'plan' ? '' : `, plan is ${(microseconds / plan).toFixed(2)} times as fast`;
        row(`${operation} device state, ${who}`, `${microseconds.toFixed(1)} µs`, `${bytes} bytes${note}`);
      }
    }
  },
};

function row(what: string, figure: string, note = ''): void {
  console.log(`${what.padEnd(36)} ${figure.padStart(30)}  ${note}`);
}

/** Linux with the benchmark guest, in each engine that is here: nanoseconds per operation, and ours over the peer's. */
async function guest(): Promise<void> {
  const tables = await guestSuite(
    {
      runs: Number(options.runs),
      milliseconds: Number(options['bench-ms']),
      only: options.only.split(',').filter(Boolean),
      architectures: (['i386', 'amd64'] as const).filter((name) => options.architecture.split(',').includes(name)),
    },
    (text) => console.error(text),
  );
  for (const { architecture, engines, rows, wrong } of tables) {
    const [ours, ...peers] = engines as [string, ...string[]];
    const line = (name: string, cells: readonly string[]) =>
      console.log(`${name.padEnd(24)}${cells.map((cell) => cell.padStart(12)).join('')}`);
    const ratios = (values: GuestRow['values']) =>
      peers.map((peer) => {
        const [own, other] = [values.get(ours), values.get(peer)];
        return own === undefined || !other ? '-' : (own / other).toFixed(2);
      });
    console.log(`\n${architecture}: nanoseconds of CPU time per operation; x PEER: our time over the peer's`);
    line('', [...engines, ...peers.map((peer) => `x ${peer}`)]);
    const builds = [...new Set(rows.map(({ name }) => buildOf(name)))];
    for (const build of builds) {
      const group = rows.filter(({ name }) => buildOf(name) === build);
      for (const { name, values } of group)
        line(name, [...engines.map((engine) => figure(values.get(engine))), ...ratios(values)]);
      if (build !== undefined) line(`${build}: geometric mean`, [...engines.map(() => ''), ...means(group, ours, peers)]);
    }
    line('all: geometric mean', [...engines.map(() => ''), ...means(rows, ours, peers)]);
    for (const words of wrong) console.log(`WRONG RESULT in ${words}`);
    if (wrong.some((line) => line.startsWith('pagurus:'))) process.exitCode = 1;
  }
}

const means = (rows: readonly GuestRow[], ours: string, peers: readonly string[]): string[] =>
  peers.map((peer) => geometricMean(rows, ours, peer)?.toFixed(2) ?? '-');

const figure = (value: number | undefined): string =>
  value === undefined ? '-' : value >= 100 ? value.toFixed(0) : value.toPrecision(3);

const unknown = positionals.filter((name) => !(name in SUITES));
if (unknown.length > 0) {
  console.error(`unknown suite: ${unknown.join(', ')}; known: ${Object.keys(SUITES).join(', ')}`);
  process.exit(2);
}
console.log(`Node.js ${process.versions.node}, V8 ${process.versions.v8}, ${process.arch}; medians\n`);
for (const name of positionals.length > 0 ? positionals : Object.keys(SUITES)) await SUITES[name]!();
