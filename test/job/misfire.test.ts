import t from 'tap';
import { decideByRules, longestWait, type Misfire, type Turn } from '../../src/job/misfire.ts';
import type { Timetable } from '../../src/job/timetable.ts';

const MINUTE = 60_000;
/** Each minute. */
const timetable: Timetable = {
  firstAtOrAfter: (time) => Math.ceil(time / MINUTE) * MINUTE,
  lastAtOrBefore: (time) => Math.floor(time / MINUTE) * MINUTE,
  count: (from, until, limit) => Math.min(limit, Math.ceil((until - from) / MINUTE)),
};
const limits = { misfireAfter: 30_000, backlog: 5 };

function misfire(policy: Misfire['policy'], age = Number.POSITIVE_INFINITY, countLimit = 1e9): Misfire {
  return { timetable, policy, age, countLimit, countedThrough: Number.NEGATIVE_INFINITY };
}

function decide(rules: Misfire, due: number, now: number): Turn {
  const turn: Turn = { runs: true, time: 0, behind: 0, skipped: 0, next: 0 };
  decideByRules(turn, due, rules, now, limits);
  return turn;
}

t.test('once: one run for all that was missed', async (t) => {
  const due = 10 * MINUTE;
  t.same(decide(misfire('once'), due, due), {
    runs: true,
    time: due,
    behind: 0,
    skipped: 0,
    next: 11 * MINUTE,
  });
  t.same(decide(misfire('once'), due, 13 * MINUTE + 1), {
    ...{ runs: true, time: 13 * MINUTE, behind: 3, skipped: 0, next: 14 * MINUTE },
  });
  t.match(
    decide(misfire('once', Number.POSITIVE_INFINITY, 2), due, 500 * MINUTE),
    { behind: 2 },
    'counted so far',
  );
});

t.test('once with an age: what is older is dropped, and not stood for', async (t) => {
  const rules = misfire('once', 2 * MINUTE);
  t.same(decide(rules, 10 * MINUTE, 15 * MINUTE), {
    ...{ runs: true, time: 15 * MINUTE, behind: 2, skipped: 3, next: 16 * MINUTE },
  });
  const short = misfire('once', 1000);
  t.same(decide(short, 10 * MINUTE, 12 * MINUTE + 1001), {
    ...{ runs: false, time: 12 * MINUTE, behind: 0, skipped: 3, next: 13 * MINUTE },
  });
});

t.test('skip: a young one runs, and all that was missed is dropped', async (t) => {
  const rules = misfire('skip');
  t.same(decide(rules, 10 * MINUTE, 10 * MINUTE + 30_000), {
    ...{ runs: true, time: 10 * MINUTE, behind: 0, skipped: 0, next: 11 * MINUTE },
  });
  t.same(decide(rules, 10 * MINUTE, 10 * MINUTE + 30_001), {
    ...{ runs: false, time: 10 * MINUTE, behind: 0, skipped: 1, next: 11 * MINUTE },
  });
  t.same(decide(rules, 10 * MINUTE, 14 * MINUTE + 5), {
    ...{ runs: true, time: 14 * MINUTE, behind: 0, skipped: 4, next: 15 * MINUTE },
  });
  t.same(decide(rules, 10 * MINUTE, 14 * MINUTE + 40_000), {
    ...{ runs: false, time: 14 * MINUTE, behind: 0, skipped: 5, next: 15 * MINUTE },
  });
});

t.test('all: each runs, up to the limit', async (t) => {
  const rules = misfire('all');
  const now = 13 * MINUTE;
  const times: number[] = [];
  for (let due = 10 * MINUTE; due <= now; ) {
    const turn = decide(rules, due, now);
    t.match(turn, { runs: true, behind: 0, skipped: 0 });
    times.push(turn.time);
    due = turn.next;
  }
  t.same(
    times,
    [10, 11, 12, 13].map((minute) => minute * MINUTE),
  );
  t.same(decide(misfire('all'), 10 * MINUTE, 100 * MINUTE), {
    ...{ runs: true, time: 96 * MINUTE, behind: 0, skipped: 86, next: 97 * MINUTE },
  });
  const counted = misfire('all');
  decide(counted, 96 * MINUTE, 100 * MINUTE);
  t.equal(counted.countedThrough, 100 * MINUTE, 'the backlog is counted once');
});

t.test('all with an age', async (t) => {
  t.same(decide(misfire('all', 2 * MINUTE), 10 * MINUTE, 15 * MINUTE), {
    ...{ runs: true, time: 13 * MINUTE, behind: 0, skipped: 3, next: 14 * MINUTE },
  });
  t.same(decide(misfire('all', 1000), 10 * MINUTE, 12 * MINUTE + 1001), {
    ...{ runs: false, time: 13 * MINUTE, behind: 0, skipped: 3, next: 13 * MINUTE },
  });
});

t.test('how long one may wait', async (t) => {
  t.equal(longestWait(misfire('once'), 0, MINUTE, limits), Number.POSITIVE_INFINITY);
  t.equal(longestWait(misfire('once', 7), 0, MINUTE, limits), 7);
  t.equal(longestWait(misfire('skip'), 0, MINUTE, limits), 30_000);
  t.equal(
    longestWait(misfire('skip'), 0, 1000, limits),
    1000,
    'the time to the next one, if that is shorter',
  );
  t.equal(longestWait(misfire('skip', 5), 0, MINUTE, limits), 5);
});
