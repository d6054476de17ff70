import type { MigrationTarget } from '@pagurus/device-model';
import { type Configuration, capabilitiesOf, readConfiguration } from './configuration.js';
import { hex, type StreamErrorDetails } from './errors.js';
import { PAGE_SIZE, SECTION } from './format.js';
import { KNOWN_CAPABILITIES, VALIDATED_CAPABILITIES } from './parameters.js';
import type { StreamReader } from './reader.js';

export interface LocalConfiguration {
  /** Capabilities that are on here. */
  readonly capabilities: readonly string[];
  readonly uuid: string | undefined;
}

/**
 * Reads the configuration section, if the machine version has one, and compares it with what is here, by QEMU's rules.
 * @returns undefined for machine versions without it.
 * @throws {StreamError}
 */
export async function readMatchingConfiguration(
  reader: StreamReader,
  target: MigrationTarget,
  local: LocalConfiguration,
  warn: (text: string) => void,
): Promise<Configuration | undefined> {
  if (!target.settings.sendConfiguration) return undefined;
  await reader.need(1, 'the stream, where the configuration should be');
  const offset = reader.offset;
  if (reader.peek() !== SECTION.CONFIGURATION) {
    reader.fail('configuration-missing', `the configuration section is missing; machine '${target.machineName}' expects it`, {
      expected: hex(SECTION.CONFIGURATION),
      got: hex(reader.peek()!),
    });
  }
  reader.skip(1);
  const configuration = await readConfiguration(reader);
  const place = { section: 'configuration', offset };
  // As QEMU has it: a name that the local one begins with is good.
  if (!target.machineName.startsWith(configuration.machine)) {
    reader.fail('machine-mismatch', 'the stream comes from another machine type', {
      ...place,
      path: 'name',
      expected: `'${target.machineName}'`,
      got: `'${configuration.machine}'`,
    });
  }
  checkSubsections(reader, configuration, local, place, warn);
  checkCapabilities(reader, capabilitiesOf(configuration), local.capabilities, { ...place, path: 'configuration/capabilities' });
  return configuration;
}

function checkSubsections(
  reader: StreamReader,
  configuration: Configuration,
  local: LocalConfiguration,
  place: StreamErrorDetails,
  warn: (text: string) => void,
): void {
  for (const subsection of configuration.subsections) {
    const here = { ...place, path: subsection.name };
    if (subsection.version > 1) {
      reader.fail('configuration-invalid', 'the subsection has a newer version', {
        ...here,
        expected: 'at most 1',
        got: `${subsection.version}`,
      });
    }
    if (subsection.name === 'configuration/target-page-bits' && 2 ** subsection.pageBits !== PAGE_SIZE) {
      reader.fail('page-bits-mismatch', 'the source has another page size', {
        ...here,
        expected: '12 bits',
        got: `${subsection.pageBits} bits`,
      });
    }
    if (subsection.name !== 'configuration/uuid') continue;
    if (local.uuid === undefined) warn(`the source's UUID is ${subsection.uuid}; this machine has none to compare`);
    else if (local.uuid.toLowerCase() !== subsection.uuid) {
      reader.fail('uuid-mismatch', 'the source has another UUID', { ...here, expected: local.uuid, got: subsection.uuid });
    }
  }
}

/** Only those that change the layout of the stream must be alike. */
function checkCapabilities(
  reader: StreamReader,
  received: readonly string[],
  local: readonly string[],
  place: StreamErrorDetails,
): void {
  for (const name of received) {
    if (KNOWN_CAPABILITIES.includes(name)) continue;
    reader.fail('unknown-capability', `the stream needs the capability '${name}', which is not known here`, {
      ...place,
      got: name,
    });
  }
  const word = (on: boolean) => (on ? 'on' : 'off');
  for (const name of VALIDATED_CAPABILITIES) {
    const [here, there] = [word(local.includes(name)), word(received.includes(name))];
    if (here === there) continue;
    reader.fail('capability-mismatch', `capability '${name}' is ${here} here, but ${there} in the stream`, {
      ...place,
      expected: here,
      got: there,
    });
  }
}
