/** Unhandled rejections and exceptions of the app: each would kill the real host's worker, and the third within half an hour stops the host. */

export type FaultGuard = { stop(): void };

const FAULTS_MAX = 3;
const WINDOW_MS = 30 * 60_000;

/** Watches this process until `stop`; calls `onTooMany` once. */
export function guardFaults(log: (line: string) => void, onTooMany: (reason: string) => void): FaultGuard {
  let times: number[] = [];
  const count = (kind: string) => (fault: unknown) => {
    const now = performance.now();
    times = [...times.filter((time) => now - time < WINDOW_MS), now];
    const detail = fault instanceof Error ? (fault.stack ?? fault.message) : String(fault);
    log(`[error] ${kind}, number ${times.length} of ${FAULTS_MAX}; the real host would have lost its worker: ${detail}`);
    if (times.length === FAULTS_MAX) onTooMany(`The app had ${FAULTS_MAX} unhandled failures within 30 minutes.`);
  };
  const rejected = count('Unhandled rejection');
  const thrown = count('Uncaught exception');
  process.on('unhandledRejection', rejected);
  process.on('uncaughtException', thrown);
  return {
    stop: () => {
      process.off('unhandledRejection', rejected);
      process.off('uncaughtException', thrown);
    },
  };
}
