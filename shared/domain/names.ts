// Names as callers give them, made into the one form that rows, scopes and comparisons use. A text that is no name becomes `undefined`, never a row key.

// Tested on the text as it came: lower-casing first would make letters of signs that only look alike.
const HSM_NAME = /^[a-z](?:[a-z0-9]|-(?!-)){1,22}[a-z0-9]$/i;
const GROUP_NAME = /^[\p{L}\p{N}._()-]{0,89}[\p{L}\p{N}_()-]$/u;
const KEY_NAME = /^[0-9a-z-]{1,127}$/i;
const KEY_VERSION = /^[0-9a-f]{32}$/i;
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** An HSM's name in lower case: 3..24 letters, digits and single hyphens, first a letter, last no hyphen. It is a DNS label. */
export const hsmKey = (text: string): string | undefined => matching(text, HSM_NAME);

/** A resource group's name in lower case. */
export const groupKey = (text: string): string | undefined => matching(text, GROUP_NAME);

/** A GUID in lower case. */
export const guid = (text: string): string | undefined => matching(text, GUID);

/** A key's name in lower case: 1..127 letters, digits and hyphens. Names match without regard to case and keep that of their creation. */
export const keyKey = (text: string): string | undefined => matching(text, KEY_NAME);

/** A key version: 32 hexadecimal digits, lower case. */
export const keyVersion = (text: string): string | undefined => matching(text, KEY_VERSION);

/** `West US` and `westus` are one location. */
export const locationKey = (text: string): string => text.replaceAll(' ', '').toLowerCase();

const matching = (text: string, pattern: RegExp): string | undefined => (pattern.test(text) ? text.toLowerCase() : undefined);

/** Regions that offer managed HSMs, as the provider lists them (contract.md §2.7). */
export const REGIONS = [
  'Central US',
  'Central US EUAP',
  'East US 2',
  'East US 2 EUAP',
  'South Central US',
  'North Europe',
  'West Europe',
  'Canada Central',
  'Switzerland North',
  'South Africa North',
  'UK South',
  'SouthEast Asia',
  'East Asia',
  'Korea Central',
  'Australia Central',
  'West US',
  'East US',
  'North Central US',
  'West Central US',
  'West US 2',
  'West US 3',
  'Canada East',
  'Japan East',
  'UAE North',
  'Australia East',
  'France Central',
  'Switzerland West',
  'Central India',
  'Brazil South',
  'Sweden Central',
  'Qatar Central',
  'South India',
  'Poland Central',
  'Japan West',
  'Norway East',
  'Norway West',
  'Germany West Central',
] as const;

const regionKeys: ReadonlySet<string> = new Set(REGIONS.map(locationKey));

/** Whether a location, in any writing, offers managed HSMs. */
export const isRegion = (text: string): boolean => regionKeys.has(locationKey(text));
