// The root key, above all others: what it wraps opens nothing without it. In development it stands in a file of its own, made once, for a store that is
// still empty, and never replaced.
import { createHmac, randomBytes } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { openSealed, sealed } from './sealedBlob';
