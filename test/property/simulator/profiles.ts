// How often what happens. Each profile leans on one kind of trouble: a plain mix finds some faults many times later.
import type { ClientTask, KeyTask } from './commands';

export type Action =
  | 'start'
  | 'go'
  | 'finish'
  | 'release'
  | 'fault'
  | 'crash'
  | 'time'
  | 'clock'
  | 'offset'
  | 'sweep'
  | 'deliver'
  | 'fire'
  | 'forge'
  | 'loseTimer'
  | 'land'
  | 'cycle';

export type Profile = {
  readonly name: string;
  readonly actions: Readonly<Record<Action, number>>;
  readonly commands: Readonly<Record<ClientTask['kind'] | KeyTask['kind'], number>>;
  /** How often a run has days of a minute, so that executions live through whole retentions. */
  readonly shortDays: number;
  /** How often a host's clock is off by more than seconds. */
  readonly largeSkew: number;
  /** How often an execution is stalled at a call. */
  readonly stall: number;
  /** Executions outlive their time-out, the limit that ARCHITECTURE accepts: only I3, I4, I8 and the legality of each change hold. */
  readonly frozen: boolean;
  /** The real orchestrator runs on the embedded engine. */
  readonly engine: boolean;
  readonly names: number;
  /** Names of keys. */
  readonly keys: number;
  /** How often a part of a life is a key's. */
  readonly keyLife: number;
  /** The same for one in which purge protection comes on. */
  readonly fenceLife: number;
  readonly steps: number;
};

const mixed: Profile = {
  name: 'mixed',
  actions: {
    start: 20,
    go: 26,
    finish: 10,
    release: 5,
    fault: 7,
    crash: 2,
    time: 9,
    clock: 1,
    offset: 0.5,
    sweep: 3,
    deliver: 6,
    fire: 5,
    forge: 3,
    loseTimer: 0.5,
    land: 2,
    cycle: 4,
  },
  commands: {
    put: 14,
    protect: 3,
    patch: 5,
    recover: 10,
    remove: 14,
    purge: 10,
    show: 3,
    showDeleted: 3,
    list: 2,
    listDeleted: 2,
    nameRefusal: 2,
    groupPut: 3,
    groupRemove: 2,
    groupShow: 1,
    grant: 5,
    keyCreate: 6,
    keyUpdate: 1.5,
    keyRemove: 5,
    keyRecover: 3,
    keyPurge: 4,
    keyGet: 1,
    keyShowDeleted: 1,
    keyList: 1,
    keyListDeleted: 1,
    keyVersions: 0.5,
    keyGrant: 2,
  },
  shortDays: 0.35,
  largeSkew: 0.15,
  stall: 0.2,
  frozen: false,
  engine: false,
  names: 2,
  keys: 2,
  keyLife: 0.3,
  fenceLife: 0.1,
  steps: 34,
};

/** Where keys are beside the point. */
const few = {
  keyCreate: 1,
  keyUpdate: 0,
  keyRemove: 0.5,
  keyRecover: 0.2,
  keyPurge: 0.3,
  keyGet: 0.2,
  keyShowDeleted: 0,
  keyList: 0,
  keyListDeleted: 0,
  keyVersions: 0,
  keyGrant: 0.3,
};

const keys: Profile = {
  ...mixed,
  name: 'keys',
  commands: {
    put: 4,
    protect: 1,
    patch: 1,
    recover: 6,
    remove: 7,
    purge: 3,
    show: 0,
    showDeleted: 0,
    list: 0,
    listDeleted: 0,
    nameRefusal: 0,
    groupPut: 0.3,
    groupRemove: 0.3,
    groupShow: 0,
    grant: 1,
    keyCreate: 18,
    keyUpdate: 6,
    keyRemove: 18,
    keyRecover: 10,
    keyPurge: 13,
    keyGet: 4,
    keyShowDeleted: 3,
    keyList: 3,
    keyListDeleted: 3,
    keyVersions: 2,
    keyGrant: 8,
  },
  actions: { ...mixed.actions, deliver: 10, sweep: 5, fire: 8, time: 12, cycle: 8 },
  names: 1,
  keyLife: 0.75,
};

/** Purge protection switched on against purges by hand, refused, lost, healed. */
const fence: Profile = {
  ...keys,
  name: 'fence',
  commands: { ...keys.commands, put: 5, protect: 14, patch: 3, keyUpdate: 1, keyGet: 1, keyList: 0.5, keyListDeleted: 0.5, keyVersions: 0.2, keyGrant: 1, keyPurge: 16 },
  actions: { ...mixed.actions, sweep: 10, time: 13, fault: 11, crash: 4, fire: 3, deliver: 3, cycle: 12 },
  keyLife: 0.3,
  fenceLife: 0.5,
  stall: 0.3,
};

const all: readonly Profile[] = [
  keys,
  fence,
  { ...fence, name: 'fence-frozen', frozen: true, stall: 0.4 },
  mixed,
  {
    ...mixed,
    name: 'purge-heavy',
    commands: { ...mixed.commands, protect: 2, patch: 2, put: 16, remove: 18, purge: 22, recover: 14, groupPut: 1, groupRemove: 0.5, keyCreate: 10, grant: 8 },
    keyLife: 0.15,
    actions: { ...mixed.actions, deliver: 12, sweep: 5, fire: 8, time: 12, cycle: 9 },
    names: 1,
  },
  {
    ...mixed,
    name: 'stall-heavy',
    stall: 0.45,
    shortDays: 0.6,
    actions: { ...mixed.actions, fault: 10, release: 9, finish: 16, land: 4, cycle: 9 },
    commands: { ...mixed.commands, groupPut: 1, groupRemove: 1 },
    names: 1,
  },
  {
    ...mixed,
    name: 'groups',
    commands: { ...mixed.commands, groupPut: 10, groupRemove: 14, groupShow: 3, put: 20, recover: 14, grant: 1, patch: 2, protect: 1, ...few },
    keyLife: 0.05,
    actions: { ...mixed.actions, sweep: 9, time: 12, fault: 11, crash: 4 },
    stall: 0.3,
  },
  { ...mixed, name: 'skew', largeSkew: 0.75, actions: { ...mixed.actions, clock: 4, fire: 9, sweep: 5, time: 14 }, names: 1 },
  { ...mixed, name: 'frozen', frozen: true, stall: 0.4, actions: { ...mixed.actions, time: 14, release: 8, land: 4 }, names: 1 },
  { ...mixed, name: 'engine', engine: true, largeSkew: 0.4, shortDays: 0.3, stall: 0.1, actions: { ...mixed.actions, fire: 22, time: 16, clock: 2 }, names: 1 },
];

export const profiles: ReadonlyMap<string, Profile> = new Map(all.map((profile) => [profile.name, profile]));

/** A run without a profile of its own takes the one that its seed falls on; `frozen` ones are rare, as they ask less. */
const rotation = [
  'mixed',
  'purge-heavy',
  'keys',
  'stall-heavy',
  'groups',
  'skew',
  'fence',
  'keys',
  'mixed',
  'purge-heavy',
  'fence',
  'stall-heavy',
  'keys',
  'groups',
  'skew',
  'frozen',
  'fence-frozen',
];

export const profileOf = (seed: number, name: string | undefined): Profile => profiles.get(name ?? (rotation[seed % rotation.length] as string)) as Profile;
