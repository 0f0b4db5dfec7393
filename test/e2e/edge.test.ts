// The edge as clients meet it: which names it ends, which it refuses, and that a request passes byte for byte. Each refusal stands beside the request that differs in one thing and is served.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type EdgeCertificates, openCertificates } from '../../local/certificates';
import { type Edge, type LogLine, startEdge } from '../../local/edge';
import { createEntra } from '../../local/entra';
import { writeEnvironment } from '../../local/environment';
import { seedDirectory } from '../../local/principals';
import { connectThrough, parseAnswer, rawRequest, rawTls } from '../kit/rawTls';
import { testSigningKey } from '../kit/tokens';

const TENANT = '11111111-1111-4111-8111-111111111111';
const ARM = 'management.azure.com';
const LOGIN = 'login.microsoftonline.com';
const HSM = 'contoso.managedhsm.azure.net';

type Seen = { readonly method: string; readonly url: string; readonly rawHeaders: readonly string[]; readonly body: Buffer };

let dataDir: string;
let certificates: EdgeCertificates;
let ca: string;
let functions: Server;
let edge: Edge;
let seen: Seen[] = [];
let log: LogLine[] = [];
/** What the functions answer; by default 200 with the path that they saw. */
let answerWith: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "edge it's "));
  certificates = await openCertificates(dataDir);
  ca = readFileSync(certificates.authorityFile, 'utf8');
  functions = createServer((request, response) => answerWith(request, response)).listen(0, '127.0.0.1');
  const entra = createEntra({ tenantId: TENANT, directory: seedDirectory(TENANT), signingKey: await testSigningKey() });
  edge = await startEdge({ port: 0, functionsPort: portOf(functions), entra, certificate: certificates, log: (line) => log.push(line) });
});
afterAll(async () => {
  await edge.stop();
  functions.close();
  rmSync(dataDir, { recursive: true });
});
beforeEach(() => {
  [seen, log] = [[], []];
  answerWith = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push({ method: request.method ?? '', url: request.url ?? '', rawHeaders: request.rawHeaders, body: Buffer.concat(chunks) });
      response.end(`functions ${request.url}`);
    });
  };
});

const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;
const headerOf = (request: Seen | undefined, name: string): readonly string[] =>
  (request?.rawHeaders ?? []).filter((_value, at, all) => at % 2 === 1 && all[at - 1]?.toLowerCase() === name);
const get = (path: string, ...headers: string[]) => `GET ${path} HTTP/1.1\r\n${headers.map((line) => `${line}\r\n`).join('')}Connection: close\r\n\r\n`;
/** Through the tunnel, all names in agreement unless told otherwise. */
const ask = (bytes: string | Buffer, { name = ARM, tunnel = `${name}:443` as string | undefined, sni = name as string | undefined } = {}) =>
  rawRequest({ port: edge.port, ca, sni, bytes, ...(tunnel === undefined ? {} : { connect: tunnel }) });
const errorCode = (body: string): unknown => JSON.parse(body).error.code;

