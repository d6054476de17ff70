import type { CpuTopology } from '@pagurus/cpu-wasm';
import { MachineError } from './machine-type.js';

/** `-smp`: what was said; the rest follows. */
export interface SmpOptions {
  /** Processors at start. */
  readonly cpus?: number;
  /** Processors that there is room for. */
  readonly maxCpus?: number;
  readonly sockets?: number;
  readonly cores?: number;
  readonly threads?: number;
}

/** Processors of a machine: how many run, and the places that there are. */
export interface SmpLayout extends CpuTopology {
  readonly cpus: number;
  readonly maxCpus: number;
}

/**
 * What QEMU makes of an incomplete `-smp`: what is not said of sockets, cores and threads follows from `maxcpus`. Machines up to 6.1 put
 * more processors into more sockets, later ones into more cores.
 * @throws {MachineError}
 */
export function smpLayout(options: SmpOptions, preferSockets: boolean, machine: string, most: number): SmpLayout {
  for (const [name, value] of Object.entries(options))
    if (value !== undefined && (!Number.isInteger(value) || value < 1))
      throw new MachineError(`-smp: ${name.toLowerCase()}=${value}: expected a number from 1`);
  let { sockets, cores, threads } = options;
  const wanted = options.maxCpus ?? options.cpus;
  if (wanted === undefined) [sockets, cores, threads] = [sockets ?? 1, cores ?? 1, threads ?? 1];
  else {
    const order: ('sockets' | 'cores')[] = preferSockets ? ['sockets', 'cores'] : ['cores', 'sockets'];
    const known = { sockets, cores, threads };
    const filled = order.find((level) => known[level] === undefined) ?? 'threads';
    const rest = (level: 'sockets' | 'cores' | 'threads'): number => known[level] ?? 1;
    if (known[filled] === undefined) {
      const others = (['sockets', 'cores', 'threads'] as const).filter((level) => level !== filled);
      known[filled] = Math.floor(wanted / others.reduce((product, level) => product * rest(level), 1));
    }
    [sockets, cores, threads] = [rest('sockets'), rest('cores'), rest('threads')];
  }
  const places = sockets * cores * threads;
  const maxCpus = wanted === undefined ? places : (options.maxCpus ?? wanted);
  const cpus = options.cpus ?? maxCpus;
  const shape = `sockets (${sockets}) * cores (${cores}) * threads (${threads})`;
  if (places !== maxCpus) throw new MachineError(`-smp: ${shape} make ${places} processors; expected maxcpus (${maxCpus})`);
  if (cpus > maxCpus) throw new MachineError(`-smp: ${cpus} processors, but room for ${maxCpus} only (maxcpus)`);
  if (maxCpus > most) throw new MachineError(`-smp: ${maxCpus} processors; ${machine} has at most ${most}`);
  return { cpus, maxCpus, sockets, cores, threads };
}
