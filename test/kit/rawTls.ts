// A client that says exactly what it is told: any CONNECT target, any server name, any bytes. Well-behaved libraries cannot be made to disagree with themselves.
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

export type RawRequest = {
  readonly port: number;
  /** PEM of the authority that is trusted. */
  readonly ca: string;
  /** The CONNECT target; without it TLS is spoken at once. */
  readonly connect?: string;
  /** Undefined: no server name is sent. */
  readonly sni: string | undefined;
  /** Whole, up to the end of the body. The edge closes after it if it says `Connection: close`. */
  readonly bytes: string | Buffer;
};

export type RawAnswer = { readonly status: number; readonly head: string; readonly body: string };

/** The answer's status line, headers and body as they came; read to the end of the connection. */
export async function rawRequest(request: RawRequest): Promise<RawAnswer> {
  const socket = await rawTls(request);
  const answer = readToEnd(socket);
  socket.write(request.bytes);
  return parseAnswer((await answer).toString('latin1'));
}

/** TLS to the edge, through a tunnel if one is asked for. @throws Error with the status if CONNECT is refused */
export async function rawTls({ port, ca, connect: target, sni }: Omit<RawRequest, 'bytes'>): Promise<TLSSocket> {
  const socket = await opened(connect(port, '127.0.0.1'), 'connect');
  if (target !== undefined) {
    const { status } = await askTunnel(socket, target);
    if (status !== 200) throw new Error(`CONNECT was answered ${status}`);
  }
  return opened(connectTls({ socket, ca, ...(sni === undefined ? {} : { servername: sni }), checkServerIdentity: () => undefined }), 'secureConnect');
}

/** Sends one CONNECT and reads the head of its answer. */
export async function connectThrough(port: number, target: string): Promise<{ readonly status: number; readonly closed: Promise<void> }> {
  const socket = await opened(connect(port, '127.0.0.1'), 'connect');
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const { status } = await askTunnel(socket, target);
  if (status === 200) socket.destroy();
  return { status, closed };
}

async function askTunnel(socket: Socket, target: string): Promise<{ readonly status: number }> {
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  const head = await new Promise<Buffer>((resolve, reject) => socket.once('data', resolve).once('error', reject));
  return parseAnswer(head.toString('latin1'));
}

export function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]), head: text.slice(0, end), body: text.slice(end + 4) };
}

const opened = <S extends Socket>(socket: S, event: string): Promise<S> => new Promise((resolve, reject) => socket.once(event, () => resolve(socket)).once('error', reject));

const readToEnd = (socket: Socket): Promise<Buffer> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => undefined); // a reset after the answer is an end as well
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });
