import { pino } from 'pino';
import t from 'tap';
import { StartupError } from '../../src/errors.ts';
import type { JobRow } from '../../src/job/job.ts';
import { createLog } from '../../src/log.ts';
import { loadTable } from '../../src/scheduler-thread/loader.ts';
import { ManualTime } from '../helpers/manual-time.ts';
import { intervalRow } from '../helpers/rows.ts';

const rows = (first: number, last: number): JobRow[] =>
  Array.from({ length: last - first + 1 }, (_, index) => intervalRow(first + index, 1000, 0));

t.test('a load that breaks off goes on after its last row, and forgets nothing', async (t) => {
  const told: string[] = [];
  const log = pino({}, { write: (line: string) => told.push(JSON.parse(line).msg) });
  const time = new ManualTime(0);
  const asked: number[] = [];
  let closed = 0;
  const seen: number[] = [];
  const open = async (afterId: number) => {
    asked.push(afterId);
    if (asked.length === 2) throw new Error('MySQL is away');
    const breaksOff = asked.length === 1;
    return {
      total: 100,
      read: async (onRow: (row: JobRow) => void) => {
        for (const row of rows(afterId + 1, breaksOff ? 40 : 100)) onRow(row);
        if (breaksOff) throw new Error('the connection was lost');
      },
      close: () => closed++,
    };
  };
  const loading = loadTable({
    open,
    onRow: (row) => seen.push(row.id),
    clock: time,
    timers: time,
    log,
  });
  for (let step = 0; step < 20; step++) await time.advance(100);
  t.equal(await loading, 100);
  t.same(asked, [0, 40, 40]);
  t.equal(closed, 2, 'each connection that was opened is closed');
  t.match(told, [/^the load broke off, .*: the connection was lost$/, /^the load goes on$/]);
  t.equal(told.length, 2, 'each change of state is told once');
  t.same(
    seen,
    rows(1, 100).map(({ id }) => id),
  );
});

t.test('what only an operator can mend ends the load', async (t) => {
  const log = createLog('scheduler', false);
  log.level = 'silent';
  const time = new ManualTime(0);
  let closed = 0;
  const open = async () => ({
    total: 3,
    read: async (onRow: (row: JobRow) => void) => {
      for (const row of rows(1, 3)) onRow(row);
    },
    close: () => closed++,
  });
  const onRow = () => {
    throw new StartupError('too many');
  };
  await t.rejects(loadTable({ open, onRow, clock: time, timers: time, log }), { message: 'too many' });
  t.equal(closed, 1);
});
