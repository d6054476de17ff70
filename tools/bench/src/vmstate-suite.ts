/** Saving and loading device state: compiled descriptions, the interpreter, protobufjs and msgpackr, in one run on the same state. */
import { type AnyDescription, compile, load, save } from '@pagurus/vmstate';
import { Packr } from 'msgpackr';
import { Bench } from 'tinybench';
import { type Plain, plainOf, protobufOf } from './peers.js';

export interface BenchSection {
  readonly name: string;
  readonly description: AnyDescription;
  readonly state: object;
}

export interface VmstateRow {
  readonly operation: 'save' | 'load';
  readonly who: 'plan' | 'plan, into fresh states' | 'interpreter' | 'protobufjs' | 'msgpackr';
  /** Median of one pass over all sections, microseconds. */
  readonly microseconds: number;
  /** Size of the output. */
  readonly bytes: number;
}

/**
 * Measures one pass over all sections. Loading by us checks versions, ranges and structure and puts the values into the devices' own state
 * classes, all or nothing; the libraries make plain objects of what they find (msgpackr hands out views onto its input for buffers).
 */
export async function vmstateSuite(sections: readonly BenchSection[], milliseconds = 500): Promise<VmstateRow[]> {
  const plans = sections.map(({ description }) => compile<object>(description));
  const encoded = sections.map(({ description, state }) => save<object>(description, state));
  const size = encoded.reduce((sum, { length }) => sum + length, 0);
  const plain = Object.fromEntries(sections.map(({ state }, i) => [`s${i}`, plainOf(state)])) as { [key: string]: Plain };
  const packr = new Packr({ structures: [] });
  const packed = packr.pack(plain);
  const messages = protobufOf(plain);
  const message = messages.encode();
  const each = (run: (i: number) => void) => () => {
    for (let i = 0; i < sections.length; i++) run(i);
  };
  const tasks: [VmstateRow['operation'], VmstateRow['who'], number, () => void][] = [
    ['save', 'plan', size, each((i) => plans[i]!.save(sections[i]!.state))],
    ['save', 'interpreter', size, each((i) => save<object>(sections[i]!.description, sections[i]!.state))],
    ['save', 'protobufjs', message.length, () => messages.encode()],
    ['save', 'msgpackr', packed.length, () => packr.pack(plain)],
    ['load', 'plan', size, each((i) => plans[i]!.load(sections[i]!.state, encoded[i]!))],
    ['load', 'plan, into fresh states', size, each((i) => plans[i]!.loadFresh(sections[i]!.state, encoded[i]!))],
    ['load', 'interpreter', size, each((i) => load<object>(sections[i]!.description, sections[i]!.state, encoded[i]!))],
    ['load', 'protobufjs', message.length, () => messages.decode(message)],
    ['load', 'msgpackr', packed.length, () => packr.unpack(packed)],
  ];
  const bench = new Bench({ time: milliseconds, warmupTime: milliseconds / 4 });
  for (const [operation, who, , run] of tasks) bench.add(`${operation} ${who}`, run);
  await bench.run();
  return tasks.map(([operation, who, bytes]) => {
    const { result } = bench.getTask(`${operation} ${who}`)!;
    if (!('latency' in result)) throw new Error(`${operation} ${who} gave no result`);
    return { operation, who, bytes, microseconds: result.latency.p50 * 1000 };
  });
}
