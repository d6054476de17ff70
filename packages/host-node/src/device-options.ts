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
