// The directory of people and applications of the local tenant: seeded at first start, kept in DATA/principals.json, where more may be added by hand. It says who they are, never what they may do.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One name with two faces: the user `{name}@local.test`, and a service principal of an application of its own. */
export type Principal = {
  readonly name: string;
  readonly userId: string;
  readonly clientId: string;
  readonly servicePrincipalId: string;
};

/** Members are names of principals; both faces of a name are members. */
export type Group = { readonly name: string; readonly id: string; readonly members: readonly string[] };

export type Directory = { readonly principals: readonly Principal[]; readonly groups: readonly Group[] };

/** A principal as it signed in. */
export type Identity = { readonly kind: 'user' | 'application'; readonly principal: Principal };

export const DOMAIN = 'local.test';
export const SEEDED_NAMES = ['owner', 'contributor', 'officer', 'user', 'auditor', 'nobody'] as const;
const DIRECTORY_FILE = 'principals.json';

const NAME = /^[a-z][a-z0-9-]{0,62}$/;
const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The seeded directory. Its ids follow from tenant and name alone, so that scripts and documents may quote them. */
export const seedDirectory = (tenantId: string): Directory => ({
  principals: SEEDED_NAMES.map((name) => ({
    name,
    userId: guidOf(tenantId, `user/${name}`),
    clientId: guidOf(tenantId, `application/${name}`),
    servicePrincipalId: guidOf(tenantId, `servicePrincipal/${name}`),
  })),
  groups: [{ name: 'auditors', id: guidOf(tenantId, 'group/auditors'), members: ['auditor'] }],
});

/**
 * Reads DATA/principals.json, or seeds it where there is none.
 * @throws Error that names the file and the member that is wrong
 */
export function openDirectory(dataDir: string, tenantId: string): Directory {
  const file = join(dataDir, DIRECTORY_FILE);
  if (existsSync(file)) return parseDirectory(readFileSync(file, 'utf8'));
  const directory = seedDirectory(tenantId);
  writeFileSync(file, `${JSON.stringify(directory, null, 2)}\n`, { flag: 'wx', mode: 0o600 });
  return directory;
}

/** @throws Error that names the member that is wrong */
export function parseDirectory(text: string): Directory {
  const root = record(JSON.parse(text), DIRECTORY_FILE);
  const principals = list(root.principals, 'principals').map(parsePrincipal);
  const groups = list(root.groups, 'groups').map(parseGroup);
  const ids = [...principals.flatMap((one) => [one.userId, one.clientId, one.servicePrincipalId]), ...groups.map((group) => group.id)];
  if (new Set(ids).size !== ids.length) throw wrong('ids', 'one id stands twice');
  if (new Set(principals.map((one) => one.name)).size !== principals.length) throw wrong('principals', 'one name stands twice');
  return { principals, groups };
}

export const upnOf = (principal: Principal): string => `${principal.name}@${DOMAIN}`;

export const objectIdOf = ({ kind, principal }: Identity): string => (kind === 'user' ? principal.userId : principal.servicePrincipalId);

/** Both object ids of a name: what a setting that lists administrators wants. Empty for a name that is not there. */
export const objectIdsOf = (directory: Directory, name: string): readonly string[] =>
  directory.principals.filter((one) => one.name === name).flatMap((one) => [one.userId, one.servicePrincipalId]);

export const groupIdsOf = (directory: Directory, principal: Principal): readonly string[] =>
  directory.groups.filter((group) => group.members.includes(principal.name)).map((group) => group.id);

/** By user principal name, in any case. */
export const findUser = (directory: Directory, upn: string): Principal | undefined => directory.principals.find((one) => upnOf(one) === upn.toLowerCase());

/** By client id. @NOTE differs: the bare name (`owner`) is taken for the client id, so that a login can be typed. */
export const findApplication = (directory: Directory, clientId: string): Principal | undefined =>
  directory.principals.find((one) => one.clientId === clientId.toLowerCase() || one.name === clientId);

const parsePrincipal = (value: unknown, index: number): Principal => {
  const member = `principals[${index}]`;
  const one = record(value, member);
  return {
    name: matching(one.name, NAME, `${member}.name`),
    userId: matching(one.userId, GUID, `${member}.userId`),
    clientId: matching(one.clientId, GUID, `${member}.clientId`),
    servicePrincipalId: matching(one.servicePrincipalId, GUID, `${member}.servicePrincipalId`),
  };
};

const parseGroup = (value: unknown, index: number): Group => {
  const member = `groups[${index}]`;
  const one = record(value, member);
  return {
    name: matching(one.name, NAME, `${member}.name`),
    id: matching(one.id, GUID, `${member}.id`),
    members: list(one.members, `${member}.members`).map((name) => matching(name, NAME, `${member}.members`)),
  };
};

const wrong = (member: string, rule: string): Error => new Error(`${DIRECTORY_FILE}: ${member}: ${rule}`);

function record(value: unknown, member: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(member, 'an object is wanted');
  return value as Record<string, unknown>;
}

function list(value: unknown, member: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(member, 'a list is wanted');
  return value;
}

function matching(value: unknown, pattern: RegExp, member: string): string {
  if (typeof value !== 'string' || !pattern.test(value)) throw wrong(member, `a text that matches ${pattern.source} is wanted`);
  return value;
}

/** A name-based GUID (RFC 9562 version 5) in the tenant's namespace. */
function guidOf(tenantId: string, name: string): string {
  const bytes = createHash('sha1')
    .update(Buffer.from(tenantId.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest()
    .subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
