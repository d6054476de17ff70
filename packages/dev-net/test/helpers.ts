/** What the tests of this package share. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { testSlot } from '@pagurus/dev-pci/testing';
import type { NetworkBackend } from '@pagurus/device-model';
import { type Bench, type FakeContextOptions, type GoldenSection, goldenSection } from '@pagurus/device-testkit';

/** A network that keeps what was sent and lets the test send. */
export class FakeNetwork implements NetworkBackend {
  readonly sent: Uint8Array[] = [];
  deliver: (frame: Uint8Array) => void = () => {};
  /** Told of every frame, for traces. */
  note: (text: string) => void = () => {};

  send(frame: Uint8Array): void {
    this.sent.push(frame.slice());
    this.note(`sent ${Buffer.from(frame).toString('hex')}`);
  }

  connect(receive: (frame: Uint8Array) => void): void {
    this.deliver = receive;
  }
}

export const withNetwork = (): FakeContextOptions => ({ backends: { netdev: new FakeNetwork() } });

export const onPci = (devfn: number) => (): FakeContextOptions => ({
  ...withNetwork(),
  slot: (context) => {
    networkOf({ context }).note = (text) => context.note(text);
    return testSlot(context, devfn);
  },
});

export function networkOf({ context }: Pick<Bench, 'context'>): FakeNetwork {
  return context.backends.netdev as FakeNetwork;
}

export const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));
export const unpack = (text: string): Uint8Array => Uint8Array.from(gunzipSync(Buffer.from(text, 'base64')));

export function recordedSections(device: string): GoldenSection[] {
  const list = JSON.parse(fixture('sections.json').toString()) as {
    origin: string;
    device: string;
    name: string;
    bytes: string;
    vmdesc?: object;
  }[];
  return list
    .filter((entry) => entry.device === device)
    .map(({ origin, name, bytes, ...rest }) =>
      goldenSection(name, unpack(bytes), { origin, ...(rest.vmdesc ? { vmdesc: rest.vmdesc } : {}) }),
    );
}

/** Destination, then bytes counting up from `first`. */
export function frame(destination: string, length: number, first = 0): Uint8Array {
  return Uint8Array.from([...Buffer.from(destination, 'hex'), ...Array.from({ length }, (_, i) => first + i)]);
}
