// Proves of a set of routes that each path has one answer: routes that can match the same path by the same method must stand in the right order of names, since the host asks its functions in that order.

type Door = { readonly name: string; readonly route: string; readonly methods: readonly string[] };
type Segment = { readonly literal: string } | { readonly literal?: never; readonly pattern: RegExp | undefined };

const CATCH_ALL = /^\{\*\w+\}$/;

/** A line for each pair of which the wrong function, or none for certain, takes a path. @throws Error for a form of route that it does not know */
export function routeFaults(doors: readonly Door[]): readonly string[] {
  const inOrder = [...doors].sort((a, b) => (a.name.toUpperCase() < b.name.toUpperCase() ? -1 : 1));
  return inOrder.flatMap((first, index) =>
    inOrder
      .slice(index + 1)
      .filter((second) => first.methods.some((method) => second.methods.includes(method)) && mayMeet(first.route, second.route) && !isNarrower(first.route, second.route))
      .map((second) => `${first.name} takes what is ${second.name}'s: ${first.route} before ${second.route}`),
  );
}

/** Whether some path matches both. Two patterns are taken to meet: their order must be right then. */
function mayMeet(a: string, b: string): boolean {
  if (CATCH_ALL.test(a) || CATCH_ALL.test(b)) return true;
  const [left, right] = [segmentsOf(a), segmentsOf(b)];
  return left.length === right.length && left.every((segment, index) => segmentsMeet(segment, right[index] as Segment));
}

function segmentsMeet(a: Segment, b: Segment): boolean {
  if (a.literal !== undefined && b.literal !== undefined) return a.literal === b.literal;
  if (a.literal !== undefined) return segmentsMeet(b, a);
  return b.literal === undefined || a.pattern === undefined || a.pattern.test(b.literal);
}

/** Whether a, asked first, leaves to b what a does not mean: narrower in one segment at least, and wider in none. */
function isNarrower(a: string, b: string): boolean {
  if (CATCH_ALL.test(a) || CATCH_ALL.test(b)) return CATCH_ALL.test(b) && !CATCH_ALL.test(a);
  const [left, right] = [segmentsOf(a).map(width), segmentsOf(b).map(width)];
  return left.every((wide, index) => wide <= (right[index] as number)) && left.some((wide, index) => wide < (right[index] as number));
}

const width = (segment: Segment): number => (segment.literal !== undefined ? 0 : segment.pattern ? 1 : 2);

const segmentsOf = (route: string): readonly Segment[] =>
  route.split('/').map((text) => {
    if (/^[\w.-]+$/.test(text)) return { literal: text.toLowerCase() };
    const [whole, pattern] = /^\{[\w-]+(?::regex\((.+)\))?\}$/.exec(text) ?? [];
    if (whole === undefined) throw new Error(`no segment of a route that can be proven: ${text}`);
    return { pattern: pattern === undefined ? undefined : new RegExp(pattern.replaceAll('{{', '{').replaceAll('}}', '}'), 'i') };
  });