describe('names', () => {
  test.each([
    [ARM, '/subscriptions', 'functions'],
    [HSM, '/keys', 'functions'],
    ['a.managedhsm.azure.net', '/keys', 'functions'],
    [LOGIN, `/${TENANT}/discovery/v2.0/keys`, 'entra'],
    ['graph.microsoft.com', '/v1.0/me', 'entra'],
    [ARM, '/tenants?api-version=2022-12-01', 'entra'],
  ])('%s%s is served by %s, with the Host that the client sent', async (name, path, destination) => {
    const { body } = await ask(get(path, `Host: ${name}`), { name });
    expect(seen.map((request) => headerOf(request, 'host'))).toEqual(destination === 'functions' ? [[name]] : []);
    if (destination === 'functions') expect(body).toContain(`functions ${path}`);
    else expect(JSON.parse(body)).toBeDefined();
  });

  test.each([
    ['another name', 'example.com:443'],
    ['the real cloud’s other services', 'contoso.vault.azure.net:443'],
    ['the suffix alone', 'managedhsm.azure.net:443'],
    ['two labels', 'a.contoso.managedhsm.azure.net:443'],
    ['a name that ends alike', 'evilmanagedhsm.azure.net:443'],
    ['an emulated name under another', 'management.azure.com.evil.example:443'],
    ['a trailing dot', 'management.azure.com.:443'],
    ['localhost', 'localhost:443'],
    ['a raw IPv4 address', '127.0.0.1:443'],
    ['a raw IPv6 address', '[::1]:443'],
    ['another port', 'management.azure.com:8443'],
    ['port 80', 'management.azure.com:80'],
    ['no port', 'management.azure.com'],
    ['user information', 'management.azure.com@example.com:443'],
  ])('CONNECT to %s is refused at once with 502 and closed', async (_what, target) => {
    const { status, closed } = await connectThrough(edge.port, target);
    expect(status).toBe(502);
    await closed;
    expect(log).toEqual([{ host: target, method: 'CONNECT', path: '', status: 502 }]);
  });

  test.each([`${ARM}:443`, `${LOGIN}:443`, 'graph.microsoft.com:443', `${HSM}:443`, 'Management.Azure.COM:443'])('CONNECT to %s is opened', async (target) => {
    expect((await connectThrough(edge.port, target)).status).toBe(200);
  });

  test('a refused CONNECT reaches nobody', async () => {
    let reached = 0;
    const other = createTcpServer(() => reached++).listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '2130706433']) expect((await connectThrough(edge.port, `${host}:${portOf(other)}`)).status).toBe(502);
    await new Promise<void>((resolve) =>
      connect(portOf(other), '127.0.0.1', resolve).on('connect', function (this: { destroy(): void }) {
        this.destroy();
      }),
    );
    await new Promise((resolve) => other.close(resolve));
    expect(reached).toBe(1); // the control's
  });

  test.each<[string, string | undefined, string | undefined, string, number]>([
    ['all agree', `${ARM}:443`, ARM, ARM, 200],
    ['Host says a port', `${ARM}:443`, ARM, `${ARM}:443`, 200],
    ['Host is in capitals', `${ARM}:443`, ARM, 'Management.AZURE.com', 200],
    ['no tunnel, SNI and Host agree', undefined, ARM, ARM, 200],
    ['no tunnel, Host says the edge’s port', undefined, HSM, `${HSM}:8443`, 200],
    ['the tunnel is for another name', `${HSM}:443`, ARM, ARM, 421],
    ['the tunnel is for another HSM', 'other.managedhsm.azure.net:443', HSM, HSM, 421],
    ['SNI is another name', `${ARM}:443`, HSM, ARM, 421],
    ['Host is another name', `${ARM}:443`, ARM, HSM, 421],
    ['SNI is missing', `${ARM}:443`, undefined, ARM, 421],
    ['no tunnel, SNI is another name', undefined, HSM, ARM, 421],
    ['no tunnel, SNI is missing', undefined, undefined, ARM, 421],
    ['no tunnel, a name of nobody', undefined, 'example.com', 'example.com', 421],
    ['Host is loopback', `${ARM}:443`, ARM, '127.0.0.1', 421],
  ])('CONNECT name, SNI and Host: %s', async (_what, tunnel, sni, host, status) => {
    const answer = await rawRequest({ port: edge.port, ca, sni, bytes: get('/subscriptions', `Host: ${host}`), ...(tunnel === undefined ? {} : { connect: tunnel }) });
    expect(answer.status).toBe(status);
    expect(seen).toHaveLength(status === 200 ? 1 : 0);
    if (status === 421) expect(errorCode(answer.body)).toBe('MisdirectedRequest');
  });

  test('the second request of a connection is held to the same names as the first', async () => {
    const answer = await ask(`GET /a HTTP/1.1\r\nHost: ${ARM}\r\n\r\n${get('/b', `Host: ${HSM}`)}`);
    expect(seen.map((request) => request.url)).toEqual(['/a']);
    expect(answer.body).toContain('MisdirectedRequest');
  });

  test.each([
    ['absolute form', get(`https://${ARM}/subscriptions`, `Host: ${ARM}`)],
    ['absolute form of another host', get('http://example.com/', `Host: ${ARM}`)],
    ['asterisk form', `OPTIONS * HTTP/1.1\r\nHost: ${ARM}\r\nConnection: close\r\n\r\n`],
    ['an empty Host', get('/subscriptions', 'Host:')],
    ['no Host', get('/subscriptions')],
    ['two Hosts', get('/subscriptions', `Host: ${ARM}`, `Host: ${ARM}`)],
    ['two Hosts that differ', get('/subscriptions', `Host: ${ARM}`, `Host: ${HSM}`)],
    ['a trailing dot', get('/subscriptions', `Host: ${ARM}.`)],
    ['user information', get('/subscriptions', `Host: user@${ARM}`)],
  ])('%s is 400; the origin form with one Host is not', async (_what, bytes) => {
    expect((await ask(get('/subscriptions', `Host: ${ARM}`))).status).toBe(200);
    expect((await ask(bytes)).status).toBe(400);
    expect(seen).toHaveLength(1);
  });

  test('plain HTTP is 400, absolute form or not, and goes nowhere', async () => {
    for (const target of ['/', `http://${ARM}/subscriptions`, 'http://example.com/']) {
      const socket = connect(edge.port, '127.0.0.1');
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.write(get(target, `Host: ${ARM}`));
      await new Promise((resolve) => socket.once('close', resolve));
      expect(parseAnswer(Buffer.concat(chunks).toString()).status).toBe(400);
    }
    expect(seen).toEqual([]);
  });

  test('it listens on 127.0.0.1 and nowhere else', async () => {
    const reach = (host: string) =>
      new Promise<string>((resolve) => {
        const socket = connect(edge.port, host, () => resolve('reached')).on('error', () => resolve('refused'));
        socket.on('connect', () => socket.destroy());
      });
    expect(await reach('127.0.0.1')).toBe('reached');
    expect(await reach(process.platform === 'linux' ? '127.0.0.2' : '::1')).toBe('refused');
  });
});

