import { HostError } from './errors.js';
import { NamedOptions, splitCommas } from './options.js';

/** A device as `-device` and `device_add` name it. */
export interface DeviceOptions {
  readonly driver: string;
  readonly id?: string;
  readonly bus?: string;
  readonly addr?: string;
  /** All other properties, as text. */
  readonly properties: Readonly<Record<string, string>>;
}

/**
 * `DRIVER,id=ID,bus=BUS,addr=A.F,property=value…`
 * @param command for messages: `-device` or `device_add`.
 * @throws {HostError} without a driver.
 */
export function parseDeviceOptions(command: string, text: string): DeviceOptions {
  const parts = splitCommas(text);
  const first = parts[0]!.startsWith('driver=') ? parts[0]!.slice('driver='.length) : parts[0]!;
  if (first === '' || first.includes('='))
    throw new HostError('syntax', `${command} ${text}: expected DRIVER[,PROPERTY=VALUE]...`);
  const named = new NamedOptions(`${command} ${text}`, parts.slice(1));
  const [id, bus, addr] = [named.text('id'), named.text('bus'), named.text('addr')];
  return {
    driver: first,
    ...(id === undefined ? {} : { id }),
    ...(bus === undefined ? {} : { bus }),
    ...(addr === undefined ? {} : { addr }),
    properties: named.rest(),
  };
}

/** `memory-backend-ram,id=ID,size=SIZE` of `-object` and `object_add`: a number without a letter counts bytes. @throws {HostError} */
export function parseMemoryObject(command: string, text: string): { readonly id: string; readonly size: number } {
  const [kind = '', ...parts] = splitCommas(text);
  const fail = (message: string): HostError => new HostError('syntax', `${command} ${text}: ${message}`);
  if (kind.replace(/^qom-type=/, '') !== 'memory-backend-ram')
    throw fail(`unknown object type '${kind}'; expected memory-backend-ram`);
  const named = new NamedOptions(`${command} ${text}`, parts);
  const id = named.text('id');
  const size = named.size('size', 0);
  named.done('id, size');
  if (!id) throw fail('expected id=ID');
  if (size <= 0 || size % 4096 !== 0) throw fail('expected size=SIZE in whole pages');
  return { id, size };
}
