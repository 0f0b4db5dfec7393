// The tables of README and ARCHITECTURE that are made from the code, so that docs equal code.

import { builtInRoles } from '../../shared/domain/armRoles';
import { errors } from '../../shared/domain/errors';
import { lifecycle } from '../../shared/domain/lifecycle';
import type { Operation } from '../../shared/http/operation';
import type { Setting } from '../../shared/settings';

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n');

const code = (text: string): string => `\`${text}\``;

export const lifecycleTable = (): string => {
  const commands = Object.keys(lifecycle.absent) as (keyof typeof lifecycle.absent)[];
  return table(
    ['state at `now` \\ command', ...commands],
    Object.entries(lifecycle).map(([state, row]) => [state, ...commands.map((command) => row[command])]),
  );
};

export const operationTable = (operations: readonly Pick<Operation, 'name' | 'method' | 'route' | 'action'>[]): string =>
  table(
    ['operation', 'request', 'action'],
    operations.map(({ name, method, route, action }) => [name, code(`${method} /${route}`), action === undefined ? 'any authenticated caller' : code(action)]),
  );

export const settingTable = (settings: readonly Setting[]): string =>
  table(
    ['setting', 'meaning', 'default', 'example'],
    settings.map(({ name, meaning, example, default: otherwise, developmentOnly }) => [
      code(name),
      `${meaning}${developmentOnly ? ' Development only.' : ''}`,
      otherwise,
      code(example),
    ]),
  );

/** The details of a message are shown by name. */
export const errorTable = (): string => {
  const shown = new Proxy({}, { get: (_, name) => `{${String(name)}}` });
  return table(
    ['status', 'code', 'message'],
    Object.values(errors).map((entry) => [String(entry.status), code(entry.code), (entry.message as (detail: unknown) => string)(shown)]),
  );
};

export const roleTable = (): string =>
  table(
    ['role', 'id', 'actions', 'not actions'],
    builtInRoles.map(({ name, guid, actions, notActions }) => [name, code(guid), actions.map(code).join(', '), notActions.map(code).join(', ')]),
  );
