// What wrapped keys and sealed versions look like in a run: texts that name every incarnation on their way to the root, so that one in the wrong place is seen.

export const sealingKeyText = (hsm: string, incarnation: string): string => `sealing key of ${hsm} ${incarnation}`;
export const dataKeyText = (hsmIncarnation: string, keyIncarnation: string): string => `data key of ${keyIncarnation} under ${hsmIncarnation}`;
export const sealedText = (hsmIncarnation: string, keyIncarnation: string, version: string): string => `${version} under ${keyIncarnation} under ${hsmIncarnation}`;
