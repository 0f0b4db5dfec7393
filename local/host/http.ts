/** HTTP triggers: from a request on the wire to the function that takes it and back. It owns routing, the host's own paths and the limits of requests in flight. */
import type { FunctionsCore, RegisteredFunction, RpcNullableString, RpcTypedData } from './functionsCore';
import { answerOf, emptyAnswer } from './httpAnswer';
import type { WireRequest, WireResponse } from './httpWire';
import { decodePath, encodePath, parseQuery } from './paths';
import { findRoute, inRouteOrder, parseRoute, type Routed, type RouteParameters } from './routes';
import type { HttpSettings } from './settings';

export type HttpRoute = Routed & { readonly fn: RegisteredFunction; readonly authLevel: string };
/** A function that the real host would put in error and leave out. */
export type RefusedFunction = { readonly name: string; readonly reason: string };

/** The routes of the app in the order in which they are asked, and the functions that get none, with the reason. */
export function httpRoutes(functions: readonly RegisteredFunction[], routePrefix: string): { readonly routes: readonly HttpRoute[]; readonly refused: readonly RefusedFunction[] } {
  const routes: HttpRoute[] = [];
  const refused: RefusedFunction[] = [];
  for (const fn of inRouteOrder(functions.filter(isHttp))) {
    try {
      const route = toRoute(fn, routePrefix);
      const rival = routes.find((other) => isSameRoute(other, route));
      if (rival) throw new Error(`the route "${route.template.text}" is ${rival.name}'s`);
      routes.push(route);
    } catch (error) {
      refused.push({ name: fn.name, reason: (error as Error).message });
    }
  }
  return { routes, refused };
}

/** Answers each request of the app. A function that fails answers 500, empty. */
export function createHttpTrigger(
  core: Pick<FunctionsCore, 'invoke'>,
  routes: readonly HttpRoute[],
  settings: HttpSettings,
  log: (line: string) => void,
): (request: WireRequest) => Promise<WireResponse> {
  const admit = throttle(settings.maxConcurrentRequests, settings.maxOutstandingRequests);
  return async (request) => {
    const path = decodePath(request.rawPath);
    if (path === undefined) return emptyAnswer(400);
    const own = hostPath(path);
    if (own) return own;
    const found = findRoute(routes, request.method, path);
    if (!found) return path === '/' ? homePage() : emptyAnswer(404);
    if (found.route.authLevel !== 'anonymous') return emptyAnswer(401);
    if (request.host === '') return emptyAnswer(500);
    const leave = await admit();
    if (!leave) return emptyAnswer(429);
    try {
      const { fn } = found.route;
      const { returnValue } = await core.invoke(fn, [{ name: fn.trigger.name, data: requestData(request, path, found.parameters) }]);
      return answerOf(returnValue);
    } catch (error) {
      log(`[error] Functions.${found.route.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return emptyAnswer(500);
    } finally {
      leave();
    }
  };
}

const isHttp = (fn: RegisteredFunction) => fn.trigger.type.toLowerCase() === 'httptrigger';

function toRoute(fn: RegisteredFunction, prefix: string): HttpRoute {
  const { route, methods, authLevel } = fn.trigger;
  const own = (typeof route === 'string' && route !== '' ? route : fn.name).replace(/^\//, '');
  if (/^(admin|runtime)(\/|$)/i.test(own)) throw new Error(`the route "${own}" begins with a word that the host keeps for itself`);
  return {
    name: fn.name,
    fn,
    methods: (Array.isArray(methods) ? methods : ['GET', 'POST']).map((method) => String(method).toUpperCase()),
    authLevel: String(authLevel ?? 'anonymous').toLowerCase(),
    template: parseRoute(prefix === '' ? own : `${prefix}/${own}`),
  };
}

const isSameRoute = (a: Routed, b: Routed) => a.template.text.toLowerCase() === b.template.text.toLowerCase() && a.methods.some((method) => b.methods.includes(method));

/** Paths that the host takes before any function. It has no keys, so that nobody may use what they offer. */
function hostPath(path: string): WireResponse | undefined {
  if (/^\/admin\/host\/ping\/?$/i.test(path)) {
    return emptyAnswer(200, [
      ['Cache-Control', 'no-store,no-cache'],
      ['Pragma', 'no-cache'],
    ]);
  }
  const isTaken = /^\/(admin\/(host|functions|instance|vfs)|runtime\/webhooks)(\/|$)/i.test(path);
  return isTaken ? emptyAnswer(401, [['WWW-Authenticate', 'Bearer']]) : undefined;
}

function homePage(): WireResponse {
  if (/^(true|1)$/i.test(process.env.AzureWebJobsDisableHomepage ?? '')) return emptyAnswer(204);
  const body = Buffer.from('<!DOCTYPE html><html><head><title>Functions</title></head><body><p>The function app is running.</p></body></html>');
  return { status: 200, headers: [['Content-Type', 'text/html']], body };
}

const nullable = (entries: Iterable<readonly [string, string]>): Record<string, RpcNullableString> => Object.fromEntries([...entries].map(([name, value]) => [name, { value }]));

function requestData(request: WireRequest, path: string, parameters: RouteParameters): RpcTypedData {
  return {
    http: {
      method: request.method.toUpperCase(),
      url: `http://${request.host}${encodePath(path)}${request.rawQuery}`,
      nullableHeaders: nullable(request.headers),
      nullableQuery: nullable(parseQuery(request.rawQuery)),
      nullableParams: nullable(Object.entries(parameters)),
      ...(request.body.length > 0 ? { body: { bytes: request.body } } : {}),
    },
  };
}

/** Lets `concurrent` in, keeps `outstanding` more waiting; answers how to leave, or undefined if there is no room. */
function throttle(concurrent: number, outstanding: number): () => Promise<(() => void) | undefined> {
  const waiting: (() => void)[] = [];
  let inside = 0;
  const leave = () => {
    const next = waiting.shift();
    if (next) next();
    else inside -= 1;
  };
  return async () => {
    if (inside < concurrent) inside += 1;
    else if (waiting.length >= outstanding) return undefined;
    else await new Promise<void>((resolve) => void waiting.push(resolve));
    return leave;
  };
}
