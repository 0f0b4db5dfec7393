// Which names the edge answers for, and how a request must name them. One list: CONNECT, SNI and Host are all held against it.

/** `entra` answers logins and Graph; `functions` the control plane and every HSM. */
export type Destination = 'functions' | 'entra';

const HOSTS: ReadonlyMap<string, Destination> = new Map([
  ['management.azure.com', 'functions'],
  ['login.microsoftonline.com', 'entra'],
  ['graph.microsoft.com', 'entra'],
]);

/** One label, then the suffix, whole. */
const HSM_HOST = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.managedhsm\.azure\.net$/;

const HOST = /^([a-z0-9.-]*[a-z0-9])(?::\d{1,5})?$/;
const CONNECT_TARGET = /^([a-z0-9.-]*[a-z0-9]):443$/;

/** A host name in lower case, without port, from the value of a Host header; undefined for an empty one, a trailing dot, user information, an IPv6 address. */
export const hostName = (header: string): string | undefined => HOST.exec(header.toLowerCase())?.[1];

/** Who answers for a host name in lower case; undefined for every name that is not ours: loopback and raw addresses too. */
export const destinationOf = (host: string): Destination | undefined => HOSTS.get(host) ?? (HSM_HOST.test(host) ? 'functions' : undefined);

/** The name of a CONNECT target, if it is one of ours, at port 443. */
export function tunnelName(target: string): string | undefined {
  const name = CONNECT_TARGET.exec(target.toLowerCase())?.[1];
  return name !== undefined && destinationOf(name) ? name : undefined;
}

/** The control plane's list of tenants is the directory's to give: it needs no subscription. */
const TENANTS = /^\/tenants\/?(?:\?|$)/i;

/** Where a request goes, by host and path together. */
export const destinationOfRequest = (host: string, path: string): Destination | undefined =>
  host === 'management.azure.com' && TENANTS.test(path) ? 'entra' : destinationOf(host);

/** Repeated slashes of the path become one (the functions' router matches no empty segment); the query is left alone, and so is every other byte. */
export function collapseSlashes(target: string): string {
  const query = target.indexOf('?');
  const path = query < 0 ? target : target.slice(0, query);
  return path.replaceAll(/\/{2,}/g, '/') + target.slice(path.length);
}
