// Typed readers for what callers send: members of a body, query parameters. A reader returns a value of its type, `undefined` for what is left out, or refuses by name.
import type { HttpRequest } from '@azure/functions';
import { refuse } from '../domain/errors';
import { hsmKey } from '../domain/names';

/** An object of a body, and where it stands in it. */
export type Members = { readonly at: string; readonly members: Readonly<Record<string, unknown>> };

/** The longest text taken anywhere that has no limit of its own. */
const TEXT_CHARACTERS_MAX = 1024;

const wrong = (at: string, type: string) => refuse('InvalidRequestContent', { reason: `the member '${at}' must be ${type}` });

const path = (of: Members, name: string): string => (of.at === '' ? name : `${of.at}.${name}`);

/** Own members only: `constructor` or `__proto__` in a document is data. Names are found without regard to case, as the service does. */
function member(of: Members, name: string): unknown {
  if (Object.hasOwn(of.members, name)) return of.members[name];
  const other = Object.keys(of.members).find((key) => key.toLowerCase() === name.toLowerCase());
  return other === undefined ? undefined : of.members[other];
}

/** The whole body as an object. */
export function bodyOf(value: unknown): Members {
  if (!isObject(value)) throw refuse('InvalidRequestContent', { reason: 'the body must be a JSON object' });
  return { at: '', members: value };
}

export function textOf(of: Members, name: string): string | undefined {
  const value = member(of, name);
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.length > TEXT_CHARACTERS_MAX) throw wrong(path(of, name), `a text of at most ${TEXT_CHARACTERS_MAX} characters`);
  return value;
}

export function booleanOf(of: Members, name: string): boolean | undefined {
  const value = member(of, name);
  if (value !== undefined && typeof value !== 'boolean') throw wrong(path(of, name), 'true or false');
  return value;
}

/** A JSON number, or a text that is a whole number: az 2.91 sends its `--retention-days` so. What numbers are allowed is the domain's affair. */
export function numberOf(of: Members, name: string): number | undefined {
  const value = member(of, name);
  if (typeof value === 'string' && /^-?\d{1,9}$/.test(value)) return Number(value);
  if (value !== undefined && typeof value !== 'number') throw wrong(path(of, name), 'a number');
  return value;
}

/** `null` stands for "left out", as clients send it for objects that they do not set. */
export function objectOf(of: Members, name: string): Members | undefined {
  const value = member(of, name);
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw wrong(path(of, name), 'an object');
  return { at: path(of, name), members: value };
}

export function listOf<T>(of: Members, name: string, item: (entry: unknown, at: string) => T): readonly T[] | undefined {
  const value = member(of, name);
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw wrong(path(of, name), 'a list');
  return value.map((entry, index) => item(entry, `${path(of, name)}[${index}]`));
}

export function textItem(entry: unknown, at: string): string {
  if (typeof entry !== 'string' || entry.length > TEXT_CHARACTERS_MAX) throw wrong(at, `a text of at most ${TEXT_CHARACTERS_MAX} characters`);
  return entry;
}

export function objectItem(entry: unknown, at: string): Members {
  if (!isObject(entry)) throw wrong(at, 'an object');
  return { at, members: entry };
}

/** An object whose members are all texts: tags. */
export function textsOf(of: Members, name: string): Readonly<Record<string, string>> | undefined {
  const found = objectOf(of, name);
  return found && Object.fromEntries(Object.entries(found.members).map(([key, value]) => [key, textItem(value, `${found.at}.${key}`.slice(0, 96))]));
}

/** The text that must be there. */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw refuse('InvalidRequestContent', { reason: `the member '${name}' is missing` });
  return value;
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };

/** Drops members that are undefined, so that "left out" has one form. */
export const defined = <T extends object>(value: T): Defined<T> => Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<T>;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The query as it was sent: the host joins what is given twice, so its own view cannot be trusted for that. Names ignore case. @throws DuplicateQueryName */
export function queryOf(url: string): ReadonlyMap<string, string> {
  const at = url.indexOf('?');
  const query = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(at < 0 ? '' : url.slice(at + 1))) {
    const key = name.toLowerCase();
    if (query.has(key)) throw refuse('DuplicateQueryName', { name: name.slice(0, 64) });
    query.set(key, value);
  }
  return query;
}

/** `$top` and `$skiptoken` of a list. A token is the name of the last row shown, used only as "greater than". @throws InvalidParameter */
export function listPageOf(query: ReadonlyMap<string, string>): { readonly limit?: number; readonly after?: string } {
  const top = query.get('$top');
  const token = query.get('$skiptoken');
  if (top !== undefined && !/^[1-9]\d{0,3}$/.test(top)) throw refuse('InvalidParameter', { name: '$top', rule: 'give a whole number from 1 to 9999.' });
  const after = token === undefined ? undefined : hsmKey(token);
  if (token !== undefined && after === undefined) throw refuse('InvalidParameter', { name: '$skiptoken', rule: 'use the link of the page before, unchanged.' });
  return { ...(top !== undefined && { limit: Number(top) }), ...(after !== undefined && { after }) };
}

/** The largest body taken, in bytes. */
const BODY_BYTES_MAX = 1_048_576;

/** The text of a JSON body. Its limits are looked at before a byte of it is. A chunked body arrives empty at the functions host, and so would be taken for none. */
export async function textOfRequest(request: HttpRequest): Promise<string> {
  if (request.headers.has('transfer-encoding')) throw refuse('LengthRequired');
  const length = Number(request.headers.get('content-length') ?? 0);
  if (length > BODY_BYTES_MAX) throw refuse('RequestTooLarge', { limitBytes: BODY_BYTES_MAX });
  if (length > 0 && !/^application\/json\s*(;|$)/i.test(request.headers.get('content-type') ?? '')) throw refuse('UnsupportedMediaType');
  const bytes = Buffer.from(await request.arrayBuffer());
  if (bytes.length > BODY_BYTES_MAX) throw refuse('RequestTooLarge', { limitBytes: BODY_BYTES_MAX });
  return utf8(bytes);
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refuse('InvalidRequestContent', { reason: 'the body is not UTF-8' });
  }
}
