import type { MigrationTarget, StreamSettings } from '@pagurus/device-model';
import { hex, StreamError } from './errors.js';
import { KNOWN_CAPABILITIES, VALIDATED_CAPABILITIES } from './parameters.js';
import { findSection, instancesOf, type SectionIdentity } from './section-lookup.js';

/** What decides whether one machine can be loaded into another. Plain data: it can travel before the migration does. */
export interface MachineSummary {
  readonly machineName: string;
  readonly settings: StreamSettings;
  readonly ramBlocks: readonly { readonly name: string; readonly usedLength: number; readonly maxLength: number }[];
  readonly sections: readonly (SectionIdentity & { readonly version: number; readonly needed: boolean })[];
  /** Those that are on. */
  readonly capabilities: readonly string[];
  readonly uuid?: string;
}

/** The summary of a machine as it is now. */
export function summarize(
  target: MigrationTarget,
  options: { readonly capabilities?: readonly string[]; readonly uuid?: string } = {},
): MachineSummary {
  return {
    machineName: target.machineName,
    settings: { ...target.settings },
    ramBlocks: target.ramBlocks.map(({ name, usedLength, maxLength }) => ({ name, usedLength, maxLength })),
    sections: target.sections.map((section) => ({
      idstr: section.idstr,
      instance: section.instance,
      ...(section.alias === undefined ? {} : { alias: section.alias }),
      ...(section.compat === undefined ? {} : { compat: section.compat }),
      version: section.version,
      needed: section.needed(),
    })),
    capabilities: options.capabilities ?? [],
    ...(options.uuid === undefined ? {} : { uuid: options.uuid }),
  };
}

/**
 * Everything that would make the destination refuse the source's stream, found without sending it. An empty list is no promise for the
 * contents of sections, whose layouts are compared only when they are loaded.
 */
export function preflight(source: MachineSummary, destination: MachineSummary): StreamError[] {
  return [
    ...machineObjections(source, destination),
    ...ramObjections(source, destination),
    ...sectionObjections(source, destination),
  ];
}

function machineObjections(source: MachineSummary, destination: MachineSummary): StreamError[] {
  const objections: StreamError[] = [];
  const configuration = { section: 'configuration' };
  if (source.settings.sendConfiguration && !destination.machineName.startsWith(source.machineName)) {
    objections.push(
      new StreamError('machine-mismatch', 'the two machines have different types', {
        ...configuration,
        path: 'name',
        expected: `'${destination.machineName}'`,
        got: `'${source.machineName}'`,
      }),
    );
  }
  for (const [key, property] of SWITCHES) {
    if (source.settings[key] === destination.settings[key]) continue;
    objections.push(
      new StreamError('configuration-invalid', `the streams of the two machine versions differ in '${property}'`, {
        ...configuration,
        expected: String(destination.settings[key]),
        got: String(source.settings[key]),
      }),
    );
  }
  for (const name of VALIDATED_CAPABILITIES) {
    const [here, there] = [destination.capabilities.includes(name), source.capabilities.includes(name)];
    if (here !== there) {
      objections.push(
        new StreamError('capability-mismatch', `capability '${name}' is on at one end only`, {
          ...configuration,
          expected: String(here),
          got: String(there),
        }),
      );
    }
  }
  for (const name of source.capabilities) {
    if (!KNOWN_CAPABILITIES.includes(name))
      objections.push(
        new StreamError('unknown-capability', `capability '${name}' is not known`, { ...configuration, got: name }),
      );
  }
  if (source.capabilities.includes('validate-uuid') && source.uuid && destination.uuid && source.uuid !== destination.uuid) {
    objections.push(
      new StreamError('uuid-mismatch', 'the machines have different UUIDs', {
        ...configuration,
        expected: destination.uuid,
        got: source.uuid,
      }),
    );
  }
  return objections;
}

/** Switches that both ends must have alike, with QEMU's property names. */
const SWITCHES = [
  ['sendConfiguration', 'send-configuration'],
  ['sendSectionFooter', 'send-section-footer'],
] as const satisfies readonly (readonly [keyof StreamSettings, string])[];

function ramObjections(source: MachineSummary, destination: MachineSummary): StreamError[] {
  const objections: StreamError[] = [];
  for (const block of source.ramBlocks) {
    const own = destination.ramBlocks.find(({ name }) => name === block.name);
    const place = { section: 'ram', path: block.name };
    if (!own) {
      const names = destination.ramBlocks.map(({ name }) => name).join(', ');
      objections.push(
        new StreamError('ram-unknown-block', `the destination has no RAM block '${block.name}'`, {
          ...place,
          expected: `one of ${names}`,
          got: block.name,
        }),
      );
      continue;
    }
    const resizeable = own.maxLength > own.usedLength;
    if (own.usedLength === block.usedLength || (resizeable && block.usedLength <= own.maxLength)) continue;
    objections.push(
      new StreamError('ram-block-size', `RAM block '${block.name}' has another size`, {
        ...place,
        expected: resizeable ? `at most ${hex(own.maxLength)}` : hex(own.usedLength),
        got: hex(block.usedLength),
      }),
    );
  }
  return objections;
}

function sectionObjections(source: MachineSummary, destination: MachineSummary): StreamError[] {
  const objections: StreamError[] = [];
  for (const { idstr, instance, version, needed } of source.sections) {
    if (!needed) continue;
    const own = findSection(destination.sections, idstr, instance);
    const place = { section: idstr, instance };
    if (!own) {
      objections.push(
        new StreamError('unknown-section', `the destination has no section '${idstr}' instance ${instance}`, {
          ...place,
          expected: instancesOf(destination.sections, idstr),
          got: `'${idstr}' instance ${instance}`,
        }),
      );
    } else if (version > own.version) {
      objections.push(
        new StreamError('section-version-too-new', `section '${idstr}' is newer than the destination's`, {
          ...place,
          expected: `at most ${own.version}`,
          got: `${version}`,
        }),
      );
    }
  }
  return objections;
}
