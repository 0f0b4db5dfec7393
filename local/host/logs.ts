/** Decides by host.json `logging.logLevel` which lines of app and host are written. */

const LEVELS: readonly string[] = ['trace', 'debug', 'information', 'warning', 'error', 'critical', 'none'];

/** A writer of `[level] category: message`; the longest category named in `levels` that begins the line's decides. */
export function createLogger(write: (line: string) => void, levels: Readonly<Record<string, string>>): (level: string, category: string, message: string) => void {
  const rank = (level: string) => Math.max(LEVELS.indexOf(level.toLowerCase()), 0);
  const least = (category: string) => {
    const names = Object.keys(levels).filter((name) => name !== 'default' && (category === name || category.startsWith(`${name}.`)));
    const name = names.sort((a, b) => b.length - a.length)[0] ?? 'default';
    return rank(levels[name] ?? 'information');
  };
  return (level, category, message) => {
    if (rank(level) >= least(category)) write(`[${level}] ${category}: ${message}`);
  };
}
