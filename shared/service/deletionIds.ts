// The ids that one delete command coins.
import type { Ids } from '../ports';

/**
 * One deletion id per incarnation that a command decides on: deciding again must not start a second timer, and a timer that was started for an
 * incarnation that is gone meanwhile must not stand for another's deletion.
 */
export function deletionIds(ids: Ids): (incarnation: string | undefined) => string {
  const coined = new Map<string | undefined, string>();
  return (incarnation) => {
    const id = coined.get(incarnation) ?? ids.guid();
    coined.set(incarnation, id);
    return id;
  };
}
