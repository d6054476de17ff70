import { describe, expect, it } from 'vitest';
import { type SmpOptions, smpLayout } from './smp.js';

const layout = (options: SmpOptions, preferSockets = false) => {
  const { cpus, maxCpus, sockets, cores, threads } = smpLayout(options, preferSockets, 'pc', 255);
  return [cpus, maxCpus, sockets, cores, threads];
};

describe('-smp', () => {
  it.each<[SmpOptions, number[], number[]]>([
    // What was said; with cores preferred (machines since 6.2), with sockets preferred.
    [{}, [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]],
    [{ cpus: 4 }, [4, 4, 1, 4, 1], [4, 4, 4, 1, 1]],
    [{ cpus: 2, maxCpus: 8 }, [2, 8, 1, 8, 1], [2, 8, 8, 1, 1]],
    [{ cpus: 8, sockets: 2 }, [8, 8, 2, 4, 1], [8, 8, 2, 4, 1]],
    [{ cpus: 8, threads: 2 }, [8, 8, 1, 4, 2], [8, 8, 4, 1, 2]],
    [{ cpus: 8, cores: 2 }, [8, 8, 4, 2, 1], [8, 8, 4, 2, 1]],
    [{ cpus: 8, sockets: 2, cores: 2 }, [8, 8, 2, 2, 2], [8, 8, 2, 2, 2]],
    [{ sockets: 2, cores: 3 }, [6, 6, 2, 3, 1], [6, 6, 2, 3, 1]],
    [{ maxCpus: 4 }, [4, 4, 1, 4, 1], [4, 4, 4, 1, 1]],
  ])('%o', (options, cores, sockets) => {
    expect(layout(options)).toEqual(cores);
    expect(layout(options, true)).toEqual(sockets);
  });

  it.each<[SmpOptions, string]>([
    [{ cpus: 0 }, '-smp: cpus=0: expected a number from 1'],
    [{ cpus: 3, cores: 2 }, 'sockets (1) * cores (2) * threads (1) make 2 processors; expected maxcpus (3)'],
    [{ cpus: 4, maxCpus: 2 }, '4 processors, but room for 2 only (maxcpus)'],
    [{ cpus: 256 }, '256 processors; pc has at most 255'],
  ])('%o is refused', (options, message) => {
    expect(() => layout(options)).toThrow(message);
  });
});
