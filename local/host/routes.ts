/**
 * Route templates as the real host's router reads them, and which function takes a request.
 * The function's name decides, in alphabetical order without regard to case; neither specificity nor order of registration counts.
 */

type Constraint = (value: string) => boolean;
type Parameter = { readonly name: string; readonly constraints: readonly Constraint[]; readonly optional: boolean; readonly otherwise: string | undefined };
type Segment = { readonly pattern: RegExp; readonly parameters: readonly Parameter[]; readonly catchAll: boolean };

export type RouteTemplate = { readonly text: string; readonly segments: readonly Segment[] };
export type RouteParameters = Readonly<Record<string, string>>;
export type Routed = { readonly name: string; readonly methods: readonly string[]; readonly template: RouteTemplate };

/** A template of literals, `{name}`, `{name:constraint(args)}`, `{name?}`, `{name=default}`, `{*rest}`. Throws an Error that names what is wrong. */
export function parseRoute(text: string): RouteTemplate {
  const segments = splitOutsideBraces(text).map((segment) => parseSegment(segment, text));
  if (segments.slice(0, -1).some((segment) => segment.catchAll)) throw new Error(`route "${text}": a catch-all must come last`);
  const names = segments.flatMap((segment) => segment.parameters.map((parameter) => parameter.name.toLowerCase()));
  if (new Set(names).size < names.length) throw new Error(`route "${text}": a parameter occurs twice`);
  return { text, segments };
}

/** The parameters, if the decoded path (with its leading slash) matches. A single trailing slash counts as none. */
export function matchRoute(template: RouteTemplate, path: string): RouteParameters | undefined {
  const pieces = path.slice(1).split('/');
  const tokens = pieces.at(-1) === '' ? pieces.slice(0, -1) : pieces;
  const values: Record<string, string> = {};
  for (const [index, segment] of template.segments.entries()) {
    const token = tokens[index];
    if (token === '') return undefined; // an empty segment fails even a catch-all that begins there
    const value = segment.catchAll && token !== undefined ? pieces.slice(index).join('/') : token;
    if (!take(segment, value, values)) return undefined;
    if (segment.catchAll) return values;
  }
  return tokens.length > template.segments.length ? undefined : values;
}

/** The order in which the host asks its functions. */
export function inRouteOrder<T extends { readonly name: string }>(functions: readonly T[]): readonly T[] {
  return [...functions].sort((a, b) => compareOrdinal(a.name.toUpperCase(), b.name.toUpperCase()));
}

/** The first function, in the order given, whose method and template match. */
export function findRoute<T extends Routed>(ordered: readonly T[], method: string, path: string): { readonly route: T; readonly parameters: RouteParameters } | undefined {
  const wanted = method.toUpperCase();
  for (const route of ordered) {
    if (!route.methods.includes(wanted)) continue;
    const parameters = matchRoute(route.template, path);
    if (parameters) return { route, parameters };
  }
  return undefined;
}

const compareOrdinal = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function take(segment: Segment, token: string | undefined, values: Record<string, string>): boolean {
  if (token === undefined) {
    const parameter = segment.parameters.length === 1 ? segment.parameters[0] : undefined;
    if (!parameter || !(parameter.optional || parameter.otherwise !== undefined || segment.catchAll)) return false;
    if (parameter.otherwise !== undefined) values[parameter.name] = parameter.otherwise;
    return true;
  }
  const found = segment.pattern.exec(token);
  if (!found) return false;
  return segment.parameters.every((parameter, index) => {
    const value = found[index + 1] as string;
    values[parameter.name] = value;
    return parameter.constraints.every((constraint) => constraint(value));
  });
}

/** Slashes inside `{…}` (a regex may hold some) do not separate; `{{` and `}}` are escaped braces. */
function splitOutsideBraces(text: string): string[] {
  const segments: string[] = [];
  let depth = 0;
  let current = '';
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charAt(i);
    if ((char === '{' || char === '}') && text.charAt(i + 1) === char && depth > 0) {
      current += char + char;
      i += 1;
      continue;
    }
    if (char === '{') depth += 1;
    if (char === '}') depth -= 1;
    if (char === '/' && depth === 0) {
      segments.push(current);
      current = '';
    } else {
      current += char;
    }
  }
  if (depth !== 0) throw new Error(`route "${text}": braces do not match`);
  segments.push(current);
  const trimmed = segments.at(-1) === '' ? segments.slice(0, -1) : segments;
  if (trimmed.includes('')) throw new Error(`route "${text}": an empty segment`);
  return trimmed;
}

