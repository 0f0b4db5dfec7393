// Which plane, and which HSM, a request is for: from the Host header alone, before anything else and without any I/O.
import { hsmKey } from '../domain/names';

export type Plane = { readonly kind: 'control' } | { readonly kind: 'hsm'; readonly hsm: string };

export type HostNames = {
  /** The management endpoint; a port in it appears in links that we print. */
  readonly controlHost: string;
  /** What follows `{name}.` in an HSM's host; a port in it appears in ids. */
  readonly hsmSuffix: string;
};

/** One label plus the suffix, whole. @returns undefined for a Host of neither plane: empty, two, trailing dot, anything else */
export function requestHost(host: string | null, { controlHost, hsmSuffix }: HostNames): Plane | undefined {
  const name = withoutPort(host ?? '');
  if (name === withoutPort(controlHost)) return { kind: 'control' };
  const suffix = `.${withoutPort(hsmSuffix)}`;
  if (!name.endsWith(suffix)) return undefined;
  const hsm = hsmKey(name.slice(0, -suffix.length));
  return hsm === undefined ? undefined : { kind: 'hsm', hsm };
}

const withoutPort = (host: string): string => host.toLowerCase().replace(/:\d{1,5}$/, '');
