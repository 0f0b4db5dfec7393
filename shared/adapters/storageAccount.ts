// How the storage account is reached: by the connection string of an emulator, or at its addresses with the app's managed identity.
import type { StorageAccount, TokenCredential } from './tables';

type StorageSettings = { readonly connectionString: string } | { readonly tablesEndpoint: string; readonly queuesEndpoint: string };

export function storageAccount(settings: StorageSettings): StorageAccount {
  if ('connectionString' in settings) return settings;
  return { tableEndpoint: settings.tablesEndpoint, queueEndpoint: settings.queuesEndpoint, credential: managedIdentity() };
}

/** Loaded at the first token only: an emulator's app does without it. */
function managedIdentity(): TokenCredential {
  let credential: Promise<TokenCredential> | undefined;
  return {
    async getToken(scopes) {
      credential ??= import('@azure/identity').then(({ ManagedIdentityCredential }) => new ManagedIdentityCredential());
      return (await credential).getToken(scopes);
    },
  };
}
