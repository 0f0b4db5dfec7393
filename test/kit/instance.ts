// An instance as its users start it: dist/local/start.js in a process of its own, the environment of a shell that sourced its env.sh, and the edge's log of what it was asked.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export type RunningInstance = {
  readonly dataDir: string;
  readonly edgePort: number;
  /** The variables of a POSIX shell that had those of `before` (this process's own if left out) and then sourced env.sh. */
  sourced(before?: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
  /** What the edge was asked since the last call, in order: `METHOD https://host/path STATUS`, tunnels as `CONNECT https://host STATUS`. */
  requests(): Promise<readonly string[]>;
  /** All that the instance has printed. */
  output(): string;
  /** Ends the process, and removes the data folder if it was made here. */
  stop(): Promise<void>;
};

const ROOT = resolve(__dirname, '..', '..').replace(/\/dist$/, '');
const REQUEST = /^[A-Z]+ https:\/\/\S+ \d{3}$/;

/** Wants dist to be built. `env` is the whole environment, this process's own if left out. @throws Error with all that was printed, if the instance ends before it is ready */
export async function runInstance(options: { readonly dataDir?: string; readonly arguments?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {}): Promise<RunningInstance> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'managed-hsm-test-'));
  const child = spawn(process.execPath, [join(ROOT, 'dist/local/start.js'), '--data', dataDir, '--port', '0', '--verbose', ...(options.arguments ?? [])], {
    cwd: ROOT,
    env: options.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed = watch(child);
  await Promise.race([
    printed.until((text) => text.includes('Every local user of this machine')),
    new Promise((_, fail) => child.once('exit', (code) => fail(new Error(`the instance ended with ${code}: ${printed.text()}`)))),
  ]);
  const edgePort = Number(/https:\/\/127\.0\.0\.1:(\d+) as HTTPS proxy/.exec(printed.text())?.[1]);
  let [seen, barriers] = [printed.text().split('\n').length - 1, 0];
  return {
    dataDir,
    edgePort,
    sourced: (before = process.env) => sourcedEnvironment(join(dataDir, 'env.sh'), before),
    async requests() {
      // What was answered before this refused tunnel was asked for is logged before it.
      const name = `barrier-${++barriers}.invalid:443`;
      await askForTunnel(edgePort, name);
      await printed.until((text) => text.includes(`${name} 502\n`));
      const lines = printed.text().split('\n').slice(0, -1);
      const fresh = lines.slice(seen).filter((line) => REQUEST.test(line) && !line.includes('.invalid:443 '));
      seen = lines.length;
      return fresh;
    },
    output: printed.text,
    async stop() {
      await ended(child);
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function watch(child: ChildProcess): { text(): string; until(holds: (text: string) => boolean): Promise<void> } {
  let printed = '';
  const waiting = new Set<() => void>();
  const read = (chunk: Buffer): void => {
    printed += chunk.toString();
    for (const look of waiting) look();
  };
  child.stdout?.on('data', read);
  child.stderr?.on('data', read);
  return {
    text: () => printed,
    until: (holds) =>
      new Promise((settle) => {
        const look = (): void => {
          if (!holds(printed)) return;
          waiting.delete(look);
          settle();
        };
        waiting.add(look);
        look();
      }),
  };
}

/** What a shell that sourced the file hands on to its programs. */
function sourcedEnvironment(file: string, before: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const print = 'process.stdout.write(JSON.stringify(process.env))';
  return JSON.parse(execFileSync('/bin/sh', ['-c', '. "$0" && exec "$1" -e "$2"', file, process.execPath, print], { env: before, encoding: 'utf8' })) as NodeJS.ProcessEnv;
}

const askForTunnel = (port: number, name: string): Promise<void> =>
  new Promise((settle, fail) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`CONNECT ${name} HTTP/1.1\r\nHost: ${name}\r\n\r\n`));
    socket.on('error', fail).on('close', () => settle());
    socket.resume();
  });

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((settle) => child.once('exit', settle));
  child.kill('SIGTERM');
  await gone;
}
