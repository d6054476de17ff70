import type { StructNode, Vmdesc, VmdescMembers } from '@pagurus/vmstate';
import { StreamError } from './errors.js';
import type { StreamEvent } from './events.js';
import { textFromBytes } from './format.js';
import { RUN_STATES } from './global-state.js';
import { describedDevice } from './vmdesc.js';

interface SeenSection {
  readonly idstr: string;
  readonly instance: number;
  readonly version: number;
  readonly offset: number;
  node?: StructNode;
}

/**
 * What a walk alone does not fail on, and yet no QEMU writes: a stream that contradicts its own description, a run state that there is not,
 * a command out of order.
 */
export class Contradictions {
  private readonly sections: SeenSection[] = [];
  private readonly found: StreamError[] = [];
  private current: SeenSection | undefined;
  private returnPath = false;

  see(event: StreamEvent): void {
    switch (event.kind) {
      case 'section':
        this.current = event.type === 'FULL' ? { ...event } : undefined;
        if (this.current) this.sections.push(this.current);
        break;
      case 'state':
        this.current!.node = event.node;
        if (this.current!.idstr === 'globalstate') this.runState(event.node);
        break;
      case 'command':
        if (event.command.name === 'OPEN_RETURN_PATH') this.returnPath = true;
        if (event.command.name === 'PING' && !this.returnPath) {
          this.found.push(
            new StreamError('command-order', 'command PING came without a return path', { path: 'PING', offset: event.offset }),
          );
        }
        break;
      default:
    }
  }

  /** @param vmdesc the stream's description, if it is whole. */
  list(vmdesc: Vmdesc | undefined): StreamError[] {
    return vmdesc ? [...this.found, ...this.compared(vmdesc)] : this.found;
  }

  private compared(vmdesc: Vmdesc): StreamError[] {
    const problems: StreamError[] = [];
    const occurrences = new Map<string, number>();
    for (const section of this.sections) {
      const { idstr, instance, version, offset, node } = section;
      const identity = `${instance}/${idstr}`;
      const occurrence = occurrences.get(identity) ?? 0;
      occurrences.set(identity, occurrence + 1);
      const place = { section: idstr, instance, offset };
      const device = describedDevice(vmdesc, idstr, instance, occurrence);
      if (!device) problems.push(mismatch('the section is in the stream, but not in its description', place));
      else if (device.vmsd_name !== undefined) {
        if (device.version !== version) problems.push(versionMismatch(place, `${device.version}`, `${version}`));
        if (node) problems.push(...subsectionVersions(node, device, place));
      }
    }
    const described = new Map<string, number>();
    for (const device of vmdesc.devices) {
      const identity = `${device?.instance_id}/${device?.name}`;
      described.set(identity, (described.get(identity) ?? 0) + 1);
    }
    for (const [identity, count] of described) {
      const sent = occurrences.get(identity) ?? 0;
      if (sent === count) continue;
      const slash = identity.indexOf('/');
      problems.push(
        mismatch('the description and the stream do not have the section equally often', {
          section: identity.slice(slash + 1),
          instance: Number(identity.slice(0, slash)),
          expected: `${count}`,
          got: `${sent}`,
        }),
      );
    }
    return problems;
  }

  private runState(node: StructNode): void {
    const { value } = node.fields.find((field) => field.name === 'runstate') ?? {};
    if (!(value instanceof Uint8Array)) return;
    const end = value.indexOf(0);
    const name = textFromBytes(value.subarray(0, end < 0 ? value.length : end));
    if (RUN_STATES.includes(name)) return;
    this.found.push(
      new StreamError('run-state', 'there is no such run state', {
        section: 'globalstate',
        path: 'globalstate.runstate',
        offset: this.current!.offset,
        got: `'${name.replace(/[^ -~]/g, '?')}'`,
      }),
    );
  }
}

interface Place {
  readonly section: string;
  readonly instance: number;
  readonly offset: number;
}

/** A wire version that is not the one that the description has. */
function subsectionVersions(node: StructNode, members: Partial<VmdescMembers>, place: Place): StreamError[] {
  return node.subsections.flatMap((sent) => {
    const described = members.subsections?.find((one) => one.vmsd_name === sent.name);
    if (!described) return [];
    const own =
      described.version === sent.version
        ? []
        : [versionMismatch({ ...place, path: sent.name }, `${described.version}`, `${sent.version}`)];
    return [...own, ...subsectionVersions(sent, described, place)];
  });
}

function versionMismatch(place: Place & { path?: string }, expected: string, got: string): StreamError {
  return mismatch('the version in the stream is not the one in its description', { ...place, expected, got });
}

function mismatch(problem: string, details: ConstructorParameters<typeof StreamError>[2]): StreamError {
  return new StreamError('description-mismatch', problem, details);
}
