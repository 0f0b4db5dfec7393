/** Holds the host against what the real Functions host answered: every recorded exchange, sent as the same bytes, compared in status, headers and body. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, exchange, parseAnswer, startChild } from './child';

type Exchange = {
  readonly group: string;
  readonly request: string;
  readonly bodyRepeat?: readonly [character: string, count: number];
  readonly response: { readonly status: number; readonly headers: readonly string[]; readonly body: unknown };
};

const folder = join(__dirname, 'http-traces');
const exchanges = readFileSync(join(folder, 'exchanges.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Exchange);

/** Exchanges, by their place in the file, that this host answers otherwise, each with its reason. One that no longer differs must go. */
const differences: Readonly<Record<number, string>> = {};

/** The recordings leave these out, and hold the rest in no particular order. */
const LEFT_OUT = /^(date|connection|transfer-encoding):/i;

let child: Child;
beforeAll(async () => {
  child = await startChild({ appRoot: folder });
}, 30_000);
afterAll(() => child?.stop());

test('all 181 recorded exchanges are here', () => expect(exchanges).toHaveLength(181));

test.each(exchanges.map((recorded, index) => ({ index, recorded, title: title(recorded) })))('$index $title', async ({ index, recorded }) => {
  const [character, count] = recorded.bodyRepeat ?? ['', 0];
  const bytes = Buffer.concat([Buffer.from(recorded.request, 'latin1'), Buffer.alloc(count, character)]);
  const given = parseAnswer(await exchange(child.port, bytes));
  const actual = { status: given.status, headers: given.headers.filter((header) => !LEFT_OUT.test(header)).sort(), body: bodyOf(given.body) };
  const expected = { ...recorded.response, headers: [...recorded.response.headers].sort() };
  if (index in differences) expect(actual).not.toEqual(expected);
  else expect(actual).toEqual(expected);
});

function title({ group, request }: Exchange): string {
  const line = request.slice(0, request.indexOf('\r\n')).replaceAll('%', '%%');
  return `${group}: ${line.slice(0, 80)}`;
}

function bodyOf(bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
