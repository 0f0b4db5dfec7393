// Answers of the data plane as texts that two requests can be compared by: what is random in them is masked by its form alone.
import type { Reply } from './client';

/** A body with its versions, its public numbers (by the count of their characters) and its activity id masked. */
export const masked = (text: string): string =>
  text
    .replace(/\/[0-9a-f]{32}"/g, '/<version>"')
    .replace(/"(n|x|y)":"([A-Za-z0-9_-]+)"/g, (_, member: string, value: string) => `"${member}":"<${value.length}>"`)
    .replace(/ \(Activity ID: [0-9a-f-]{36}\)/g, ' <activity>');

/** Status, and the code of an error with that of what is inside it. */
export const shown = ({ status, json }: Reply): string | number => (json?.error ? `${status} ${[json.error.code, json.error.innererror?.code].filter(Boolean).join('/')}` : status);

/** The version in the id of a bundle or an item. */
export const versionOf = (bundle: { readonly key?: { readonly kid: string }; readonly kid?: string }): string => String(bundle.key?.kid ?? bundle.kid).split('/')[5] ?? '';

/** All of an answer but what differs from one request to the next: instants of sending, ids, durations. */
export function constantPart({ status, headers, text }: Reply): string {
  const { date: _, 'x-ms-request-id': requestId, 'x-ms-server-latency': latency, ...others } = headers;
  return JSON.stringify([status, { ...others, ids: [typeof requestId, typeof latency] }, masked(text)]);
}