function parseSegment(segment: string, route: string): Segment {
  const parameters: Parameter[] = [];
  let pattern = '';
  let catchAll = false;
  for (const part of segment.matchAll(/\{(\*{0,2})((?:\{\{|\}\}|[^{}])*)\}|([^{}]+)/g)) {
    const [, stars = '', parameter, literal] = part;
    if (parameter === undefined) {
      pattern += (literal ?? '').replace(/[\\^$.*+?()[\]|]/g, '\\$&');
      continue;
    }
    catchAll ||= stars !== '';
    parameters.push(parseParameter(parameter.replaceAll('{{', '{').replaceAll('}}', '}'), route));
    pattern += '(.+)';
  }
  return { pattern: new RegExp(`^${pattern}$`, 'is'), parameters, catchAll };
}

function parseParameter(text: string, route: string): Parameter {
  const optional = text.endsWith('?');
  const body = optional ? text.slice(0, -1) : text;
  const name = /^[^:=]+/.exec(body)?.[0];
  if (!name) throw new Error(`route "${route}": a parameter without a name`);
  const constraints: Constraint[] = [];
  let rest = body.slice(name.length);
  while (rest.startsWith(':')) {
    const found = /^:([a-zA-Z]+)(?:\((.*?)\)(?=:|=|$))?/s.exec(rest);
    if (!found) throw new Error(`route "${route}": the constraint "${rest}" cannot be read`);
    constraints.push(parseConstraint(found[1] as string, found[2], route));
    rest = rest.slice(found[0].length);
  }
  if (rest !== '' && !rest.startsWith('=')) throw new Error(`route "${route}": "${rest}" cannot be read`);
  return { name, constraints, optional, otherwise: rest === '' ? undefined : rest.slice(1) };
}

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
const INTEGER = /^[+-]?\d+$/;
const GUID = /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}|\([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\))$/i;

const within = (value: string, least: bigint, most: bigint) => INTEGER.test(value) && BigInt(value.replace(/^\+/, '')) >= least && BigInt(value.replace(/^\+/, '')) <= most;
const isNumber: Constraint = (value) => NUMBER.test(value);

function parseConstraint(name: string, args: string | undefined, route: string): Constraint {
  const integer = (index: number): bigint => {
    const text = (args ?? '').split(',')[index]?.trim() ?? '';
    if (!INTEGER.test(text)) throw new Error(`route "${route}": ${name} needs a number`);
    return BigInt(text);
  };
  const least = -(2n ** 63n);
  const most = 2n ** 63n - 1n;
  switch (name.toLowerCase()) {
    case 'int':
      return (value) => within(value, -(2n ** 31n), 2n ** 31n - 1n);
    case 'long':
      return (value) => within(value, least, most);
    case 'bool':
      return (value) => /^(true|false)$/i.test(value);
    case 'decimal':
    case 'double':
    case 'float':
      return isNumber;
    case 'guid':
      return (value) => GUID.test(value);
    case 'datetime':
      return (value) => !Number.isNaN(Date.parse(value));
    case 'alpha':
      return (value) => /^[a-z]*$/i.test(value);
    case 'required':
      return (value) => value !== '';
    case 'minlength':
      return atLeast(integer(0));
    case 'maxlength':
      return (
        (limit) => (value: string) =>
          value.length <= limit
      )(Number(integer(0)));
    case 'length':
      return lengthBetween(integer(0), args?.includes(',') ? integer(1) : integer(0));
    case 'min':
      return (
        (limit) => (value: string) =>
          within(value, limit, most)
      )(integer(0));
    case 'max':
      return (
        (limit) => (value: string) =>
          within(value, least, limit)
      )(integer(0));
    case 'range':
      return (
        (from, to) => (value: string) =>
          within(value, from, to)
      )(integer(0), integer(1));
    case 'regex':
      return (
        (pattern) => (value: string) =>
          pattern.test(value)
      )(new RegExp(args ?? '', 'i'));
    default:
      throw new Error(`route "${route}": the constraint "${name}" is not known`);
  }
}

const atLeast =
  (limit: bigint): Constraint =>
  (value) =>
    value.length >= Number(limit);
const lengthBetween =
  (from: bigint, to: bigint): Constraint =>
  (value) =>
    value.length >= Number(from) && value.length <= Number(to);
