/** The clock: what is due happens in its order, with everything it causes, before an advance answers. Real time stands still here. */
import { createClock, type SteeredClock } from '../clock';

const START = Date.parse('2027-01-01T00:00:00Z');
const HOUR = 3_600_000;

const frozen = (options: Partial<Parameters<typeof createClock>[0]> = {}): SteeredClock => createClock({ realNow: () => START, ...options });
const iso = (instant: number) => new Date(instant).toISOString();

test('what is due happens in the order of instants, then of asking, each at its own instant', async () => {
  const clock = frozen();
  const seen: string[] = [];
  const note = (name: string) => () => void seen.push(`${name} ${iso(clock.now())}`);
  clock.at(START + 2 * HOUR, note('late'));
  clock.at(START + HOUR, note('early'));
  clock.at(START + HOUR, note('early too'));
  clock.at(START + 4 * HOUR, note('never'));
  await clock.advance(3 * HOUR);
  expect(seen).toEqual(['early 2027-01-01T01:00:00.000Z', 'early too 2027-01-01T01:00:00.000Z', 'late 2027-01-01T02:00:00.000Z']);
  expect(iso(clock.now())).toBe('2027-01-01T03:00:00.000Z');
  clock.stop();
});

test('what a due instant asks for within the advance happens too', async () => {
  const clock = frozen();
  const seen: string[] = [];
  const hop = () => {
    seen.push(iso(clock.now()));
    clock.at(clock.now() + HOUR, hop);
  };
  clock.at(START + HOUR, hop);
  await clock.advance(3 * HOUR);
  expect(seen).toEqual(['2027-01-01T01:00:00.000Z', '2027-01-01T02:00:00.000Z', '2027-01-01T03:00:00.000Z']);
  clock.stop();
});

test('the next instant waits for the promise of the one before and for the work it began', async () => {
  const clock = frozen();
  const seen: string[] = [];
  const later = (name: string) => new Promise<void>((resolve) => setImmediate(() => resolve(void seen.push(name))));
  clock.at(START + 1, async () => {
    await later('awaited');
    void clock.track(later('begun'));
  });
  clock.at(START + 2, () => void seen.push('next'));
  await clock.advance(2);
  expect(seen).toEqual(['awaited', 'begun', 'next']);
  clock.stop();
});

test('settle asks every source of work again until none has made any', async () => {
  const clock = frozen();
  let left = 3;
  let asked = 0;
  clock.onSettle(async () => {
    asked += 1;
    const work = async () => {
      left -= 1;
    };
    if (left > 0) void clock.track(work());
  });
  await clock.settle();
  expect({ left, asked }).toEqual({ left: 0, asked: 4 });
  clock.stop();
});

test('the aim is persisted before anything moves, and the offset is told at each step', async () => {
  const seen: string[] = [];
  const clock = frozen({ persist: async (offset) => void seen.push(`persist ${offset}`), onOffset: (offset) => void seen.push(`offset ${offset}`) });
  clock.at(START + HOUR, () => void seen.push(`due, aim ${clock.aim() - START}`));
  await clock.advance(2 * HOUR);
  expect(seen).toEqual(['offset 0', `persist ${2 * HOUR}`, `offset ${HOUR}`, `due, aim ${2 * HOUR}`, `offset ${2 * HOUR}`]);
  clock.stop();
});

test('an aim that cannot be persisted moves nothing', async () => {
  const clock = frozen({ persist: () => Promise.reject(new Error('disk full')) });
  await expect(clock.advance(HOUR)).rejects.toThrow('disk full');
  expect(clock.now()).toBe(START);
  clock.stop();
});

test.each([
  ['backwards', START - 1],
  ['to no instant', Number.NaN],
])('set %s is refused', async (_, instant) => {
  const clock = frozen();
  await expect(clock.set(instant)).rejects.toThrow(RangeError);
  expect(clock.now()).toBe(START);
  clock.stop();
});

test('set to now or later is accepted', async () => {
  const clock = frozen();
  await clock.set(START);
  await clock.set(START + HOUR);
  expect(clock.now()).toBe(START + HOUR);
  clock.stop();
});

test('what is cancelled does not happen', async () => {
  const clock = frozen();
  const seen: string[] = [];
  clock.at(START + 1, () => void seen.push('cancelled'))();
  clock.at(START + 1, () => void seen.push('kept'));
  await clock.advance(1);
  expect(seen).toEqual(['kept']);
  clock.stop();
});

test('one that fails is reported and does not keep the next from happening', async () => {
  const seen: string[] = [];
  const clock = frozen({ onError: (error, label) => void seen.push(`${label}: ${(error as Error).message}`) });
  clock.at(START + 1, () => Promise.reject(new Error('no')), 'first');
  clock.at(START + 2, () => void seen.push('second'));
  await clock.advance(2);
  expect(seen).toEqual(['first: no', 'second']);
  clock.stop();
});

test('two advances at once add up', async () => {
  const clock = frozen();
  await Promise.all([clock.advance(HOUR), clock.advance(HOUR)]);
  expect(clock.now()).toBe(START + 2 * HOUR);
  clock.stop();
});

test('without an advance real time brings what is due', async () => {
  const clock = createClock({ offsetMs: 90 * 24 * HOUR });
  await new Promise<void>((resolve) => void clock.at(clock.now() + 5, resolve));
  clock.stop();
});

test('a wait longer than a real timer can take does not come at once', async () => {
  const clock = createClock({});
  let came = false;
  clock.at(clock.now() + 90 * 24 * HOUR, () => {
    came = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(came).toBe(false);
  clock.stop();
});
