// Files of the data folder that are written more than once: a reader, or a crash, sees the old content or the new, never half of it.
import { renameSync, rmSync, writeFileSync } from 'node:fs';

/** Replaces the file whole. `mode` holds from its first byte on, whatever the file before it had. */
export function replaceFile(path: string, content: string, mode: number): void {
  const next = `${path}.next`;
  rmSync(next, { force: true });
  writeFileSync(next, content, { flag: 'wx', mode });
  renameSync(next, path);
}
