/** Saving and loading device state: compiled descriptions, the interpreter, protobufjs and msgpackr, in one run on the same state. */
import { type AnyDescription, capture, compile, decode, load, save, saveDescribed } from '@pagurus/vmstate';
import { Packr } from 'msgpackr';
import { Bench } from 'tinybench';
import { place, plainOf, protobufOf } from './peers.js';

export interface BenchSection {
  readonly name: string;
  readonly description: AnyDescription;
  readonly state: object;
}

export interface VmstateRow {
  readonly operation: Operation;
  readonly who: 'plan' | 'interpreter' | 'protobufjs' | 'msgpackr';
  /** Median of one pass over all sections, microseconds. */
  readonly microseconds: number;
  /** Size of the output. */
  readonly bytes: number;
}

/**
 * `save`: states to bytes. `decode`: bytes to values, in states that are thrown away if something is wrong (us) or in new plain objects
 * (the libraries). `load`: bytes to the objects that the program goes on with: all or nothing, through a copy (us), or decoded and then put
 * in place, member by member (the libraries). `describe`: saving with the description JSON that goes into a stream.
 */
export const OPERATIONS = ['save', 'decode', 'load', 'describe'] as const;
export type Operation = (typeof OPERATIONS)[number];

/**
 * Measures one pass over all sections, after a warm-up long enough for the engine's compiler to get to the end of it. Everyone gets what is on the wire and nothing else: the libraries plain objects of the fields that a
 * save sends. On the way in we check versions, counts, ranges and structure and run the devices' hooks; the libraries take what they find
 * (msgpackr hands out views onto its input for buffers).
 */
export async function vmstateSuite(sections: readonly BenchSection[], milliseconds = 1000): Promise<VmstateRow[]> {
  const plans = sections.map(({ description }) => compile<object>(description));
  const encoded = sections.map(({ description, state }) => save<object>(description, state));
  const size = encoded.reduce((sum, { length }) => sum + length, 0);
  const plain = Object.fromEntries(sections.map(({ description, state }, i) => [`s${i}`, plainOf(capture(description, state))]));
  const packr = new Packr({ structures: [], moreTypes: true });
  const packed = packr.pack(plain);
  const messages = protobufOf(plain);
  const message = messages.encode();
  const each = (run: (i: number) => void) => () => {
    for (let i = 0; i < sections.length; i++) run(i);
  };
  const own = structuredClone(plain);
  const tasks: [Operation, VmstateRow['who'], number, () => void][] = [
    ['save', 'plan', size, each((i) => plans[i]!.save(sections[i]!.state))],
    ['save', 'interpreter', size, each((i) => save<object>(sections[i]!.description, sections[i]!.state))],
    ['save', 'protobufjs', message.length, () => messages.encode()],
    ['save', 'msgpackr', packed.length, () => packr.pack(plain)],
    ['decode', 'plan', size, each((i) => plans[i]!.loadFresh(sections[i]!.state, encoded[i]!))],
    ['decode', 'interpreter', size, each((i) => decode<object>(sections[i]!.description, sections[i]!.state, encoded[i]!))],
    ['decode', 'protobufjs', message.length, () => messages.decode(message)],
    ['decode', 'msgpackr', packed.length, () => packr.unpack(packed)],
    ['load', 'plan', size, each((i) => plans[i]!.load(sections[i]!.state, encoded[i]!))],
    ['load', 'interpreter', size, each((i) => load<object>(sections[i]!.description, sections[i]!.state, encoded[i]!))],
    ['load', 'protobufjs', message.length, () => place(messages.message as never, messages.decode(message) as never)],
    ['load', 'msgpackr', packed.length, () => place(own, packr.unpack(packed) as never)],
    ['describe', 'plan', size, each((i) => plans[i]!.saveDescribed(sections[i]!.state))],
    ['describe', 'interpreter', size, each((i) => saveDescribed<object>(sections[i]!.description, sections[i]!.state))],
  ];
  const bench = new Bench({ time: milliseconds, warmupTime: milliseconds * 3 });
  for (const [operation, who, , run] of tasks) bench.add(`${operation} ${who}`, run);
  await bench.run();
  return tasks.map(([operation, who, bytes]) => {
    const { result } = bench.getTask(`${operation} ${who}`)!;
    if (!('latency' in result))
      throw new Error(`${operation} ${who} gave no result`, { cause: 'error' in result ? result.error : undefined });
    return { operation, who, bytes, microseconds: result.latency.p50 * 1000 };
  });
}
