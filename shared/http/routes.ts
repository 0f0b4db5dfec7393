// Routes as the functions host matches them, for the fallback's one second look: literals without regard to case, parameters whole segments.

/** The parameters of a route at a path's segments; undefined if it does not match. Values keep the client's case. */
export function matchRoute(route: string, segments: readonly string[]): Readonly<Record<string, string>> | undefined {
  const parts = route.split('/');
  if (parts.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const segment = segments[index] as string;
    const [, name, pattern] = /^\{([A-Za-z]+)(?::regex\((.*)\))?\}$/.exec(part) ?? [];
    if (name !== undefined) {
      // Braces are doubled in a route.
      if (pattern !== undefined && !new RegExp(pattern.replaceAll('{{', '{').replaceAll('}}', '}')).test(segment)) return undefined;
      params[name] = segment;
    }
    if (name === undefined && part.toLowerCase() !== segment.toLowerCase()) return undefined;
  }
  return params;
}

/** Segments of a path without the empty ones. */
export const segmentsOf = (path: string): readonly string[] => path.split('/').filter((segment) => segment !== '');
