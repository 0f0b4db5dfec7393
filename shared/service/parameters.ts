// The numbers that the services run on, as configuration gives them.
import type { LongOperation } from '../domain/lifecycle';

export type Parameters = {
  /** Lower case. */
  readonly tenantId: string;
  /** Seconds in a "day" of retention: 86,400 but for a development setting. */
  readonly daySeconds: number;
  /** Seconds for which a key is neither active nor deleted after its deletion and its recovery. */
  readonly transitionSeconds: number;
  /** Local roles granted at each HSM's creation beside its administrators': a development setting. */
  readonly grantsAtCreation: readonly { readonly principalId: string; readonly roleGuid: string }[];
  /** How long an operation shows itself as under way, in seconds. */
  readonly lroSeconds: (operation: LongOperation) => number;
  /** The longest that the host lets an execution run. */
  readonly functionTimeoutSeconds: number;
  /** Rows that one clean-up message erases at most: 1 to 100. */
  readonly erasePageRows: number;
};
