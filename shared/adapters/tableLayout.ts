// How a value is laid out in the columns of a table row and back, and the limits that Table Storage sets: known here, so that what passes them is refused before it is sent. Pure, no SDK.
import { refuse } from '../domain/errors';
import type { Transaction, Value } from '../domain/plan';

/** Table Storage's own limits: learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model, …/performing-entity-group-transactions. */
export const LIMITS = { entityBytes: 1_048_576, transactionRows: 100, transactionBytes: 4_194_304, textBytes: 65_536, keyBytes: 1024, columns: 252 } as const;

type Column = string | boolean | number;

/** A column that holds JSON text. */
const JSON_SUFFIX = '_json';
/** Of the 64 KiB that a text may take, in UTF-16. */
const JSON_PART_CHARACTERS = 32_000;
/** What a request around one write of a transaction takes beside the entity: path, headers, boundary. Generous. */
const FRAME_BYTES = 2048;
const MEMBER_NAME = /^[A-Za-z][A-Za-z0-9]{0,200}$/;
/** Names that the SDK, or the service, keeps for itself. */
const RESERVED = new Set(['partitionkey', 'rowkey', 'timestamp', 'etag']);
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a key may not hold
const KEY_REFUSED = /[/\\#?\u0000-\u001f\u007f-\u009f]/;

/**
 * Texts, booleans and numbers as they are, all else as JSON text in `<name>_json`; undefined is left out.
 * @throws Error for a member name that can be no column (a mistake of ours)
 */
export function toColumns(value: Value): Record<string, Column> {
  const columns: Record<string, Column> = {};
  for (const [name, member] of Object.entries(value)) {
    if (!MEMBER_NAME.test(name) || RESERVED.has(name.toLowerCase())) throw new Error(`not a column: ${name}`);
    if (isNative(member)) columns[name] = member;
    else {
      const text = JSON.stringify(member) as string | undefined;
      partsOf(text ?? '').forEach((part, index) => {
        columns[`${name}${JSON_SUFFIX}${index || ''}`] = part;
      });
    }
  }
  return columns;
}

/** A column holds so much: what is longer goes on in `<name>_json1`, `<name>_json2`, … Surrogate pairs stay together, since a half of one is no text. */
function partsOf(text: string): readonly string[] {
  const parts: string[] = [];
  for (let from = 0, to = 0; from < text.length; from = to) {
    to = Math.min(from + JSON_PART_CHARACTERS, text.length);
    if (to < text.length && /[\uD800-\uDBFF]/.test(text[to - 1] ?? '')) to -= 1;
    parts.push(text.slice(from, to));
  }
  return parts;
}

/** The value of a row's columns; those of the service itself are left out. */
export function fromColumns(columns: Readonly<Record<string, unknown>>): Value {
  const value: Record<string, unknown> = {};
  for (const [name, column] of Object.entries(columns)) {
    if (name.endsWith(JSON_SUFFIX)) value[name.slice(0, -JSON_SUFFIX.length)] = JSON.parse(jsonOf(columns, name));
    else if (MEMBER_NAME.test(name) && !RESERVED.has(name.toLowerCase())) value[name] = column;
  }
  return value;
}

/** The parts of a long JSON text, put together. */
function jsonOf(columns: Readonly<Record<string, unknown>>, name: string): string {
  let text = String(columns[name]);
  for (let part = 1; columns[`${name}${part}`] !== undefined; part++) text += String(columns[`${name}${part}`]);
  return text;
}

/**
 * Holds a transaction against the limits, before it is sent.
 * @throws RequestTooLarge for a value, a row or a transaction that is too large, which a caller can bring about; Error for all that only a mistake of
 * ours can be: more rows than 100, one row twice, a key that no row can have, a replace or delete without its condition.
 */
export function checkTransaction({ partition, writes }: Transaction): void {
  if (writes.length > LIMITS.transactionRows) throw new Error(`${writes.length} writes in a transaction`);
  if (new Set(writes.map((write) => write.row)).size < writes.length) throw new Error('a row twice in a transaction');
  checkKey(partition);
  let bytes = 0;
  for (const write of writes) {
    checkKey(write.row);
    if (write.kind !== 'insert' && write.kind !== 'touch' && !write.etag) throw new Error('a write without a condition');
    bytes += FRAME_BYTES + (write.kind === 'delete' || write.kind === 'touch' ? 0 : checkEntity(partition, write.row, toColumns(write.value)));
  }
  if (bytes > LIMITS.transactionBytes) throw refuse('RequestTooLarge', { limitBytes: LIMITS.transactionBytes });
}

/** @returns the bytes that the entity takes in a request */
function checkEntity(partition: string, row: string, columns: Record<string, Column>): number {
  const entries = Object.entries(columns);
  if (entries.length > LIMITS.columns) throw new Error(`${entries.length} columns`);
  // Texts count in UTF-16, as the service stores them.
  let stored = 4 + 2 * (partition.length + row.length);
  for (const [name, column] of entries) {
    if (typeof column === 'string' && 2 * column.length > LIMITS.textBytes) throw refuse('RequestTooLarge', { limitBytes: LIMITS.textBytes });
    stored += 8 + 2 * name.length + (typeof column === 'string' ? 4 + 2 * column.length : 8);
  }
  if (stored > LIMITS.entityBytes) throw refuse('RequestTooLarge', { limitBytes: LIMITS.entityBytes });
  return Buffer.byteLength(JSON.stringify(columns));
}

function checkKey(key: string): void {
  if (KEY_REFUSED.test(key) || 2 * key.length > LIMITS.keyBytes) throw new Error('not a key of a row');
}

const isNative = (member: unknown): member is Column => typeof member === 'string' || typeof member === 'boolean' || (typeof member === 'number' && Number.isFinite(member));
