import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { endOf } from '../../src/job/end-of-schedule.ts';
import { parseIntervalText } from '../../src/job/interval.ts';
import type { Rules, Schedule } from '../../src/job/job.ts';
import { decideByRules, type Misfire, type Turn } from '../../src/job/misfire.ts';
import { timetableOf } from '../../src/job/timetable.ts';
import { at, calendar, cron, every, show } from './schedules.ts';
import { PYTHON_SCHEDULES } from './tables/python-schedules.ts';

const time = (text: string): number => (text === '' ? 0 : at(`${text}Z`));

function scheduleOf(kind: string, text: string, firstRun: number, rules: Rules): Schedule {
  if (kind === 'cron') return cron(text, rules, firstRun);
  if (kind === 'calendar') return calendar(text, firstRun, rules);
  return every(parseIntervalText(text).ms! / 1000, rules, firstRun);
}

type Line = {
  readonly text: string;
  readonly schedule: Schedule;
  readonly from: number;
  readonly said: number[];
};

const LINES: readonly Line[] = PYTHON_SCHEDULES.trim()
  .split('\n')
  .map((line) => {
    const [kind = '', text = '', location = '', gap, overlap, exclude, first = '', from = '', said = ''] =
      line.split('|');
    const rules: Record<string, unknown> = { location };
    if (gap) rules.gap = gap;
    if (overlap) rules.overlap = overlap;
    if (exclude) rules.exclude = exclude.split(';');
    const schedule = scheduleOf(kind, text, time(first), rules);
    return { text: line, schedule, from: time(from), said: said.split(',').map(at) };
  });

t.test('what Python says of the same schedules, a local time after another', async (t) => {
  t.equal(LINES.length, 868);
  for (const { text, schedule, from, said } of LINES) {
    const timetable = timetableOf(schedule, 1);
    const found: number[] = [];
    let next = from;
    for (; found.length < said.length; next++) {
      next = timetable.firstAtOrAfter(next);
      found.push(next);
    }
    t.same(found.map(show), said.map(show), text);
    const backwards: number[] = [];
    for (let last = next; backwards.length < said.length; last--) {
      last = timetable.lastAtOrBefore(last);
      backwards.unshift(last);
    }
    t.same(backwards.map(show), said.map(show), `${text}: backwards`);
    t.equal(timetable.count(from, next, 1000), said.length, `${text}: counted`);
  }
});

/** What is wrong among thousands, so that each is no line of its own. */
function collect() {
  const wrong: unknown[] = [];
  const expect = (found: unknown, expected: unknown, name = '') => {
    if (!isDeepStrictEqual(found, expected)) wrong.push([name, found, expected]);
  };
  return { wrong, expect };
}

t.test('the ends: first_run, not_before, last_run, max_runs', async (t) => {
  const { wrong, expect } = collect();
  for (const { text, schedule, from, said } of LINES) {
    const withRules = (more: Rules) => timetableOf({ ...schedule, rules: { ...schedule.rules, ...more } }, 1);
    const [, second = 0, third = 0, fourth = 0] = said;
    expect(withRules({ notBefore: second + 1 }).firstAtOrAfter(from), third, `${text}: not_before`);
    const last = withRules({ lastRun: fourth - 1 });
    expect(last.firstAtOrAfter(second + 1), third, `${text}: last_run`);
    expect(last.firstAtOrAfter(third + 1), Number.POSITIVE_INFINITY);
    expect(last.lastAtOrBefore(Number.POSITIVE_INFINITY), third);
    const counted = { ...schedule, rules: { ...schedule.rules, maxRuns: 4 } };
    expect(endOf(counted, from, 1), fourth, `${text}: max_runs`);
    expect(withRules({ endsAt: fourth }).count(from, Number.POSITIVE_INFINITY, 1000), 4);
    if (schedule.kind === 'cron') {
      expect(
        timetableOf({ ...schedule, firstRun: second + 1 }, 1).firstAtOrAfter(0),
        third,
        `${text}: first_run`,
      );
    }
  }
  t.same(wrong, []);
});

t.test('what becomes of those that were missed', async (t) => {
  const { wrong, expect } = collect();
  const turn: Turn = { runs: true, time: 0, behind: 0, skipped: 0, next: 0 };
  for (const { text, schedule, said } of LINES) {
    const [first = 0, second = 0, third = 0, fourth = 0] = said;
    const now = third;
    const decide = (policy: Misfire['policy'], age = Number.POSITIVE_INFINITY, backlog = 1000) => {
      const [countLimit, countedThrough] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      const misfire = { timetable: timetableOf(schedule, 1), policy, age, countLimit, countedThrough };
      decideByRules(turn, first, misfire, now, { misfireAfter: 60_000, backlog });
      return { ...turn };
    };
    const latest = { runs: true, time: third, next: fourth };
    expect(decide('once'), { ...latest, behind: 2, skipped: 0 }, `${text}: once`);
    expect(decide('once', now - second), { ...latest, behind: 1, skipped: 1 }, `${text}: once, with an age`);
    expect(decide('skip'), { ...latest, behind: 0, skipped: 2 }, `${text}: skip`);
    const each = { runs: true, behind: 0 };
    expect(decide('all'), { ...each, time: first, next: second, skipped: 0 }, `${text}: all`);
    expect(
      decide('all', now - second),
      { ...each, time: second, next: third, skipped: 1 },
      `${text}: all, with an age`,
    );
    expect(decide('all', Number.POSITIVE_INFINITY, 2), { ...each, time: second, next: third, skipped: 1 });
  }
  t.same(wrong, []);
});
