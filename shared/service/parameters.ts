// The numbers that the services run on, as configuration gives them.
import type { Operation } from './hsms';

export type Parameters = {
  /** Lower case. */
  readonly tenantId: string;
  /** Seconds in a "day" of retention: 86,400 but for a development setting. */
  readonly daySeconds: number;
  /** How long an operation shows itself as under way, in seconds. */
  readonly lroSeconds: (operation: Operation) => number;
  /** The longest that the host lets an execution run. */
  readonly functionTimeoutSeconds: number;
  /** Rows that one clean-up message erases at most: 1 to 100. */
  readonly erasePageRows: number;
};
