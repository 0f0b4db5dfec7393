// The catalogue, typed again from contract.md §2.8 and design §8; each entry is thrown somewhere in shared/ and asserted by name in some other test.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ErrorName, errors, refuse, ServiceError } from '../../shared/domain/errors';

const root = join(__dirname, '../..');

const table: readonly (readonly [ErrorName, number, string])[] = [
  ['AuthenticationFailed', 401, 'AuthenticationFailed'],
  ['AuthorizationFailed', 403, 'AuthorizationFailed'],
  ['BadHost', 400, 'BadRequest'],
  ['NotFound', 404, 'NotFound'],
  ['NotSupported', 400, 'NotSupported'],
  ['MethodNotAllowed', 405, 'MethodNotAllowed'],
  ['MissingApiVersion', 400, 'MissingApiVersionParameter'],
  ['InvalidApiVersion', 400, 'InvalidApiVersionParameter'],
  ['DuplicateQueryName', 400, 'BadRequest'],
  ['InvalidParameter', 400, 'BadRequest'],
  ['InvalidRequestContent', 400, 'InvalidRequestContent'],
  ['UnsupportedMediaType', 415, 'UnsupportedMediaType'],
  ['LengthRequired', 411, 'LengthRequired'],
  ['RequestTooLarge', 413, 'RequestContentTooLarge'],
  ['SubscriptionNotFound', 404, 'SubscriptionNotFound'],
  ['ResourceGroupNotFound', 404, 'ResourceGroupNotFound'],
  ['InvalidResourceGroup', 400, 'InvalidResourceGroup'],
  ['GroupLocationFixed', 409, 'InvalidResourceGroupLocation'],
  ['LocationRequired', 400, 'LocationRequired'],
  ['LocationNotAvailable', 400, 'LocationNotAvailableForResourceType'],
  ['InvalidResourceNamespace', 404, 'InvalidResourceNamespace'],
  ['VaultNotFound', 404, 'ResourceNotFound'],
  ['HsmNotFound', 404, 'ResourceNotFound'],
  ['DeletedHsmNotFound', 404, 'ResourceNotFound'],
  ['InvalidHsmName', 400, 'VaultNameNotValid'],
  ['NameHeldByDeleted', 409, 'ConflictError'],
  ['NameInUse', 409, 'ConflictError'],
  ['NotRecoverable', 404, 'SoftDeletedVaultDoesNotExist'],
  ['HasSecondaryRegions', 400, '400'],
  ['InvalidRegion', 400, '400'],
  ['InvalidBypass', 400, '400'],
  ['InvalidProperty', 400, '400'],
  ['PropertyFixed', 400, '400'],
  ['SoftDeleteAlwaysOn', 400, '400'],
  ['PurgeProtectionStaysOn', 400, '400'],
  ['OperationInProgress', 409, 'Conflict'],
  ['Contended', 409, 'Conflict'],
  ['HsmUnavailable', 400, 'BadParameter'],
  ['AccessDenied', 403, 'AccessDenied'],
  ['KeyNotFound', 404, 'KeyNotFound'],
  ['KeyNameHeld', 409, 'Conflict'],
  ['KeyPurgeProtected', 403, 'Forbidden'],
  ['TooManyVersions', 403, 'Forbidden'],
  ['InvalidKeyIdentifier', 400, 'Invalidkeyidentifier'],
  ['BadParameter', 400, 'BadParameter'],
  ['Throttled', 429, 'Throttled'],
  ['Unavailable', 503, 'ServiceUnavailable'],
  ['Unfinished', 503, 'ServiceUnavailable'],
  ['Internal', 500, 'InternalServerError'],
];

test('the catalogue is the table, entry by entry', () => {
  expect(Object.entries(errors).map(([name, { status, code }]) => [name, status, code])).toEqual(table);
});

test('429 and 503 say when to come back, and nothing else does', () => {
  const later = Object.entries(errors).filter(([, entry]) => 'retryAfterSeconds' in entry);
  expect(later.map(([name]) => name)).toEqual(['Throttled', 'Unavailable', 'Unfinished']);
  expect([refuse('Unavailable').retryAfterSeconds, refuse('Unfinished').retryAfterSeconds, refuse('Contended').retryAfterSeconds]).toEqual([5, 5, undefined]);
});

const denied = { client: 'alice', objectId: 'o', action: 'a/read', scope: '/subscriptions/s' };

