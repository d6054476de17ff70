/** A device breaks a rule of the contract. The message says which and how to repeat it. */
export class ConformanceError extends Error {
  override readonly name = 'ConformanceError';
}

/** One rule, ready to be tried. `run` throws if the device breaks it. */
export interface ConformanceCase {
  readonly name: string;
  /** Why the rule is not tried on this device; see `ConformanceOptions.incompleteFormat`. */
  readonly skipped?: string;
  run(): void;
}

export interface ConformanceResult {
  readonly name: string;
  /** Undefined when the rule holds. */
  readonly error: unknown;
}

/** Tries all rules without a test framework. */
export function runCases(cases: readonly ConformanceCase[]): ConformanceResult[] {
  return cases.map(({ name, run, skipped }) => {
    if (skipped !== undefined) return { name: `${name} (not tried: ${skipped})`, error: undefined };
    try {
      run();
      return { name, error: undefined };
    } catch (error) {
      return { name, error };
    }
  });
}

export function message(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
