// The catalogue of every error that the service answers: code -> status and message. Adding one is adding a line; it is thrown by name and caught once, in http/operation.

/** `inner` is the code of an innererror, where the data plane gives one. */
type Entry = { readonly status: number; readonly code: string; readonly message: (detail: never) => string; readonly retryAfterSeconds?: number; readonly inner?: string };

const text = (message: string) => () => message;

/** Sources: contract.md numbers (E1..E21) where the real service's answer is known or inferred. */
export const errors = {
  // Who is asking
  AuthenticationFailed: { status: 401, code: 'AuthenticationFailed', message: (e: { reason: string }) => `Authentication failed. ${e.reason}` },
  AuthorizationFailed: {
    status: 403,
    code: 'AuthorizationFailed',
    message: (e: { client: string; objectId: string; action: string; scope: string; groupsLeftOut: boolean }) =>
      `The client '${e.client}' with object id '${e.objectId}' does not have authorization to perform action '${e.action}' over scope '${e.scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.${e.groupsLeftOut ? ' The token names too many groups to list them, and group memberships were therefore not considered.' : ''}`,
  },
  // What is asked for
  BadHost: {
    status: 400,
    code: 'BadRequest',
    message: text('The Host header names neither the control plane nor a managed HSM. Send the request to the management endpoint, or to {name} under the HSM suffix.'),
  },
  NotFound: { status: 404, code: 'NotFound', message: (e: { path: string }) => `No operation answers ${e.path}. README lists the operations.` },
  NotSupported: {
    status: 400,
    code: 'NotSupported',
    message: (e: { operation: string }) => `${e.operation} is not built. README lists what is, under "What differs from the real service".`,
  },
  MethodNotAllowed: { status: 405, code: 'MethodNotAllowed', message: (e: { operation: string }) => `Operation '${e.operation}' is not allowed.` },
  MissingApiVersion: { status: 400, code: 'MissingApiVersionParameter', message: text('The api-version query parameter (?api-version=) is required for all requests.') },
  InvalidApiVersion: {
    status: 400,
    code: 'InvalidApiVersionParameter',
    message: (e: { version: string }) => `The api-version '${e.version}' is invalid. Give a date such as 2023-07-01, with or without -preview.`,
  },
  DuplicateQueryName: { status: 400, code: 'BadRequest', message: (e: { name: string }) => `The query parameter '${e.name}' is given more than once.` },
  InvalidParameter: { status: 400, code: 'BadRequest', message: (e: { name: string; rule: string }) => `The value of '${e.name}' is invalid: ${e.rule}` },
  InvalidRequestContent: {
    status: 400,
    code: 'InvalidRequestContent',
    message: (e: { reason: string }) => `The request content was invalid and could not be deserialized: '${e.reason}'.`,
  },
  UnsupportedMediaType: { status: 415, code: 'UnsupportedMediaType', message: text('The content media type is not supported. Only application/json is supported.') },
  LengthRequired: { status: 411, code: 'LengthRequired', message: text('A request body must come with a Content-Length; chunked bodies are not accepted.') },
  RequestTooLarge: { status: 413, code: 'RequestContentTooLarge', message: (e: { limitBytes: number }) => `The request content is larger than ${e.limitBytes} bytes.` },
  // Subscriptions and groups
  SubscriptionNotFound: { status: 404, code: 'SubscriptionNotFound', message: (e: { subscription: string }) => `The subscription '${e.subscription}' could not be found.` },
  ResourceGroupNotFound: { status: 404, code: 'ResourceGroupNotFound', message: (e: { group: string }) => `Resource group '${e.group}' could not be found.` },
  InvalidResourceGroup: {
    status: 400,
    code: 'InvalidResourceGroup',
    message: (e: { group: string }) => `The resource group name '${e.group}' is invalid. It must be 1 to 90 letters, digits, '.', '_', '-', '(' or ')', and not end with '.'.`,
  },
  GroupLocationFixed: {
    status: 409,
    code: 'InvalidResourceGroupLocation',
    message: (e: { group: string; location: string }) => `Invalid resource group location. The Resource group '${e.group}' already exists in location '${e.location}'.`,
  },
  LocationRequired: { status: 400, code: 'LocationRequired', message: text('The location property is required for this definition.') },
  LocationNotAvailable: {
    status: 400,
    code: 'LocationNotAvailableForResourceType',
    message: (e: { location: string; type: string; known: string }) =>
      `The provided location '${e.location}' is not available for resource type '${e.type}'. List of available regions for the resource type is '${e.known}'.`,
  },
  InvalidResourceNamespace: {
    status: 404,
    code: 'InvalidResourceNamespace',
    message: (e: { namespace: string }) => `The resource namespace '${e.namespace}' is invalid. Only Microsoft.KeyVault is here.`,
  },
  VaultNotFound: {
    status: 404,
    code: 'ResourceNotFound',
    message: (e: { name: string; group: string }) =>
      `The Resource 'Microsoft.KeyVault/vaults/${e.name}' under resource group '${e.group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix`,
  },
  // Managed HSMs
  HsmNotFound: {
    status: 404,
    code: 'ResourceNotFound',
    message: (e: { name: string; group: string }) =>
      `The Resource 'Microsoft.KeyVault/managedHSMs/${e.name}' under resource group '${e.group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix`,
  },
  DeletedHsmNotFound: {
    status: 404,
    code: 'ResourceNotFound',
    message: text('The specified resource does not exist. Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147446'),
  },
  InvalidHsmName: {
    status: 400,
    code: 'VaultNameNotValid',
    message: (e: { name: string }) =>
      `The managed HSM name '${e.name}' is invalid. A name must be 3 to 24 letters, digits and hyphens, begin with a letter, end with a letter or digit, and not contain consecutive hyphens.`,
  },
  NameHeldByDeleted: {
    status: 409,
    code: 'ConflictError',
    message: text('A KV MHSM with the same name already exists in deleted state. You need to either recover or purge existing KV MHSM.'),
  },
  NameInUse: { status: 409, code: 'ConflictError', message: (e: { name: string }) => `The name '${e.name}' is already in use.` },
  NotRecoverable: {
    status: 404,
    code: 'SoftDeletedVaultDoesNotExist',
    message: text(
      'A soft deleted managed HSM with the given name does not exist. Ensure that the name that is being attempted to recover is in a recoverable state, and that group and location are those it was deleted from.',
    ),
  },
  HasSecondaryRegions: {
    status: 400,
    code: '400',
    message: (e: { name: string; regions: string }) => `Soft delete of a pool ${e.name} that is extended to regions (${e.regions}) is not allowed.`,
  },
  InvalidRegion: {
    status: 400,
    code: '400',
    message: (e: { region: string; known: string }) => `Invalid region name: ${e.region} passed. The valid list of region names: ${e.known}`,
  },
  InvalidBypass: { status: 400, code: '400', message: text('ByPass property is invalid. Supported values are : None, AzureServices') },
  InvalidProperty: { status: 400, code: '400', message: (e: { property: string; rule: string }) => `The property "${e.property}" is invalid: ${e.rule}` },
  PropertyFixed: { status: 400, code: '400', message: (e: { property: string }) => `The property "${e.property}" has been set already and it can't be modified.` },
  SoftDeleteAlwaysOn: { status: 400, code: '400', message: text('The property "enableSoftDelete" cannot be set to false. Soft delete is always on for managed HSMs.') },
  PurgeProtectionStaysOn: {
    status: 400,
    code: '400',
    message: text('The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a managed HSM is an irreversible action.'),
  },
  OperationInProgress: { status: 409, code: 'Conflict', message: text('Another operation on this resource is still in progress. Wait until it has ended, then try again.') },
  Contended: { status: 409, code: 'Conflict', message: text('The resource was changed by other requests at the same time. Read it again, then repeat the request.') },
  // Keys
  HsmUnavailable: { status: 400, code: 'BadParameter', message: text('No active managed HSM has this name. It may never have been created, or it is deleted or purged.') },
  AccessDenied: {
    status: 403,
    code: 'AccessDenied',
    message: (e: { dataAction: string; scope: string; groupsLeftOut: boolean }) =>
      `Not authorized to access ${e.dataAction} on ${e.scope}${e.groupsLeftOut ? '. The token names too many groups to list them, and group memberships were therefore not considered' : ''}`,
  },
  KeyNotFound: { status: 404, code: 'KeyNotFound', message: (e: { url: string }) => `Key not found: ${e.url}` },
  KeyNameHeld: {
    status: 409,
    code: 'Conflict',
    inner: 'ObjectIsDeletedButRecoverable',
    message: (e: { name: string }) =>
      `Key ${e.name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.`,
  },
  KeyPurgeProtected: {
    status: 403,
    code: 'Forbidden',
    inner: 'ForbiddenByPolicy',
    message: (e: { name: string }) => `Operation purge is not allowed on key ${e.name}: purge protection is on, and the key goes at its scheduled purge date.`,
  },
  TooManyVersions: {
    status: 403,
    code: 'Forbidden',
    inner: 'KeyVersionLimitExceeded',
    message: (e: { name: string; limit: number }) => `Key ${e.name} has ${e.limit} versions, the most that a key can have. Create a key of another name.`,
  },
  InvalidKeyIdentifier: { status: 400, code: 'Invalidkeyidentifier', message: text('Invalid key identifier') },
  BadParameter: { status: 400, code: 'BadParameter', message: (e: { reason: string }) => e.reason },
  Throttled: { status: 429, code: 'Throttled', message: text('Too many keys are being generated. Try again later.'), retryAfterSeconds: 5 },
  // The service itself
  Unavailable: { status: 503, code: 'ServiceUnavailable', message: text('The service is temporarily unavailable. Try again.'), retryAfterSeconds: 5 },
  Unfinished: {
    status: 503,
    code: 'ServiceUnavailable',
    message: text('The outcome of the request is not known yet. Look at the resource, then repeat the request if it is still needed.'),
    retryAfterSeconds: 5,
  },
  Internal: { status: 500, code: 'InternalServerError', message: text('An unexpected error occurred.') },
} as const satisfies Record<string, Entry>;

export type ErrorName = keyof typeof errors;
type Detail<N extends ErrorName> = Parameters<(typeof errors)[N]['message']> extends [infer D] ? [detail: D] : [];

/** The one class: an error that the service answers on purpose. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  constructor(
    readonly error: ErrorName,
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfterSeconds: number | undefined,
    readonly inner: string | undefined,
  ) {
    super(message);
  }
}

/** An error of the catalogue, to be thrown. */
export function refuse<N extends ErrorName>(name: N, ...detail: Detail<N>): ServiceError {
  const entry: Entry = errors[name];
  return new ServiceError(name, entry.status, entry.code, entry.message(detail[0] as never), entry.retryAfterSeconds, entry.inner);
}
