import fc from 'fast-check';
import t from 'tap';
import type { Schedule } from '../../src/job/job.ts';
import { type Timetable, timetableOf } from '../../src/job/timetable.ts';
import { schedules, times } from './arbitraries.ts';

/** The next `count` times from `time` on, each asked for 1 ms after the one before. */
function step(timetable: Timetable, time: number, count: number): number[] {
  const found: number[] = [];
  let next = timetable.firstAtOrAfter(time);
  while (Number.isFinite(next) && found.length < count) {
    found.push(next);
    next = timetable.firstAtOrAfter(next + 1);
  }
  return found;
}

function check(
  name: string,
  property: (schedule: Schedule, time: number, id: number) => void,
  numRuns = 900,
): void {
  t.test(name, async (t) => {
    const cases = fc.property(schedules, times, fc.integer({ min: 1, max: 2 ** 48 }), property);
    const { failed, counterexample, errorInstance } = fc.check(cases, { numRuns, seed: 20_261_126 });
    t.notOk(failed, failed ? `${JSON.stringify(counterexample)} ${errorInstance}` : 'holds');
  });
}

function assert(truth: boolean, what: () => unknown): void {
  if (!truth) throw new Error(JSON.stringify(what()));
}

check('stepping goes up, and from wherever it begins it meets the same times', (schedule, time, id) => {
  const all = step(timetableOf(schedule, id), time, 20);
  for (const [index, at] of all.entries()) {
    assert(
      Number.isInteger(at) && at >= (all[index - 1] ?? time - 1) + (index > 0 ? 1 : 0) && at >= time,
      () => all,
    );
  }
  // Whole ms: any moment between two times, asked of a timetable that has been told nothing yet.
  for (const [index, at] of all.entries()) {
    const before = all[index - 1] ?? time - 1;
    const other = timetableOf(schedule, id);
    for (const moment of [before + 1, before + Math.ceil((at - before) / 2), at - 1, at]) {
      if (moment > before)
        assert(other.firstAtOrAfter(moment) === at, () => [all, index, moment, other.firstAtOrAfter(moment)]);
    }
  }
});

check('the last time is the inverse of the first', (schedule, time, id) => {
  const timetable = timetableOf(schedule, id);
  const all = step(timetable, time, 12);
  for (const [index, at] of all.entries()) {
    const next = all[index + 1] ?? at + 1;
    for (const moment of [at, at + 1, Math.floor((at + next) / 2), next - 1]) {
      if (moment >= at && moment < next) {
        assert(timetable.lastAtOrBefore(moment) === at, () => [
          all,
          index,
          moment,
          timetable.lastAtOrBefore(moment),
        ]);
      }
    }
  }
  const last = timetable.lastAtOrBefore(time);
  assert(last <= time, () => last);
  if (Number.isFinite(last)) {
    assert(timetable.firstAtOrAfter(last) === last, () => [last, timetable.firstAtOrAfter(last)]);
    assert(timetable.firstAtOrAfter(last + 1) > time || timetable.firstAtOrAfter(time) === time, () => last);
  }
});

check('counting agrees with stepping', (schedule, time, id) => {
  const timetable = timetableOf(schedule, id);
  const all = step(timetable, time, 30);
  for (const count of new Set([0, 1, 2, all.length])) {
    if (count > all.length) continue;
    const until = count === 0 ? time : (all[count - 1] ?? time) + 1;
    assert(timetable.count(time, until, 1000) === count, () => [
      all,
      count,
      timetable.count(time, until, 1000),
    ]);
    assert(timetable.count(time, until, 1) === Math.min(1, count), () => [all, count, 'limit 1']);
    if (count > 0 && all.length >= count) {
      assert(timetable.count(time, until - 1, 1000) === count - 1, () => [
        all,
        count,
        'until is not included',
      ]);
      assert(timetable.count(all[0]!, until, 1000) === count, () => [all, count, 'from is included']);
    }
  }
  assert(timetable.count(time, time - 1000, 10) === 0, () => 'backwards');
});

check(
  'a clock has fractions of a ms',
  (schedule, time, id) => {
    const timetable = timetableOf(schedule, id);
    const all = step(timetable, time, 5);
    for (const [index, at] of all.entries()) {
      const next = all[index + 1];
      for (const part of [0.001, 0.5, 0.999]) {
        assert(timetable.firstAtOrAfter(at - part) === at, () => [all, index, part, 'first']);
        assert(timetable.lastAtOrBefore(at + part) === at, () => [all, index, part, 'last']);
        const before = timetable.lastAtOrBefore(at - part);
        assert(before === (all[index - 1] ?? before) && before < at, () => [
          all,
          index,
          part,
          before,
          'before',
        ]);
        if (next !== undefined)
          assert(timetable.firstAtOrAfter(at + part) === next, () => [all, index, part, 'next']);
        const [open, closed] = [timetable.count(time, at - part, 100), timetable.count(time, at + part, 100)];
        assert(open === index && closed === index + 1, () => [all, index, part, open, closed, 'counted']);
      }
    }
  },
  400,
);

check('bounds hold, and what is moved stays in its place', (schedule, time, id) => {
  const { jitter = 0, notBefore = 0, lastRun = Infinity, endsAt = Infinity, ...own } = schedule.rules ?? {};
  const moved = timetableOf(schedule, id);
  const unmoved = timetableOf({ ...schedule, rules: { ...own, notBefore, lastRun } }, id);
  for (const at of step(moved, time, 10)) {
    assert(at >= Math.max(schedule.firstRun, notBefore) && at <= lastRun && at <= endsAt, () => at);
    const base = unmoved.lastAtOrBefore(at);
    assert(at - base >= 0 && at - base <= jitter, () => [at, base]);
    assert(at < unmoved.firstAtOrAfter(base + 1), () => [at, base]);
  }
});

check(
  'jobs that share what was parsed are told what each would be told alone',
  (schedule, time, id) => {
    const [one, other] = [timetableOf(schedule, id), timetableOf({ ...schedule }, id)];
    const expected = step(one, time, 8);
    // Another question in between, and the other's in another order.
    other.lastAtOrBefore(time + 1_000_000);
    other.firstAtOrAfter(time + 3_600_000);
    assert(JSON.stringify(step(other, time, 8)) === JSON.stringify(expected), () => [
      expected,
      step(other, time, 8),
    ]);
  },
  500,
);
