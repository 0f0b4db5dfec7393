/**
 * The endpoint that moves the host's clock, on a port of its own on 127.0.0.1. Whoever moves the clock can make deletions final, so it is
 * guarded against every web page of the machine's user: a token in a header of its own, JSON only, no Origin, its own Host.
 */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { HostClock } from './clock';

export type ClockEndpoint = { readonly url: string; stop(): Promise<void> };

/** `show` moves nothing; `advanceMs` is a length, `setTo` an instant since the epoch, both in milliseconds. */
type Command = { readonly kind: 'show' } | { readonly kind: 'advance'; readonly ms: number } | { readonly kind: 'set'; readonly instant: number };
type Answer = { readonly status: number; readonly body: object };

const TOKEN_HEADER = 'x-clock-token';
const BODY_BYTES_MAX = 4096;
const DAY_MS = 86_400_000;
const ADVANCE_MS_MAX = 36_600 * DAY_MS;

/** Starts the endpoint. It answers `{now, offsetMs}` when all that the move made due has settled. */
export async function startClockEndpoint(clock: HostClock, token: string, log: (line: string) => void): Promise<ClockEndpoint> {
  const server = createServer((request, response) => {
    const port = portOf(server.address());
    answer(request, port, clock, token).then(
      (given) => send(response, given),
      (error: unknown) => {
        log(`[error] The clock could not be moved: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
        send(response, refusal(500, 'The clock could not be moved; the host has logged why.'));
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${portOf(server.address())}/`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

/** Milliseconds of an ISO 8601 duration in weeks, days, hours, minutes and seconds; undefined if it is none. */
export function parseDuration(text: string): number | undefined {
  const found = /^P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,3})?)S)?)?$/.exec(text);
  if (!found) return undefined;
  const [weeks, days, hours, minutes, seconds] = found.slice(1).map((part) => Number(part ?? 0)) as [number, number, number, number, number];
  const ms = (weeks * 7 + days) * DAY_MS + hours * 3_600_000 + minutes * 60_000 + Math.round(seconds * 1000);
  return ms <= ADVANCE_MS_MAX ? ms : undefined;
}

async function answer(request: IncomingMessage, port: number, clock: HostClock, token: string): Promise<Answer> {
  const { headers } = request;
  if (headers.host !== `127.0.0.1:${port}` && headers.host !== `localhost:${port}`) return refusal(403, `Host must be 127.0.0.1:${port} or localhost:${port}.`);
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) return refusal(403, 'Requests of web pages are refused.');
  if (!isToken(headers[TOKEN_HEADER], token)) return refusal(401, `The header ${TOKEN_HEADER} must carry the clock's token.`);
  if (request.url !== '/') return refusal(404, 'The clock is at /.');
  if (request.method !== 'POST') return refusal(405, 'The clock takes POST.');
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) return refusal(415, 'Content-Type must be application/json.');
  const text = await readBody(request);
  if (text === undefined) return refusal(413, `The body may have ${BODY_BYTES_MAX} bytes.`);
  const command = parseCommand(text);
  if (typeof command === 'string') return refusal(400, command);
  try {
    if (command.kind === 'advance') await clock.advance(command.ms);
    if (command.kind === 'set') await clock.set(command.instant);
  } catch (error) {
    if (error instanceof RangeError) return refusal(400, error.message);
    throw error;
  }
  return { status: 200, body: { now: new Date(clock.now()).toISOString(), offsetMs: clock.offsetMs() } };
}

/** The command, or what is wrong with the text. */
function parseCommand(text: string): Command | string {
  const form = 'The body must be {"advance":"P7D"}, {"set":"2027-01-01T00:00:00Z"} or {"show":true}.';
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return form;
  }
  const entries = typeof json === 'object' && json !== null ? Object.entries(json) : [];
  const [name, value] = entries[0] ?? [];
  if (entries.length !== 1) return form;
  if (name === 'show' && value === true) return { kind: 'show' };
  if (name === 'advance' && typeof value === 'string') {
    const ms = parseDuration(value);
    return ms === undefined ? `"${value}" is no duration like P7D or PT1H30M, of 36600 days at most.` : { kind: 'advance', ms };
  }
  if (name === 'set' && typeof value === 'string') {
    const instant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?Z$/.test(value) ? Date.parse(value) : Number.NaN;
    return Number.isNaN(instant) ? `"${value}" is no instant like 2027-01-01T00:00:00Z.` : { kind: 'set', instant };
  }
  return form;
}

function isToken(given: string | string[] | undefined, token: string): boolean {
  const a = Buffer.from(typeof given === 'string' ? given : '');
  const b = Buffer.from(token);
  return a.length === b.length && timingSafeEqual(a, b);
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  return length > BODY_BYTES_MAX ? undefined : Buffer.concat(chunks).toString('utf8');
}

const refusal = (status: number, message: string): Answer => ({ status, body: { error: { message } } });

function send(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, { 'Content-Type': 'application/json', Connection: 'close' });
  response.end(`${JSON.stringify(answer.body)}\n`);
}

const portOf = (address: ReturnType<ReturnType<typeof createServer>['address']>) => (typeof address === 'object' && address ? address.port : 0);
