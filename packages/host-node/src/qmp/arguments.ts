/** Error classes of QMP. */
export type QmpErrorClass = 'GenericError' | 'CommandNotFound' | 'DeviceNotFound';

/** An error with a class of its own; any other error is a `GenericError`. */
export class QmpError extends Error {
  override readonly name = 'QmpError';
  constructor(
    readonly errorClass: QmpErrorClass,
    message: string,
  ) {
    super(message);
  }
}

type Kind = 'string' | 'boolean' | 'integer' | 'array' | 'object';

/** The members of `arguments`, each asked for by name and kind; what nobody asked for is an error. */
export class Arguments {
  private readonly rest: Map<string, unknown>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.rest = new Map(Object.entries(values));
  }

  string(name: string): string {
    return this.required(name, this.optionalString(name));
  }

  optionalString(name: string): string | undefined {
    return this.take<string>(name, 'string', (value) => typeof value === 'string');
  }

  boolean(name: string): boolean {
    return this.required(name, this.optionalBoolean(name));
  }

  optionalBoolean(name: string): boolean | undefined {
    return this.take<boolean>(name, 'boolean', (value) => typeof value === 'boolean');
  }

  integer(name: string): number {
    return this.required(name, this.optionalInteger(name));
  }

  optionalInteger(name: string): number | undefined {
    return this.take<number>(name, 'integer', (value) => Number.isSafeInteger(value) && (value as number) >= 0);
  }

  /** An array of objects. */
  objects(name: string): Arguments[] {
    const values = this.required(
      name,
      this.take<unknown[]>(name, 'array', (value) => Array.isArray(value)),
    );
    return values.map((value) => {
      if (!isObject(value)) throw wrongType(name, 'object');
      return new Arguments(value);
    });
  }

  /** All that is left, as text; for devices' properties. */
  remainingTexts(): Record<string, string> {
    const texts: Record<string, string> = {};
    for (const [name, value] of this.rest) {
      if (typeof value === 'boolean') texts[name] = value ? 'on' : 'off';
      else if (typeof value === 'string' || typeof value === 'number') texts[name] = String(value);
      else throw wrongType(name, 'string');
    }
    this.rest.clear();
    return texts;
  }

  remaining(): [name: string, value: unknown][] {
    const entries = [...this.rest];
    this.rest.clear();
    return entries;
  }

  /** @throws {QmpError} for a member that nobody asked for. */
  done(): void {
    for (const name of this.rest.keys()) throw new QmpError('GenericError', `Parameter '${name}' is unexpected`);
  }

  private take<T>(name: string, kind: Kind, test: (value: unknown) => boolean): T | undefined {
    const value = this.rest.get(name);
    this.rest.delete(name);
    if (value === undefined) return undefined;
    if (!test(value)) throw wrongType(name, kind);
    return value as T;
  }

  private required<T>(name: string, value: T | undefined): T {
    if (value === undefined) throw new QmpError('GenericError', `Parameter '${name}' is missing`);
    return value;
  }
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const wrongType = (name: string, kind: Kind): QmpError =>
  new QmpError('GenericError', `Invalid parameter type for '${name}', expected: ${kind}`);