test.each<[string, ServiceError, string]>([
  [
    'E1',
    refuse('HsmNotFound', { name: 'Contoso', group: 'Team' }),
    "The Resource 'Microsoft.KeyVault/managedHSMs/Contoso' under resource group 'Team' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
  ],
  ['E2', refuse('DeletedHsmNotFound'), 'The specified resource does not exist. Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147446'],
  ['E3', refuse('HasSecondaryRegions', { name: 'Contoso', regions: 'uksouth' }), 'Soft delete of a pool Contoso that is extended to regions (uksouth) is not allowed.'],
  ['E4', refuse('InvalidRegion', { region: 'x', known: 'a, b' }), 'Invalid region name: x passed. The valid list of region names: a, b'],
  ['E5', refuse('InvalidBypass'), 'ByPass property is invalid. Supported values are : None, AzureServices'],
  ['E7', refuse('NameHeldByDeleted'), 'A KV MHSM with the same name already exists in deleted state. You need to either recover or purge existing KV MHSM.'],
  ['E8', refuse('NameInUse', { name: 'contoso' }), "The name 'contoso' is already in use."],
  ['E10', refuse('PropertyFixed', { property: 'softDeleteRetentionInDays' }), 'The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.'],
  [
    'E12',
    refuse('PurgeProtectionStaysOn'),
    'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a managed HSM is an irreversible action.',
  ],
  ['E13', refuse('MethodNotAllowed', { operation: 'DeletedManagedHsmPurge' }), "Operation 'DeletedManagedHsmPurge' is not allowed."],
  ['E17', refuse('ResourceGroupNotFound', { group: 'Team' }), "Resource group 'Team' could not be found."],
  [
    'E18',
    refuse('AuthorizationFailed', { ...denied, groupsLeftOut: false }),
    "The client 'alice' with object id 'o' does not have authorization to perform action 'a/read' over scope '/subscriptions/s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
  ],
  ['K1', refuse('KeyNotFound', { url: 'https://contoso.managedhsm.azure.net/keys/first' }), 'Key not found: https://contoso.managedhsm.azure.net/keys/first'],
  [
    'K5',
    refuse('KeyNameHeld', { name: 'first' }),
    'Key first is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.',
  ],
  [
    'K10',
    refuse('AccessDenied', { dataAction: 'Microsoft.KeyVault/managedHsm/keys/create', scope: '/keys', groupsLeftOut: false }),
    'Not authorized to access Microsoft.KeyVault/managedHsm/keys/create on /keys',
  ],
  ['K14', refuse('InvalidKeyIdentifier'), 'Invalid key identifier'],
  ['E19', refuse('AuthenticationFailed', { reason: "The 'Authorization' header is missing." }), "Authentication failed. The 'Authorization' header is missing."],
])('%s has the service’s own text', (_, error, message) => {
  expect(error.message).toBe(message);
});

test('a 403 says that groups were left out, if they were', () => {
  const [told, untold] = [true, false].map((groupsLeftOut) => refuse('AuthorizationFailed', { ...denied, groupsLeftOut }).message);
  expect(told).toBe(`${untold} The token names too many groups to list them, and group memberships were therefore not considered.`);
});

test('an innererror goes with three refusals of the data plane, and with nothing else', () => {
  const inner = Object.entries(errors).flatMap(([name, entry]) => ('inner' in entry ? [[name, entry.inner]] : []));
  expect(inner).toEqual([
    ['KeyNameHeld', 'ObjectIsDeletedButRecoverable'],
    ['KeyPurgeProtected', 'ForbiddenByPolicy'],
    ['TooManyVersions', 'KeyVersionLimitExceeded'],
  ]);
  expect([refuse('KeyNameHeld', { name: 'first' }).inner, refuse('KeyNotFound', { url: 'u' }).inner]).toEqual(['ObjectIsDeletedButRecoverable', undefined]);
});

test('5xx say nothing of the inside', () => {
  expect([refuse('Internal').message, refuse('Unavailable').message]).toEqual(['An unexpected error occurred.', 'The service is temporarily unavailable. Try again.']);
});

test('a refusal is an Error that knows its entry', () => {
  const error = refuse('NameInUse', { name: 'contoso' });
  expect(error).toBeInstanceOf(ServiceError);
  expect(error).toBeInstanceOf(Error);
  expect({ ...error }).toStrictEqual({ name: 'ServiceError', error: 'NameInUse', status: 409, code: 'ConflictError', retryAfterSeconds: undefined, inner: undefined });
});

const sources = (folder: string): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && join(root, folder, name) !== __filename)
    .map((name) => readFileSync(join(root, folder, name), 'utf8'));

const names = Object.keys(errors) as readonly ErrorName[];
const missingIn = (texts: readonly string[], mentions: (name: ErrorName) => RegExp): readonly ErrorName[] =>
  names.filter((name) => !texts.some((text) => mentions(name).test(text)));

test('each entry is thrown somewhere', () => {
  expect(missingIn(sources('shared'), (name) => new RegExp(`refuse\\(\\s*'${name}'`))).toEqual([]);
});

test('each entry is asserted by its name somewhere, or by a code that is its alone', () => {
  const codes = Object.values(errors).map(({ code }): string => code);
  const isOwn = (code: string): boolean => codes.filter((other) => other === code).length === 1;
  expect(missingIn(sources('test'), (name) => new RegExp(`'(${name}${isOwn(errors[name].code) ? `|${errors[name].code}` : ''})'`))).toEqual([]);
});
