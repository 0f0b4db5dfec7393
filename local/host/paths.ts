/** How the real host decodes a request's path and query and writes the path again for `request.url`. */

const HEX_PAIR = /%([0-9A-Fa-f]{2})/g;
const SLASH = 0x2f;

/** The path decoded once, `%2F` and invalid sequences left as they are, dot segments resolved. Undefined if it holds a NUL. */
export function decodePath(rawPath: string): string | undefined {
  const decoded = rawPath.replace(/(?:%[0-9A-Fa-f]{2})+/g, decodeRun);
  return decoded.includes('\0') ? undefined : removeDotSegments(decoded);
}

/** The decoded path as it stands in `request.url`: `%XX` that it still holds stays, all else but the path's own characters is encoded. */
export function encodePath(path: string): string {
  return path.replace(/%[0-9A-Fa-f]{2}|[A-Za-z0-9\-._~!$&'()*+,;=:@/]|[\s\S]/gu, (piece) =>
    /^(?:%..|[A-Za-z0-9\-._~!$&'()*+,;=:@/])$/.test(piece) ? piece : encodeURIComponent(piece),
  );
}

/** Name to value; the values of a repeated name (case does not count) are joined by commas under the spelling of its second occurrence. */
export function parseQuery(rawQuery: string): ReadonlyMap<string, string> {
  const found = new Map<string, { name: string; readonly values: string[] }>();
  for (const piece of rawQuery.slice(1).split('&')) {
    if (piece === '') continue;
    const equals = piece.indexOf('=');
    const name = decodeQuery(equals < 0 ? piece : piece.slice(0, equals));
    const value = equals < 0 ? '' : decodeQuery(piece.slice(equals + 1));
    const entry = found.get(name.toLowerCase());
    if (!entry) found.set(name.toLowerCase(), { name, values: [value] });
    else if (entry.values.push(value) === 2) entry.name = name;
  }
  return new Map([...found.values()].map(({ name, values }) => [name, values.join(',')]));
}

const decodeQuery = (text: string) => text.replaceAll('+', ' ').replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => decodeBytes(run, () => false));

const decodeRun = (run: string) => decodeBytes(run, (byte) => byte === SLASH);

/** Decodes a run of `%XX`; bytes that are no UTF-8, or that `keep` names, stay as they were spelt. */
function decodeBytes(run: string, keep: (byte: number) => boolean): string {
  const spelt = run.match(HEX_PAIR) ?? [];
  const bytes = spelt.map((pair) => Number.parseInt(pair.slice(1), 16));
  let result = '';
  for (let i = 0; i < bytes.length; ) {
    const first = bytes[i] as number;
    const length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
    const character = length === 0 || keep(first) ? undefined : decodeUtf8(bytes.slice(i, i + length), length);
    result += character ?? spelt[i];
    i += character === undefined ? 1 : length;
  }
  return result;
}

function decodeUtf8(bytes: readonly number[], length: number): string | undefined {
  if (bytes.length < length) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  } catch {
    return undefined;
  }
}

/** Like RFC 3986, but empty segments count as segments. */
function removeDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === '..') kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (isLast) kept.push('');
  }
  return `/${kept.join('/')}`;
}
