// What a private part can look like where it must not be, in every form that a mistake could give it, and the search for all of them in files and in what a process printed.
import { createPrivateKey } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One form of one part of a secret, as bytes. `of` says of which, never what. */
export type Needle = { readonly of: string; readonly form: string; readonly bytes: Buffer };
/** Where a form was found. */
export type Finding = { readonly where: string; readonly of: string; readonly form: string };

/** So much of a part says that the part is there; beginning and end are looked for apart, since either may be cut off or broken over lines. */
const PIECE_BYTES = 16;
const PEM_LINE_BYTES = 48;
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'] as const;

/** The private members of a key, as bytes. @param secret PKCS#8 DER, or the bytes of an oct key */
function privateMembers(secret: Buffer, kty: string): Readonly<Record<string, Buffer>> {
  if (kty === 'oct-HSM') return { k: secret };
  const jwk = createPrivateKey({ key: secret, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' }) as Readonly<Record<string, string | undefined>>;
  return Object.fromEntries(PRIVATE_MEMBERS.flatMap((name) => (jwk[name] === undefined ? [] : [[name, Buffer.from(jwk[name], 'base64url')]])));
}

/** All forms of a key's private part. */
export function needlesOf(name: string, secret: Buffer, kty: string): readonly Needle[] {
  const members = Object.entries(privateMembers(secret, kty));
  const forms = members.flatMap(([member, bytes]) => formsOf(bytes).map((needle) => ({ ...needle, of: `${name}.${member}` })));
  return [
    ...forms,
    ...(kty === 'oct-HSM'
      ? []
      : documentsOf(secret, kty).flatMap((form) =>
          documentForms(
            name,
            form,
            members.map(([, bytes]) => bytes),
          ),
        )),
  ];
}

/** The forms of a run of secret bytes that have no structure of their own. */
export function formsOf(bytes: Buffer, of = ''): readonly Needle[] {
  const pieces = bytes.length > PIECE_BYTES ? [bytes.subarray(0, PIECE_BYTES), bytes.subarray(-PIECE_BYTES)] : [bytes];
  return pieces.flatMap((piece) => {
    const texts: Readonly<Record<string, readonly string[]>> = {
      base64: alignments(piece, 'base64'),
      base64url: alignments(piece, 'base64url'),
      hex: [piece.toString('hex'), piece.toString('hex').toUpperCase()],
      decimal: [[...piece].join(','), [...piece].join(', ')],
    };
    // As a process prints it that takes bytes for text.
    const raw: readonly Needle[] = [
      { of, form: 'raw', bytes: piece },
      { of, form: 'utf8', bytes: Buffer.from(piece.toString('utf8')) },
    ];
    return [
      ...raw,
      ...Object.entries(texts).flatMap(([form, variants]) =>
        variants.flatMap((text) => [
          { of, form, bytes: Buffer.from(text) },
          { of, form: `${form} in UTF-16LE`, bytes: Buffer.from(text, 'utf16le') },
          { of, form: `${form} in UTF-16BE`, bytes: Buffer.from(text, 'utf16le').swap16() },
          // A text inside a queue message, which is base64 again.
          ...alignments(Buffer.from(text), 'base64').map((twice) => ({ of, form: `${form} in base64`, bytes: Buffer.from(twice) })),
        ]),
      ),
    ];
  });
}

/** Base64 of bytes that stand at any place of a longer run: what is the same whatever stands before and behind. */
function alignments(bytes: Buffer, encoding: 'base64' | 'base64url'): readonly string[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString(encoding)
      .replace(/=+$/, '');
    const spoiltAtEnd = (before + bytes.length) % 3 === 0 ? 0 : 1;
    return text.slice([0, 2, 3][before], text.length - spoiltAtEnd);
  });
}

type Document = { readonly form: string; readonly der: Buffer };

function documentsOf(secret: Buffer, kty: string): readonly Document[] {
  const key = createPrivateKey({ key: secret, format: 'der', type: 'pkcs8' });
  const older = kty === 'RSA-HSM' ? 'pkcs1' : 'sec1';
  return [
    { form: 'PKCS#8', der: secret },
    { form: older.toUpperCase(), der: key.export({ format: 'der', type: older }) },
  ];
}

/** DER as it is, and those lines of its PEM that hold private bytes: the others may well stand in a public key. */
function documentForms(of: string, { form, der }: Document, members: readonly Buffer[]): readonly Needle[] {
  const places = members.map((member) => {
    const from = der.indexOf(member);
    return { from, to: from + member.length };
  });
  const needles: Needle[] = [{ of, form: `${form} DER`, bytes: der }];
  for (let from = 0; from < der.length; from += PEM_LINE_BYTES) {
    const to = Math.min(from + PEM_LINE_BYTES, der.length);
    const secretBytes = places.reduce((sum, place) => sum + Math.max(0, Math.min(to, place.to) - Math.max(from, place.from)), 0);
    if (secretBytes < PIECE_BYTES) continue;
    const line = der.subarray(from, to).toString('base64');
    needles.push({ of, form: `${form} PEM`, bytes: Buffer.from(line) }, { of, form: `${form} PEM in UTF-16LE`, bytes: Buffer.from(line, 'utf16le') });
  }
  return needles;
}

/** Every needle in these bytes. */
export const searchBytes = (where: string, bytes: Buffer, needles: readonly Needle[]): readonly Finding[] =>
  needles.filter((needle) => bytes.includes(needle.bytes)).map(({ of, form }) => ({ where, of, form }));

/** Every needle in every file under a folder; each file is read whole, so that no border cuts a needle. */
export const searchFolder = (folder: string, needles: readonly Needle[]): readonly Finding[] => filesIn(folder).flatMap((file) => searchBytes(file, readFileSync(file), needles));

/** Every file under a folder. */
export const filesIn = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
