// What a path that no route matched comes to: the operation meant, if only empty segments stood in the way, or a refusal after the same stages as any other request.
import { refuse } from '../domain/errors';
import type { Operation } from './operation';
import { matchRoute, segmentsOf } from './routes';

type Chosen = { readonly operation: Operation; readonly params: Readonly<Record<string, string>> };

const refusing = (method: string, error: () => Error): Operation => ({
  name: 'Fallback',
  plane: 'control',
  method: method as Operation['method'],
  route: '',
  action: undefined,
  handle: async () => {
    throw error();
  },
});

/** @param table every operation of the app */
export const fallbackFor =
  (table: readonly Operation[]) =>
  (method: string, path: string): Chosen => {
    const segments = segmentsOf(path);
    let other: Operation | undefined;
    for (const operation of table) {
      const params = matchRoute(operation.route, segments);
      if (params && operation.method === method) return { operation, params };
      if (params) other = operation;
    }
    const shown = `/${segments.join('/')}`.slice(0, 256);
    return { params: {}, operation: refusing(method, () => (other ? refuse('MethodNotAllowed', { operation: `${method} ${shown}` }) : refuse('NotFound', { path: shown }))) };
  };
