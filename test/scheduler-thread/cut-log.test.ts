import t from 'tap';
import type { Log } from '../../src/log.ts';
import { CutLog } from '../../src/scheduler-thread/cut-log.ts';
import { ManualTime } from '../helpers/manual-time.ts';

t.test('what was dropped is told, at a bounded rate', async (t) => {
  const time = new ManualTime(0);
  const lines: string[] = [];
  const log = { warn: (_fields: object, line: string) => lines.push(line) } as unknown as Log;
  const cutLog = new CutLog(log, time);
  cutLog.note(0);
  t.same(lines, []);
  cutLog.note(7);
  cutLog.note(9);
  t.match(lines, [/^7 missed runs of jobs with misfire=all were dropped/]);
  await time.advance(10_000);
  cutLog.note(12);
  cutLog.note(12);
  t.equal(lines.length, 2);
  t.match(lines[1], /^5 missed runs/);
});
