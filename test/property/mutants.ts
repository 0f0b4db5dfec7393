// `npm run simulate:mutants [-- --only WORD] [--runs N]`: breaks the compiled code one fault at a time, on a copy, and lets the simulator look for it. A fault that no invariant finds is a hole in the simulator: exit 1.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Mutant, mutants } from './simulator/mutantList';

const { values: options } = parseArgs({ options: { only: { type: 'string' }, runs: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } } });

/** The compiled tree that this file stands in, and where the broken copies go: inside it, so that packages are found. */
const TREE = join(__dirname, '..', '..');
const COPIES = join(TREE, 'mutants');

type Verdict = { readonly mutant: Mutant; readonly invariant: string | undefined; readonly runs: number; readonly message: string };

main().then((code) => (process.exitCode = code));

async function main(): Promise<number> {
  const chosen = mutants.filter((mutant) => options.only === undefined || mutant.name.includes(options.only));
  const copies = chosen.map(prepareCopy);
  const verdicts: Verdict[] = [];
  const queue = chosen.map((mutant, index) => ({ mutant, tree: copies[index] as string }));
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const verdict = await hunt(next.mutant, next.tree);
      verdicts.push(verdict);
      console.log(
        `${verdict.invariant ? 'found ' : 'MISSED'}  ${next.mutant.name}${verdict.invariant ? ` by ${verdict.invariant} in ${verdict.runs} runs` : `, ${verdict.runs} runs`}: ${verdict.message}`,
      );
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  rmSync(COPIES, { recursive: true, force: true });
  console.log(`\n| fault | found by | runs needed |\n|---|---|---|`);
  for (const { name } of chosen) {
    const verdict = verdicts.find((each) => each.mutant.name === name);
    console.log(`| ${name} | ${verdict?.invariant ?? 'NOT FOUND'} | ${verdict?.runs} |`);
  }
  const missed = verdicts.filter((verdict) => verdict.invariant === undefined);
  console.log(`\n${verdicts.length - missed.length} of ${verdicts.length} found`);
  return missed.length ? 1 : 0;
}

/** A copy of the compiled code with one fault in it. @throws when a text to replace is not there exactly once: the list is out of date */
function prepareCopy(mutant: Mutant, index: number): string {
  const tree = join(COPIES, String(index));
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree, { recursive: true });
  for (const folder of ['shared', 'functions']) cpSync(join(TREE, folder), join(tree, folder), { recursive: true });
  for (const [from, to, inFile = mutant.file] of mutant.replace) {
    const file = join(tree, inFile);
    const parts = readFileSync(file, 'utf8').split(from);
    if (parts.length !== 2) throw new Error(`mutant "${mutant.name}": the text is in ${inFile} ${parts.length - 1} times, not once: ${from}`);
    writeFileSync(file, parts.join(to));
  }
  return tree;
}

function hunt(mutant: Mutant, tree: string): Promise<Verdict> {
  const profile = mutant.profile ? ['--profile', mutant.profile] : [];
  const runs = mutant.profile === 'engine' ? '2000' : (options.runs as string);
  const args = [join(__dirname, 'simulate.js'), '--code', tree, '--runs', runs, '--seed', options.seed as string, '--workers', '1', '--json', ...profile];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const line = stdout.trim().split('\n').at(-1) ?? '';
      if (!line.startsWith('{')) return reject(new Error(`mutant "${mutant.name}": ${error?.message ?? ''} ${stderr}`));
      const { runs: played, failure } = JSON.parse(line) as { runs: number; failure?: { invariant: string; message: string; runsNeeded: number } };
      const found = failure && failure.invariant !== 'no invariant';
      resolve({ mutant, invariant: found ? failure.invariant : undefined, runs: failure?.runsNeeded ?? played, message: (failure?.message ?? '').split('\n')[0] ?? '' });
    });
  });
}
