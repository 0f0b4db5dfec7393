// How the oracle speaks: a violation names the invariant that does not hold.

export type Violation = Error & { readonly invariant: string };

/** @param invariant I1..I16, or the rule of design §2 by its name. @throws Violation */
export function demand(holds: boolean, invariant: string, what: () => string): asserts holds {
  if (!holds) throw Object.assign(new Error(`${invariant}: ${what()}`), { invariant });
}

export const isViolation = (error: unknown): error is Violation => error instanceof Error && 'invariant' in error;
