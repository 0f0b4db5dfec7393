// What the stages of a request need of the app, on both planes.
import type { Caller } from '../domain/armRoles';
import type { Ids, Log } from '../ports';
import type { Groups } from '../service/groups';
import type { Hsms } from '../service/hsms';
import type { Keys } from '../service/keys';
import type { Rights } from '../service/rights';
import type { HostNames } from './requestHost';

export type Services = { readonly hsms: Hsms; readonly groups: Groups; readonly keys: Keys; readonly rights: Rights };

/** What the stages need of the app; services are made for each invocation, since the Durable client exists only inside one. */
export type Door = {
  readonly hosts: HostNames;
  readonly tenantId: string;
  readonly authority: string;
  /** What a data-plane challenge names. */
  readonly resource: string;
  readonly subscriptions: readonly { readonly id: string; readonly name: string }[];
  readonly administrators: readonly string[];
  readonly ids: Ids;
  readonly log: Log;
  authenticate(authorization: string | undefined, plane: 'control' | 'hsm'): Promise<Caller>;
  /** @throws Unavailable until the checks against storage have passed */
  ready(): Promise<void>;
};
