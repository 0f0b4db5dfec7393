// JSON bodies, strictly: one value, no member twice, at most 32 levels deep. Faults are told by kind only; a parser's message quotes its input.
import { visit } from 'jsonc-parser';
import { refuse } from '../domain/errors';

/** Levels of objects and arrays, wherever a document is parsed. */
const JSON_DEPTH_MAX = 32;

/** @throws InvalidRequestContent */
export function parseJson(text: string): unknown {
  if (depthOf(text) > JSON_DEPTH_MAX) throw refuse('InvalidRequestContent', { reason: `the JSON is nested deeper than ${JSON_DEPTH_MAX} levels` });
  const value = parsed(text);
  const twice = duplicateMember(text);
  if (twice !== undefined) throw refuse('InvalidRequestContent', { reason: `the member '${twice.slice(0, 64)}' is given more than once` });
  return value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refuse('InvalidRequestContent', { reason: 'the body is not valid JSON' });
  }
}

/** Brackets outside of texts, counted before anything recursive meets the document. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inText = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (inText) {
      if (character === '\\') at += 1;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth);
    else if (character === '}' || character === ']') depth -= 1;
  }
  return deepest;
}

function duplicateMember(text: string): string | undefined {
  const open: Set<string>[] = [];
  let twice: string | undefined;
  visit(text, {
    onObjectBegin: () => void open.push(new Set()),
    onObjectEnd: () => void open.pop(),
    onObjectProperty: (name) => {
      const names = open.at(-1);
      if (names?.has(name)) twice ??= name;
      names?.add(name);
    },
  });
  return twice;
}
