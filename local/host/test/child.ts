/** A host in a process of its own, and raw requests to it. For tests; wants the project built, as `npm test` does first. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

export type Child = {
  readonly port: number;
  readonly clockUrl: string;
  readonly clockToken: string;
  readonly functions: readonly string[];
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
  readonly process: ChildProcess;
  /** What app and host have logged so far. */
  output(): string;
  /** Resolves with the reason when the host has stopped itself. */
  readonly stoppedItself: Promise<string>;
  stop(): Promise<void>;
};

const SCRIPT = join(__dirname, '../../../dist/local/host/test/startApp.js');

/** Rejects with the host's own message if it does not start. */
export async function startChild(options: Readonly<Record<string, unknown>>, environment: Readonly<Record<string, string>> = {}): Promise<Child> {
  if (!existsSync(SCRIPT)) throw new Error(`${SCRIPT} is missing: build first (npm run build).`);
  const child = spawn(process.execPath, [SCRIPT, JSON.stringify({ port: 0, ...options })], { env: { ...process.env, ...environment }, stdio: 'pipe' });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += String(chunk);
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let stopped: (reason: string) => void = () => undefined;
  const stoppedItself = new Promise<string>((resolve) => {
    stopped = resolve;
  });
  const ready = await new Promise<Record<string, unknown>>((resolve) => {
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += String(chunk);
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = JSON.parse(text.slice(0, end)) as Record<string, unknown>;
        text = text.slice(end + 1);
        if (typeof line.stopped === 'string') stopped(line.stopped);
        else resolve(line);
      }
    });
    void exited.then(() => resolve({ failed: `The process ended: ${errors}` }));
  });
  if (typeof ready.failed === 'string') throw new Error(ready.failed);
  return {
    ...(ready as unknown as Pick<Child, 'port' | 'clockUrl' | 'clockToken' | 'functions' | 'refused'>),
    process: child,
    output: () => errors,
    stoppedItself,
    stop: async () => {
      child.stdin.end();
      await exited;
    },
  };
}

/** Sends bytes over a socket and reads until the other side ends. */
export function exchange(port: number, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => void socket.write(bytes));
    socket.on('data', (chunk) => void chunks.push(chunk));
    socket.on('end', () => {
      socket.destroy();
      resolve(Buffer.concat(chunks));
    });
    socket.on('error', reject);
  });
}

export type RawAnswer = { readonly status: number; readonly headers: readonly string[]; readonly body: Buffer };

/** Takes an answer apart; interim answers are skipped, chunks joined. */
export function parseAnswer(bytes: Buffer): RawAnswer {
  const end = bytes.indexOf('\r\n\r\n');
  const [line = '', ...headers] = bytes.toString('latin1', 0, end).split('\r\n');
  const status = Number(line.split(' ')[1]);
  const rest = bytes.subarray(end + 4);
  if (status === 100) return parseAnswer(rest);
  return { status, headers, body: headers.some((header) => /^transfer-encoding: *chunked$/i.test(header)) ? joinChunks(rest) : rest };
}

function joinChunks(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = bytes.indexOf('\r\n', at);
    const length = Number.parseInt(bytes.toString('latin1', at, end), 16);
    if (!(length > 0)) return Buffer.concat(parts);
    parts.push(bytes.subarray(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
}
