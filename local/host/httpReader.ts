/** Reads a socket by delimiter and by length, holding back the sender while nobody reads. */
import type { Socket } from 'node:net';

export type Reader = {
  /** The bytes before the delimiter, which is consumed; more than `bytesMax` without one are given as they are. Undefined: the sender ended. */
  until(delimiter: string, bytesMax: number): Promise<Buffer | undefined>;
  /** Exactly so many bytes. Undefined: the sender ended before. */
  exactly(length: number): Promise<Buffer | undefined>;
};

/** Bytes that may wait unread before the socket is paused. */
const UNREAD_BYTES_MAX = 256 * 1024;

export function createReader(socket: Socket): Reader {
  let chunks: Buffer[] = [];
  let held = 0;
  let ended = false;
  let wake: (() => void) | undefined;

  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    held += chunk.length;
    if (held > UNREAD_BYTES_MAX && !wake) socket.pause();
    wake?.();
  });
  for (const event of ['end', 'close', 'error']) {
    socket.on(event, () => {
      ended = true;
      wake?.();
    });
  }

  /** Resolves to false if nothing more will come. */
  const more = async () => {
    if (ended) return false;
    const before = held;
    await new Promise<void>((resolve) => {
      wake = resolve;
      socket.resume();
    });
    wake = undefined;
    return held > before;
  };

  const take = (length: number, skip: number) => {
    const all = Buffer.concat(chunks);
    chunks = length + skip < all.length ? [all.subarray(length + skip)] : [];
    held = Math.max(0, all.length - length - skip);
    return all.subarray(0, length);
  };

  return {
    until: async (delimiter, bytesMax) => {
      for (;;) {
        const all = Buffer.concat(chunks);
        chunks = all.length > 0 ? [all] : [];
        const at = all.indexOf(delimiter);
        if (at >= 0) return take(at, delimiter.length);
        if (held > bytesMax) return take(held, 0);
        if (!(await more())) return undefined;
      }
    },
    exactly: async (length) => {
      while (held < length) if (!(await more())) return undefined;
      return take(length, 0);
    },
  };
}
