/** The clock's endpoint: each refusal beside its accepted twin, which differs in exactly one thing, and durations. */
import { request } from 'node:http';
import { createClock } from '../clock';
import { type ClockEndpoint, parseDuration, startClockEndpoint } from '../clockEndpoint';

const TOKEN = 'a token of this test';
const START = Date.parse('2027-01-01T00:00:00Z');
const clock = createClock({ realNow: () => START });
let endpoint: ClockEndpoint;

beforeAll(async () => {
  endpoint = await startClockEndpoint(clock, TOKEN, () => undefined);
});
afterAll(async () => {
  await endpoint.stop();
  clock.stop();
});

type Call = { readonly method?: string; readonly path?: string; readonly headers?: Readonly<Record<string, string | undefined>>; readonly body?: string };
type Answer = { readonly status: number | undefined; readonly body: unknown };

const accepted = (): Required<Call> => ({
  method: 'POST',
  path: '/',
  headers: { host: new URL(endpoint.url).host, 'content-type': 'application/json', 'x-clock-token': TOKEN },
  body: '{"advance":"PT0S"}',
});

function call({ headers, ...change }: Call): Promise<Answer> {
  const twin = accepted();
  const given = Object.entries({ ...twin.headers, ...headers }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const { method, path, body } = { ...twin, ...change };
  return new Promise((resolve, reject) => {
    const sent = request({ port: new URL(endpoint.url).port, host: '127.0.0.1', method, path, headers: Object.fromEntries(given) }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += String(chunk);
      });
      response.on('end', () => resolve({ status: response.statusCode, body: JSON.parse(text) }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const refusals: readonly (readonly [name: string, status: number, change: () => Call])[] = [
  ['no token', 401, () => ({ headers: { 'x-clock-token': undefined } })],
  ['another token', 401, () => ({ headers: { 'x-clock-token': `${TOKEN}!` } })],
  ['a page of another origin', 403, () => ({ headers: { origin: 'https://evil.example' } })],
  ['a page of no origin', 403, () => ({ headers: { origin: 'null' } })],
  ['a browser', 403, () => ({ headers: { 'sec-fetch-site': 'same-origin' } })],
  ['a foreign host', 403, () => ({ headers: { host: 'evil.example' } })],
  ['another port', 403, () => ({ headers: { host: '127.0.0.1:1' } })],
  ['plain text', 415, () => ({ headers: { 'content-type': 'text/plain' } })],
  ['no content type', 415, () => ({ headers: { 'content-type': undefined } })],
  ['a form', 415, () => ({ headers: { 'content-type': 'application/x-www-form-urlencoded' } })],
  ['GET', 405, () => ({ method: 'GET', body: '' })],
  ['OPTIONS', 405, () => ({ method: 'OPTIONS', body: '' })],
  ['another path', 404, () => ({ path: '/other' })],
  ['no JSON', 400, () => ({ body: 'P7D' })],
  ['null', 400, () => ({ body: 'null' })],
  ['no command', 400, () => ({ body: '{}' })],
  ['two commands', 400, () => ({ body: '{"advance":"PT0S","show":true}' })],
  ['an unknown command', 400, () => ({ body: '{"rewind":"P7D"}' })],
  ['a number for a duration', 400, () => ({ body: '{"advance":7}' })],
  ['months', 400, () => ({ body: '{"advance":"P1M"}' })],
  ['a duration beyond all dates', 400, () => ({ body: '{"advance":"P99999999D"}' })],
  ['backwards', 400, () => ({ body: '{"set":"2026-12-31T23:59:59Z"}' })],
  ['a local time', 400, () => ({ body: '{"set":"2027-01-01T00:00:00"}' })],
  ['4 kB and more', 413, () => ({ body: `{"advance":"PT0S"}${' '.repeat(4096)}` })],
];

test.each(refusals)('%s is refused with %i; its twin is accepted', async (_, status, change) => {
  const refused = await call(change());
  expect(refused).toEqual({ status, body: { error: { message: expect.any(String) } } });
  expect(await call({})).toEqual({ status: 200, body: { now: '2027-01-01T00:00:00.000Z', offsetMs: 0 } });
});

test('localhost is as good as 127.0.0.1', async () => {
  expect((await call({ headers: { host: `localhost:${new URL(endpoint.url).port}` } })).status).toBe(200);
});

test('it answers when what became due has happened', async () => {
  let happened = '';
  clock.at(START + 86_400_000, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    happened = new Date(clock.now()).toISOString();
  });
  expect(await call({ body: '{"advance":"P1DT1H"}' })).toEqual({ status: 200, body: { now: '2027-01-02T01:00:00.000Z', offsetMs: 90_000_000 } });
  expect(happened).toBe('2027-01-02T00:00:00.000Z');
  expect((await call({ body: '{"set":"2027-01-03T00:00:00Z"}' })).body).toEqual({ now: '2027-01-03T00:00:00.000Z', offsetMs: 172_800_000 });
  expect((await call({ body: '{"show":true}' })).body).toEqual({ now: '2027-01-03T00:00:00.000Z', offsetMs: 172_800_000 });
});

test.each([
  ['P7D', 604_800_000],
  ['P1W', 604_800_000],
  ['PT1H30M', 5_400_000],
  ['P1DT0.5S', 86_400_500],
  ['P', undefined],
  ['PT', undefined],
  ['7D', undefined],
  ['P-1D', undefined],
  ['P1Y', undefined],
])('the duration %s', (text, ms) => expect(parseDuration(text)).toBe(ms));
