// The form of scenario.json: what each client does step by step, and what it should bring. The programs in other languages read the same file.

/** Instants are ISO 8601 texts. */
export type Outcome = Readonly<Record<string, unknown>>;

export type Step = {
  readonly do: 'checkName' | 'create' | 'update' | 'get' | 'list' | 'listByGroup' | 'listDeleted' | 'getDeleted' | 'delete' | 'recover' | 'purge';
  readonly hsm?: string;
  readonly retentionDays?: number;
  readonly purgeProtection?: boolean;
  readonly tags?: Readonly<Record<string, string>>;
  /** A refusal is `{status, code}`; in place of two instants stands `daysToPurge`. */
  readonly expect: Outcome;
};

export type Scenario = { readonly group: string; readonly location: string; readonly administrator: string; readonly steps: readonly Step[] };
