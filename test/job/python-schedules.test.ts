import t from 'tap';
import { parseIntervalText } from '../../src/job/interval.ts';
import type { Rules, Schedule } from '../../src/job/job.ts';
import { timetableOf } from '../../src/job/timetable.ts';
import { at, calendar, cron, every, show } from './schedules.ts';
import { PYTHON_SCHEDULES } from './tables/python-schedules.ts';

const time = (text: string): number => (text === '' ? 0 : at(`${text}Z`));

function scheduleOf(kind: string, text: string, firstRun: number, rules: Rules): Schedule {
  if (kind === 'cron') return cron(text, rules, firstRun);
  if (kind === 'calendar') return calendar(text, firstRun, rules);
  return every(parseIntervalText(text).ms! / 1000, rules, firstRun);
}

t.test('what Python says of the same schedules, a local time after another', async (t) => {
  const lines = PYTHON_SCHEDULES.trim().split('\n');
  t.equal(lines.length, 868);
  for (const line of lines) {
    const [kind = '', text = '', location = '', gap, overlap, exclude, first = '', from = '', said = ''] =
      line.split('|');
    const rules: Record<string, unknown> = { location };
    if (gap) rules.gap = gap;
    if (overlap) rules.overlap = overlap;
    if (exclude) rules.exclude = exclude.split(';');
    const timetable = timetableOf(scheduleOf(kind, text, time(first), rules), 1);
    const expected = said.split(',');
    const found: string[] = [];
    let next = time(from);
    for (; found.length < expected.length; next++) {
      next = timetable.firstAtOrAfter(next);
      found.push(show(next));
    }
    t.same(found, expected, line);
    const backwards: string[] = [];
    for (let last = next; backwards.length < expected.length; last--) {
      last = timetable.lastAtOrBefore(last);
      backwards.unshift(show(last));
    }
    t.same(backwards, expected, `${line}: backwards`);
    t.equal(timetable.count(time(from), next, 1000), expected.length, `${line}: counted`);
  }
});
