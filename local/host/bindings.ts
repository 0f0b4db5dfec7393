/** Which bindings this host can serve. What it cannot is an error at start that names the function and the binding, never silence. */
import type { Binding, RegisteredFunction } from './functionsCore';

const TRIGGERS = ['httpTrigger', 'queueTrigger', 'timerTrigger', 'orchestrationTrigger', 'activityTrigger'];
const INPUTS = ['durableClient'];
const OUTPUTS = ['http', 'queue'];
const DURABLE = ['orchestrationTrigger', 'activityTrigger', 'durableClient'];

const known = (list: readonly string[], type: string) => list.some((name) => name.toLowerCase() === type.toLowerCase());

/** Throws one Error that lists every binding, and every retry policy, that is not supported. */
export function requireSupported(functions: readonly RegisteredFunction[]): void {
  const complaints = functions.flatMap((fn) => [
    ...fn.bindings
      .filter((binding) => !isSupported(fn, binding))
      .map((binding) => `function "${fn.name}": the binding "${binding.name}" of type ${binding.type} (${binding.direction}) is not supported by this host`),
    ...(fn.retryOptions ? [`function "${fn.name}": retry policies of triggers are not supported by this host`] : []),
  ]);
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
}

/** Whether the app needs the Durable engine at all. */
export const usesDurable = (functions: readonly RegisteredFunction[]): boolean => functions.some((fn) => fn.bindings.some((binding) => known(DURABLE, binding.type)));

function isSupported(fn: RegisteredFunction, binding: Binding): boolean {
  if (binding === fn.trigger) return known(TRIGGERS, binding.type);
  return known(binding.direction === 'out' ? OUTPUTS : INPUTS, binding.type);
}
