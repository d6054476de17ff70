/** A name that no package or device can have. */
export class NameError extends Error {
  override readonly name = 'NameError';
}

export interface DeviceNames {
  /** npm name, e.g. `my-sensor` or `@me/my-sensor`. */
  readonly package: string;
  /** Device type for `-device`, e.g. `my-sensor`. */
  readonly type: string;
  /** Section name: the npm name and the type, so that sections of two publishers never meet. */
  readonly section: string;
  /** TypeScript constant, e.g. `mySensor`. */
  readonly camel: string;
  /** Folder, e.g. `my-sensor`. */
  readonly folder: string;
}

/**
 * All names of a device out of its npm name.
 * @throws {NameError} saying what is allowed.
 */
export function deviceNames(argument: string): DeviceNames {
  const match = /^(?:@[a-z0-9][a-z0-9._-]*\/)?([a-z][a-z0-9]*(?:-[a-z0-9]+)*)$/.exec(argument);
  if (!match || argument.length > 200)
    throw new NameError(
      `'${argument}' is not a name: expected lower-case words joined by '-', optionally behind a scope, e.g. @me/my-sensor`,
    );
  const type = match[1]!;
  return {
    package: argument,
    type,
    section: `${argument}/${type}`,
    camel: type.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
    folder: type,
  };
}
