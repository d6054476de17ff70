/** Thrown when a device does more in one access than any real one would: a loop over guest-controlled numbers. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError';
}

/** Counts what a device does inside one guest access or clock step. Refilled before each. */
export class Budget {
  private left: number;

  constructor(readonly limit: number) {
    this.left = limit;
  }

  refill(): void {
    this.left = this.limit;
  }

  spend(what: string): void {
    if (--this.left < 0) throw new BudgetError(`more than ${this.limit} operations in one access (last: ${what})`);
  }
}
