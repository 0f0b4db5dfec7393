// DATA/env.sh and DATA/env.ps1: what a shell must say so that unmodified clients reach this instance and nothing else. They hold the clock's token, and are their owner's alone.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { replaceFile } from './files';

export type EnvironmentOptions = {
  readonly edgePort: number;
  readonly tenantId: string;
  readonly subscriptionId: string;
  /** The authority alone, and the system's authorities with it. */
  readonly authorityFile: string;
  readonly bundleFile: string;
  /** The clock endpoint, and the token that it wants. */
  readonly clockUrl: string;
  readonly clockToken: string;
  /** Ports that are not the edge's, by the name that they get: `{ functions: 7071 }` becomes MHSM_FUNCTIONS_PORT. */
  readonly ports: Readonly<Record<string, number>>;
};

/** `undefined`: the variable is taken away. */
type Variables = ReadonlyMap<string, string | undefined>;

const LOOPBACK = 'localhost,127.0.0.1,::1';

/** Which variables a sourcing shell gets. Names that clients read in either case are given in both. */
function environmentOf(dataDir: string, options: EnvironmentOptions): Variables {
  const proxy = `http://127.0.0.1:${options.edgePort}`;
  return new Map<string, string | undefined>([
    ...inBothCases('HTTPS_PROXY', proxy),
    // Plain HTTP is refused there: a corporate proxy must not get it.
    ...inBothCases('HTTP_PROXY', proxy),
    // Replaced, not added to: `.azure.net` in a corporate list would send requests to the real cloud.
    ...inBothCases('NO_PROXY', LOOPBACK),
    ...inBothCases('ALL_PROXY', undefined),
    ['NODE_USE_ENV_PROXY', '1'],
    ['NODE_EXTRA_CA_CERTS', resolve(options.authorityFile)],
    ['SSL_CERT_FILE', resolve(options.bundleFile)],
    ['REQUESTS_CA_BUNDLE', resolve(options.bundleFile)],
    ['CURL_CA_BUNDLE', resolve(options.bundleFile)],
    ['AZURE_CONFIG_DIR', azureConfigDir(dataDir)],
    ['MHSM_TENANT', options.tenantId],
    ['MHSM_SUBSCRIPTION', options.subscriptionId],
    ['MHSM_EDGE_PORT', String(options.edgePort)],
    ['MHSM_CLOCK_URL', options.clockUrl],
    ['MHSM_CLOCK_TOKEN', options.clockToken],
    ...Object.entries(options.ports).map(([name, port]) => [`MHSM_${name.toUpperCase()}_PORT`, String(port)] as const),
  ]);
}

/** Writes both files and makes the folder in which az keeps its login. */
export function writeEnvironment(dataDir: string, options: EnvironmentOptions): void {
  const variables = environmentOf(dataDir, options);
  mkdirSync(azureConfigDir(dataDir), { recursive: true, mode: 0o700 });
  replaceFile(join(dataDir, 'env.sh'), shellText(variables), 0o600);
  replaceFile(join(dataDir, 'env.ps1'), powerShellText(variables), 0o600);
}

const azureConfigDir = (dataDir: string): string => join(resolve(dataDir), 'azure');

const inBothCases = (name: string, value: string | undefined) => [[name, value] as const, [name.toLowerCase(), value] as const];

const SHELL_HEAD = '# Source this: . env.sh. It points az and the SDKs of this shell at the local Managed HSM, and at nothing else.';
const POWERSHELL_HEAD = '# Dot-source this: . env.ps1. It points az and the SDKs of this session at the local Managed HSM, and at nothing else.';

/** For any POSIX shell. */
function shellText(variables: Variables): string {
  const quoted = (value: string) => `'${value.replaceAll("'", "'\\''")}'`;
  const lines = [...variables].map(([name, value]) => (value === undefined ? `unset ${name}` : `export ${name}=${quoted(value)}`));
  return `${[SHELL_HEAD, ...lines].join('\n')}\n`;
}

/** With a byte order mark: Windows PowerShell reads a file without one in the machine's own code page. */
function powerShellText(variables: Variables): string {
  // PowerShell takes the typographic quotes for plain ones.
  const quoted = (value: string) => `'${value.replaceAll(/['\u2018\u2019\u201a\u201b]/g, '$&$&')}'`;
  const lines = [...variables].map(([name, value]) => (value === undefined ? `Remove-Item Env:${name} -ErrorAction SilentlyContinue` : `$env:${name} = ${quoted(value)}`));
  return `\ufeff${[POWERSHELL_HEAD, ...lines].join('\n')}\n`;
}
