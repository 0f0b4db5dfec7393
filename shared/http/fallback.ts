// What a path that no route matched comes to: the operation meant, if only empty segments stood in the way, or a refusal after the same stages as any other request.
import { refuse } from '../domain/errors';
import type { KeyOperation, Refusing } from './dataPlane';
import type { Operation } from './operation';
import { matchRoute, segmentsOf } from './routes';

type Chosen = { readonly operation: Operation | KeyOperation | Refusing; readonly params: Readonly<Record<string, string>> };

/** Data-plane operations that clients ask for and that are not built. */
const NOT_BUILT =
  /^(?:keys\/(?:restore$|[^/]+\/(?:[0-9a-f]{32}\/)?(?:rotate|backup|encrypt|decrypt|sign|verify|wrapkey|unwrapkey|release|attestation|rotationpolicy|restore)$)|(?:rng|settings|backup|restore|securitydomain)(?:\/|$)|(?:keys\/)?(?:[^/]+\/)?providers\/microsoft\.authorization\/)/i;

/** @param table every operation of the app */
export const fallbackFor =
  (table: readonly (Operation | KeyOperation)[]) =>
  (method: string, path: string): Chosen => {
    const segments = segmentsOf(path);
    /** The planes on which the path is one, by another method. */
    const planes = new Set<string>();
    for (const operation of table) {
      const params = matchRoute(operation.route, segments);
      if (params && operation.method === method) return { operation, params };
      if (params) planes.add(operation.plane);
    }
    const shown = `/${segments.join('/')}`.slice(0, 256);
    const refusal: Refusing['refusal'] = (plane) => {
      if (plane === 'hsm' && (NOT_BUILT.test(segments.join('/')) || (method === 'PUT' && segments.length === 2 && segments[0]?.toLowerCase() === 'keys')))
        return refuse('NotSupported', { operation: `${method} ${shown}` });
      if (planes.has(plane)) return refuse('MethodNotAllowed', { operation: `${method} ${shown}` });
      if (plane === 'hsm' && segments[0]?.toLowerCase() === 'keys' && segments.length > 2) return refuse('InvalidKeyIdentifier');
      return refuse('NotFound', { path: shown });
    };
    return { params: {}, operation: { name: 'Fallback', plane: 'any', method, refusal } };
  };