describe('requests pass as they are', () => {
  test.each([
    ['/a/b?c=1', '/a/b?c=1'],
    ['///providers//x/', '/providers/x/'],
    ['//', '/'],
    ['//evil.example/x', '/evil.example/x'],
    ['/a//b?next=//c//d', '/a/b?next=//c//d'],
    ['/?a//b', '/?a//b'],
    ['/keys/%2e%2e/a%2Fb/../c/.', '/keys/%2e%2e/a%2Fb/../c/.'],
    ['/keys/K%41?api%2Dversion=7.4&$filter=a+b%20c', '/keys/K%41?api%2Dversion=7.4&$filter=a+b%20c'],
    ['/keys?', '/keys?'],
  ])('%s arrives as %s', async (sent, arrived) => {
    expect((await ask(get(sent, `Host: ${HSM}`), { name: HSM })).status).toBe(200);
    expect(seen.map((request) => request.url)).toEqual([arrived]);
  });

  test('headers keep order, spelling and repetition; those of one hop go, and those that Connection names', async () => {
    await ask(
      [
        `GET / HTTP/1.1`,
        `Host: ${ARM}`,
        'Authorization: Bearer x',
        'X-Ms-B: 1',
        'x-ms-a: 2',
        'X-Ms-B: 3',
        'Proxy-Authorization: Basic x',
        'Proxy-Connection: keep-alive',
        'Keep-Alive: timeout=5',
        'TE: trailers',
        'Upgrade: h2c',
        'X-Hop: 1',
        'Connection: close, X-Hop, Host, Authorization, Upgrade',
        '',
        '',
      ].join('\r\n'),
    );
    expect(seen[0]?.rawHeaders).toEqual(['Host', ARM, 'Authorization', 'Bearer x', 'X-Ms-B', '1', 'x-ms-a', '2', 'X-Ms-B', '3', 'Connection', 'keep-alive']);
  });

  test('a body with a length keeps it; one in chunks stays in chunks', async () => {
    await ask(`PUT /a HTTP/1.1\r\nHost: ${ARM}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello`);
    await ask(`PUT /b HTTP/1.1\r\nHost: ${ARM}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n`);
    expect(seen.map((request) => [request.body.toString(), headerOf(request, 'content-length'), headerOf(request, 'transfer-encoding')])).toEqual([
      ['hello', ['5'], []],
      ['hello', [], ['chunked']],
    ]);
  });

  test.each(['GET', 'HEAD', 'DELETE', 'POST', 'PUT', 'PATCH', 'OPTIONS'])('%s without a body does not become chunked', async (method) => {
    expect((await ask(`${method} /a HTTP/1.1\r\nHost: ${ARM}\r\nConnection: close\r\n\r\n`)).status).toBe(200);
    expect(seen[0]?.method).toBe(method);
    expect(headerOf(seen[0], 'transfer-encoding')).toEqual([]);
    expect(headerOf(seen[0], 'content-length')).toEqual(['POST', 'PUT', 'PATCH'].includes(method) ? ['0'] : []);
  });

  test('a DELETE with a body keeps it', async () => {
    await ask(`DELETE /a HTTP/1.1\r\nHost: ${ARM}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`);
    expect(seen[0]?.body.toString()).toBe('{}');
  });

  test('a large body arrives whole, and a client that expects 100 is told to go on', async () => {
    const body = Buffer.alloc(3_000_000, 'abcdefg');
    const head = `POST /a HTTP/1.1\r\nHost: ${ARM}\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`;
    const { status } = await ask(Buffer.concat([Buffer.from(head), body]));
    expect(status).toBe(100);
    expect(seen[0]?.body.equals(body)).toBe(true);
    expect(headerOf(seen[0], 'expect')).toEqual([]);
  });

  test('the answer keeps status, reason, order and spelling of headers, and its date', async () => {
    answerWith = (_request, response) => {
      response
        .writeHead(202, 'Taken', [
          'X-Ms-B',
          '1',
          'location',
          'https://x/',
          'X-Ms-B',
          '2',
          'Date',
          'Fri, 01 Jan 2027 00:00:00 GMT',
          'Retry-After',
          '1',
          'Content-Length',
          '2',
          'Keep-Alive',
          'timeout=9',
        ])
        .end('ok');
    };
    const { head, body } = await ask(get('/', `Host: ${ARM}`));
    expect(head.split('\r\n')).toEqual([
      'HTTP/1.1 202 Taken',
      'X-Ms-B: 1',
      'location: https://x/',
      'X-Ms-B: 2',
      'Date: Fri, 01 Jan 2027 00:00:00 GMT',
      'Retry-After: 1',
      'Content-Length: 2',
      'Connection: close',
    ]);
    expect(body).toBe('ok');
  });

  test('204, 304 and answers to HEAD have no body and end', async () => {
    answerWith = (request, response) => void response.writeHead(request.method === 'HEAD' ? 200 : Number(request.url?.slice(1)), { 'Content-Type': 'application/json' }).end();
    expect(await ask(get('/204', `Host: ${ARM}`))).toMatchObject({ status: 204, body: '' });
    expect(await ask(get('/304', `Host: ${ARM}`))).toMatchObject({ status: 304, body: '' });
    expect(await ask(get('/x', `Host: ${ARM}`).replace('GET', 'HEAD'))).toMatchObject({ status: 200, body: '' });
  });

  test('one connection carries many requests', async () => {
    const socket = await rawTls({ port: edge.port, ca, sni: ARM, connect: `${ARM}:443` });
    for (const path of ['/1', '/2', '/3']) {
      const answered = new Promise<Buffer>((resolve) => socket.once('data', resolve));
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${ARM}\r\n\r\n`);
      expect((await answered).toString()).toMatch(/^HTTP\/1\.1 200 OK/);
    }
    socket.destroy();
    expect(seen.map((request) => request.url)).toEqual(['/1', '/2', '/3']);
  });
});

describe('when the functions fail', () => {
  test('down: 503 with Retry-After', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => gone.once('listening', resolve));
    const port = portOf(gone);
    await new Promise((resolve) => gone.close(resolve));
    const other = await startEdge({ port: 0, functionsPort: port, entra: () => undefined, certificate: certificates });
    const { status, head, body } = await rawRequest({ port: other.port, ca, sni: ARM, bytes: `POST / HTTP/1.1\r\nHost: ${ARM}\r\nContent-Length: 2\r\n\r\n{}` });
    await other.stop();
    expect({ status, code: errorCode(body) }).toEqual({ status: 503, code: 'ServiceUnavailable' });
    expect(head).toMatch(/^Retry-After: 1\r?$/m);
  });

  test('a connection that breaks before the answer: 502', async () => {
    answerWith = (request) => void request.socket.destroy();
    expect(errorCode((await ask(get('/', `Host: ${ARM}`))).body)).toBe('BadGateway');
  });

  test('one that breaks in the middle of the answer is cut off, not ended as if whole', async () => {
    answerWith = (_request, response) => {
      response.writeHead(200, { 'Content-Length': 10 });
      response.write('half', () => response.destroy());
    };
    expect(await ask(get('/', `Host: ${ARM}`))).toMatchObject({ status: 200, body: 'half' });
    answerWith = (_request, response) => response.write('half', () => response.destroy());
    expect((await ask(get('/', `Host: ${ARM}`))).body).not.toContain('\r\n0\r\n');
  });

  test('an answer before the end of the body is seen', async () => {
    const usual = answerWith;
    answerWith = (request, response) => (request.method === 'POST' ? void response.writeHead(413, { 'Content-Length': 3 }).end('big') : usual(request, response));
    const head = `POST / HTTP/1.1\r\nHost: ${ARM}\r\nContent-Length: 2000000\r\n\r\n`;
    const answer = await ask(Buffer.concat([Buffer.from(head), Buffer.alloc(2_000_000, 'x'), Buffer.from(get('/next', `Host: ${ARM}`))]));
    expect(answer.status).toBe(413);
    expect(answer.body).toContain('functions /next');
  });

  test('a client that goes away takes its request along', async () => {
    const aborted = new Promise<void>((resolve) => {
      answerWith = (request) => void request.on('close', resolve);
    });
    const socket = await rawTls({ port: edge.port, ca, sni: ARM });
    socket.write(`POST / HTTP/1.1\r\nHost: ${ARM}\r\nContent-Length: 10\r\n\r\nhalf`, () => socket.destroy());
    await aborted;
  });
});

describe('the log', () => {
  test('says host, method, path and status, and nothing of headers or bodies', async () => {
    const form = 'grant_type=client_credentials&client_id=owner&client_secret=hunter2&scope=https%3A%2F%2Fmanagedhsm.azure.net%2F.default';
    const token = await ask(`POST /${TENANT}/oauth2/v2.0/token HTTP/1.1\r\nHost: ${LOGIN}\r\nContent-Length: ${form.length}\r\nConnection: close\r\n\r\n${form}`, { name: LOGIN });
    const { access_token } = JSON.parse(token.body);
    await ask(get('//keys?api-version=7.4', `Host: ${HSM}`, `Authorization: Bearer ${access_token}`), { name: HSM });
    expect(headerOf(seen[0], 'authorization')).toEqual([`Bearer ${access_token}`]);
    expect(log).toEqual([
      { host: LOGIN, method: 'CONNECT', path: '', status: 200 },
      { host: LOGIN, method: 'POST', path: `/${TENANT}/oauth2/v2.0/token`, status: 200 },
      { host: HSM, method: 'CONNECT', path: '', status: 200 },
      { host: HSM, method: 'GET', path: '/keys?api-version=7.4', status: 200 },
    ]);
  });
});

describe('real clients under env.sh', () => {
  const run = promisify(execFile);
  /** A shell of a company: its proxy and its exceptions, upper and lower case, all pointing at what would be noticed. */
  const inShell = async (script: string) => {
    let strayed = 0;
    const corporate = createTcpServer((socket) => {
      strayed += 1;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => corporate.once('listening', resolve));
    const elsewhere = `http://127.0.0.1:${portOf(corporate)}`;
    const company = Object.fromEntries(['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'].map((name) => [name, elsewhere]));
    const { stdout } = await run('bash', ['--norc', '-euc', `. "$ENV_SH"; ${script}`], {
      env: { PATH: process.env.PATH, ...company, no_proxy: '.azure.net', NO_PROXY: '.azure.com', ENV_SH: join(dataDir, 'env.sh') },
    });
    await new Promise((resolve) => corporate.close(resolve));
    return { stdout, strayed };
  };
  beforeAll(() => {
    const { authorityFile, bundleFile } = certificates;
    writeEnvironment(dataDir, {
      edgePort: edge.port,
      tenantId: TENANT,
      subscriptionId: TENANT,
      authorityFile,
      bundleFile,
      clockUrl: 'http://127.0.0.1:1/clock',
      clockToken: 't',
      ports: {},
    });
  });

  test('curl reaches the edge, by proxy and by --resolve, and trusts it', async () => {
    const { stdout, strayed } = await inShell(
      `curl -sS https://${HSM}/keys; echo; curl -sS --noproxy '*' --resolve ${ARM}:$MHSM_EDGE_PORT:127.0.0.1 https://${ARM}:$MHSM_EDGE_PORT/subscriptions`,
    );
    expect(stdout).toBe('functions /keys\nfunctions /subscriptions');
    expect(log.map((line) => `${line.method} ${line.host} ${line.status}`)).toEqual([`CONNECT ${HSM} 200`, `GET ${HSM} 200`, `GET ${ARM} 200`]);
    expect(strayed).toBe(0);
  });

  test('Python reaches the edge for names of no_proxy too, and other names are refused', async () => {
    const fetch = (url: string) => `python3 -c "import urllib.request as u; print(u.urlopen('${url}').read().decode())" 2>&1 | tail -1`;
    const { stdout, strayed } = await inShell(
      `${fetch(`https://${HSM}/keys`)}; ${fetch(`https://${ARM}/subscriptions`)}; ${fetch('https://example.com/')}; ${fetch('http://example.com/')}`,
    );
    expect(stdout.split('\n')).toEqual(['functions /keys', 'functions /subscriptions', expect.stringContaining('502'), expect.stringContaining('400'), '']);
    expect(log.filter((line) => line.method === 'CONNECT').map((line) => line.host)).toEqual([HSM, ARM, 'example.com:443']);
    expect(strayed).toBe(0);
  });
});
