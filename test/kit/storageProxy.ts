// An HTTP proxy between a host and Azurite, for races and crashes: it holds requests, forwards them and loses the answer, resets them unstored, answers itself, calls a hook at the n-th. Bytes pass unchanged, since they are signed.
import { Agent, createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Azurite, AzuritePorts } from '../../local/azurite';

type Service = keyof AzuritePorts;

/** `path` with its query, as sent. The body of a transaction is the text of its $batch. */
export type StorageRequest = { readonly service: Service; readonly method: string; readonly path: string; readonly body: string };
export type Matches = (request: StorageRequest) => boolean;

/**
 * What becomes of a request: `loseAnswer` stores it and destroys the connection, `reset` destroys that at once; `beforeAnswer` is called when it is stored,
 * and its answer waits for that; an answer of the proxy's own never reaches the storage.
 */
export type Fate =
  | 'forward'
  | 'loseAnswer'
  | 'reset'
  | { readonly beforeAnswer: () => Promise<void> }
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string };

export type StorageProxy = Awaited<ReturnType<typeof startStorageProxy>>;

const SERVICES = ['blob', 'queue', 'table'] as const satisfies readonly Service[];

/** A transaction, or any other write to a table's rows; creating tables is not meant. */
export const isTableWrite: Matches = ({ service, method, path }) => service === 'table' && !['GET', 'HEAD'].includes(method) && !/\/Tables(\?|$)/.test(path);

export const isTableRead: Matches = ({ service, method }) => service === 'table' && method === 'GET';

/** Starts it in front of an Azurite; ports are ephemeral. Without rules it only forwards and counts. */
export async function startStorageProxy(azurite: Pick<Azurite, 'connectionString' | 'ports'>) {
  const rules = new Set<(request: StorageRequest) => Fate | Promise<Fate>>();
  const requests: StorageRequest[] = [];
  const agent = new Agent({ keepAlive: true });
  let date: string | undefined;

  async function handle(service: Service, incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await bytesOf(incoming);
    const request: StorageRequest = { service, method: incoming.method ?? '', path: incoming.url ?? '', body: body.toString() };
    requests.push(request);
    const fate = await fateOf(rules, request);
    if (fate === 'reset') incoming.socket.destroy();
    else if (typeof fate === 'object' && 'status' in fate) answer.writeHead(fate.status, { ...fate.headers, ...(date !== undefined && { date }) }).end(fate.body);
    else {
      const upstream = await forwarded(incoming, body, azurite.ports[service], agent);
      const stored = await bytesOf(upstream);
      if (typeof fate === 'object') await fate.beforeAnswer();
      if (fate === 'loseAnswer') incoming.socket.destroy();
      else answer.writeHead(upstream.statusCode ?? 500, withDate(upstream.rawHeaders, date)).end(stored);
    }
  }

  const servers = {} as Record<Service, Server>;
  const ports = {} as Record<Service, number>;
  for (const service of SERVICES) {
    servers[service] = createServer((incoming, answer) => void handle(service, incoming, answer).catch(() => incoming.socket.destroy()));
    await new Promise<void>((resolve) => servers[service].listen(0, '127.0.0.1', resolve));
    ports[service] = (servers[service].address() as AddressInfo).port;
  }

  /** Asks of each request that matches what becomes of it; the first rule that does not say `forward` decides. @returns what takes the rule away */
  function rule(matches: Matches, fate: (request: StorageRequest, nth: number) => Fate | Promise<Fate>): () => void {
    let seen = 0;
    const entry = (request: StorageRequest) => (matches(request) ? fate(request, ++seen) : 'forward');
    rules.add(entry);
    return () => void rules.delete(entry);
  }

  /** Holds what matches until it is released; later ones pass. What its client gave up meanwhile is stored nevertheless: a stalled write. */
  function hold(matches: Matches, count = 1): { /** Resolves when `count` are held. */ readonly arrived: Promise<void>; release(): void } {
    let letGo: () => void = () => {};
    let allThere: () => void = () => {};
    const released = new Promise<void>((resolve) => (letGo = resolve));
    const arrived = new Promise<void>((resolve) => (allThere = resolve));
    const remove = rule(matches, async (_, nth): Promise<Fate> => {
      if (nth === count) allThere();
      await released;
      return 'forward';
    });
    return {
      arrived,
      release() {
        remove();
        letGo();
      },
    };
  }

  return {
    /** The account behind the proxy. */
    connectionString: SERVICES.reduce((text, service) => text.replace(`:${azurite.ports[service]}/`, `:${ports[service]}/`), azurite.connectionString),
    rule,

    hold,

    /** Holds what matches until `count` are there, then lets all go: both have read before either writes. */
    barrier(matches: Matches, count = 2): void {
      const held = hold(matches, count);
      void held.arrived.then(held.release);
    },

    /** Stores the next `times` that match, and loses their answers. */
    loseAnswers: (matches: Matches, times = 1) => rule(matches, (_, nth) => (nth <= times ? 'loseAnswer' : 'forward')),

    /** Resets the next `times` that match before they are stored. */
    reset: (matches: Matches, times = 1) => rule(matches, (_, nth) => (nth <= times ? 'reset' : 'forward')),

    /** At the n-th request that matches, counted from now: what the hook says. It may kill the host first. */
    atNth: (n: number, hook: (request: StorageRequest) => Fate | Promise<Fate>, matches: Matches = () => true) =>
      rule(matches, (request, nth) => (nth === n ? hook(request) : 'forward')),

    /** Every answer carries this Date from now on, in place of Azurite's: the storage's clock, as its clients see it. */
    setDate(at: Date | undefined): void {
      date = at?.toUTCString();
    },

    /** Every request that arrived, in order, whatever became of it. */
    requests: requests as readonly StorageRequest[],
    count: (matches: Matches): number => requests.filter(matches).length,

    async stop(): Promise<void> {
      agent.destroy();
      await Promise.all(
        SERVICES.map((service) => {
          const closed = new Promise((resolve) => servers[service].close(resolve));
          servers[service].closeAllConnections();
          return closed;
        }),
      );
    },
  };
}

async function fateOf(rules: Iterable<(request: StorageRequest) => Fate | Promise<Fate>>, request: StorageRequest): Promise<Fate> {
  for (const rule of [...rules]) {
    const fate = await rule(request);
    if (fate !== 'forward') return fate;
  }
  return 'forward';
}

/** Host and all else as it came: a signature covers method, path, date and account, and the parts of a $batch carry absolute URLs. */
const forwarded = (incoming: IncomingMessage, body: Buffer, port: number, agent: Agent): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const outgoing = httpRequest({ host: '127.0.0.1', port, method: incoming.method, path: incoming.url, headers: incoming.rawHeaders, setHost: false, agent }, resolve);
    outgoing.once('error', reject);
    outgoing.end(body);
  });

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Raw headers, with another Date if one is set. */
const withDate = (raw: readonly string[], date: string | undefined): string[] =>
  raw.map((text, index) => (date !== undefined && index % 2 === 1 && raw[index - 1]?.toLowerCase() === 'date' ? date : text));
