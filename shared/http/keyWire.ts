// Keys <-> the REST JSON of the data plane (contract.md §4.3, §4.6). Members are printed in the order of their names by http/dataPlane.
import { refuse } from '../domain/errors';
import type { KeyAttributes, KeyChange, KeyRecord, KeyVersion } from '../domain/key';
import { type KeyType, keyOpsOf, keySpecOf } from '../domain/keySpec';
import type { HsmRecord } from '../domain/managedHsm';
import type { ActiveHsm, KeyCreate } from '../service/keys';
import { booleanOf, defined, listOf, type Members, numberOf, objectOf, required, textItem, textOf, textsOf } from './read';

const TAGS_MAX = 15;
const TAG_CHARACTERS_MAX = 256;
/** The end of the year 9999. */
const INSTANT_MAX = 253_402_300_799;
const RETENTION_DAYS_FULL = 90;

/** @throws BadParameter, InvalidRequestContent */
export function keyCreateOf(body: Members): KeyCreate {
  const spec = keySpecOf(
    defined({ kty: required(textOf(body, 'kty'), 'kty'), keySize: numberOf(body, 'key_size'), crv: textOf(body, 'crv'), publicExponent: numberOf(body, 'public_exponent') }),
  );
  if (objectOf(body, 'release_policy')) throw refuse('NotSupported', { operation: 'A release policy' });
  const attributes = attributesOf(body);
  if (attributes.exportable) throw refuse('BadParameter', { reason: 'Exportable keys must have release policy' });
  return { spec, keyOps: keyOpsOf(spec.kty, listOf(body, 'key_ops', textItem)), attributes: { enabled: true, exportable: false, ...attributes }, tags: tagsOf(body) ?? {} };
}

/** What an update says, for a key of that type. @throws BadParameter, InvalidRequestContent */
export function keyChangeOf(body: Members, kty: KeyType): KeyChange {
  if (objectOf(body, 'release_policy')) throw refuse('NotSupported', { operation: 'A release policy' });
  const keyOps = listOf(body, 'key_ops', textItem);
  const { exportable: _, ...attributes } = attributesOf(body);
  return defined({ keyOps: keyOps && keyOpsOf(kty, keyOps), attributes, tags: tagsOf(body) });
}

/** An update may not leave a key that ends before it begins, whatever part of that it changes. @throws BadParameter */
export function checkValidity({ nbf, exp }: Partial<KeyAttributes>): void {
  if (nbf !== undefined && exp !== undefined && nbf >= exp) throw refuse('BadParameter', { reason: 'attributes.exp must be later than attributes.nbf.' });
}

function attributesOf(body: Members): Partial<KeyAttributes> {
  const members = objectOf(body, 'attributes');
  if (!members) return {};
  const attributes = defined({
    enabled: booleanOf(members, 'enabled'),
    nbf: instantOf(members, 'nbf'),
    exp: instantOf(members, 'exp'),
    exportable: booleanOf(members, 'exportable'),
  });
  checkValidity(attributes);
  return attributes;
}

function instantOf(members: Members, name: string): number | undefined {
  const value = numberOf(members, name);
  if (value !== undefined && !(Number.isInteger(value) && value >= 0 && value <= INSTANT_MAX))
    throw refuse('BadParameter', { reason: `attributes.${name} must be whole seconds since 1970.` });
  return value;
}

function tagsOf(body: Members): Readonly<Record<string, string>> | undefined {
  const tags = textsOf(body, 'tags');
  const entries = Object.entries(tags ?? {});
  if (entries.length > TAGS_MAX || entries.some(([name, value]) => name.length === 0 || name.length > TAG_CHARACTERS_MAX || value.length > TAG_CHARACTERS_MAX))
    throw refuse('BadParameter', { reason: `Give at most ${TAGS_MAX} tags, with names of 1 to ${TAG_CHARACTERS_MAX} and values of at most ${TAG_CHARACTERS_MAX} characters.` });
  return tags;
}

/** The recovery level is the HSM's current one. */
export function recoveryLevel({ settings: { retentionDays, purgeProtection } }: HsmRecord): string {
  return `${retentionDays === RETENTION_DAYS_FULL ? '' : 'Customized'}Recoverable${purgeProtection ? '' : '+Purgeable'}`;
}

const attributesBody = (hsm: HsmRecord, { attributes, created, updated }: KeyVersion) => ({
  ...attributes,
  created,
  updated,
  recoverableDays: hsm.settings.retentionDays,
  recoveryLevel: recoveryLevel(hsm),
});

const tagsBody = ({ tags }: KeyVersion) => (Object.keys(tags).length > 0 ? { tags } : {});

const keyUrl = ({ host }: ActiveHsm, record: KeyRecord, version?: KeyVersion): string => `https://${host}/keys/${record.name}${version ? `/${version.version}` : ''}`;

export const keyBundle = (hsm: ActiveHsm, record: KeyRecord, version: KeyVersion) => ({
  attributes: attributesBody(hsm.record, version),
  key: { ...version.publicParts, key_ops: version.keyOps, kid: keyUrl(hsm, record, version) },
  ...tagsBody(version),
});

const deletionBody = ({ host }: ActiveHsm, { name, deletion }: KeyRecord) =>
  deletion ? { deletedDate: deletion.deletedAt, recoveryId: `https://${host}/deletedkeys/${name}`, scheduledPurgeDate: deletion.purgeAt } : {};

export const deletedKeyBundle = (hsm: ActiveHsm, record: KeyRecord) => ({ ...keyBundle(hsm, record, record.current), ...deletionBody(hsm, record) });

export const keyItem = (hsm: ActiveHsm) => (record: KeyRecord) => ({
  attributes: attributesBody(hsm.record, record.current),
  kid: keyUrl(hsm, record),
  ...tagsBody(record.current),
});

export const deletedKeyItem = (hsm: ActiveHsm) => (record: KeyRecord) => ({ ...keyItem(hsm)(record), ...deletionBody(hsm, record) });

export const versionItem = (hsm: ActiveHsm, record: KeyRecord) => (version: KeyVersion) => ({
  attributes: attributesBody(hsm.record, version),
  kid: keyUrl(hsm, record, version),
  ...tagsBody(version),
});
