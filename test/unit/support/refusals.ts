// How a test names the end of a call: `accepted`, or the catalogue's name of the refusal, so that a refusal and its control stand in one table.
import { type ErrorName, ServiceError } from '../../../shared/domain/errors';

export type Ending = ErrorName | 'accepted';

/** @throws whatever is no refusal of the catalogue */
export function endingOf(run: () => unknown): Ending {
  try {
    run();
    return 'accepted';
  } catch (error) {
    return refusal(error).error;
  }
}

/** The same for a promise. */
export const endingOfAsync = async (run: () => Promise<unknown>): Promise<Ending> =>
  run().then(
    () => 'accepted',
    (error: unknown) => refusal(error).error,
  );

/** The text of a refusal. @throws Error if nothing was refused */
export function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return refusal(error).message;
  }
  throw new Error('nothing was refused');
}

function refusal(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  throw error;
}
